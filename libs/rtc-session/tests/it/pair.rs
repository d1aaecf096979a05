//! A terminal's and a relay's session joined by a network of 5 ms, in virtual time.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tributary_rtc_session::{Certificate, Event, Output, Session};

pub const LATENCY: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Terminal,
    Relay,
}

pub type Lose = Box<dyn FnMut(Side, &[u8]) -> bool>;

struct Flying {
    at: Instant,
    to: Side,
    bytes: Vec<u8>,
}

pub struct Pair {
    pub now: Instant,
    pub terminal: Session,
    pub relay: Session,
    pub terminal_events: Vec<(Instant, Event)>,
    pub relay_events: Vec<(Instant, Event)>,
    /// Every datagram that was sent, before `lose` is asked.
    pub sent: Vec<(Side, Vec<u8>)>,
    /// True for datagrams that the network drops; told who sends.
    pub lose: Lose,
    flying: VecDeque<Flying>,
    terminal_due: Instant,
    relay_due: Instant,
}

pub fn terminal_address() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

pub fn relay_address() -> SocketAddr {
    "192.0.2.2:5000".parse().unwrap()
}

impl Pair {
    /// Not connected yet, with one audio section.
    pub fn new() -> Self {
        Self::offering(1)
    }

    /// Not connected yet; the terminal offers so many audio sections.
    pub fn offering(sections: usize) -> Self {
        let now = Instant::now();
        let terminal_certificate = Certificate::generate().unwrap();
        let relay_certificate = Certificate::generate().unwrap();
        let (mut terminal, offer) =
            Session::offer(terminal_address(), sections, &terminal_certificate, now).unwrap();
        let (relay, answer) =
            Session::answer(&offer, &[relay_address()], &relay_certificate, now).unwrap();
        terminal.accept_answer(&answer).unwrap();
        Self {
            now,
            terminal,
            relay,
            terminal_events: Vec::new(),
            relay_events: Vec::new(),
            sent: Vec::new(),
            lose: Box::new(|_, _| false),
            flying: VecDeque::new(),
            terminal_due: now,
            relay_due: now,
        }
    }

    pub fn connected() -> Self {
        Self::connected_with(1)
    }

    pub fn connected_with(sections: usize) -> Self {
        let mut pair = Self::offering(sections);
        pair.run_until(Duration::from_secs(5), |pair| {
            pair.terminal.is_connected() && pair.relay.is_connected()
        });
        assert!(pair.terminal.is_connected() && pair.relay.is_connected());
        pair
    }

    pub fn session(&mut self, side: Side) -> &mut Session {
        match side {
            Side::Terminal => &mut self.terminal,
            Side::Relay => &mut self.relay,
        }
    }

    /// Takes everything out of both sessions.
    pub fn drain(&mut self) {
        self.drain_side(Side::Terminal);
        self.drain_side(Side::Relay);
    }

    fn drain_side(&mut self, side: Side) {
        loop {
            match self.session(side).poll() {
                Output::Timeout(at) => {
                    match side {
                        Side::Terminal => self.terminal_due = at,
                        Side::Relay => self.relay_due = at,
                    }
                    return;
                }
                Output::Event(event) => {
                    let event = (self.now, event);
                    match side {
                        Side::Terminal => self.terminal_events.push(event),
                        Side::Relay => self.relay_events.push(event),
                    }
                }
                Output::Transmit { destination, contents } => {
                    let (to, address) = match side {
                        Side::Terminal => (Side::Relay, relay_address()),
                        Side::Relay => (Side::Terminal, terminal_address()),
                    };
                    assert_eq!(destination, address, "{side:?} sends elsewhere");
                    self.sent.push((side, contents.to_vec()));
                    if !(self.lose)(side, &contents) {
                        let at = self.now + LATENCY;
                        self.flying.push_back(Flying { at, to, bytes: contents.to_vec() });
                    }
                }
            }
        }
    }

    /// Takes what is flying out of the network, in order.
    pub fn intercept(&mut self) -> Vec<(Side, Vec<u8>)> {
        self.flying.drain(..).map(|flying| (flying.to, flying.bytes)).collect()
    }

    /// A datagram from the one side's address arrives at the other side now.
    pub fn deliver(&mut self, to: Side, bytes: &[u8]) {
        let now = self.now;
        match to {
            Side::Relay => self.relay.receive(terminal_address(), relay_address(), bytes, now),
            Side::Terminal => {
                self.terminal.receive(relay_address(), terminal_address(), bytes, now)
            }
        }
        self.drain();
    }

    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Lets time pass until the condition holds, at most for `duration`.
    pub fn run_until(&mut self, duration: Duration, mut condition: impl FnMut(&Self) -> bool) {
        let end = self.now + duration;
        self.drain();
        while !condition(self) {
            let arrival = self.flying.front().map_or(end, |flying| flying.at);
            let next = arrival.min(self.terminal_due).min(self.relay_due).max(self.now);
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
            if self.flying.front().is_some_and(|flying| flying.at <= next) {
                let flying = self.flying.pop_front().unwrap();
                self.deliver(flying.to, &flying.bytes);
            }
            if self.terminal_due <= next {
                self.terminal.handle_timeout(next);
            }
            if self.relay_due <= next {
                self.relay.handle_timeout(next);
            }
            self.drain();
        }
    }

    /// The audio that has come in at a side so far.
    pub fn heard(&self, side: Side) -> Vec<tributary_rtc_session::IncomingAudio> {
        let events = match side {
            Side::Terminal => &self.terminal_events,
            Side::Relay => &self.relay_events,
        };
        let audio = events.iter().filter_map(|(_, event)| match event {
            Event::Audio(audio) => Some(audio.clone()),
            _ => None,
        });
        audio.collect()
    }
}
