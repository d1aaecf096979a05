//! A data channel session against a client that the tests make do what they want, in virtual time.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId, Reliability},
    net::{Protocol, Receive},
};
use tributary_rtc_session::{
    CHANNEL_LABEL, Certificate, ChannelEnd, ChannelEvent, ChannelSendError, ChannelSession,
    MESSAGE_BYTES_MAX, Output, SEND_BUFFER_BYTES, install_crypto,
};

use crate::pair::{LATENCY, relay_address, terminal_address};

/// The library without anything of ours around it.
struct Client {
    rtc: Rtc,
    opened: Vec<ChannelId>,
    closed: bool,
    messages: Vec<(bool, Vec<u8>)>,
    due: Instant,
}

/// A client and a relay's session, joined by a network of 5 ms.
struct Pair {
    now: Instant,
    client: Client,
    relay: ChannelSession,
    relay_due: Instant,
    events: Vec<ChannelEvent>,
    /// Every datagram of the client.
    sent: Vec<Vec<u8>>,
    flying: VecDeque<(Instant, bool, Vec<u8>)>,
    cut: bool,
}

pub fn plain() -> ChannelConfig {
    ChannelConfig { label: CHANNEL_LABEL.to_owned(), ..ChannelConfig::default() }
}

/// A client that offers a channel, and its offer.
fn client(config: ChannelConfig, now: Instant) -> (Rtc, String, SdpPendingOffer) {
    install_crypto();
    let mut rtc = Rtc::builder()
        .clear_codecs()
        .set_sctp_max_buffered_amount(4 << 20)
        .set_sctp_max_message_size(4 << 20)
        .build(now);
    rtc.add_local_candidate(Candidate::host(terminal_address(), "udp").unwrap());
    let mut changes = rtc.sdp_api();
    changes.add_channel_with_config(config);
    let (offer, pending) = changes.apply().unwrap();
    (rtc, offer.to_sdp_string(), pending)
}

impl Pair {
    fn offering(config: ChannelConfig) -> Self {
        let now = Instant::now();
        let (mut rtc, offer, pending) = client(config, now);
        let certificate = Certificate::generate().unwrap();
        let (relay, answer) =
            ChannelSession::answer(&offer, &[relay_address()], &certificate, now).unwrap();
        // The client would keep to it; the tests want one that does not.
        let answer = answer.replace("a=max-message-size:65536", "a=max-message-size:4194304");
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        let client =
            Client { rtc, opened: Vec::new(), closed: false, messages: Vec::new(), due: now };
        Self {
            now,
            client,
            relay,
            relay_due: now,
            events: Vec::new(),
            sent: Vec::new(),
            flying: VecDeque::new(),
            cut: false,
        }
    }

    fn open() -> Self {
        let mut pair = Self::offering(plain());
        pair.run_until(Duration::from_secs(5), |pair| {
            !pair.client.opened.is_empty() && pair.relay.is_open()
        });
        assert_eq!(pair.events, [ChannelEvent::Opened]);
        pair.events.clear();
        pair
    }

    fn drain(&mut self) {
        loop {
            match self.relay.poll() {
                Output::Timeout(at) => break self.relay_due = at,
                Output::Event(event) => self.events.push(event),
                Output::Transmit { destination, contents } => {
                    assert_eq!(destination, terminal_address());
                    if !self.cut {
                        self.flying.push_back((self.now + LATENCY, false, contents.to_vec()));
                    }
                }
            }
        }
        loop {
            match self.client.rtc.poll_output() {
                Ok(str0m::Output::Timeout(at)) => break self.client.due = at,
                Ok(str0m::Output::Transmit(transmit)) => {
                    assert_eq!(transmit.destination, relay_address());
                    self.sent.push(transmit.contents.to_vec());
                    if !self.cut {
                        let bytes = transmit.contents.to_vec();
                        self.flying.push_back((self.now + LATENCY, true, bytes));
                    }
                }
                Ok(str0m::Output::Event(event)) => match event {
                    Event::ChannelOpen(id, _) => self.client.opened.push(id),
                    Event::ChannelData(data) => self.client.messages.push((data.binary, data.data)),
                    Event::ChannelClose(_) | Event::Closed => self.client.closed = true,
                    _ => {}
                },
                Err(_) => break self.client.due = self.now + Duration::from_secs(3600),
            }
        }
    }

