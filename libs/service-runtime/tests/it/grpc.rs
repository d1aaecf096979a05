//! Bearer checks, limits, health and reflection of the gRPC server.

use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tributary_contracts::access::v1::{DecideRequest, RevokeShareRequest};
use tributary_service_runtime::grpc::MESSAGE_BYTES_MAX;

use crate::world::{SERVICE, World};

#[tokio::test]
async fn a_peer_with_the_service_token_is_answered_and_nobody_else() {
    let world = World::start().await;
    world.access().decide(DecideRequest::default()).await.unwrap();
    for token in ["admin", "", "servic", "service "] {
        let refusal = world.access_with(token).decide(DecideRequest::default()).await.unwrap_err();
        assert_eq!(refusal.code(), Code::Unauthenticated, "{token:?}");
    }
    let answer = world.access().revoke_share(RevokeShareRequest::default()).await;
    assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied, "the service's own refusal");
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_the_connection_goes_on() {
    let world = World::start().await;
    let mut access = world.access();
    let with_organisation = |bytes: usize| DecideRequest {
        organisation: "x".repeat(bytes),
        ..DecideRequest::default()
    };
    let limit = MESSAGE_BYTES_MAX as usize;
    let refusal = access.decide(with_organisation(limit + 1)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal:?}");
    access.decide(with_organisation(limit - 16)).await.unwrap();
}

#[tokio::test]
async fn health_follows_the_readiness_for_each_service_by_name() {
    let world = World::start().await;
    let channel = Endpoint::from_shared(format!("http://{}", world.address)).unwrap();
    let mut health = HealthClient::new(channel.connect_lazy());
    let mut statuses = Vec::new();
    for name in ["", SERVICE] {
        let request = HealthCheckRequest { service: name.into() };
        statuses.push(health.watch(request).await.unwrap().into_inner());
    }
    let mut expect = async |status: ServingStatus| {
        for watch in &mut statuses {
            while watch.message().await.unwrap().unwrap().status() != status {}
        }
    };
    expect(ServingStatus::Serving).await;
    let database = world.platform.readiness.dependency("database");
    expect(ServingStatus::NotServing).await;
    database.ready();
    expect(ServingStatus::Serving).await;
    world.platform.readiness.drain();
    expect(ServingStatus::NotServing).await;
    let unknown = HealthCheckRequest { service: "tributary.none.v1.NoService".into() };
    assert_eq!(health.check(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_names_the_services_that_are_served() {
    let world = World::start().await;
    let channel = Endpoint::from_shared(format!("http://{}", world.address)).unwrap();
    let mut reflection = ServerReflectionClient::new(channel.connect_lazy());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = reflection.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    assert!(names.iter().any(|name| name == SERVICE), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("admin")), "not served here: {names:?}");
}

#[tokio::test]
async fn the_server_ends_when_it_is_stopped_though_its_health_is_watched() {
    let mut world = World::start().await;
    world.access().decide(DecideRequest::default()).await.unwrap();
    let channel = Endpoint::from_shared(format!("http://{}", world.address)).unwrap();
    let mut health = HealthClient::new(channel.connect_lazy());
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    world.platform.shutdown.cancel();
    while let Ok(Some(_)) = watch.message().await {}
    (&mut world.serving).await.unwrap().unwrap();
    let refusal = world.access().decide(DecideRequest::default()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable);
}
