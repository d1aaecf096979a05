//! Doing something in a meeting: the operation is looked at, and goes on its way.

use prost::Message as _;
use tokio::time::Instant;
use tributary_contracts::terminal::v1::{Operate, RefusalCode};

use super::{super::session::Session, in_meeting::not_waiting};
use crate::{
    operations::{Stored, check, read},
    refusal::Refused,
};

impl Session {
    /// Takes an operation; the connection answers when it is stored.
    pub(super) async fn operate(
        &mut self,
        request_id: u64,
        operate: Operate,
    ) -> Result<(), Refused> {
        let Some(signed) = operate.operation else {
            return Err(Refused::new(RefusalCode::Malformed, "operation: it is missing"));
        };
        let operation = read(&signed)?;
        if operation.meeting_id.is_empty() {
            return Err(Refused::new(RefusalCode::Malformed, "meeting_id: it is missing"));
        }
        let participation = self.participations.named(&operation.meeting_id)?;
        not_waiting(participation)?;
        let checked = check(&signed, &operation, &participation.signer)?;
        let scope = participation.scope().clone();
        let participant = participation.attachment.participant;
        if let Some(participation) = self.participations.get_mut(&scope) {
            participation.unanswered.admit(checked.id.as_str(), Instant::now())?;
        }
        let payload = signed.encode_to_vec().into();
        let stored = Stored { request_id, operation: checked.id.clone() };
        let waits = self.waits.clone();
        self.shared.operations.push(&scope, participant, payload, stored, waits)?;
        if let Some(participation) = self.participations.get_mut(&scope) {
            participation.unanswered.ask(checked.id.as_str(), checked.silences);
        }
        if checked.silences {
            // Off the open floor here at once, whatever becomes of the operation.
            self.put_sound_in_force(&scope).await;
        }
        Ok(())
    }
}
