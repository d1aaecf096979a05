//! Passes on what the user is told outside of meetings, once.

use axum::extract::ws::{Message, close_code};

use super::connection::{Connection, End, Participation, closed};
use crate::notices::Told;

impl Connection {
    pub(super) async fn tell(&mut self, told: &Told) -> Result<(), End> {
        let Some(listening) = &mut self.session.listening else { return Ok(()) };
        if !listening.sent.note(&told.notice_id) {
            return Ok(());
        }
        self.write(Message::Binary(told.encoded.clone())).await
    }

    /// The connection was too slow for what came over the bus: the registry has it all.
    pub(super) async fn tell_all(&mut self) -> Result<(), End> {
        let Some(listening) = &self.session.listening else { return Ok(()) };
        let upstream = &self.session.shared.upstream;
        match upstream.notices(&listening.organisation, &listening.user).await {
            Ok(notices) => {
                for notice in notices {
                    self.tell(&Told::new(notice)).await?;
                }
                Ok(())
            }
            Err(refused) => {
                // The terminal comes back, and asks for all of them then.
                tracing::debug!(%refused, "notices not listed");
                Err(closed(close_code::AGAIN, Participation::Kept))
            }
        }
    }
}