    fn deliver(&mut self, to_relay: bool, bytes: &[u8]) {
        let now = self.now;
        if to_relay {
            self.relay.receive(terminal_address(), relay_address(), bytes, now);
        } else if let Ok(receive) =
            Receive::new(Protocol::Udp, relay_address(), terminal_address(), bytes)
        {
            let _ = self.client.rtc.handle_input(Input::Receive(now, receive));
        }
        self.drain();
    }

    fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Lets time pass until the condition holds, at most for `duration`.
    fn run_until(&mut self, duration: Duration, mut condition: impl FnMut(&Self) -> bool) {
        let end = self.now + duration;
        self.drain();
        while !condition(self) {
            let arrival = self.flying.front().map_or(end, |flying| flying.0);
            let next = arrival.min(self.client.due).min(self.relay_due).max(self.now);
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
            if self.flying.front().is_some_and(|flying| flying.0 <= next) {
                let (_, to_relay, bytes) = self.flying.pop_front().unwrap();
                self.deliver(to_relay, &bytes);
            }
            if self.client.due <= next {
                let _ = self.client.rtc.handle_input(Input::Timeout(next));
            }
            if self.relay_due <= next {
                self.relay.handle_timeout(next);
            }
            self.drain();
        }
    }

    /// The client sends a message.
    fn say(&mut self, binary: bool, bytes: &[u8]) {
        let id = self.client.opened[0];
        assert!(self.client.rtc.channel(id).unwrap().write(binary, bytes).unwrap());
    }

    fn messages(&self) -> Vec<&[u8]> {
        let messages = self.events.iter().map(|event| match event {
            ChannelEvent::Message(bytes) => &bytes[..],
            other => panic!("{other:?}"),
        });
        messages.collect()
    }

    fn check_works_still(&mut self) {
        self.events.clear();
        self.say(true, b"still there?");
        self.run_for(Duration::from_millis(50));
        assert_eq!(self.messages(), [b"still there?"]);
    }

    fn check_misused(&mut self, what: &str) {
        self.run_for(Duration::from_secs(2));
        let Some(ChannelEvent::Closed(ChannelEnd::Misuse(misuse))) = self.events.last() else {
            panic!("{:?}", self.events);
        };
        assert!(misuse.contains(what), "{misuse}");
        assert!(!self.relay.is_alive() && self.client.closed);
    }
}

fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) ^ seed) as u8).collect()
}

#[test]
fn messages_of_every_length_pass_whole_and_in_order_both_ways() {
    let mut pair = Pair::open();
    let lengths = [1, 2, 1_100, 1_199, 1_200, 1_201, 5_000, 61_440, 65_535, MESSAGE_BYTES_MAX];
    for (seed, length) in lengths.into_iter().enumerate() {
        pair.say(true, &pattern(length, seed));
    }
    pair.run_for(Duration::from_secs(5));
    let expected: Vec<_> = (0..).zip(lengths).map(|(seed, length)| pattern(length, seed)).collect();
    assert!(pair.messages() == expected, "up");
    for message in &expected {
        while pair.relay.waiting() + message.len() > SEND_BUFFER_BYTES {
            pair.run_for(LATENCY);
        }
        pair.relay.send(message, pair.now).unwrap();
    }
    pair.run_for(Duration::from_secs(5));
    assert!(pair.client.messages.iter().all(|(binary, _)| *binary));
    assert!(pair.client.messages.iter().map(|(_, bytes)| bytes).eq(&expected), "down");
    assert_eq!(pair.relay.waiting(), 0);
}

