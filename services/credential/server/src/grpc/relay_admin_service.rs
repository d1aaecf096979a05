//! `tributary.admin.v1.RelayAdminService`. The runtime lets in only who shows the admin token.

use prost_types::Duration;
use tonic::{Request, Response, Status};
use tributary_contracts::admin::v1::{
    CreateRelayEnrolmentRequest, CreateRelayEnrolmentResponse, ListRelaysRequest,
    ListRelaysResponse, RevokeRelayRequest, RevokeRelayResponse, UpdateRelayRequest,
    UpdateRelayResponse, relay_admin_service_server::RelayAdminService,
};
use tributary_credential_core::{
    PAGES_OF_RELAYS, PageRequest, RelayChange, RelaySetup, enrolment_end, page_token,
};

use super::{
    read_organisation,
    relays::{invalid, listed, read_relay_id},
    status, timestamp,
};
use crate::{
    announcer::Announcer,
    clock::Clock,
    relay_tokens,
    store::{NewRelayToken, Store, StoreError},
};

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct RelayAdminApi {
    store: Store,
    announcer: Announcer,
    clock: Clock,
}

impl RelayAdminApi {
    /// Over a database, and who tells core relays.
    pub const fn new(store: Store, announcer: Announcer, clock: Clock) -> Self {
        Self { store, announcer, clock }
    }
}

fn of_store(error: StoreError) -> Status {
    status::of_store(&error)
}

#[tonic::async_trait]
impl RelayAdminService for RelayAdminApi {
    async fn create_relay_enrolment(
        &self,
        request: Request<CreateRelayEnrolmentRequest>,
    ) -> Result<Response<CreateRelayEnrolmentResponse>, Status> {
        let CreateRelayEnrolmentRequest { relay, valid_for } = request.into_inner();
        let relay = relay.ok_or_else(|| status::invalid("relay", &"must say which relay"))?;
        let organisation = read_organisation(&relay.organisation)?;
        let relay_id = read_relay_id(&relay.relay_id)?;
        let (limit, voices) = (relay.uplink_limit_kbit, relay.voices_max);
        let setup = RelaySetup::read(&relay.name, relay.room, limit, voices, &relay.prefixes);
        let setup = setup.map_err(|error| invalid(&error))?;
        let valid_for = valid_for.map(|Duration { seconds, .. }| seconds);
        let expires_at = enrolment_end(self.clock.seconds(), valid_for)
            .map_err(|error| status::invalid("valid_for", &error))?;
        let token = relay_tokens::draw().map_err(|error| status::of_random(&error))?;
        let kept = NewRelayToken { hash: relay_tokens::hash(&token), expires_at };
        let (record, there) = self
            .store
            .set_up_relay(&organisation, &relay_id, &setup, &kept)
            .await
            .map_err(of_store)?;
        if there {
            self.announcer.relay_changed(&organisation, &relay_id).await;
        }
        tracing::info!(%organisation, %relay_id, "allowed a relay to be enrolled");
        Ok(Response::new(CreateRelayEnrolmentResponse {
            token,
            expires_at: Some(timestamp(expires_at)),
            relay: Some(listed(&record.relay)),
        }))
    }

    async fn list_relays(
        &self,
        request: Request<ListRelaysRequest>,
    ) -> Result<Response<ListRelaysResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let page = PageRequest::read(request.page_size, &request.page_token, PAGES_OF_RELAYS)
            .map_err(|error| status::invalid(error.field(), &error))?;
        // One more than asked for shows whether there is a next page.
        let (after, limit) = (page.after.as_ref(), u64::from(page.size) + 1);
        let mut found = self.store.relays(&organisation, after, limit).await.map_err(of_store)?;
        let size = page.size as usize;
        let more = found.len() > size;
        found.truncate(size);
        let next_page_token = match found.last() {
            Some(last) if more => page_token(last.relay.relay_id.as_str()),
            _ => String::new(),
        };
        let relays = found.iter().map(|record| listed(&record.relay)).collect();
        Ok(Response::new(ListRelaysResponse { relays, next_page_token }))
    }

    async fn update_relay(
        &self,
        request: Request<UpdateRelayRequest>,
    ) -> Result<Response<UpdateRelayResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let relay_id = read_relay_id(&request.relay_id)?;
        let change = RelayChange::read(
            request.name.as_deref(),
            request.room,
            request.uplink_limit_kbit,
            request.voices_max,
            request.prefixes.as_ref().map(|prefixes| prefixes.prefixes.as_slice()),
        )
        .map_err(|error| invalid(&error))?;
        let changed = self.store.change_relay(&organisation, &relay_id, &change).await;
        let record = changed.map_err(of_store)?.ok_or_else(status::no_such_relay)?;
        if !change.is_empty() {
            self.announcer.relay_changed(&organisation, &relay_id).await;
            tracing::info!(%organisation, %relay_id, "changed a relay");
        }
        Ok(Response::new(UpdateRelayResponse { relay: Some(listed(&record.relay)) }))
    }

    async fn revoke_relay(
        &self,
        request: Request<RevokeRelayRequest>,
    ) -> Result<Response<RevokeRelayResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let relay_id = read_relay_id(&request.relay_id)?;
        let now = self.clock.seconds();
        if !self.store.revoke_relay(&organisation, &relay_id, now).await.map_err(of_store)? {
            return Err(status::no_such_relay());
        }
        // Also if it was revoked before: who did not hear it then hears it now.
        self.announcer.relay_changed(&organisation, &relay_id).await;
        tracing::info!(%organisation, %relay_id, "revoked a relay");
        Ok(Response::new(RevokeRelayResponse {}))
    }
}
