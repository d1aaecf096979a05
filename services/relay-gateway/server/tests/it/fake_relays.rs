//! Identities of relays, as credential keeps them.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tonic::{Request, Response, Status, async_trait};
use tributary_contracts::{
    credential::v1::{relay_identity_service_server::RelayIdentityService, *},
    relay::v1::RelaySettings,
};
use tributary_join_credential::{
    verify_relay_attach, verify_relay_enrolment, verify_relay_rotation,
};

/// One relay.
#[derive(Clone)]
pub struct Known {
    pub settings: RelaySettings,
    pub prefixes: Vec<String>,
    pub public_key: Vec<u8>,
}

#[derive(Default)]
pub struct Relays {
    pub known: Mutex<HashMap<String, Known>>,
    /// Answers nothing.
    pub is_down: AtomicBool,
}

pub fn settings(relay_id: &str) -> RelaySettings {
    RelaySettings {
        relay_id: relay_id.to_owned(),
        relay_name: relay_id.to_uppercase(),
        room: false,
        uplink_limit_kbit: 0,
        organisation: "default".to_owned(),
        voices_max: 3,
    }
}

impl Relays {
    pub fn know(&self, relay_id: &str, public_key: &[u8], prefixes: &[&str]) {
        let known = Known {
            settings: settings(relay_id),
            prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
            public_key: public_key.to_vec(),
        };
        self.known.lock().unwrap().insert(relay_id.to_owned(), known);
    }

    fn find(&self, relay_id: &str) -> Result<Known, Status> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("down"));
        }
        let known = self.known.lock().unwrap().get(relay_id).cloned();
        known.ok_or_else(|| Status::not_found("no such relay"))
    }
}

fn identity(known: Known) -> Option<RelayIdentity> {
    let Known { settings, prefixes, .. } = known;
    Some(RelayIdentity { settings: Some(settings), prefixes, key_since: None })
}

fn wrong<E>(_: E) -> Status {
    Status::unauthenticated("wrong")
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl RelayIdentityService for Relays {
    async fn enrol_relay(&self, request: Request<EnrolRelayRequest>) -> Answer<EnrolRelayResponse> {
        let enrolment = request.into_inner().enrolment.unwrap();
        let (key, challenge) = (&enrolment.public_key, &enrolment.challenge);
        verify_relay_enrolment(key, challenge, &enrolment.token, &enrolment.proof)
            .map_err(wrong)?;
        let relay_id = enrolment.token.strip_prefix("token-of-").ok_or_else(|| wrong(()))?;
        self.know(relay_id, key, &[]);
        Ok(Response::new(EnrolRelayResponse { relay: identity(self.find(relay_id)?) }))
    }

    async fn verify_relay_proof(
        &self,
        request: Request<VerifyRelayProofRequest>,
    ) -> Answer<VerifyRelayProofResponse> {
        let hello = request.into_inner().hello.unwrap();
        let known = self.find(&hello.relay_id)?;
        let relay = hello.relay_id.parse().unwrap();
        verify_relay_attach(&known.public_key, &hello.challenge, &relay, &hello.proof)
            .map_err(wrong)?;
        Ok(Response::new(VerifyRelayProofResponse { relay: identity(known) }))
    }

    async fn rotate_relay_key(
        &self,
        request: Request<RotateRelayKeyRequest>,
    ) -> Answer<RotateRelayKeyResponse> {
        let rotation = request.into_inner().rotation.unwrap();
        let known = self.find(&rotation.relay_id)?;
        verify_relay_rotation(
            &known.public_key,
            &rotation.public_key,
            &rotation.challenge,
            &rotation.proof,
            &rotation.next_proof,
        )
        .map_err(wrong)?;
        let mut relays = self.known.lock().unwrap();
        relays.get_mut(&rotation.relay_id).unwrap().public_key = rotation.public_key;
        Ok(Response::new(RotateRelayKeyResponse {}))
    }

    async fn get_relay(&self, request: Request<GetRelayRequest>) -> Answer<GetRelayResponse> {
        let relay = identity(self.find(&request.into_inner().relay_id)?);
        Ok(Response::new(GetRelayResponse { relay }))
    }
}