#[test]
fn both_ends_of_this_crate_understand_each_other() {
    let now = Instant::now();
    let certificate = Certificate::generate().unwrap();
    let (mut terminal, offer) =
        ChannelSession::offer(terminal_address(), &certificate, now).unwrap();
    let (mut relay, answer) =
        ChannelSession::answer(&offer, &[relay_address()], &certificate, now).unwrap();
    assert!(answer.contains("a=max-message-size:65536"), "{answer}");
    terminal.accept_answer(&answer).unwrap();
    assert!(terminal.accept_answer(&answer).is_err(), "a second answer");
    let (mut opened, mut heard) = (0, Vec::new());
    for milliseconds in 0..2_000 {
        let now = now + Duration::from_millis(milliseconds);
        terminal.handle_timeout(now);
        relay.handle_timeout(now);
        for side in [true, false] {
            let (from, to) =
                if side { (&mut terminal, &mut relay) } else { (&mut relay, &mut terminal) };
            let (source, destination) = match side {
                true => (terminal_address(), relay_address()),
                false => (relay_address(), terminal_address()),
            };
            loop {
                match from.poll() {
                    Output::Timeout(_) => break,
                    Output::Transmit { contents, .. } => {
                        to.receive(source, destination, &contents, now);
                    }
                    Output::Event(ChannelEvent::Opened) => {
                        opened += 1;
                        from.send(b"hello", now).unwrap();
                    }
                    Output::Event(ChannelEvent::Message(message)) => heard.push(message),
                    Output::Event(other) => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!((opened, &heard[..]), (2, &["hello".into(), "hello".into()][..]));
}

#[test]
fn a_channel_of_another_kind_is_refused() {
    let lossy = Reliability::MaxRetransmits { retransmits: 1 };
    let brief = Reliability::MaxPacketLifetime { lifetime: 100 };
    for config in [
        ChannelConfig { label: "other".to_owned(), ..plain() },
        ChannelConfig { ordered: false, ..plain() },
        ChannelConfig { reliability: lossy, ..plain() },
        ChannelConfig { reliability: brief, ..plain() },
    ] {
        Pair::offering(config).check_misused("ordered and reliable");
    }
}

#[test]
fn a_second_channel_ends_the_session() {
    let mut pair = Pair::open();
    pair.client.rtc.direct_api().create_data_channel(plain());
    pair.check_misused("second channel");
}

#[test]
fn streams_that_nobody_announced_are_not_listened_to() {
    let mut pair = Pair::open();
    for stream in 2..500 {
        let config = ChannelConfig { negotiated: Some(stream), ..plain() };
        pair.client.rtc.direct_api().create_data_channel(config);
    }
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.client.opened.len(), 499, "for the client they are open");
    for id in pair.client.opened.clone().into_iter().skip(1) {
        assert!(pair.client.rtc.channel(id).unwrap().write(true, b"psst").unwrap());
    }
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.events, []);
    pair.check_works_still();
}

#[test]
fn a_text_message_ends_the_session() {
    let mut pair = Pair::open();
    pair.say(false, b"hello");
    pair.check_misused("text");
}

#[test]
fn a_message_that_is_too_long_never_arrives_and_ends_the_session() {
    for length in [MESSAGE_BYTES_MAX + 1, 200_000, 3 << 20] {
        let mut pair = Pair::open();
        pair.say(true, &pattern(length, 0));
        pair.run_for(Duration::from_secs(5));
        let closed = [ChannelEvent::Closed(ChannelEnd::Gone)];
        assert!(pair.events == closed, "{length}: {:?}", pair.events.len());
        assert!(!pair.relay.is_alive());
    }
}

#[test]
fn what_waits_for_the_other_side_is_bounded() {
    let mut pair = Pair::open();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.relay.waiting(), 0, "the answer to the opening is confirmed");
    pair.cut = true;
    let message = pattern(MESSAGE_BYTES_MAX, 0);
    for _ in 0..SEND_BUFFER_BYTES / MESSAGE_BYTES_MAX {
        pair.relay.send(&message, pair.now).unwrap();
        pair.drain();
    }
    let full = pair.relay.send(&[1], pair.now);
    assert_eq!(full, Err(ChannelSendError::Full { waiting: SEND_BUFFER_BYTES }));
    pair.cut = false;
    pair.run_for(Duration::from_secs(10));
    assert_eq!(pair.relay.waiting(), 0);
    assert_eq!(pair.client.messages.len(), SEND_BUFFER_BYTES / MESSAGE_BYTES_MAX);
    pair.relay.send(&[1], pair.now).unwrap();
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut pair = Pair::offering(plain());
    assert_eq!(pair.relay.send(&[1], pair.now), Err(ChannelSendError::NotOpen));
    let mut pair = Pair::open();
    assert_eq!(pair.relay.send(&[], pair.now), Err(ChannelSendError::Length(0)));
    let long = vec![0; MESSAGE_BYTES_MAX + 1];
    assert_eq!(pair.relay.send(&long, pair.now), Err(ChannelSendError::Length(long.len())));
    pair.relay.close();
    assert_eq!(pair.relay.send(&[1], pair.now), Err(ChannelSendError::NotOpen));
}

#[test]
fn the_relays_close_reaches_the_client() {
    let mut pair = Pair::open();
    pair.relay.close();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.events, [ChannelEvent::Closed(ChannelEnd::Gone)]);
    assert!(pair.client.closed && !pair.relay.is_alive());
}

