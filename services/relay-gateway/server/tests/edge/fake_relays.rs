//! Identities of relays that the test hands out.

use std::{collections::HashMap, sync::Mutex};

use tonic::{Request, Response, Status, async_trait};
use tributary_contracts::{
    credential::v1::{
        EnrolRelayRequest, EnrolRelayResponse, GetRelayRequest, GetRelayResponse, RelayIdentity,
        RotateRelayKeyRequest, RotateRelayKeyResponse, VerifyRelayProofRequest,
        VerifyRelayProofResponse, relay_identity_service_server::RelayIdentityService,
    },
    relay::v1::RelaySettings,
};
use tributary_join_credential::{verify_relay_attach, verify_relay_enrolment};

#[derive(Default)]
pub struct Relays {
    /// By one-time token, who comes with it.
    tokens: Mutex<HashMap<String, RelaySettings>>,
    known: Mutex<HashMap<String, (RelaySettings, Vec<u8>)>>,
}

impl Relays {
    /// Expects a relay; its token is its id.
    pub fn expect(&self, settings: RelaySettings) {
        self.tokens.lock().unwrap().insert(settings.relay_id.clone(), settings);
    }

    /// True if nobody has come with that token yet.
    pub fn expects(&self, token: &str) -> bool {
        self.tokens.lock().unwrap().contains_key(token)
    }

    pub fn revoke(&self, relay_id: &str) {
        self.known.lock().unwrap().remove(relay_id);
    }
}

fn identity(settings: RelaySettings) -> Option<RelayIdentity> {
    Some(RelayIdentity { settings: Some(settings), ..RelayIdentity::default() })
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl RelayIdentityService for Relays {
    async fn enrol_relay(&self, request: Request<EnrolRelayRequest>) -> Answer<EnrolRelayResponse> {
        let enrolment = request.into_inner().enrolment.unwrap();
        let unknown = || Status::unauthenticated("no such token");
        let settings = self.tokens.lock().unwrap().remove(&enrolment.token).ok_or_else(unknown)?;
        let key = enrolment.public_key;
        verify_relay_enrolment(&key, &enrolment.challenge, &enrolment.token, &enrolment.proof)
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        let known = (settings.clone(), key);
        self.known.lock().unwrap().insert(settings.relay_id.clone(), known);
        Ok(Response::new(EnrolRelayResponse { relay: identity(settings) }))
    }

    async fn verify_relay_proof(
        &self,
        request: Request<VerifyRelayProofRequest>,
    ) -> Answer<VerifyRelayProofResponse> {
        let hello = request.into_inner().hello.unwrap();
        let known = self.known.lock().unwrap().get(&hello.relay_id).cloned();
        let (settings, key) = known.ok_or_else(|| Status::unauthenticated("no such relay"))?;
        let relay = hello.relay_id.parse().unwrap();
        verify_relay_attach(&key, &hello.challenge, &relay, &hello.proof)
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        Ok(Response::new(VerifyRelayProofResponse { relay: identity(settings) }))
    }

    async fn rotate_relay_key(
        &self,
        _: Request<RotateRelayKeyRequest>,
    ) -> Answer<RotateRelayKeyResponse> {
        Err(Status::unauthenticated("no key is changed here"))
    }

    async fn get_relay(&self, request: Request<GetRelayRequest>) -> Answer<GetRelayResponse> {
        let known = self.known.lock().unwrap().get(&request.into_inner().relay_id).cloned();
        let (settings, _) = known.ok_or_else(|| Status::not_found("no such relay"))?;
        Ok(Response::new(GetRelayResponse { relay: identity(settings) }))
    }
}
