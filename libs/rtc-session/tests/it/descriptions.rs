//! Session descriptions from the network: bounds, refusals, and what the answer says.

use std::{net::SocketAddr, time::Instant};

use proptest::prelude::*;
use tributary_rtc_session::{
    CANDIDATES_MAX, Certificate, DESCRIPTION_BYTES_MAX, DescriptionError, MEDIA_SECTIONS_MAX,
    Session,
};

/// What Chromium 156 offers for one microphone after gathering, candidates and all.
const CHROMIUM_OFFER: &str = include_str!("chromium_offer.sdp");

pub fn relay_address() -> SocketAddr {
    "192.0.2.2:5000".parse().unwrap()
}

pub fn offer() -> String {
    CHROMIUM_OFFER.replace("\r\n", "\n").replace('\n', "\r\n")
}

pub fn answer(offer: &str) -> Result<String, DescriptionError> {
    let certificate = Certificate::generate().unwrap();
    Session::answer(offer, &[relay_address()], &certificate, Instant::now()).map(|(_, sdp)| sdp)
}

fn check_refused(change: impl FnOnce(String) -> String) {
    let changed = change(offer());
    assert_ne!(changed, offer(), "the change changes nothing");
    assert!(answer(&changed).is_err(), "accepted: {changed}");
}

#[test]
fn the_answer_to_chromium_has_opus_with_fec_and_levels_and_no_red() {
    let answer = answer(&offer()).unwrap();
    let lines: Vec<&str> = answer.lines().collect();
    let has = |line: &str| lines.contains(&line);
    assert!(has("a=rtpmap:111 opus/48000/2"), "{answer}");
    assert!(has("a=fmtp:111 minptime=10;useinbandfec=1"), "{answer}");
    assert!(has("a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level"), "{answer}");
    assert!(has("a=ice-lite") && has("a=sendrecv") && has("a=setup:passive"), "{answer}");
    assert!(answer.contains("192.0.2.2 5000 typ host"), "{answer}");
    assert!(!answer.to_lowercase().contains(" red/"), "{answer}");
    assert!(!answer.contains("usedtx"), "{answer}");
}

#[test]
fn the_own_offer_is_answered() {
    let certificate = Certificate::generate().unwrap();
    let now = Instant::now();
    let (_, offer) = Session::offer(relay_address(), 1, &certificate, now).unwrap();
    assert!(offer.contains("urn:ietf:params:rtp-hdrext:ssrc-audio-level"));
    answer(&offer).unwrap();
}

#[test]
fn candidates_of_an_offer_are_not_used() {
    let candidates = "a=candidate:1 1 udp 2122260223 169.254.169.254 80 typ host\r\n\
                      a=candidate:2 1 tcp 1518280447 10.0.0.1 25 typ host tcptype passive\r\n\
                      a=candidate:3 1 udp 2122260223 nobody.local 4444 typ host\r\n\
                      a=candidate:this is not one\r\n";
    let offer = offer().replace("a=mid:0\r\n", &format!("a=mid:0\r\n{candidates}"));
    let certificate = Certificate::generate().unwrap();
    let now = Instant::now();
    let (mut session, _) = Session::answer(&offer, &[relay_address()], &certificate, now).unwrap();
    for seconds in 0..60 {
        session.handle_timeout(now + std::time::Duration::from_secs(seconds));
        while let output = session.poll()
            && !matches!(output, tributary_rtc_session::Output::Timeout(_))
        {
            assert!(!matches!(output, tributary_rtc_session::Output::Transmit { .. }));
        }
    }
    assert!(!session.accepts("10.0.0.1:25".parse().unwrap(), relay_address(), &[128; 40], now));
}

#[test]
fn bounds_are_enforced() {
    let long = format!("{}a=x:{}\r\n", offer(), "y".repeat(DESCRIPTION_BYTES_MAX));
    assert!(matches!(answer(&long), Err(DescriptionError::TooLong { .. })));
    let sections = "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n".repeat(MEDIA_SECTIONS_MAX);
    assert!(matches!(
        answer(&(offer() + &sections)),
        Err(DescriptionError::TooManySections { sections }) if sections == MEDIA_SECTIONS_MAX + 1
    ));
    let candidates = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(CANDIDATES_MAX + 1);
    assert!(matches!(
        answer(&(offer() + &candidates)),
        Err(DescriptionError::TooManyCandidates { .. })
    ));
}

