//! One connection, from having joined to its end: what the relay says, what the user wants, what is to
//! be sent.

use std::{sync::Arc, time::Instant};

use tokio::{sync::mpsc, task::JoinSet, time::sleep_until};
use tributary_contracts::terminal::v1::{
    Operate, RelayMessage, relay_message::Body as Reply, terminal_message::Body,
};
use tributary_identifiers::{MeetingId, ParticipantId};

use super::{
    Attendance, Found, Visited, commands::Answered, commands::Command, elsewhere::Elsewhere,
    end_of_stay, media_link::Link, pace::Pace,
};
use crate::{
    EndReason,
    protocol::{Connection, Requests, ping},
};

pub(super) struct Visit<'a> {
    pub(super) stay: &'a mut Attendance,
    pub(super) connection: Connection,
    pub(super) requests: Requests,
    /// The meetings that were joined by this connection.
    pub(super) joined: Vec<MeetingId>,
    pub(super) link: Link,
    /// All was there once.
    pub(super) arrived: bool,
    pub(super) answers: JoinSet<Answered>,
    pace: Pace,
    elsewhere: Elsewhere,
}

/// What makes a visit go on.
enum Turn {
    Said(Option<RelayMessage>),
    Answered(Answered),
    LinkChanged,
    Wanted(Option<Command>),
    /// There may be something to be sent, or something is overdue.
    Look,
    PingsEnded,
    Found(Found),
}

impl<'a> Visit<'a> {
    pub(super) fn new(
        stay: &'a mut Attendance,
        connection: Connection,
        joined: Vec<MeetingId>,
    ) -> Self {
        let requests = connection.requests();
        let (answers, pace) = (JoinSet::new(), Pace::new(Instant::now()));
        let (link, arrived) = (Link::None, false);
        let elsewhere = Elsewhere::default();
        Self { stay, connection, requests, joined, link, arrived, answers, pace, elsewhere }
    }

    pub(super) async fn run(mut self, commands: &mut mpsc::Receiver<Command>) -> Visited {
        let mut pings = JoinSet::new();
        pings.spawn(ping(self.requests.clone()));
        let mut identity = JoinSet::new();
        identity.spawn(self.stay.admission.holder().keep_fresh(self.requests.clone()));
        loop {
            let step = match self.make_ready().await {
                Ok(()) => {
                    let turn = self.next_turn(commands, &mut pings).await;
                    self.take(turn).await
                }
                Err(visited) => Err(visited),
            };
            if let Err(visited) = step {
                return visited;
            }
        }
    }

    /// Does what can be done now.
    async fn make_ready(&mut self) -> Result<(), Visited> {
        self.keep_link().await?;
        self.note_arrival();
        while let Some(command) = self.stay.deferred.pop_front() {
            self.perform(command).await?;
        }
        self.send_due().await
    }

    async fn next_turn(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        pings: &mut JoinSet<()>,
    ) -> Turn {
        let board = Arc::clone(&self.stay.board);
        // An operation that is due waits for its turn.
        let to_send = board.due(&self.joined).map(|due| due.max(self.pace.next_at(Instant::now())));
        let due = self.link.due().into_iter().chain(to_send).min();
        let overdue = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let link_changed = async {
            if let Some(media) = &mut self.stay.media
                && media.link.changed().await.is_ok()
            {
                return;
            }
            std::future::pending().await
        };
        tokio::select! {
            // What the relay has said comes first: it may say why all else ends.
            biased;
            message = self.connection.next() => Turn::Said(message),
            Some(Ok(answered)) = self.answers.join_next() => Turn::Answered(answered),
            () = link_changed => Turn::LinkChanged,
            command = commands.recv() => Turn::Wanted(command),
            () = board.work.notified() => Turn::Look,
            () = overdue => Turn::Look,
            _ = pings.join_next() => Turn::PingsEnded,
            found = self.elsewhere.found() => Turn::Found(found),
        }
    }

    async fn take(&mut self, turn: Turn) -> Result<(), Visited> {
        match turn {
            Turn::Said(Some(message)) => self.take_message(message),
            Turn::Said(None) | Turn::PingsEnded => Err(self.lost()),
            Turn::Answered(answered) => self.take_answer(answered),
            Turn::LinkChanged => self.take_link(),
            Turn::Wanted(Some(command)) => self.perform(command).await,
            Turn::Wanted(None) => Err(Visited::Over(EndReason::Left)),
            Turn::Look => Ok(()),
            Turn::Found(found) => {
                self.stay.found = Some(found);
                Err(self.lost())
            }
        }
    }

