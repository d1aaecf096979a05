//! The floor under a decision: a unary call of the same size to a service that does nothing.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use tributary_contracts::access::v1::access_service_server::{AccessService, AccessServiceServer};
use tributary_contracts::access::v1::{
    CreateShareRequest, CreateShareResponse, DecideRequest, DecideResponse, ListSharesRequest,
    ListSharesResponse, Reason, RevokeShareRequest, RevokeShareResponse, Role, Told,
};

/// Answers every question as a member's is answered.
struct Nothing;

/// What a member gets to hear; the answers of both services have the same size.
pub(super) fn answer() -> DecideResponse {
    DecideResponse {
        allowed: true,
        reason: Reason::Member.into(),
        told: Told::Unspecified.into(),
        role: Role::Member.into(),
    }
}

#[tonic::async_trait]
impl AccessService for Nothing {
    async fn decide(&self, _: Request<DecideRequest>) -> Result<Response<DecideResponse>, Status> {
        Ok(Response::new(answer()))
    }

    async fn create_share(
        &self,
        _: Request<CreateShareRequest>,
    ) -> Result<Response<CreateShareResponse>, Status> {
        Err(Status::unimplemented("only decisions"))
    }

    async fn list_shares(
        &self,
        _: Request<ListSharesRequest>,
    ) -> Result<Response<ListSharesResponse>, Status> {
        Err(Status::unimplemented("only decisions"))
    }

    async fn revoke_share(
        &self,
        _: Request<RevokeShareRequest>,
    ) -> Result<Response<RevokeShareResponse>, Status> {
        Err(Status::unimplemented("only decisions"))
    }
}

/// Serves on an address until the process ends.
pub async fn serve(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await.context("bind the floor's address")?;
    let incoming = TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder().tcp_nodelay(true);
    server
        .clone()
        .add_service(AccessServiceServer::new(Nothing))
        .serve_with_incoming(incoming)
        .await
        .context("serve the floor")
}
