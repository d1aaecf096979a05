//! Every service ends in order when it is asked to.

use std::time::{Duration, Instant};

use tributary_harness::{Options, Service, World};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_each_service_in_order_within_ten_seconds() {
    let mut world = World::start(Options::default()).await.unwrap();
    let services = world.services();
    for service in services.into_iter().chain([Service::Nats]) {
        let begin = Instant::now();
        let status = world.terminate(service).await.unwrap();
        // nats-server ends by the signal's own code.
        assert!(status.success() || service == Service::Nats, "{service:?}: {status}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{service:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_each_service_also_when_nats_is_gone() {
    let mut world = World::start(Options::default()).await.unwrap();
    world.kill(Service::Nats).await.unwrap();
    for service in world.services() {
        let status = world.terminate(service).await.unwrap();
        assert!(status.success(), "{service:?}: {status}");
    }
}
