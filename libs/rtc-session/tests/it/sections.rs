//! Sessions with several audio sections: what is offered and answered, and that none is ever taken for
//! another.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tributary_rtc_session::{
    AUDIO_SECTIONS_MAX, Certificate, DescriptionError, OutgoingAudio, SendError, Session,
};

use crate::{
    descriptions::{answer, offer, relay_address, without},
    pair::{Pair, Side},
};

const FRAME: Duration = Duration::from_millis(20);

/// What Chromium 156 offers for a microphone, a second sending section and a receiving one.
const CHROMIUM_OFFER: &str = include_str!("chromium_offer_three.sdp");

pub fn three() -> String {
    CHROMIUM_OFFER.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// The `m=` sections of a description, without what is before them.
fn sections(sdp: &str) -> Vec<&str> {
    let starts: Vec<usize> = sdp.match_indices("m=").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([sdp.len()]);
    starts.iter().zip(ends).map(|(start, end)| &sdp[*start..end]).collect()
}

fn values<'a>(section: &'a str, prefix: &str) -> Vec<&'a str> {
    section.lines().filter_map(|line| line.strip_prefix(prefix)).collect()
}

fn direction(section: &str) -> &str {
    let is = |line: &&str| ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"].contains(line);
    section.lines().find(is).unwrap()
}

fn frame(section: usize, number: u32) -> OutgoingAudio {
    OutgoingAudio {
        section,
        media_time: number * 960,
        payload: Bytes::from(vec![section as u8 + 1; 40 + number as usize % 50]),
        level: Some(30),
        talkspurt_start: false,
    }
}

#[test]
fn the_answer_to_chromium_has_every_section_with_its_own_mid_direction_and_source() {
    let answer = answer(&three()).unwrap();
    let answered = sections(&answer);
    assert_eq!(answered.len(), 3, "{answer}");
    assert!(answer.contains("a=group:BUNDLE 0 1 2"), "{answer}");
    let directions: Vec<_> = answered.iter().map(|section| direction(section)).collect();
    assert_eq!(directions, ["a=sendrecv", "a=sendrecv", "a=sendonly"]);
    let mut sources = Vec::new();
    for (place, section) in answered.iter().enumerate() {
        assert_eq!(values(section, "a=mid:"), [place.to_string()]);
        assert!(section.contains("a=rtpmap:111 opus/48000/2"), "{section}");
        assert!(section.contains("urn:ietf:params:rtp-hdrext:ssrc-audio-level"), "{section}");
        let ids: Vec<_> =
            values(section, "a=ssrc:").iter().map(|ssrc| ssrc[..9].to_owned()).collect();
        assert!(!ids.is_empty(), "{section}");
        sources.push(ids[0].clone());
    }
    sources.sort();
    sources.dedup();
    assert_eq!(sources.len(), 3, "{answer}");
}

#[test]
fn one_to_three_sections_are_offered_and_answered() {
    let certificate = Certificate::generate().unwrap();
    let now = Instant::now();
    let offering = |sections| Session::offer(relay_address(), sections, &certificate, now);
    for count in 1..=AUDIO_SECTIONS_MAX {
        let (mut terminal, offer) = offering(count).unwrap();
        let expected = ["a=sendrecv", "a=sendrecv", "a=recvonly"];
        let directions: Vec<_> =
            sections(&offer).iter().map(|section| direction(section)).collect();
        assert_eq!(directions, expected[..count]);
        let answered = Session::answer(&offer, &[relay_address()], &certificate, now);
        let (relay, answer) = answered.unwrap();
        terminal.accept_answer(&answer).unwrap();
        assert_eq!((terminal.sections(), relay.sections()), (count, count));
    }
    for count in [0, AUDIO_SECTIONS_MAX + 1] {
        let refused = offering(count).map(drop);
        assert_eq!(refused, Err(DescriptionError::AudioSections { sections: count }));
    }
}

#[test]
fn an_offer_with_four_sections_is_refused_by_name() {
    let three = three();
    let fourth = sections(&three)[2].replace("a=mid:2", "a=mid:3");
    let four = format!("{three}{fourth}").replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3");
    assert_eq!(answer(&four), Err(DescriptionError::AudioSections { sections: 4 }));
    let repeated = format!("{three}{}", sections(&three)[2]);
    assert!(matches!(answer(&repeated), Err(DescriptionError::Unusable(_))));
}

