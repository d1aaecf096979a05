//! `tributary.admin.v1.AuditService`. The runtime lets in only who shows the admin token.

use tonic::{Request, Response, Status};
use tributary_contracts::{
    access::v1::{Action, Reason, Role},
    admin::v1::{
        AuditedDecision, ListDecisionsRequest, ListDecisionsResponse,
        audit_service_server::AuditService,
    },
};
use tributary_identifiers::MeetingId;

use super::{
    convert,
    status::{invalid, of_store},
};
use crate::{
    store::{DecisionFilter, DecisionRow, Store},
    wire,
};

/// The size of a page if none is asked for.
const PAGE_SIZE_DEFAULT: u64 = 50;
/// The largest page.
const PAGE_SIZE_MAX: u64 = 500;

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct AuditApi {
    store: Store,
}

impl AuditApi {
    /// Over what was decided.
    pub const fn new(store: Store) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl AuditService for AuditApi {
    async fn list_decisions(
        &self,
        request: Request<ListDecisionsRequest>,
    ) -> Result<Response<ListDecisionsResponse>, Status> {
        let request = request.into_inner();
        let size = page_size(request.page_size)?;
        let filter = filter(&request)?;
        // One more than asked for shows whether there is a next page.
        let mut rows =
            self.store.decisions(&filter, size + 1).await.map_err(|error| of_store(&error))?;
        let more = rows.len() as u64 > size;
        rows.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let next_page_token = match rows.last() {
            Some(last) if more => last.id.to_string(),
            _ => String::new(),
        };
        let decisions = rows.into_iter().map(audited).collect();
        Ok(Response::new(ListDecisionsResponse { decisions, next_page_token }))
    }
}

fn page_size(asked: i32) -> Result<u64, Status> {
    match u64::try_from(asked) {
        Ok(0) => Ok(PAGE_SIZE_DEFAULT),
        Ok(asked) => Ok(asked.min(PAGE_SIZE_MAX)),
        Err(_) => Err(invalid("page_size", &"must not be negative")),
    }
}

fn filter(request: &ListDecisionsRequest) -> Result<DecisionFilter, Status> {
    let meeting: Option<MeetingId> = match request.meeting_id.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|error| invalid("meeting_id", &error))?),
    };
    let user = match request.user_id.as_str() {
        "" => None,
        text => Some(convert::user_id("user_id", text)?),
    };
    let token = "must be the next_page_token of an answer, or empty";
    let before_id = match request.page_token.as_str() {
        "" => None,
        text => Some(text.parse::<i64>().map_err(|_| invalid("page_token", &token))?),
    };
    Ok(DecisionFilter {
        organisation: convert::organisation(&request.organisation)?,
        meeting,
        user,
        refused_only: request.refused_only,
        since: request.since.map(wire::millis),
        until: request.until.map(wire::millis),
        before_id,
    })
}

fn audited(row: DecisionRow) -> AuditedDecision {
    AuditedDecision {
        decision_id: row.id.to_string(),
        at: Some(wire::timestamp(u64::try_from(row.at).unwrap_or(0))),
        organisation: row.organisation,
        user_id: row.user_id,
        guest: row.guest,
        client_id: row.client_id,
        client_prefix: row.client_prefix,
        meeting_id: row.meeting_id.to_string(),
        action: Action::try_from(i32::from(row.action)).unwrap_or_default().into(),
        allowed: row.allowed,
        reason: Reason::try_from(i32::from(row.reason)).unwrap_or_default().into(),
        role: Role::try_from(i32::from(row.role)).unwrap_or_default().into(),
    }
}
