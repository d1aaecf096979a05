//! The operations of all meetings: what is to be sent, and what became of it.

use std::{
    sync::atomic::Ordering,
    time::{Instant, SystemTime},
};

use tributary_contracts::operation::v1::{Operation, SetMuted, SignedOperation, operation::Body};
use tributary_identifiers::{MeetingId, OperationId};

use super::Board;
use crate::{
    Event, OperateError, Outcome, PendingOperation, Submitted,
    operations::LIFETIME,
    outbox::Stage,
    post::{Post, Standing},
    records::Record,
};

/// An operation that is to be sent now.
pub(crate) struct ToSend {
    pub(crate) meeting_id: MeetingId,
    pub(crate) id: OperationId,
    pub(crate) signed: SignedOperation,
}

impl Board {
    pub(crate) fn submit(
        &self,
        meeting_id: MeetingId,
        body: Body,
        not_after: Option<SystemTime>,
    ) -> Result<Submitted, OperateError> {
        let not_after = not_after.unwrap_or_else(|| SystemTime::now() + LIFETIME);
        let (submitted, pending) = {
            let mut posts = self.posts();
            let post = posts.get_mut(&meeting_id).ok_or(OperateError::NotIn)?;
            (post.submit(body, not_after, &self.key)?, post.outbox.len())
        };
        self.change(meeting_id, |snapshot| snapshot.operations.pending = pending);
        self.tune();
        self.work.notify_one();
        Ok(submitted)
    }

    /// Switches the microphone, here at once and for the live meeting by an operation.
    pub(crate) fn set_muted(&self, muted: bool) -> Result<Submitted, OperateError> {
        let meeting_id = self.live().ok_or(OperateError::Over)?;
        self.desk.muted.store(muted, Ordering::Relaxed);
        self.change(meeting_id, |snapshot| snapshot.muted = muted);
        self.submit(meeting_id, Body::SetMuted(SetMuted { muted }), None)
    }

    /// How the microphone is, if the meeting takes it to be otherwise.
    pub(crate) fn differently_muted(&self, meeting_id: MeetingId) -> Option<bool> {
        let known = self.known.borrow();
        let meeting = known.of(meeting_id)?;
        let me = meeting.roster.get(&meeting.participant_id?)?;
        let muted = self.desk.muted.load(Ordering::Relaxed);
        (me.muted != muted).then_some(muted)
    }

    /// The next operation as it would be; `None`: not in that meeting.
    pub(crate) fn draft(&self, meeting_id: MeetingId, body: Body) -> Option<Operation> {
        let posts = self.posts();
        Some(posts.get(&meeting_id)?.draft(body, SystemTime::now() + LIFETIME))
    }

    pub(crate) fn standing(&self, meeting_id: MeetingId) -> Option<Standing> {
        self.posts().get(&meeting_id).map(|post| post.standing.clone())
    }

    pub(crate) fn credential(&self, meeting_id: MeetingId) -> Option<String> {
        self.posts().get(&meeting_id).map(|post| post.credential.clone())
    }

    /// Those of the meetings in which something can be done: until its roster is there, a meeting may
    /// have to be joined from its beginning, and a result could be missed.
    fn open(&self, joined: &[MeetingId]) -> Vec<MeetingId> {
        let known = self.known.borrow();
        let is_open = |id: &MeetingId| known.of(*id).is_some_and(|meeting| meeting.has_roster);
        joined.iter().copied().filter(is_open).collect()
    }

    /// True if a meeting is to be joined in a new session.
    pub(crate) fn wants_new_session(&self, meeting_id: MeetingId) -> bool {
        self.posts().get(&meeting_id).is_some_and(|post| post.outbox.wants_new_session())
    }

    /// What is to be sent now, of meetings that are joined on this connection.
    pub(crate) fn next_to_send(&self, joined: &[MeetingId], now: Instant) -> Option<ToSend> {
        let open = self.open(joined);
        let mut posts = self.posts();
        let (meeting_id, (id, sequence, signed)) = open.iter().find_map(|meeting_id| {
            let entry = posts.get_mut(meeting_id)?.outbox.next(now)?;
            Some((*meeting_id, (entry.id.clone(), entry.sequence, entry.payload.clone())))
        })?;
        drop(posts);
        self.record(|| Record::Sent { meeting_id, id: id.clone(), sequence });
        Some(ToSend { meeting_id, id, signed })
    }

    /// When to look again, if time alone makes a difference.
    pub(crate) fn due(&self, joined: &[MeetingId]) -> Option<Instant> {
        let open = self.open(joined);
        let posts = self.posts();
        open.iter().filter_map(|meeting_id| posts.get(meeting_id)?.outbox.due()).min()
    }

    /// The relay has it for good.
    pub(crate) fn received(&self, meeting_id: MeetingId, id: &OperationId) {
        let news = self.with(meeting_id, |post| post.outbox.received(id));
        if news == Some(true) {
            self.record(|| Record::Received { meeting_id, id: id.clone() });
            self.tell(Event::OperationReceived { meeting_id, id: id.clone() });
        }
    }

    /// The relay can't take it for now.
    pub(crate) fn put_back(&self, meeting_id: MeetingId, id: &OperationId) {
        self.with(meeting_id, |post| post.outbox.put_back(id, Instant::now()));
    }

    /// The result is there.
    pub(crate) fn answered(&self, meeting_id: MeetingId, id: &OperationId, outcome: Outcome) {
        let answered = self.with(meeting_id, |post| {
            let news = post.answered(id, &outcome);
            news.then(|| (post.outbox.len(), post.take_waiter(id)))
        });
        let Some(Some((pending, waiter))) = answered else { return };
        self.change(meeting_id, |snapshot| {
            snapshot.operations.pending = pending;
            snapshot.operations.count(&outcome);
        });
        self.work.notify_one();
        let (told, id) = (outcome.clone(), id.clone());
        self.record(|| Record::Answered { meeting_id, id: id.clone(), outcome: told.clone() });
        self.tell(Event::OperationAnswered { meeting_id, id, outcome: told });
        // Nobody may wait for it.
        waiter.map(|waiter| waiter.send(outcome));
    }

    fn with<R>(&self, meeting_id: MeetingId, act: impl FnOnce(&mut Post) -> R) -> Option<R> {
        self.posts().get_mut(&meeting_id).map(act)
    }

    pub(crate) fn pending(&self) -> Vec<PendingOperation> {
        let posts = self.posts();
        let pending = posts.iter().flat_map(|(&meeting_id, post)| {
            post.outbox.entries().map(move |entry| PendingOperation {
                meeting_id,
                id: entry.id.clone(),
                sequence: entry.sequence,
                sent: entry.stage != Stage::Waiting,
                received: entry.stage == Stage::Received,
            })
        });
        pending.collect()
    }

    pub(crate) fn outcomes(&self, meeting_id: MeetingId) -> Vec<(OperationId, Outcome)> {
        let posts = self.posts();
        posts.get(&meeting_id).map(|post| Vec::from(post.outcomes.clone())).unwrap_or_default()
    }

    /// Operations as they were signed, oldest first, of one meeting after the other.
    pub(crate) fn signed(&self) -> Vec<SignedOperation> {
        let posts = self.posts();
        posts.values().filter_map(|post| post.signed.as_ref()).flatten().cloned().collect()
    }
}