#[test]
fn a_section_out_of_use_moves_none_to_another_place() {
    let three = three();
    let parts = sections(&three);
    let head = &three[..three.find("m=").unwrap()];
    let build = |parts: [String; 3]| format!("{head}{}", parts.concat());
    let parts = [parts[0], parts[1], parts[2]].map(str::to_owned);
    for place in 0..2 {
        let mut unused = parts.clone();
        unused[place] = unused[place].replace("a=sendrecv", "a=inactive");
        assert!(matches!(answer(&build(unused)), Err(DescriptionError::Unusable(_))), "{place}");
    }
    let mut unused = parts.clone();
    unused[2] = unused[2].replace("a=recvonly", "a=inactive");
    let certificate = Certificate::generate().unwrap();
    let now = Instant::now();
    let (session, _) =
        Session::answer(&build(unused), &[relay_address()], &certificate, now).unwrap();
    assert_eq!(session.sections(), 2);
}

#[test]
fn sections_that_are_only_to_be_had_bundled_have_no_port_of_their_own() {
    let three = three();
    let parts = sections(&three);
    let bundled = |part: &str| {
        part.replace("m=audio 9 ", "m=audio 0 ")
            .replace("a=rtcp-mux", "a=bundle-only\r\na=rtcp-mux")
    };
    let head = &three[..three.find("m=").unwrap()];
    let offer = format!("{head}{}{}{}", parts[0], bundled(parts[1]), bundled(parts[2]));
    let answer = answer(&offer).unwrap();
    let directions: Vec<_> = sections(&answer).iter().map(|section| direction(section)).collect();
    assert_eq!(directions, ["a=sendrecv", "a=sendrecv", "a=sendonly"], "{answer}");
    let rejected = format!("{head}{}", parts[0].replace("m=audio 48802 ", "m=audio 0 "));
    assert!(self::answer(&rejected).is_err());
}

#[test]
fn every_section_is_checked_like_the_first() {
    let three = three();
    let changed = |from: &str, to: &str| {
        let parts = sections(&three);
        let second = parts[1].replace(from, to);
        assert_ne!(second, parts[1]);
        answer(&three.replace(parts[1], &second))
    };
    assert_eq!(changed("opus/48000/2", "speex/16000"), Err(DescriptionError::NoOpus));
    assert!(changed("a=mid:1", "a=mid:0").is_err());
    assert!(changed("a=extmap:1 ", "a=extmap:15 ").is_err());
    assert!(changed("a=rtpmap:111 ", "a=rtpmap:300 ").is_err());
    assert!(answer(&without(&three, "a=mid")).is_err());
}

#[test]
fn audio_comes_out_of_the_section_that_it_went_into_both_ways() {
    let mut pair = Pair::connected_with(3);
    for number in 0..50 {
        for (side, sections) in [(Side::Terminal, 0..2), (Side::Relay, 0..3)] {
            for section in sections {
                let now = pair.now;
                pair.session(side).send_audio(&frame(section, number), now).unwrap();
                pair.drain();
            }
        }
        pair.run_for(FRAME);
    }
    for (side, count) in [(Side::Relay, 2), (Side::Terminal, 3)] {
        let heard = pair.heard(side);
        assert_eq!(heard.len(), 50 * count);
        for section in 0..count {
            let of_section: Vec<_> =
                heard.iter().filter(|audio| audio.section == section).collect();
            assert_eq!(of_section.len(), 50);
            for (number, audio) in (0..).zip(of_section) {
                let sent = frame(section, number);
                assert_eq!((audio.media_time, &audio.payload), (sent.media_time, &sent.payload));
            }
        }
    }
}

#[test]
fn a_section_that_was_not_agreed_on_is_not_wanted() {
    let mut pair = Pair::connected_with(3);
    let now = pair.now;
    let sent = pair.terminal.send_audio(&frame(2, 0), now);
    assert_eq!(sent, Err(SendError::NotWanted), "the third is for receiving");
    let mut pair = Pair::connected_with(1);
    let now = pair.now;
    for section in [1, 2, 3, usize::MAX] {
        let mut outgoing = frame(0, 0);
        outgoing.section = section;
        assert_eq!(pair.relay.send_audio(&outgoing, now), Err(SendError::NotWanted));
        assert_eq!(pair.terminal.send_audio(&outgoing, now), Err(SendError::NotWanted));
    }
}

#[test]
fn an_offer_with_one_section_still_works() {
    let certificate = Certificate::generate().unwrap();
    let now = Instant::now();
    let (session, answer) =
        Session::answer(&offer(), &[relay_address()], &certificate, now).unwrap();
    assert_eq!(session.sections(), 1);
    assert_eq!(sections(&answer).len(), 1);
}