    pub(super) fn lost(&self) -> Visited {
        Visited::Lost { had_arrived: self.arrived }
    }

    /// Sends the operations that are to be sent, in order.
    async fn send_due(&mut self) -> Result<(), Visited> {
        loop {
            let now = Instant::now();
            if self.pace.next_at(now) > now {
                return Ok(());
            }
            let Some(next) = self.stay.board.next_to_send(&self.joined, now) else {
                return Ok(());
            };
            self.pace.sent();
            let operate = Operate { operation: Some(next.signed) };
            let Ok(answer) = self.requests.start(Body::Operate(operate)).await else {
                return Err(self.lost());
            };
            let (meeting_id, id) = (next.meeting_id, next.id);
            self.answers.spawn(async move {
                Answered::Operation { meeting_id, id, result: answer.wait().await }
            });
        }
    }

    fn take_message(&mut self, message: RelayMessage) -> Result<(), Visited> {
        let RelayMessage { body: Some(body), meeting_id: said_of, .. } = message else {
            return Ok(());
        };
        let of = self.meeting(&said_of);
        let board = &self.stay.board;
        match body {
            Reply::Event(event) => {
                let Some(of) = self.meeting(&event.meeting_id) else { return Ok(()) };
                match board.take_event(of, event).out {
                    Some(end) => self.out_of(of, end),
                    None => Ok(()),
                }
            }
            Reply::Speakers(speakers) => {
                let ids = speakers.speaker_ids.into_iter().map(ParticipantId).collect();
                if let Some(of) = of {
                    board.take_speakers(of, ids);
                }
                Ok(())
            }
            Reply::Roster(roster) => {
                of.map(|of| board.take_roster(of, roster));
                Ok(())
            }
            Reply::Draining(_) => Err(self.lost()),
            Reply::UplinkChanged(changed) => {
                board.take_uplink(changed);
                self.elsewhere.take(changed, self.stay.relays.others());
                Ok(())
            }
            Reply::Refusal(refusal) => {
                let end = end_of_stay(refusal.code(), refusal.message);
                match (end, of.filter(|_| !said_of.is_empty())) {
                    (Some(end), Some(of)) => self.out_of(of, end),
                    (Some(end), None) => Err(Visited::Over(end)),
                    (None, _) => Err(self.lost()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The meeting that is meant; without a name the live one.
    fn meeting(&self, named: &str) -> Option<MeetingId> {
        if named.is_empty() {
            return self.stay.board.live().or_else(|| self.joined.first().copied());
        }
        named.parse().ok().filter(|named| self.joined.contains(named))
    }

    /// Out of one meeting for good; the stay goes on in the other one.
    pub(super) fn out_of(&mut self, meeting_id: MeetingId, end: EndReason) -> Result<(), Visited> {
        self.joined.retain(|joined| *joined != meeting_id);
        self.stay.tickets.retain(|ticket| ticket.meeting_id() != Some(meeting_id));
        if self.stay.tickets.is_empty() {
            return Err(Visited::Over(end));
        }
        if self.stay.board.live() == Some(meeting_id) {
            // Its peer connection ends with it.
            self.link = Link::None;
        }
        self.stay.board.ended_in(meeting_id, &end);
        Ok(())
    }

    /// Tells who waits for it that the terminal is in.
    fn note_arrival(&mut self) {
        let board = Arc::clone(&self.stay.board);
        let (mut all_there, mut anywhere) = (true, None);
        for &meeting_id in &self.joined {
            let (live, waiting) = board.is_live_or_waiting(meeting_id);
            anywhere = anywhere.or(Some(meeting_id));
            let there =
                !waiting && (!live || self.stay.media.is_none() || self.link.is_connected());
            if there {
                board.connected(meeting_id);
            }
            all_there &= there || waiting;
            if waiting && live {
                // Nothing to be heard yet, but nothing to be waited for either.
                all_there = false;
                self.stay.report(meeting_id);
            }
        }
        if all_there && !self.arrived {
            self.arrived = true;
            board.arrived();
            if let Some(meeting_id) = anywhere {
                self.stay.report(meeting_id);
            }
        }
    }
}

impl Attendance {
    fn report(&mut self, meeting_id: MeetingId) {
        if let Some(report) = self.report.take() {
            let _ = report.send(Ok(meeting_id));
        }
    }
}
