//! The services behind a core relay, all at one address, which answer as the test says.

use std::sync::Arc;

use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tributary_contracts::{
    access::v1::access_service_server::AccessServiceServer,
    credential::v1::{
        credential_service_server::CredentialServiceServer,
        relay_identity_service_server::{RelayIdentityService, RelayIdentityServiceServer},
    },
    registry::v1::registry_service_server::RegistryServiceServer,
};
use tributary_service_runtime::{Platform, PlatformConfig};

use crate::{
    fake_access::Access,
    fake_credential::Credential,
    fake_registry::Registry,
    nats::{Nats, relay_user},
};

/// What they answer from.
pub struct Services<R> {
    pub access: Arc<Access>,
    pub credential: Arc<Credential>,
    pub registry: Arc<Registry>,
    pub relays: Arc<R>,
}

impl<R: RelayIdentityService + Default> Services<R> {
    pub fn new() -> Self {
        let access = Arc::new(Access::default());
        let credential = Arc::new(Credential::new(access.clone()));
        Self { access, credential, registry: Arc::default(), relays: Arc::default() }
    }

    /// Serves them, as long as the tasks are there; the platform is that of a relay before them.
    pub async fn serve(&self, nats: &Nats, tasks: &mut JoinSet<()>) -> Platform {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(CredentialServiceServer::from_arc(self.credential.clone()))
            .add_service(RelayIdentityServiceServer::from_arc(self.relays.clone()))
            .add_service(AccessServiceServer::from_arc(self.access.clone()))
            .add_service(RegistryServiceServer::from_arc(self.registry.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tasks.spawn(async { server.await.unwrap() });
        let mut platform = PlatformConfig { nats: nats.config(&relay_user()), ..<_>::default() };
        platform.services.credential.clone_from(&url);
        platform.services.access_control.clone_from(&url);
        platform.services.meeting_registry = url;
        Platform::new(platform)
    }
}
