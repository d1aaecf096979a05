//! What the control side wants: who is here, live or held, who talks to whom, peer connections, and which
//! relays there are.

use std::time::Instant;

use tributary_identifiers::ParticipantId;
use tributary_relay_gateway_core::{Entry, Timelines};
use tributary_rtc_session::Session;

use super::{
    super::{
        Attach, CarriedBy, Command, MediaError, MediaSettings, Reply, TerminalId,
        meetings::MeetingKey,
    },
    Worker,
};

/// Talks that are not in force yet.
#[derive(Default)]
pub(super) struct Pending {
    talks: Vec<(Instant, Reply)>,
}

impl Pending {
    /// When the next one is in force.
    pub(super) fn next(&self) -> Option<Instant> {
        self.talks.iter().map(|(at, _)| *at).min()
    }

    /// Tells those whose time has come.
    pub(super) fn release(&mut self, now: Instant) {
        for (_, reply) in self.talks.extract_if(.., |(at, _)| *at <= now) {
            tell(reply, Ok(()));
        }
    }
}

fn tell(reply: Reply, result: Result<(), MediaError>) {
    // Nobody waits for it any more: the connection is gone.
    let _ = reply.send(result);
}

impl Worker {
    pub(super) fn take_command(&mut self, command: Command) {
        match command {
            Command::Attach(attach) => self.attach(attach),
            Command::Offer { terminal, sdp, reply } => {
                // Nobody waits for it any more: the connection is gone.
                let _ = reply.send(self.answer(terminal, &sdp));
            }
            Command::SetMuted { terminal, muted } => self.set_muted(terminal, muted),
            Command::SetTalk { terminal, targets, reply } => {
                self.set_talk(terminal, &targets, reply);
            }
            Command::Switch { from, to, reply } => tell(reply, self.switch(from, to)),
            Command::Detach { terminal } => self.detach(terminal),
            Command::Configure(settings) => self.configure(&settings),
            Command::OpenUplink { uplink, lanes } => {
                self.uplinks.open(uplink, lanes);
                self.tell_all_plans();
                // What it has sent may have been looked for before it was known.
                self.arrivals.notify_one();
            }
            Command::SetAttached { attached, done } => {
                self.meetings.set_attached(attached, Instant::now());
                if !attached {
                    // On the next stream all are told again.
                    self.early_plans.clear();
                }
                self.tell_all_plans();
                // Nobody waits for it any more.
                let _ = done.send(());
            }
            Command::ForgetAll { done } => {
                for id in self.terminals.ids() {
                    self.detach(id);
                }
                self.early_plans.clear();
                // Nobody waits for it any more.
                let _ = done.send(());
            }
        }
    }

    fn configure(&mut self, settings: &MediaSettings) {
        self.meetings.configure(settings);
        self.meetings.publish_needs(Instant::now());
        self.tell_all_plans();
    }

    fn tell_all_plans(&mut self) {
        let Self { meetings, uplinks, .. } = self;
        for meeting in meetings.all_mut() {
            uplinks.tell_plans(meeting);
        }
    }

    fn attach(&mut self, attach: Attach) {
        let Attach { terminal: id, scope, participant, muted, held, carried, speakers } = attach;
        let wanted = (self.meetings.key_of(&scope), participant);
        let known = self.terminals.get_mut(id);
        if known.is_some_and(|known| (Some(known.meeting), known.participant) != wanted) {
            self.detach(id);
        }
        let key = self.meetings.open(&scope, speakers);
        self.take_early_plan(key, scope.meeting.to_u64(), Instant::now());
        if self.terminals.get_mut(id).is_none() {
            self.terminals.insert(id, key, participant);
            if let Some(meeting) = self.meetings.get_mut(key) {
                meeting.attached += 1;
            }
        }
        if let Some(terminal) = self.terminals.get_mut(id) {
            terminal.muted = muted;
        }
        self.set_carried(id, carried);
        if held {
            self.hold(id);
            self.terminals.set_session(id, None);
        } else {
            self.enter(id, None);
        }
        self.say_needs(&[key]);
    }

    /// Says where a terminal's media is: with the relay that it is behind, or here.
    fn set_carried(&mut self, id: TerminalId, carried: Option<CarriedBy>) {
        let Some(terminal) = self.terminals.get_mut(id) else { return };
        let before = std::mem::replace(&mut terminal.carried, carried).map(|by| by.uplink);
        let now = carried.map(|by| by.uplink);
        let key = terminal.meeting;
        if before == now {
            return;
        }
        if carried.is_some() {
            self.terminals.set_session(id, None);
        }
        let Some(meeting_id) = self.meetings.get_mut(key).map(|meeting| meeting.meeting_id) else {
            return;
        };
        if let Some(now) = now {
            self.uplinks.enter(now, meeting_id, key);
        }
        if let Some(before) = before {
            self.uplinks.leave(before, meeting_id);
        }
    }

