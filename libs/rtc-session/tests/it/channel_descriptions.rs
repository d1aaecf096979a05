//! Offers of a data channel from the network: what a browser offers, bounds, refusals.

use std::time::Instant;

use proptest::prelude::*;
use tributary_rtc_session::{
    CANDIDATES_MAX, Certificate, ChannelSession, DESCRIPTION_BYTES_MAX, DescriptionError, Output,
};

use crate::{descriptions, pair::relay_address};

/// What Chromium 156 offers for one data channel after gathering, candidates and all.
const CHROMIUM_OFFER: &str = include_str!("chromium_offer_channel.sdp");

fn offer() -> String {
    CHROMIUM_OFFER.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn answer(offer: &str) -> Result<String, DescriptionError> {
    let certificate = Certificate::generate().unwrap();
    let answered = ChannelSession::answer(offer, &[relay_address()], &certificate, Instant::now());
    answered.map(|(_, answer)| answer)
}

fn check_refused(change: impl FnOnce(String) -> String) -> DescriptionError {
    let changed = change(offer());
    assert_ne!(changed, offer(), "the change changes nothing");
    answer(&changed).expect_err("accepted")
}

#[test]
fn the_answer_to_chromium_says_where_and_how_much() {
    let answer = answer(&offer()).unwrap();
    let has = |line: &str| answer.lines().any(|other| other == line);
    assert!(answer.contains("webrtc-datachannel"), "{answer}");
    assert!(has("a=max-message-size:65536") && has("a=sctp-port:5000"), "{answer}");
    assert!(has("a=ice-lite") && has("a=setup:passive"), "{answer}");
    assert!(answer.contains("192.0.2.2 5000 typ host"), "{answer}");
    assert!(!answer.contains("m=audio") && !answer.contains("sctp-init"), "{answer}");
}

#[test]
fn anything_but_one_channel_section_is_refused_by_count() {
    let section = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n\
                   a=sctp-port:5000\r\n";
    let two = check_refused(|o| o + section);
    assert_eq!(two, DescriptionError::ChannelSections { sections: 2, all: 2 });
    let video = check_refused(|o| o + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n");
    assert_eq!(video, DescriptionError::ChannelSections { sections: 1, all: 2 });
    let none = check_refused(|o| descriptions::without(&o, "m="));
    assert_eq!(none, DescriptionError::ChannelSections { sections: 0, all: 0 });
    assert_eq!(
        answer(&descriptions::offer()),
        Err(DescriptionError::ChannelSections { sections: 0, all: 1 }),
        "an offer of audio"
    );
    for format in ["UDP/DTLS/SCTP other", "TCP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000"] {
        check_refused(|o| o.replace("UDP/DTLS/SCTP webrtc-datachannel", format));
    }
}

#[test]
fn bounds_are_enforced() {
    let long = format!("{}a=x:{}\r\n", offer(), "y".repeat(DESCRIPTION_BYTES_MAX));
    assert!(matches!(answer(&long), Err(DescriptionError::TooLong { .. })));
    let candidates = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(CANDIDATES_MAX + 1);
    let many = answer(&(offer() + &candidates));
    assert!(matches!(many, Err(DescriptionError::TooManyCandidates { .. })));
}

#[test]
fn malformed_offers_are_refused() {
    for text in ["", "\r\n", "v=0", "hello", "\0", "m=", "m=application", "m=application 9 ", "😀"]
    {
        assert!(answer(text).is_err(), "{text:?}");
    }
    check_refused(|o| descriptions::without(&o, "a=fingerprint"));
    check_refused(|o| descriptions::without(&o, "a=ice-ufrag"));
    check_refused(|o| descriptions::without(&o, "a=ice-pwd"));
    check_refused(|o| descriptions::without(&o, "a=mid"));
    check_refused(|o| descriptions::without(&o, "a=sctp-port"));
    check_refused(|o| o.replace("a=sctp-port:5000", "a=sctp-port:0"));
    check_refused(|o| o.replace("a=sctp-port:5000", "a=sctp-port:70000"));
    check_refused(|o| o.replace("a=sctp-port:5000", "a=sctp-port:5000\r\na=sctp-port:5001"));
    check_refused(|o| o.replace("a=max-message-size:262144", "a=max-message-size:1200"));
    check_refused(|o| o.replace("a=max-message-size:262144", "a=max-message-size:-1"));
    check_refused(|o| o.replace("sha-256", "sha-1"));
    check_refused(|o| o.replace("a=setup:actpass", "a=setup:holdconn"));
    check_refused(|o| o.replace("a=mid:0", "a=mid:0\0"));
    check_refused(|o| o.replace("a=ice-ufrag:", "a=ice-ufrag:\u{e9}"));
    check_refused(|o| o.replace("a=group:BUNDLE 0", "a=group:BUNDLE 0 7"));
}

#[test]
fn a_side_that_takes_messages_of_any_length_or_does_not_say_is_answered() {
    for size in ["a=max-message-size:0", "a=max-message-size:1073741823", "a=x"] {
        answer(&offer().replace("a=max-message-size:262144", size)).unwrap();
    }
}

#[test]
fn the_sctp_handshake_is_never_taken_from_the_description() {
    let init = "a=sctp-init:AQAAGgAAAAEAEAAA//8AAAAAAQCABgAEgsA=";
    let answer = answer(&offer().replace("a=mid:0", &format!("a=mid:0\r\n{init}"))).unwrap();
    assert!(!answer.contains("sctp-init"), "{answer}");
}

#[test]
fn candidates_of_an_offer_are_not_used() {
    let candidates = "a=candidate:1 1 udp 2122260223 169.254.169.254 80 typ host\r\n\
                      a=candidate:this is not one\r\n";
    let offer = offer().replace("a=mid:0\r\n", &format!("a=mid:0\r\n{candidates}"));
    let certificate = Certificate::generate().unwrap();
    let now = Instant::now();
    let (mut session, _) =
        ChannelSession::answer(&offer, &[relay_address()], &certificate, now).unwrap();
    for seconds in 0..60 {
        session.handle_timeout(now + std::time::Duration::from_secs(seconds));
        while let output = session.poll()
            && !matches!(output, Output::Timeout(_))
        {
            assert!(!matches!(output, Output::Transmit { .. }));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_offer_makes_it_panic(mutations in prop::collection::vec(descriptions::mutation(), 1..6)) {
        let _ = answer(&descriptions::mutated(&offer(), &mutations));
    }
}