#[test]
fn the_clients_close_of_channel_or_connection_reaches_the_relay() {
    let mut pair = Pair::open();
    let id = pair.client.opened[0];
    pair.client.rtc.direct_api().close_data_channel(id);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.events, [ChannelEvent::Closed(ChannelEnd::Gone)]);
    let mut pair = Pair::open();
    pair.client.rtc.close().unwrap();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.events, [ChannelEvent::Closed(ChannelEnd::Gone)]);
}

#[test]
fn a_client_that_is_gone_is_noticed() {
    let mut pair = Pair::open();
    pair.cut = true;
    pair.run_for(Duration::from_secs(60));
    assert_eq!(pair.events, [ChannelEvent::Closed(ChannelEnd::Gone)]);
}

#[test]
fn a_handshake_before_an_authentic_check_is_not_listened_to() {
    let mut pair = Pair::offering(plain());
    pair.run_until(Duration::from_secs(5), |pair| pair.relay.is_open());
    let hello = pair.sent.iter().find(|datagram| datagram[0] == 22).unwrap().clone();
    let check = pair.sent.iter().find(|datagram| datagram[0] == 0).unwrap().clone();
    let mut fresh = Pair::offering(plain());
    let stranger: SocketAddr = "198.51.100.7:7".parse().unwrap();
    for source in [terminal_address(), stranger] {
        for datagram in [&hello, &check] {
            let now = fresh.now;
            assert!(!fresh.relay.accepts(source, relay_address(), datagram, now));
            fresh.relay.receive(source, relay_address(), datagram, now);
            fresh.relay.handle_timeout(now + Duration::from_millis(500));
            while let output = fresh.relay.poll()
                && !matches!(output, Output::Timeout(_))
            {
                assert!(!matches!(output, Output::Transmit { .. }), "an answer to a stranger");
            }
        }
    }
    fresh.run_until(Duration::from_secs(5), |pair| pair.relay.is_open());
    assert!(fresh.relay.is_open(), "and it hinders nobody");
}

#[test]
fn every_truncation_of_every_datagram_is_ignored() {
    let mut pair = Pair::open();
    pair.say(true, &pattern(3_000, 1));
    pair.run_for(Duration::from_secs(1));
    for datagram in std::mem::take(&mut pair.sent) {
        for length in (0..datagram.len()).step_by(3) {
            pair.deliver(true, &datagram[..length]);
        }
        pair.deliver(true, &datagram);
    }
    pair.check_works_still();
}

mod garbage {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn garbage_neither_panics_nor_hinders(
            datagrams in prop::collection::vec(
                prop::collection::vec(any::<u8>(), 0..300).prop_flat_map(|rest| {
                    prop_oneof![0_u8..4, 20_u8..64, 128_u8..192].prop_map(move |first| {
                        let mut datagram = rest.clone();
                        datagram.insert(0, first);
                        datagram
                    })
                }),
                1..100,
            ),
        ) {
            let mut pair = Pair::open();
            for datagram in &datagrams {
                pair.deliver(true, datagram);
            }
            pair.check_works_still();
        }

        #[test]
        fn flipped_bits_in_real_datagrams_neither_panic_nor_hinder(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8_u8), 1..200),
        ) {
            let mut pair = Pair::open();
            let sent = std::mem::take(&mut pair.sent);
            for (which, at, bit) in flips {
                let mut datagram = sent[which.index(sent.len())].clone();
                let at = at.index(datagram.len());
                datagram[at] ^= 1 << bit;
                pair.deliver(true, &datagram);
            }
            pair.check_works_still();
        }
    }
}
