//! Whatever comes from the network, a session neither panics nor stops.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tributary_rtc_session::{OutgoingAudio, stun_local_ufrag};

use crate::pair::{Pair, Side};

fn sends_audio_still(pair: &mut Pair) {
    let before = pair.heard(Side::Relay).len();
    let frame = OutgoingAudio {
        section: 0,
        media_time: 960,
        payload: Bytes::from_static(&[7; 80]),
        level: Some(30),
        talkspurt_start: false,
    };
    let now = pair.now;
    pair.terminal.send_audio(&frame, now).unwrap();
    pair.run_for(Duration::from_millis(20));
    assert_eq!(pair.heard(Side::Relay).len(), before + 1);
    assert_eq!(pair.heard(Side::Relay).last().unwrap().payload, frame.payload);
}

#[test]
fn every_truncation_of_every_datagram_of_a_conversation_is_ignored() {
    let mut pair = Pair::connected();
    sends_audio_still(&mut pair);
    let sent = std::mem::take(&mut pair.sent);
    for (from, datagram) in &sent {
        for length in 0..datagram.len() {
            let to = if *from == Side::Terminal { Side::Relay } else { Side::Terminal };
            pair.deliver(to, &datagram[..length]);
        }
    }
    assert!(pair.relay.is_alive() && pair.terminal.is_alive());
    sends_audio_still(&mut pair);
}

#[test]
fn truncated_datagrams_before_and_between_the_real_ones_do_not_hinder_the_handshake() {
    let mut pair = Pair::new();
    pair.drain();
    for _ in 0..400 {
        for (to, datagram) in pair.intercept() {
            for length in (0..datagram.len()).step_by(7) {
                pair.deliver(to, &datagram[..length]);
            }
            pair.deliver(to, &datagram);
        }
        if pair.relay.is_connected() && pair.terminal.is_connected() {
            break;
        }
        pair.now += Duration::from_millis(10);
        let now = pair.now;
        pair.relay.handle_timeout(now);
        pair.terminal.handle_timeout(now);
        pair.drain();
    }
    assert!(pair.relay.is_connected() && pair.terminal.is_connected());
    sends_audio_still(&mut pair);
}

/// The first byte decides between STUN, DTLS, RTP and RTCP (RFC 7983): each kind often.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![0_u8..4, 20_u8..64, 128_u8..192, any::<u8>()];
    let rest = prop::collection::vec(any::<u8>(), 0..200);
    let rtcp = prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut rest| {
        rest.insert(0, 200 + rest.len() as u8 % 8);
        rest
    });
    (first, prop_oneof![rest, rtcp]).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    })
}

#[test]
fn random_datagrams_are_ignored() {
    let mut pair = Pair::connected();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let pair_cell = std::cell::RefCell::new(&mut pair);
    runner
        .run(&datagram(), |datagram| {
            let mut pair = pair_cell.borrow_mut();
            stun_local_ufrag(&datagram);
            pair.deliver(Side::Relay, &datagram);
            pair.deliver(Side::Terminal, &datagram);
            prop_assert!(pair.relay.is_alive() && pair.terminal.is_alive());
            Ok(())
        })
        .unwrap();
    sends_audio_still(&mut pair);
}

#[test]
fn flipped_bits_in_audio_are_ignored() {
    let mut pair = Pair::connected();
    sends_audio_still(&mut pair);
    let audio = pair.sent.iter().rev().find(|(_, d)| d[0] & 0xc0 == 0x80).unwrap().1.clone();
    let heard = pair.heard(Side::Relay).len();
    for bit in 0..audio.len() * 8 {
        let mut flipped = audio.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        pair.deliver(Side::Relay, &flipped);
    }
    assert_eq!(pair.heard(Side::Relay).len(), heard);
    sends_audio_still(&mut pair);
}
