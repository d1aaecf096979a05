//! A served process to test against.

use std::net::SocketAddr;

use tonic::{Request, Response, Status};
use tributary_contracts::access::v1::{
    CreateShareRequest, CreateShareResponse, DecideRequest, DecideResponse, ListSharesRequest,
    ListSharesResponse, RevokeShareRequest, RevokeShareResponse,
    access_service_client::AccessServiceClient,
    access_service_server::{AccessService, AccessServiceServer},
};
use tributary_service_runtime::{
    Peer, Platform, PlatformConfig, Secret, SecurityConfig, ServiceChannel,
    grpc::{GrpcServer, Services},
};

pub const SERVICE: &str = "tributary.access.v1.AccessService";

/// Answers every question, and says so in a log.
struct Answers;

#[tonic::async_trait]
impl AccessService for Answers {
    async fn decide(&self, _: Request<DecideRequest>) -> Result<Response<DecideResponse>, Status> {
        tracing::info!("decided");
        Ok(Response::new(DecideResponse::default()))
    }

    async fn create_share(
        &self,
        _: Request<CreateShareRequest>,
    ) -> Result<Response<CreateShareResponse>, Status> {
        Err(Status::unavailable("not now"))
    }

    async fn list_shares(
        &self,
        _: Request<ListSharesRequest>,
    ) -> Result<Response<ListSharesResponse>, Status> {
        Err(Status::unavailable("not now"))
    }

    async fn revoke_share(
        &self,
        _: Request<RevokeShareRequest>,
    ) -> Result<Response<RevokeShareResponse>, Status> {
        Err(Status::permission_denied("never"))
    }
}

/// A platform whose peers are all the gRPC server at `address`.
pub struct World {
    pub platform: Platform,
    pub address: SocketAddr,
    pub serving: tokio::task::JoinHandle<Result<(), tributary_service_runtime::Error>>,
}

impl World {
    pub async fn start() -> Self {
        let server = GrpcServer::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = server.address();
        let mut config = PlatformConfig {
            security: SecurityConfig {
                service_token: Secret::new("service"),
                admin_token: Secret::new("admin"),
            },
            ..PlatformConfig::default()
        };
        config.services.access_control = format!("http://{address}");
        let platform = Platform::new(config);
        let mut services = Services::default();
        services.add_service(AccessServiceServer::new(Answers));
        assert_eq!(services.names(), [SERVICE]);
        let (serving, stop) = (platform.clone(), platform.shutdown.clone());
        let serving = tokio::spawn(async move { server.serve(services, &serving, stop).await });
        Self { platform, address, serving }
    }

    pub fn access(&self) -> AccessServiceClient<ServiceChannel> {
        AccessServiceClient::new(self.platform.channel(Peer::AccessControl).unwrap())
    }

    pub fn access_with(&self, token: &str) -> AccessServiceClient<ServiceChannel> {
        let url = format!("http://{}", self.address);
        let channel = ServiceChannel::lazy("access-control", &url, &Secret::new(token)).unwrap();
        AccessServiceClient::new(channel)
    }
}
