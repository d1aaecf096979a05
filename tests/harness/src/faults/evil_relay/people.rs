//! People who are truly in meetings, and what they are told there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context, Result};
use tributary_contracts::event::v1::MeetingEvent;
use tributary_contracts::operation::v1::Operation;
use tributary_identifiers::MeetingId;
use tributary_join_credential::TerminalKey;
use tributary_terminal::{
    IdentitySource, MeetingTarget, OperationBody, Options as TerminalOptions, Record, Target,
    Terminal, operations,
};

use super::ledger::Signed;
use crate::World;
use crate::directory::User;

/// Somebody who is truly in.
pub struct Person {
    /// Their terminal.
    pub terminal: Terminal,
    /// Its key.
    pub key: Arc<TerminalKey>,
    /// Who they log in as.
    pub account: User,
    sequences: HashMap<MeetingId, u64>,
    /// Records that are looked at.
    watched: usize,
}

impl Person {
    /// Comes into a meeting by the relay of this number, with a key if there is one.
    pub async fn enter(
        world: &World,
        relay: usize,
        meeting: MeetingId,
        account: User,
        key: Option<Arc<TerminalKey>>,
    ) -> Result<Self> {
        let who = IdentitySource::LogIn {
            user_name: account.user_name.clone(),
            password: account.password.clone(),
        };
        let target = MeetingTarget::Existing(Target::new(meeting));
        let options = TerminalOptions {
            media: false,
            record_events: true,
            key,
            ..TerminalOptions::new(world.relay_url(relay)?, who, target)
        };
        let terminal = Terminal::join(options).await.context("come into a meeting")?;
        let key = terminal.key();
        Ok(Self { terminal, key, account, sequences: HashMap::new(), watched: 0 })
    }

    /// Signs what the terminal would do next in a meeting. Nothing is sent.
    pub fn sign(&mut self, meeting: MeetingId, body: OperationBody) -> Result<Signed> {
        self.sign_as(meeting, body, |_| {})
    }

    /// The same, changed before it is signed.
    pub fn sign_as(
        &mut self,
        meeting: MeetingId,
        body: OperationBody,
        change: impl FnOnce(&mut Operation),
    ) -> Result<Signed> {
        let draft = self.terminal.draft(meeting, body).context("draft an operation")?;
        let mut operation = draft;
        let sequence = self.sequences.entry(meeting).or_insert(operation.client_sequence);
        operation.client_sequence = *sequence;
        *sequence += 1;
        change(&mut operation);
        let signed = operations::sign(&self.key, &operation).context("sign an operation")?;
        Ok(Signed { operation, signed })
    }

    /// What was signed last is never carried: its place is free again.
    pub fn take_back(&mut self, meeting: MeetingId) {
        if let Some(sequence) = self.sequences.get_mut(&meeting) {
            *sequence -= 1;
        }
    }

    /// Who they are in a meeting.
    pub fn participant(&self, meeting: MeetingId) -> Result<u32> {
        let id = self.terminal.participant_in(meeting);
        Ok(id.context("somebody is not in a meeting")?.0)
    }

    /// What they were told since they were asked last that no log says.
    pub fn watch(
        &mut self,
        meetings: &[MeetingId; 2],
        logs: &[BTreeMap<u64, MeetingEvent>; 2],
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for record in self.terminal.records_from(self.watched) {
            if let Record::Event { event, .. } = &record {
                let log = meetings
                    .iter()
                    .zip(logs)
                    .find(|(meeting, _)| meeting.to_string() == event.meeting_id)
                    .map(|(_, log)| log);
                let Some(log) = log else {
                    wrong.push(format!("told of a meeting that nobody is in: {event:?}"));
                    self.watched += 1;
                    continue;
                };
                let read = log.last_key_value().map_or(0, |(number, _)| *number);
                // The log is read again before the rest is looked at; what runs far ahead is no event.
                if event.number > read && event.number < read + 1_000 {
                    break;
                }
                if log.get(&event.number) != Some(event) {
                    wrong.push(format!("told what no log says: {event:?}"));
                }
            }
            self.watched += 1;
        }
        wrong
    }
}