#[test]
fn malformed_offers_are_refused() {
    for text in ["", "\r\n", "v=0", "hello", "\0", "m=", "m=audio", "a=fingerprint:sha-256 x", "😀"]
    {
        assert!(answer(text).is_err(), "{text:?}");
    }
    check_refused(|o| without(&o, "a=fingerprint"));
    check_refused(|o| without(&o, "a=ice-ufrag"));
    check_refused(|o| without(&o, "a=ice-pwd"));
    check_refused(|o| without(&o, "a=mid"));
    check_refused(|o| without(&o, "m="));
    check_refused(|o| o.replace("sha-256", "sha-1"));
    check_refused(|o| o.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 AB:"));
    check_refused(|o| o + "a=fingerprint:sha-256 " + &["00"; 32].join(":") + "\r\n");
    check_refused(|o| o.replace("a=setup:actpass", "a=setup:holdconn"));
    check_refused(|o| o.replace("a=mid:0", "a=mid:0\0"));
    check_refused(|o| o.replace("a=ice-ufrag:", "a=ice-ufrag:\u{e9}"));
    check_refused(|o| replace_value(&o, "a=ice-ufrag:", "abc"));
    check_refused(|o| replace_value(&o, "a=ice-ufrag:", &"a".repeat(257)));
    check_refused(|o| replace_value(&o, "a=ice-pwd:", &"a".repeat(21)));
    check_refused(|o| o.replace("a=rtpmap:111 ", "a=rtpmap:300 "));
    check_refused(|o| o.replace("UDP/TLS/RTP/SAVPF 111", "UDP/TLS/RTP/SAVPF 200"));
    check_refused(|o| o.replace("a=extmap:1 ", "a=extmap:0 "));
    check_refused(|o| o.replace("a=extmap:1 ", "a=extmap:15 "));
    check_refused(|o| o.replace("a=extmap:1 ", "a=extmap:255 "));
    check_refused(|o| o.replace("a=extmap:1 ", "a=extmap:2 "));
    check_refused(|o| o.replace("a=sendrecv", "a=inactive"));
    check_refused(|o| o.replace("m=audio 59110", "m=audio 0"));
    check_refused(|o| o.replace("m=audio", "m=video"));
    check_refused(|o| o.replace("a=group:BUNDLE 0", "a=group:BUNDLE 0 7"));
    check_refused(|o| {
        o + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n"
    });
}

#[test]
fn an_offer_without_opus_is_refused_by_name() {
    assert_eq!(
        answer(&offer().replace("opus/48000/2", "speex/16000")),
        Err(DescriptionError::NoOpus)
    );
}

#[test]
fn malformed_answers_are_refused_and_a_second_answer_too() {
    let certificate = Certificate::generate().unwrap();
    let now = Instant::now();
    let (_, good_offer) = Session::offer(relay_address(), 1, &certificate, now).unwrap();
    let good = answer(&good_offer).unwrap();
    for bad in [
        String::new(),
        "v=0\r\n".to_owned(),
        without(&good, "a=fingerprint"),
        without(&good, "a=ice-pwd"),
        good.replace("m=audio", "m=video"),
        format!("{good}{}", "x".repeat(DESCRIPTION_BYTES_MAX)),
    ] {
        let (mut session, _) = Session::offer(relay_address(), 1, &certificate, now).unwrap();
        assert!(session.accept_answer(&bad).is_err(), "{bad}");
    }
    let (mut session, offer) = Session::offer(relay_address(), 1, &certificate, now).unwrap();
    let good = answer(&offer).unwrap();
    session.accept_answer(&good).unwrap();
    assert_eq!(session.accept_answer(&good), Err(DescriptionError::NoPendingOffer));
}

pub fn without(sdp: &str, prefix: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with(prefix)).collect()
}

fn replace_value(sdp: &str, prefix: &str, value: &str) -> String {
    let lines = sdp.lines().map(|line| match line.starts_with(prefix) {
        true => format!("{prefix}{value}\r\n"),
        false => format!("{line}\r\n"),
    });
    lines.collect()
}

/// Changes to lines: dropped, doubled, swapped, cut, with a foreign character or number.
pub fn mutation() -> impl Strategy<Value = (u8, prop::sample::Index, prop::sample::Index, String)> {
    (0..6_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[ -~]{0,6}|[0-9]{1,20}")
}

pub fn mutated(
    sdp: &str,
    mutations: &[(u8, prop::sample::Index, prop::sample::Index, String)],
) -> String {
    let mut lines: Vec<String> = sdp.lines().map(str::to_owned).collect();
    for (kind, at, to, text) in mutations {
        if lines.is_empty() {
            break;
        }
        let (at, to_line) = (at.index(lines.len()), to.index(lines.len()));
        match kind {
            0 => drop(lines.remove(at)),
            1 => lines.insert(to_line, lines[at].clone()),
            2 => lines.swap(at, to_line),
            _ => {
                let line = &mut lines[at];
                let cut = to.index(line.len() + 1);
                match kind {
                    3 => line.truncate(cut),
                    4 => line.insert_str(cut, text),
                    _ => line.replace_range(cut.., text),
                }
            }
        }
    }
    lines.join("\r\n") + "\r\n"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_offer_makes_it_panic(
        three in any::<bool>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let offer = if three { crate::sections::three() } else { offer() };
        let _ = answer(&mutated(&offer, &mutations));
    }

    #[test]
    fn no_answer_makes_it_panic(
        sections in 1usize..4,
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let certificate = Certificate::generate().unwrap();
        let now = Instant::now();
        let (mut session, offer) = Session::offer(relay_address(), sections, &certificate, now).unwrap();
        let answer = answer(&offer).unwrap();
        let _ = session.accept_answer(&mutated(&answer, &mutations));
    }
}