    /// Brings a terminal into the sound of its meeting.
    fn enter(&mut self, id: TerminalId, timelines: Option<Timelines>) {
        let Some(terminal) = self.terminals.get_mut(id) else { return };
        let own_room = self.meetings.own_room();
        let Some(meeting) = self.meetings.get_mut(terminal.meeting) else { return };
        terminal.live = true;
        let now = Instant::now();
        let entry = Entry {
            participant: terminal.participant,
            terminal: id,
            muted: terminal.muted,
            room: terminal.carried.map_or(own_room, |by| by.room),
            uplink: terminal.carried.map(|by| by.uplink),
        };
        meeting.enter(entry, now);
        if let Some(timelines) = timelines {
            meeting.core.carry_on(terminal.participant, timelines, now);
        }
    }

    /// Takes a terminal out of the sound of its meeting; its place there stays.
    fn hold(&mut self, id: TerminalId) -> Option<Timelines> {
        let terminal = self.terminals.get_mut(id)?;
        terminal.live = false;
        terminal.absence = std::mem::take(&mut terminal.absence).moved();
        let meeting = self.meetings.get_mut(terminal.meeting)?;
        meeting.core.detach(terminal.participant, id)
    }

    fn switch(&mut self, from: TerminalId, to: TerminalId) -> Result<(), MediaError> {
        let meetings = [self.meeting_of(from)?, self.meeting_of(to)?];
        if from != to {
            let timelines = self.hold(from);
            let moved = self.terminals.move_session(from, to);
            self.enter(to, timelines.filter(|_| moved));
        }
        self.say_needs(&meetings);
        Ok(())
    }

    fn meeting_of(&mut self, id: TerminalId) -> Result<MeetingKey, MediaError> {
        self.terminals.get_mut(id).map(|known| known.meeting).ok_or(MediaError::NotAttached)
    }

    fn say_needs(&mut self, meetings: &[MeetingKey]) {
        let now = Instant::now();
        for key in meetings {
            self.meetings.needs_changed(*key, now);
            if let Some(meeting) = self.meetings.get_mut(*key) {
                self.uplinks.tell_plans(meeting);
            }
        }
        self.meetings.publish_needs(now);
    }

    fn answer(&mut self, id: TerminalId, sdp: &str) -> Result<String, MediaError> {
        let terminal = self.terminals.get_mut(id).ok_or(MediaError::NotAttached)?;
        if !terminal.live {
            return Err(MediaError::NotLive);
        }
        if terminal.carried.is_some() {
            return Err(MediaError::Carried);
        }
        let (meeting, participant) = (terminal.meeting, terminal.participant);
        let now = Instant::now();
        let (session, answer) = Session::answer(sdp, &self.candidates, &self.certificate, now)?;
        let sections = session.sections();
        self.terminals.set_session(id, Some(session));
        if let Some(meeting) = self.meetings.get_mut(meeting) {
            meeting.core.restart_timelines(participant, sections);
        }
        self.expect_back(id);
        self.drive(id);
        Ok(answer)
    }

    fn set_muted(&mut self, id: TerminalId, muted: bool) {
        let Some(terminal) = self.terminals.get_mut(id) else { return };
        terminal.muted = muted;
        if terminal.live
            && let Some(meeting) = self.meetings.get_mut(terminal.meeting)
        {
            meeting.core.set_muted(terminal.participant, muted);
        }
    }

    fn set_talk(&mut self, id: TerminalId, targets: &[ParticipantId], reply: Reply) {
        let now = Instant::now();
        match self.talk_in_force(id, targets, now) {
            Ok(at) if at > now => self.pending.talks.push((at, reply)),
            result => tell(reply, result.map(drop)),
        }
    }

    fn talk_in_force(
        &mut self,
        id: TerminalId,
        targets: &[ParticipantId],
        now: Instant,
    ) -> Result<Instant, MediaError> {
        let terminal = self.terminals.get_mut(id).ok_or(MediaError::NotAttached)?;
        if !terminal.live {
            return if targets.is_empty() { Ok(now) } else { Err(MediaError::NotLive) };
        }
        let meeting = self.meetings.get_mut(terminal.meeting).ok_or(MediaError::NotAttached)?;
        meeting.core.set_talk(terminal.participant, targets, now).ok_or(MediaError::NotAttached)
    }

    fn detach(&mut self, id: TerminalId) {
        self.set_carried(id, None);
        let Some(terminal) = self.terminals.remove(id) else { return };
        if let Some(meeting) = self.meetings.get_mut(terminal.meeting) {
            meeting.attached = meeting.attached.saturating_sub(1);
            meeting.core.detach(terminal.participant, id);
        }
        self.say_needs(&[terminal.meeting]);
        self.meetings.close_if_empty(terminal.meeting);
    }
}
