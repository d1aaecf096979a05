//! What a terminal asks for, and who answers it; one file per subject.

mod identity;
pub(crate) mod in_meeting;
pub(super) mod introducing;
mod joining;
mod meetings;
mod notices;
mod operating;
mod sharing;

use axum::extract::ws::close_code;
use tokio::time::Instant;
use tributary_contracts::{
    event::v1::LeaveReason,
    terminal::v1::{
        Leave, Left, Pong, RefusalCode, TerminalMessage, relay_message::Body as Reply,
        terminal_message::Body as Request,
    },
};
use tributary_join_credential::Provenance;

use super::{
    admit::Identity,
    connection::{Connection, End},
    session::Session,
};
use crate::refusal::Refused;

impl Connection {
    pub(super) async fn handle_request(&mut self, message: TerminalMessage) -> Result<(), End> {
        let id = message.request_id;
        let Some(request) = message.body else {
            let text = "this kind of message is not known to this relay: is it older than you?";
            return self.refuse(id, Refused::new(RefusalCode::Unsupported, text)).await;
        };
        if !matches!(request, Request::Ping(_)) {
            self.asked_at = Instant::now();
        }
        if let Request::Leave(leave) = request {
            return self.leave(id, &leave).await;
        }
        let moves = matches!(request, Request::Join(_) | Request::SwitchMeeting(_));
        let revoked = self.session.revoked();
        let answer = if moves || matches!(request, Request::LogOut(_)) {
            // What is half done here is brought to its end: a revocation comes right after it.
            self.session.answer(id, request).await
        } else {
            tokio::select! {
                biased;
                answer = self.session.answer(id, request) => answer,
                () = revoked => return self.end_revoked().await,
            }
        };
        match answer {
            Ok(Some(reply)) => self.send(id, reply).await?,
            Ok(None) => {}
            Err(refused) => return self.refuse(id, refused).await,
        }
        // Who speaks at this moment comes after the roster it refers to.
        if moves { self.send_speakers().await } else { Ok(()) }
    }

    async fn leave(&mut self, id: u64, leave: &Leave) -> Result<(), End> {
        let participations = &mut self.session.participations;
        if !participations.is_empty() {
            let scope = match participations.named(&leave.meeting_id) {
                Ok(participation) => participation.scope().clone(),
                Err(refused) => return self.refuse(id, refused).await,
            };
            if let Some(participation) = participations.take(&scope) {
                let attached = self.session.shared.attached.clone();
                attached.leave(participation.attachment, LeaveReason::Left).await;
            }
        }
        self.send(id, Reply::Left(Left {})).await?;
        if self.session.participations.is_empty() {
            return Err(End::Closed(close_code::NORMAL));
        }
        Ok(())
    }
}

impl Session {
    /// Carries a request out, or begins to: then there is no answer yet.
    async fn answer(&mut self, id: u64, request: Request) -> Result<Option<Reply>, Refused> {
        let reply = match request {
            Request::ShareMeeting(share) => {
                return self.begin_sharing(id, share).await.map(|()| None);
            }
            Request::Operate(operate) => {
                return self.operate(id, operate).await.map(|()| None);
            }
            Request::Introduce(introduce) => {
                return self.begin_introducing(id, introduce).map(|()| None);
            }
            Request::GetLogInOptions(_) => self.log_in_options().await,
            Request::LogIn(log_in) => self.log_in(log_in).await,
            Request::EnterAsGuest(guest) => self.enter_as_guest(guest).await,
            Request::BeginOidcLogIn(begin) => self.begin_oidc(begin).await,
            Request::FinishOidcLogIn(finish) => self.finish_oidc(finish).await,
            Request::RefreshIdentity(refresh) => self.refresh_identity(refresh).await,
            Request::LogOut(log_out) => self.log_out(log_out).await,
            Request::FindUsers(find) => self.find_users(find).await,

            Request::CreateMeeting(create) => self.create_meeting(create).await,
            Request::ReadMeeting(read) => self.read_meeting(read).await,
            Request::ListMyMeetings(list) => self.list_meetings(list).await,
            Request::UpdateMeeting(update) => self.update_meeting(update).await,
            Request::ChangeMembers(change) => self.change_members(change).await,
            Request::DeleteAttachment(delete) => self.delete_attachment(delete).await,

            Request::ListShares(list) => self.list_shares(list).await,
            Request::RevokeShare(revoke) => self.revoke_share(revoke).await,

            Request::ReceiveNotices(receive) => self.receive_notices(receive).await,
            Request::DismissNotice(dismiss) => self.dismiss_notice(dismiss).await,

            Request::RequestJoinCredential(request) => self.request_credential(request).await,
            Request::Join(join) => self.join(join).await,
            Request::MediaOffer(offer) => self.media_offer(offer.sdp).await,
            Request::SwitchMeeting(switch) => self.switch_meeting(switch).await,
            Request::ReadChat(read) => self.read_chat(read).await,
            Request::Ping(_) => Ok(Reply::Pong(Pong {})),
            Request::Leave(_) => Ok(Reply::Left(Left {})),
        };
        self.is_known |= matches!(reply, Ok(Reply::Identity(_)));
        reply.map(Some)
    }

    /// Verifies an identity token; from now on the connection stands by it.
    async fn identity(&mut self, token: &str) -> Result<Identity, Refused> {
        let identity = self.shared.identity(token).await?;
        self.stand_by(identity.provenance());
        self.is_known = true;
        Ok(identity)
    }

    fn stand_by(&mut self, provenance: Provenance) {
        let shown = &mut self.standing.shown;
        if shown.as_ref().is_none_or(|hold| *hold.provenance() != provenance) {
            *shown = Some(self.shared.trust.hold(provenance));
        }
    }
}
