//! The life of a process: it starts, says how it is, and ends in order.

use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::process::{Process, get};

const OPS: &str = "ops server listens";
const GRPC: &str = "gRPC server listens";

#[tokio::test]
async fn a_service_serves_until_sigterm_and_ends_in_order() {
    let mut process = Process::start("credential", &[]);
    let ops = process.logged(OPS).await.unwrap();
    let grpc = process.logged(GRPC).await.unwrap();
    process.logged("credential has started").await;
    assert_eq!(get(ops, "/readyz").await.0, 200);

    let channel = Endpoint::from_shared(format!("http://{grpc}")).unwrap().connect_lazy();
    let service = "tributary.credential.v1.CredentialService".to_owned();
    let request = HealthCheckRequest { service };
    let health = HealthClient::new(channel).check(request).await.unwrap().into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);

    process.signal("TERM").await;
    let (status, printed) = process.ended().await;
    assert_eq!((status.code(), printed.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_process_without_its_database_is_live_and_not_ready_and_can_be_ended() {
    // Nothing answers at port 1 of the machine itself.
    let settings = ["database.url=postgres://nobody@127.0.0.1:1/none"];
    let mut process = Process::start("credential", &settings);
    let ops = process.logged(OPS).await.unwrap();
    process.logged("waiting for the database").await;
    assert_eq!(get(ops, "/livez").await.0, 200);
    let (status, body) = get(ops, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("credential database") && body.contains("onnection refused"), "{body}");
    process.signal("INT").await;
    let (status, printed) = process.ended().await;
    assert_eq!((status.code(), printed.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_second_signal_ends_a_process_at_once() {
    let mut process = Process::start("credential", &[]);
    let grpc = process.logged(GRPC).await.unwrap();
    process.logged("credential has started").await;
    // A stream that its client never ends holds the orderly end up.
    let channel = Endpoint::from_shared(format!("http://{grpc}")).unwrap().connect_lazy();
    let mut reflection = ServerReflectionClient::new(channel);
    let _stream = reflection.server_reflection_info(tokio_stream::pending()).await.unwrap();
    process.signal("TERM").await;
    process.logged("ending in order").await;
    process.signal("TERM").await;
    assert_eq!(process.ended().await.0.code(), Some(130));
}

#[tokio::test]
async fn every_service_starts_without_nats_and_ends_in_order() {
    let settings =
        ["nats.url=nats://127.0.0.1:1", "relay.listen=127.0.0.1:0", "relay.udp_listen=127.0.0.1:0"];
    for subcommand in
        ["all", "credential", "meeting-registry", "access-control", "mixer", "relay-gateway"]
    {
        let mut process = Process::start(subcommand, &settings);
        let ops = process.logged(OPS).await.unwrap();
        process.logged("has started").await;
        assert_eq!(get(ops, "/livez").await.0, 200, "{subcommand}");
        if ["all", "mixer", "relay-gateway"].contains(&subcommand) {
            let (status, body) = get(ops, "/readyz").await;
            assert!(status == 503 && body.contains("\"nats\""), "{subcommand}: {status} {body}");
        }
        process.signal("TERM").await;
        let (status, printed) = process.ended().await;
        assert_eq!((status.code(), printed.as_str()), (Some(0), ""), "{subcommand}");
    }
}
