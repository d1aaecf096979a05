//! Handshake, audio both ways, loss, reordering, end.

use std::time::Duration;

use bytes::Bytes;
use tributary_rtc_session::{Event, OutgoingAudio, PAYLOAD_BYTES_MAX, SendError};

use crate::pair::{LATENCY, Pair, Side, relay_address, terminal_address};

const FRAME: Duration = Duration::from_millis(20);

fn frame(number: u32, start: u32) -> OutgoingAudio {
    let length = 20 + (number as usize * 37) % 200;
    let payload: Vec<u8> = (0..length).map(|i| (i as u32 * 31 + number) as u8).collect();
    OutgoingAudio {
        section: 0,
        media_time: start.wrapping_add(number * 960),
        payload: Bytes::from(payload),
        level: Some((number % 128) as u8),
        talkspurt_start: number == 0,
    }
}

fn send(pair: &mut Pair, side: Side, frame: &OutgoingAudio) {
    let now = pair.now;
    pair.session(side).send_audio(frame, now).unwrap();
    pair.drain();
}

#[test]
fn both_sides_connect_and_say_so_once() {
    let pair = Pair::connected();
    for events in [&pair.terminal_events, &pair.relay_events] {
        let connected = events.iter().filter(|(_, event)| *event == Event::Connected).count();
        assert_eq!(connected, 1);
    }
}

#[test]
fn audio_arrives_both_ways_byte_for_byte_with_level_and_time_and_without_delay() {
    let mut pair = Pair::connected();
    let start = u32::MAX - 20 * 960; // wraps on the way
    let mut sent_at = Vec::new();
    for number in 0..128 {
        sent_at.push(pair.now);
        send(&mut pair, Side::Terminal, &frame(number, start));
        send(&mut pair, Side::Relay, &frame(number + 500, 7));
        pair.run_for(FRAME);
    }
    for (side, base, start) in [(Side::Relay, 0, start), (Side::Terminal, 500, 7)] {
        let heard = pair.heard(side);
        assert_eq!(heard.len(), 128);
        for (number, audio) in (base..).zip(&heard) {
            let sent = frame(number, start);
            assert_eq!(audio.payload, sent.payload);
            assert_eq!(audio.media_time, sent.media_time);
            assert_eq!(audio.level, sent.level);
        }
        assert!(heard.windows(2).all(|w| w[1].sequence == w[0].sequence + 1));
    }
    let arrivals = pair.relay_events.iter().filter(|(_, event)| matches!(event, Event::Audio(_)));
    for ((at, _), sent_at) in arrivals.zip(sent_at) {
        assert_eq!(*at, sent_at + LATENCY);
    }
}

#[test]
fn a_lost_packet_delays_none_and_shows_as_a_gap_in_the_sequence() {
    let mut pair = Pair::connected();
    let mut arrivals = Vec::new();
    for number in 0..10 {
        send(&mut pair, Side::Terminal, &frame(number, 0));
        if number == 4 || number == 5 {
            pair.intercept();
        }
        let before = pair.heard(Side::Relay).len();
        pair.run_for(LATENCY * 2);
        arrivals.push(pair.heard(Side::Relay).len() - before);
    }
    assert_eq!(arrivals, [1, 1, 1, 1, 0, 0, 1, 1, 1, 1]);
    let sequences: Vec<u32> = pair.heard(Side::Relay).iter().map(|a| a.sequence).collect();
    let steps: Vec<u32> = sequences.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(steps, [1, 1, 1, 3, 1, 1, 1]);
}

#[test]
fn a_late_packet_is_still_delivered_and_a_repeated_one_is_not() {
    let mut pair = Pair::connected();
    for number in 0..3 {
        send(&mut pair, Side::Terminal, &frame(number, 0));
    }
    let packets = pair.intercept();
    for index in [0, 2, 2, 1, 1] {
        pair.deliver(Side::Relay, &packets[index].1);
    }
    let heard: Vec<u32> = pair.heard(Side::Relay).iter().map(|a| a.media_time).collect();
    assert_eq!(heard, [0, 1920, 960]);
}

#[test]
fn what_can_not_be_sent_is_refused() {
    let mut pair = Pair::new();
    let now = pair.now;
    assert_eq!(pair.terminal.send_audio(&frame(0, 0), now), Err(SendError::NotConnected));
    let mut pair = Pair::connected();
    let now = pair.now;
    let mut long = frame(0, 0);
    long.payload = Bytes::from(vec![1; PAYLOAD_BYTES_MAX + 1]);
    assert_eq!(
        pair.relay.send_audio(&long, now),
        Err(SendError::PayloadLength(PAYLOAD_BYTES_MAX + 1))
    );
    long.payload = Bytes::new();
    assert_eq!(pair.relay.send_audio(&long, now), Err(SendError::PayloadLength(0)));
    long.payload = Bytes::from(vec![1; PAYLOAD_BYTES_MAX]);
    send(&mut pair, Side::Relay, &long);
    pair.run_for(FRAME);
    assert_eq!(pair.heard(Side::Terminal)[0].payload, long.payload);
}

#[test]
fn closing_tells_the_other_side() {
    let mut pair = Pair::connected();
    pair.terminal.close();
    pair.run_until(Duration::from_secs(2), |pair| !pair.relay.is_alive());
    assert!(!pair.relay.is_alive() && !pair.terminal.is_alive());
    assert_eq!(pair.relay_events.last().unwrap().1, Event::Disconnected);
    assert_eq!(pair.terminal_events.last().unwrap().1, Event::Disconnected);
    let now = pair.now;
    assert_eq!(pair.relay.send_audio(&frame(0, 0), now), Err(SendError::NotConnected));
}

#[test]
fn a_vanished_side_is_noticed_within_half_a_minute() {
    let mut pair = Pair::connected();
    let connected_at = pair.now;
    pair.lose = Box::new(|_, _| true);
    pair.run_until(Duration::from_secs(120), |pair| {
        !pair.relay.is_alive() && !pair.terminal.is_alive()
    });
    for events in [&pair.relay_events, &pair.terminal_events] {
        let (at, event) = events.last().unwrap();
        assert_eq!(*event, Event::Disconnected);
        assert!(*at - connected_at < Duration::from_secs(30), "{:?}", *at - connected_at);
    }
}

#[test]
fn an_idle_connection_stays_up() {
    let mut pair = Pair::connected();
    pair.run_for(Duration::from_secs(300));
    assert!(pair.terminal.is_connected() && pair.relay.is_connected());
}

#[test]
fn a_session_takes_stun_for_itself_and_nothing_from_strangers() {
    let mut pair = Pair::new();
    let now = pair.now;
    pair.terminal.handle_timeout(now);
    pair.drain();
    let binding = pair.intercept().remove(0).1;
    let ufrag = tributary_rtc_session::stun_local_ufrag(&binding).unwrap();
    assert_eq!(ufrag, pair.relay.local_ufrag());
    let stranger = "198.51.100.9:9".parse().unwrap();
    assert!(pair.relay.accepts(stranger, relay_address(), &binding, now));
    let other = Pair::new();
    assert!(!other.relay.accepts(stranger, relay_address(), &binding, now));

    let mut pair = Pair::connected();
    let now = pair.now;
    send(&mut pair, Side::Terminal, &frame(0, 0));
    let audio = pair.intercept().remove(0).1;
    assert!(pair.relay.accepts(terminal_address(), relay_address(), &audio, now));
    assert!(!pair.relay.accepts(stranger, relay_address(), &audio, now));
    pair.relay.receive(stranger, relay_address(), &audio, now);
    pair.drain();
    assert!(pair.heard(Side::Relay).is_empty());
}
