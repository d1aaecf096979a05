//! `tributary.access.v1.AccessService`.

use tokio::time::Instant;
use tonic::{Request, Response, Status};
use tributary_access_control_core::{Decision, Role};
use tributary_contracts::access::v1::{
    CreateShareRequest, CreateShareResponse, DecideRequest, DecideResponse, ListSharesRequest,
    ListSharesResponse, RevokeShareRequest, RevokeShareResponse, ShareLink,
    access_service_server::AccessService, share_form::Form,
};

use super::{convert, status};
use crate::{
    alarm::Misses,
    audit::{AuditQueue, Record},
    clock::Clock,
    deciding::{Answer, Decider, Question},
    grid::Grid,
    metrics::DecisionMetrics,
    sharing::{Carried, Destination, ShareError, ShareRequest, Sharing},
    wire,
};

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct AccessApi {
    decider: Decider,
    sharing: Sharing,
    audit: AuditQueue,
    grid: Grid,
    clock: Clock,
    metrics: DecisionMetrics,
    misses: Misses,
}

impl AccessApi {
    /// Over its parts.
    pub fn new(
        decider: Decider,
        sharing: Sharing,
        audit: AuditQueue,
        grid: Grid,
        clock: Clock,
        misses: Misses,
    ) -> Self {
        let metrics = DecisionMetrics::new();
        Self { decider, sharing, audit, grid, clock, metrics, misses }
    }

    fn record(&self, question: Question, answer: Answer) -> Record {
        let (allowed, reason) = convert::decision(answer.decision);
        Record {
            at: self.clock.now(),
            scope: question.scope,
            user: question.user,
            guest: question.guest,
            client: question.client,
            prefix: question.prefix,
            action: convert::proto_action(question.action),
            allowed,
            reason,
            role: answer.role,
        }
    }

    /// Who may not share learns neither from the answer nor from its time whether there is
    /// something that could be shared.
    async fn refuse(&self, came: Instant, error: ShareError) -> Status {
        if matches!(error, ShareError::NotAllowed) {
            self.grid.wait(came).await;
        }
        status::of_share(&error)
    }
}

#[tonic::async_trait]
impl AccessService for AccessApi {
    async fn decide(
        &self,
        request: Request<DecideRequest>,
    ) -> Result<Response<DecideResponse>, Status> {
        let came = Instant::now();
        let question = convert::question(request.into_inner())?;
        let Ok(place) = self.audit.place() else {
            self.metrics.undecided();
            return Err(status::audit_is_full());
        };
        let action = question.action;
        let answer = self.decider.decide(&question).await.map_err(|error| {
            self.metrics.undecided();
            status::of_undecided(&error)
        })?;
        place.record(self.record(question, answer));
        self.metrics.decided(action, answer.decision);
        let (allowed, reason) = convert::decision(answer.decision);
        if answer.role == Role::Outsider && matches!(answer.decision, Decision::Refused(_)) {
            self.metrics.missed();
            self.misses.add();
            self.grid.wait(came).await;
        }
        Ok(Response::new(DecideResponse {
            allowed,
            reason: reason.into(),
            told: convert::told(answer.told).into(),
            role: convert::role(answer.role).into(),
        }))
    }

    async fn create_share(
        &self,
        request: Request<CreateShareRequest>,
    ) -> Result<Response<CreateShareResponse>, Status> {
        let came = Instant::now();
        let request = share_request(request.into_inner())?;
        // A share that has been begun is carried out, also when the caller does not wait for it.
        let sharing = self.sharing.clone();
        let carrying_out = tokio::spawn(async move { sharing.create(request).await });
        let carried = match carrying_out.await {
            Ok(Ok(carried)) => carried,
            Ok(Err(error)) => return Err(self.refuse(came, error).await),
            Err(_) => return Err(status::of_share(&ShareError::Failed("it was cut short"))),
        };
        let Carried { share, link } = carried;
        Ok(Response::new(CreateShareResponse {
            share: Some(convert::share(share)),
            link: link.map(|link| ShareLink {
                url: link.url,
                text: link.text,
                qr_svg: link.qr_svg,
                qr_png: link.qr_png,
            }),
        }))
    }

    async fn list_shares(
        &self,
        request: Request<ListSharesRequest>,
    ) -> Result<Response<ListSharesResponse>, Status> {
        let came = Instant::now();
        let request = request.into_inner();
        let scope = convert::scope(&request.organisation, &request.meeting_id)?;
        let user = convert::user_id("user_id", &request.user_id)?;
        match self.sharing.list(&scope, &user).await {
            Ok(shares) => {
                let shares = shares.into_iter().map(convert::share).collect();
                Ok(Response::new(ListSharesResponse { shares }))
            }
            Err(error) => Err(self.refuse(came, error).await),
        }
    }

    async fn revoke_share(
        &self,
        request: Request<RevokeShareRequest>,
    ) -> Result<Response<RevokeShareResponse>, Status> {
        let came = Instant::now();
        let request = request.into_inner();
        let scope = convert::scope(&request.organisation, &request.meeting_id)?;
        let user = convert::user_id("user_id", &request.user_id)?;
        let share_id = Some(request.share_id).filter(|id| !id.is_empty());
        match self.sharing.revoke(&scope, &user, share_id.as_deref()).await {
            Ok(()) => Ok(Response::new(RevokeShareResponse {})),
            Err(error) => Err(self.refuse(came, error).await),
        }
    }
}

fn share_request(request: CreateShareRequest) -> Result<ShareRequest, Status> {
    let form = request.form.and_then(|form| form.form);
    let destination = match form {
        None => return Err(status::invalid("form", &"must be link, users or email")),
        Some(Form::Link(_)) => Destination::Link,
        Some(Form::Users(users)) => Destination::Users(
            users
                .user_ids
                .iter()
                .map(|user| convert::user_id("form.users.user_ids", user))
                .collect::<Result<_, _>>()?,
        ),
        Some(Form::Email(email)) => Destination::Email(email.addresses),
    };
    Ok(ShareRequest {
        scope: convert::scope(&request.organisation, &request.meeting_id)?,
        user: convert::user_id("user_id", &request.user_id)?,
        display_name: request.display_name,
        destination,
        expires_at: request.expires_at.map(wire::millis),
        language: request.language.parse().map_err(|error| status::invalid("language", &error))?,
    })
}
