//! A relay that attaches to the core and says exactly what the test says.

mod uplink;
mod wire;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};
use tributary_contracts::relay::v1::{
    GetChallengeRequest, Hello, relay_uplink_client::RelayUplinkClient,
};
use tributary_join_credential::RelayKey;
use tributary_relay_uplink::protocol;

use crate::world::World;
pub use uplink::Uplink;

pub const SOON: Duration = Duration::from_secs(20);

/// A relay and its key.
pub struct Office {
    pub id: String,
    pub key: RelayKey,
    pub url: String,
}

impl Office {
    /// One that credential knows.
    pub fn known(world: &World, id: &str) -> Self {
        Self::known_for(world, id, &[])
    }

    pub fn known_for(world: &World, id: &str, prefixes: &[&str]) -> Self {
        let key = RelayKey::generate().unwrap();
        world.relays.know(id, &key.public_key(), prefixes);
        Self { id: id.to_owned(), key, url: world.uplink_url.clone() }
    }

    /// The same relay by another way.
    pub fn by(&self, url: &str) -> Self {
        let key = RelayKey::from_pkcs8(&self.key.to_pkcs8().unwrap()).unwrap();
        Self { id: self.id.clone(), key, url: url.to_owned() }
    }

    pub async fn client(&self) -> RelayUplinkClient<Channel> {
        let endpoint = Endpoint::from_shared(self.url.clone()).unwrap();
        RelayUplinkClient::new(endpoint.connect().await.unwrap())
    }

    pub async fn hello(&self, client: &mut RelayUplinkClient<Channel>) -> Hello {
        let challenge =
            client.get_challenge(GetChallengeRequest {}).await.unwrap().into_inner().challenge;
        let proof = self.key.sign_attach(&challenge, &self.id.parse().unwrap()).unwrap();
        Hello {
            relay_id: self.id.clone(),
            challenge,
            proof,
            protocol_oldest: protocol::OLDEST,
            protocol_newest: protocol::NEWEST,
            version: "test".to_owned(),
            ..Hello::default()
        }
    }

    pub async fn attach(&self) -> Uplink {
        let mut client = self.client().await;
        let hello = self.hello(&mut client).await;
        Uplink::begin(self, client, hello, Arc::default()).await.unwrap()
    }
}

pub fn with_token<T>(message: T, token: &[u8]) -> Request<T> {
    let mut request = Request::new(message);
    let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    request.metadata_mut().insert("tributary-uplink-session", token.parse().unwrap());
    request
}

/// A payload that can't be read.
pub fn garbage() -> Bytes {
    Bytes::from_static(&[0xff; 40])
}
