//! `tributary.access.v1.AccessService`: from requests to the domain and back.

mod convert;
mod status;

use tonic::{Request, Response, Status};
use tributary_access_control_core::{Action, Facts, Membership, PasswordCheck, ShareMark, decide};
use tributary_contracts::access::v1::{
    DecideRequest, DecideResponse, SetShareMarkRequest, SetShareMarkResponse,
    access_service_server::AccessService,
};
use tributary_identifiers::UserId;
use tributary_password_hash::{HashError, Hasher};

use crate::{
    facts::{FactFinder, MeetingFacts, Subject},
    metrics,
};

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct AccessApi {
    facts: FactFinder,
    hasher: Hasher,
}

impl AccessApi {
    /// Over a source of facts and a hasher.
    pub const fn new(facts: FactFinder, hasher: Hasher) -> Self {
        Self { facts, hasher }
    }

    async fn find_facts(
        &self,
        subject: &Subject,
        user_id: &UserId,
        password: &str,
    ) -> Result<Facts, Status> {
        let found = self.facts.meeting(subject, user_id).await;
        let meeting = found.map_err(|error| status::of_fact(&error))?;
        if meeting.membership == Membership::Member {
            // Neither concerns a member, so members get in while the database is down.
            return Ok(Facts {
                meeting: meeting.state,
                membership: Membership::Member,
                share_mark: ShareMark::Unset,
                password: PasswordCheck::Wrong,
            });
        }
        let share_mark =
            self.facts.share_mark(subject).await.map_err(|error| status::of_fact(&error))?;
        Ok(Facts {
            meeting: meeting.state,
            membership: Membership::Outsider,
            share_mark,
            password: self.check_password(&meeting, share_mark, password).await?,
        })
    }

    /// Compares what an outsider typed. Whoever typed something waits for one hash, whatever the
    /// meeting, so that the time it takes tells nothing about it.
    async fn check_password(
        &self,
        meeting: &MeetingFacts,
        share_mark: ShareMark,
        typed: &str,
    ) -> Result<PasswordCheck, Status> {
        let hash = meeting.password_hash.as_deref().filter(|_| share_mark == ShareMark::Set);
        let right = if typed.is_empty() {
            false
        } else {
            match self.hasher.verify(typed, hash).await {
                Ok(right) => right,
                Err(HashError::TooLong) => false,
                Err(error) => return Err(status::of_hash(error)),
            }
        };
        Ok(match (&meeting.password_hash, right) {
            (None, _) => PasswordCheck::NotNeeded,
            (Some(_), true) => PasswordCheck::Right,
            (Some(_), false) => PasswordCheck::Wrong,
        })
    }
}

#[tonic::async_trait]
impl AccessService for AccessApi {
    async fn decide(
        &self,
        request: Request<DecideRequest>,
    ) -> Result<Response<DecideResponse>, Status> {
        let request = request.into_inner();
        let action = convert::action(request.action())?;
        let subject = convert::subject(&request.organisation, &request.meeting_id)?;
        let user_id = convert::user_id(&request.user_id)?;
        let facts = self.find_facts(&subject, &user_id, &request.password).await?;
        let decision = decide(action, &facts);
        let (allowed, reason) = convert::decision(decision);
        let Subject { organisation, meeting_id } = &subject;
        let reason_name = reason.as_str_name();
        tracing::debug!(%organisation, %meeting_id, %user_id, ?action, reason_name, "decided");
        metrics::decision(name(action), reason_name);
        Ok(Response::new(DecideResponse { allowed, reason: reason.into() }))
    }

    async fn set_share_mark(
        &self,
        request: Request<SetShareMarkRequest>,
    ) -> Result<Response<SetShareMarkResponse>, Status> {
        let request = request.into_inner();
        let subject = convert::subject(&request.organisation, &request.meeting_id)?;
        let user_id = convert::user_id(&request.user_id)?;
        let meeting = self.facts.meeting(&subject, &user_id).await;
        if !meeting.map_err(|error| status::of_fact(&error))?.organiser {
            return Err(status::not_the_organiser());
        }
        let mark = if request.shared { ShareMark::Set } else { ShareMark::Unset };
        let set = self.facts.set_share_mark(&subject, mark, &user_id).await;
        set.map_err(|error| status::of_fact(&error))?;
        let Subject { organisation, meeting_id } = &subject;
        tracing::info!(%organisation, %meeting_id, %user_id, ?mark, "changed a share mark");
        Ok(Response::new(SetShareMarkResponse {}))
    }
}

const fn name(action: Action) -> &'static str {
    match action {
        Action::Join => "join",
        Action::Read => "read",
    }
}
