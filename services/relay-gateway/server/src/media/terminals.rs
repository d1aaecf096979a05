//! The terminals in the media thread: who a datagram belongs to, and whose timer is next.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    net::SocketAddr,
    time::Instant,
};

use tributary_identifiers::ParticipantId;
use tributary_rtc_session::{Session, stun_local_ufrag};

use super::{CarriedBy, TerminalId, catch_up::Absence, meetings::MeetingKey};

/// Addresses a terminal may send from at a time: its interfaces, both IP versions.
const ADDRESSES_MAX: usize = 8;

/// One terminal.
pub(super) struct TerminalMedia {
    pub(super) meeting: MeetingKey,
    pub(super) participant: ParticipantId,
    /// Whether the microphone is off on the open floor.
    pub(super) muted: bool,
    /// False for who is held.
    pub(super) live: bool,
    /// Set for who has no peer connection here: it is behind an attached relay.
    pub(super) carried: Option<CarriedBy>,
    pub(super) session: Option<Session>,
    pub(super) absence: Absence,
    pub(super) deadline: Option<Instant>,
    scheduled: Option<Instant>,
    addresses: Vec<SocketAddr>,
    ufrag: String,
}

/// All terminals.
#[derive(Default)]
pub(super) struct Terminals {
    by_id: HashMap<TerminalId, TerminalMedia>,
    by_address: HashMap<SocketAddr, TerminalId>,
    by_ufrag: HashMap<String, TerminalId>,
    timers: BinaryHeap<Reverse<(Instant, TerminalId)>>,
}

impl Terminals {
    /// A terminal that is not live yet.
    pub(super) fn insert(
        &mut self,
        id: TerminalId,
        meeting: MeetingKey,
        participant: ParticipantId,
    ) {
        self.by_id.insert(
            id,
            TerminalMedia {
                meeting,
                participant,
                muted: true,
                live: false,
                carried: None,
                session: None,
                absence: Absence::default(),
                deadline: None,
                scheduled: None,
                addresses: Vec::new(),
                ufrag: String::new(),
            },
        );
    }

    pub(super) fn get_mut(&mut self, id: TerminalId) -> Option<&mut TerminalMedia> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut TerminalMedia> {
        self.by_id.values_mut()
    }

    /// Something has come from a terminal.
    pub(super) fn note_heard(&mut self, id: TerminalId, now: Instant) {
        if let Some(terminal) = self.by_id.get_mut(&id) {
            terminal.absence.note_heard(now);
        }
    }

    /// All of them, in no order.
    pub(super) fn ids(&self) -> Vec<TerminalId> {
        self.by_id.keys().copied().collect()
    }

    pub(super) fn remove(&mut self, id: TerminalId) -> Option<TerminalMedia> {
        self.set_session(id, None);
        self.by_id.remove(&id)
    }

    /// Gives a terminal another peer connection, or none.
    pub(super) fn set_session(&mut self, id: TerminalId, session: Option<Session>) {
        let Some(terminal) = self.by_id.get_mut(&id) else { return };
        for address in terminal.addresses.drain(..) {
            self.by_address.remove(&address);
        }
        self.by_ufrag.remove(&terminal.ufrag);
        terminal.ufrag.clear();
        terminal.deadline = None;
        if let Some(session) = &session {
            terminal.ufrag = session.local_ufrag().to_owned();
            self.by_ufrag.insert(terminal.ufrag.clone(), id);
        }
        terminal.session = session;
    }

    /// `to` gets the peer connection of `from`, if that has one, in place of its own. Says whether it
    /// did.
    pub(super) fn move_session(&mut self, from: TerminalId, to: TerminalId) -> bool {
        if from == to || !self.by_id.contains_key(&to) {
            return false;
        }
        let Some(source) = self.by_id.get_mut(&from) else { return false };
        let Some(session) = source.session.take() else { return false };
        let deadline = source.deadline.take();
        let addresses = std::mem::take(&mut source.addresses);
        let absence = std::mem::take(&mut source.absence);
        self.set_session(from, None);
        self.set_session(to, Some(session));
        for address in addresses {
            self.bind(address, to);
        }
        if let Some(deadline) = deadline {
            self.schedule(to, deadline);
        }
        if let Some(target) = self.by_id.get_mut(&to) {
            target.absence = absence.moved();
        }
        true
    }

    /// The terminal that a datagram belongs to: by its source address, or else, for a STUN binding
    /// request, by the ufrag it names (RFC 8445 §7.3), if that session accepts it.
    pub(super) fn owner_of(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Option<TerminalId> {
        let accepted = |terminals: &HashMap<TerminalId, TerminalMedia>, id: TerminalId| {
            terminals
                .get(&id)
                .and_then(|terminal| terminal.session.as_ref())
                .is_some_and(|session| session.accepts(source, destination, datagram, now))
        };
        if let Some(id) = self.by_address.get(&source).copied()
            && accepted(&self.by_id, id)
        {
            return Some(id);
        }
        let id = *self.by_ufrag.get(stun_local_ufrag(datagram)?)?;
        if !accepted(&self.by_id, id) {
            return None;
        }
        self.bind(source, id);
        Some(id)
    }

    fn bind(&mut self, source: SocketAddr, id: TerminalId) {
        let previous = self.by_address.insert(source, id);
        if let Some(previous) = previous
            && let Some(terminal) = self.by_id.get_mut(&previous)
        {
            terminal.addresses.retain(|address| *address != source);
        }
        let Some(terminal) = self.by_id.get_mut(&id) else { return };
        if terminal.addresses.len() >= ADDRESSES_MAX {
            let oldest = terminal.addresses.remove(0);
            self.by_address.remove(&oldest);
        }
        terminal.addresses.push(source);
    }

    /// Wakes the terminal at its deadline. One live timer a terminal: an earlier one that is no
    /// longer needed puts itself off when it fires.
    pub(super) fn schedule(&mut self, id: TerminalId, deadline: Instant) {
        let Some(terminal) = self.by_id.get_mut(&id) else { return };
        terminal.deadline = Some(deadline);
        if terminal.scheduled.is_none_or(|scheduled| deadline < scheduled) {
            terminal.scheduled = Some(deadline);
            self.timers.push(Reverse((deadline, id)));
        }
    }

    /// When the next timer fires.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// A terminal whose deadline has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<TerminalId> {
        while let Some(Reverse((at, id))) = self.timers.peek().copied() {
            if at > now {
                return None;
            }
            self.timers.pop();
            let Some(terminal) = self.by_id.get_mut(&id) else { continue };
            if terminal.scheduled != Some(at) {
                continue;
            }
            terminal.scheduled = None;
            match terminal.deadline {
                Some(deadline) if deadline <= now => return Some(id),
                Some(deadline) => self.schedule(id, deadline),
                None => {}
            }
        }
        None
    }
}
