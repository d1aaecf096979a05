//! The operations of one participant: made, signed, kept until their results are there, and who waits
//! for those.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::{Instant, SystemTime},
};

use tokio::sync::oneshot;
use tributary_contracts::operation::v1::{Operation, SignedOperation, operation::Body};
use tributary_identifiers::{MeetingId, OperationId, ParticipantId, TerminalSessionId};
use tributary_join_credential::TerminalKey;

use crate::{
    OperateError, Outcome, Submitted,
    operations::{self, ENVELOPE_BYTES_MAX},
    outbox::Outbox,
};

/// Results, and operations as they were signed, that are kept for who asks later.
const KEPT_MAX: usize = 10_000;

/// As whom a terminal is in a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) meeting_id: MeetingId,
    pub(crate) organisation: String,
    pub(crate) participant_id: ParticipantId,
    pub(crate) session_id: TerminalSessionId,
}

pub(crate) struct Post {
    pub(crate) standing: Standing,
    /// By which it has joined last.
    pub(crate) credential: String,
    pub(crate) outbox: Outbox<SignedOperation>,
    pub(crate) outcomes: VecDeque<(OperationId, Outcome)>,
    /// As they were signed, if that is kept.
    pub(crate) signed: Option<VecDeque<SignedOperation>>,
    /// To whom alone the user wants to talk; empty: to everybody.
    pub(crate) talk_wish: BTreeSet<ParticipantId>,
    waiters: HashMap<OperationId, oneshot::Sender<Outcome>>,
    /// Those that switch the microphone and have no result.
    switching: HashSet<OperationId>,
    over: bool,
}

impl Post {
    pub(crate) fn new(standing: Standing, credential: String, keep_signed: bool) -> Self {
        Self {
            standing,
            credential,
            outbox: Outbox::new(Instant::now()),
            outcomes: VecDeque::new(),
            signed: keep_signed.then(VecDeque::new),
            talk_wish: BTreeSet::new(),
            waiters: HashMap::new(),
            switching: HashSet::new(),
            over: false,
        }
    }

    /// True if it is the same participant in the same session, or in a new one where that is wanted.
    pub(crate) fn goes_on_as(&mut self, standing: &Standing) -> bool {
        if !self.over && self.outbox.wants_new_session() {
            let session_id = self.standing.session_id.clone();
            if self.standing == (Standing { session_id, ..standing.clone() }) {
                self.standing.clone_from(standing);
                self.outbox = Outbox::new(Instant::now());
            }
        }
        !self.over && self.standing == *standing
    }

    /// The stay is over: who waits is told by that nobody answers any more.
    pub(crate) fn close(&mut self) {
        self.over = true;
        self.outbox = Outbox::new(Instant::now());
        self.talk_wish.clear();
        self.waiters.clear();
        self.switching.clear();
    }

    /// The next operation as it would be.
    pub(crate) fn draft(&self, body: Body, not_after: SystemTime) -> Operation {
        Operation {
            operation_id: operations::new_id().to_string(),
            client_sequence: self.outbox.next_sequence(),
            organisation: self.standing.organisation.clone(),
            meeting_id: self.standing.meeting_id.to_string(),
            participant_id: self.standing.participant_id.0,
            session_id: self.standing.session_id.to_string(),
            not_after: Some(operations::time(not_after)),
            body: Some(body),
        }
    }

    /// Makes and signs an operation, and keeps it.
    pub(crate) fn submit(
        &mut self,
        body: Body,
        not_after: SystemTime,
        key: &TerminalKey,
    ) -> Result<Submitted, OperateError> {
        if self.over {
            return Err(OperateError::Over);
        }
        if self.outbox.is_full() {
            return Err(OperateError::Full);
        }
        let switches = matches!(body, Body::SetMuted(_));
        let wish = match &body {
            Body::TalkTo(talk) => Some(talk.participant_ids.iter().copied().map(ParticipantId)),
            _ => None,
        };
        let wish: Option<BTreeSet<ParticipantId>> = wish.map(Iterator::collect);
        let operation = self.draft(body, not_after);
        let envelope = operations::envelope(&operation);
        if envelope.len() > ENVELOPE_BYTES_MAX {
            return Err(OperateError::TooLong);
        }
        let system = |error: &dyn std::fmt::Display| OperateError::System(error.to_string());
        let signed = operations::sign_bytes(key, envelope).map_err(|error| system(&error))?;
        let id: OperationId = operation.operation_id.parse().map_err(|error| system(&error))?;
        self.keep_signed(&signed);
        self.outbox.push(id.clone(), signed).map_err(|_| OperateError::Full)?;
        if switches {
            self.switching.insert(id.clone());
        }
        if let Some(wish) = wish {
            self.talk_wish = wish;
        }
        let (waiter, outcome) = oneshot::channel();
        self.waiters.insert(id.clone(), waiter);
        let meeting_id = self.standing.meeting_id;
        Ok(Submitted { meeting_id, id, sequence: operation.client_sequence, outcome })
    }

    fn keep_signed(&mut self, operation: &SignedOperation) {
        if let Some(signed) = &mut self.signed {
            keep(signed, operation.clone());
        }
    }

    /// Takes a result. True if it was waited for.
    pub(crate) fn answered(&mut self, id: &OperationId, outcome: &Outcome) -> bool {
        let is_news = match outcome {
            Outcome::NotTaken { .. } => self.outbox.not_taken(id),
            _ => self.outbox.answered(id),
        };
        if !is_news {
            return false;
        }
        self.switching.remove(id);
        keep(&mut self.outcomes, (id.clone(), outcome.clone()));
        true
    }

    /// Who waits for a result; to be told when all else has been done.
    pub(crate) fn take_waiter(&mut self, id: &OperationId) -> Option<oneshot::Sender<Outcome>> {
        self.waiters.remove(id)
    }

    /// True while the meeting does not know yet how the microphone was switched last.
    pub(crate) fn is_switching(&self) -> bool {
        !self.switching.is_empty()
    }
}

fn keep<T>(kept: &mut VecDeque<T>, new: T) {
    if kept.len() == KEPT_MAX {
        kept.pop_front();
    }
    kept.push_back(new);
}
