//! Passes on what the user is told outside of meetings, once.

use axum::extract::ws::close_code;

use tributary_contracts::terminal::v1::RefusalCode;

use super::{
    connection::{Connection, End},
    link::Audience,
};
use crate::{notices::Told, refusal::Refused};

impl Connection {
    pub(super) async fn tell(&mut self, told: &Told) -> Result<(), End> {
        let Some(listening) = &mut self.session.listening else { return Ok(()) };
        if !listening.sent.note(&told.notice_id) {
            return Ok(());
        }
        self.write(told.encoded.clone(), Audience::Many).await
    }

    /// The token that the user is told things by has ended, and was not made new on this connection.
    pub(super) async fn end_notices(&mut self) -> Result<(), End> {
        self.session.listening = None;
        self.session.standing.listening = None;
        if !self.session.participations.is_empty() {
            // Who is in a meeting is there by another credential, and stays.
            return Ok(());
        }
        let text =
            "the identity token that notices come by has ended: ask for them with a newer one";
        self.refuse(0, Refused::new(RefusalCode::TryAgain, text)).await?;
        Err(End::Closed(close_code::NORMAL))
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
                Err(End::Closed(close_code::AGAIN))
            }
        }
    }
}
