//! `tributary.credential.v1.RelayIdentityService`. The runtime lets in only who shows the service
//! token: core relays.
//!
//! **Invariant:** whatever is wrong with what a relay brings, it is told the same.

use tonic::{Request, Response, Status};
use tributary_contracts::credential::v1::{
    EnrolRelayRequest, EnrolRelayResponse, GetRelayRequest, GetRelayResponse,
    RotateRelayKeyRequest, RotateRelayKeyResponse, VerifyRelayProofRequest,
    VerifyRelayProofResponse, relay_identity_service_server::RelayIdentityService,
};
use tributary_credential_core::{RelayPublicKey, RelayRecord, has_token_form, is_attach_noted};
use tributary_identifiers::{OrganisationId, RelayId};
use tributary_join_credential::verify_relay_enrolment;

use super::{
    read_organisation,
    relays::{identity, read_relay_id},
    status,
};
use crate::{
    announcer::Announcer,
    budgets::Attempts,
    clock::Clock,
    metrics, relay_tokens,
    store::{Enrolled, Store, StoreError},
};

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct RelayIdentityApi {
    store: Store,
    attempts: Attempts,
    announcer: Announcer,
    clock: Clock,
}

impl RelayIdentityApi {
    /// Over a database, its budgets, and who tells core relays.
    pub const fn new(store: Store, attempts: Attempts, announcer: Announcer, clock: Clock) -> Self {
        Self { store, attempts, announcer, clock }
    }

    /// Finds a relay by an id as a relay has given it: a text that is no id is that of no relay.
    async fn find(
        &self,
        organisation: &OrganisationId,
        relay_id: &RelayId,
    ) -> Result<Option<RelayRecord>, Status> {
        self.store.relay(organisation, relay_id).await.map_err(of_store)
    }

    /// Nobody's token. Many of them are answered with less, which a right one never is: it is all
    /// random bits, so that nobody comes to it by trying, and nobody keeps another out by it.
    async fn wrong_token(&self) -> Status {
        metrics::relay("enrol", "refused");
        match self.attempts.wrong_enrolment().await {
            Ok(true) => status::relay_not_admitted(),
            Ok(false) => status::try_later("too many relays come with wrong tokens"),
            Err(error) => of_store(error),
        }
    }

    async fn note_attach(&self, record: &RelayRecord) {
        let (relay, now) = (&record.relay, self.clock.seconds());
        if is_attach_noted(relay.attached_at, now) {
            return;
        }
        // Who may attach is not kept out because this can't be written down.
        if let Err(error) = self.store.note_attach(&relay.organisation, &relay.relay_id, now).await
        {
            tracing::warn!(%error, relay_id = %relay.relay_id, "an attachment is not noted");
        }
    }
}

fn of_store(error: StoreError) -> Status {
    status::of_store(&error)
}

fn refused(what: &'static str) -> Status {
    metrics::relay(what, "refused");
    status::relay_not_admitted()
}

#[tonic::async_trait]
impl RelayIdentityService for RelayIdentityApi {
    async fn enrol_relay(
        &self,
        request: Request<EnrolRelayRequest>,
    ) -> Result<Response<EnrolRelayResponse>, Status> {
        let enrolment = request.into_inner().enrolment;
        let enrolment =
            enrolment.ok_or_else(|| status::invalid("enrolment", &"must say who comes"))?;
        let (token, key) = (&enrolment.token, &enrolment.public_key);
        // First, so that a wrong proof does not use up the token.
        let proved = verify_relay_enrolment(key, &enrolment.challenge, token, &enrolment.proof);
        let (Ok(()), Ok(key)) = (proved, RelayPublicKey::try_from(key.as_slice())) else {
            return Err(refused("enrol"));
        };
        if !has_token_form(token) {
            return Err(self.wrong_token().await);
        }
        let now = self.clock.seconds();
        let enrolled = self.store.enrol_relay(&relay_tokens::hash(token), &key, now).await;
        let relay = match enrolled.map_err(of_store)? {
            Enrolled::Relay(record) => record.relay,
            Enrolled::NoToken => return Err(self.wrong_token().await),
        };
        self.announcer.relay_changed(&relay.organisation, &relay.relay_id).await;
        metrics::relay("enrol", "accepted");
        tracing::info!(organisation = %relay.organisation, relay_id = %relay.relay_id,
            "enrolled a relay");
        Ok(Response::new(EnrolRelayResponse { relay: Some(identity(&relay)) }))
    }

    async fn verify_relay_proof(
        &self,
        request: Request<VerifyRelayProofRequest>,
    ) -> Result<Response<VerifyRelayProofResponse>, Status> {
        let VerifyRelayProofRequest { organisation, hello } = request.into_inner();
        let organisation = read_organisation(&organisation)?;
        let hello = hello.ok_or_else(|| status::invalid("hello", &"must say who comes"))?;
        let Ok(relay_id) = hello.relay_id.parse() else { return Err(refused("attach")) };
        let record = self.find(&organisation, &relay_id).await?;
        let (challenge, proof) = (&hello.challenge, &hello.proof);
        let proved = RelayRecord::proved(record.as_ref(), &relay_id, challenge, proof);
        let record = proved.ok_or_else(|| refused("attach"))?;
        self.note_attach(record).await;
        metrics::relay("attach", "accepted");
        Ok(Response::new(VerifyRelayProofResponse { relay: Some(identity(&record.relay)) }))
    }

    async fn rotate_relay_key(
        &self,
        request: Request<RotateRelayKeyRequest>,
    ) -> Result<Response<RotateRelayKeyResponse>, Status> {
        let RotateRelayKeyRequest { organisation, rotation } = request.into_inner();
        let organisation = read_organisation(&organisation)?;
        let rotation =
            rotation.ok_or_else(|| status::invalid("rotation", &"must say whose key"))?;
        let Ok(relay_id) = rotation.relay_id.parse() else { return Err(refused("rotate")) };
        let record = self.find(&organisation, &relay_id).await?;
        let keys = RelayRecord::proved_rotation(
            record.as_ref(),
            &rotation.public_key,
            &rotation.challenge,
            &rotation.proof,
            &rotation.next_proof,
        );
        let (key, next) = keys.ok_or_else(|| refused("rotate"))?;
        let (keys, now) = ((&key, &next), self.clock.seconds());
        let rotated = self.store.rotate_relay_key(&organisation, &relay_id, keys, now).await;
        if !rotated.map_err(of_store)? {
            return Err(refused("rotate"));
        }
        metrics::relay("rotate", "accepted");
        tracing::info!(%organisation, %relay_id, "a relay has another key");
        Ok(Response::new(RotateRelayKeyResponse {}))
    }

    async fn get_relay(
        &self,
        request: Request<GetRelayRequest>,
    ) -> Result<Response<GetRelayResponse>, Status> {
        let GetRelayRequest { organisation, relay_id } = request.into_inner();
        let organisation = read_organisation(&organisation)?;
        let relay_id = read_relay_id(&relay_id)?;
        let record = self.find(&organisation, &relay_id).await?;
        let record = record.filter(RelayRecord::is_admitted).ok_or_else(status::no_such_relay)?;
        Ok(Response::new(GetRelayResponse { relay: Some(identity(&record.relay)) }))
    }
}
