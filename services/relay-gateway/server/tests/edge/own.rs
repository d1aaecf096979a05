//! The participant that an edge relay itself is: who comes by its door, however the relay is served
//! otherwise, and nobody else.

use tributary_contracts::relay::v1::RelaySettings;
use tributary_relay_gateway_server::{Config, edge};
use tributary_service_runtime::{Platform, PlatformConfig, Secret};

use crate::{
    person::Person,
    stage::Stage,
    world::{PATIENCE, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_by_the_relays_own_door_is_the_relay_itself_and_nobody_who_says_so_is() {
    let stage = Stage::start().await;
    stage.relays.expect(RelaySettings {
        relay_id: "office".to_owned(),
        relay_name: "The office".to_owned(),
        organisation: "default".to_owned(),
        voices_max: 3,
        ..RelaySettings::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(vec!["office.example".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
    std::fs::write(&certificate, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let relay = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        udp_listen: ([127, 0, 0, 1], 0).into(),
        certificate_file: Some(certificate),
        key_file: Some(key),
        ..Config::default()
    };
    let config = edge::config::Config {
        upstream: vec![format!("http://{}", stage.uplinks)],
        data_dir: folder.path().join("relay"),
        enrolment_token: Secret::new("office"),
        proxy: Secret::new("none"),
        ..edge::config::Config::default()
    };
    let platform = Platform::new(PlatformConfig::default());
    let mut server = edge::Server::load(config, relay, platform.clone()).await.unwrap();
    let own = server.own_participant().await.unwrap();
    assert!(own.address.ip().is_loopback(), "{}", own.address);
    let running = tokio::spawn(server.run());
    let mut status = own.status.clone();
    let attached = status.wait_for(|status| status.attached.is_some());
    drop(tokio::time::timeout(PATIENCE, attached).await.unwrap().unwrap());
    let device = Person::enter(&World { url: format!("http://{}", own.address) }, "device").await;
    device.join(1).await;

    let desk = stage.edge("desk").await;
    let url = format!("{}/?itself=1", desk.world.url);
    Person::enter(&World { url }, "eve").await.join(1).await;
    let joins = stage.registry.joins.lock().unwrap().clone();
    let joins: Vec<_> =
        joins.iter().map(|join| (join.relay_id.as_str(), join.relay_itself)).collect();
    assert_eq!(joins, [("office", true), ("desk", false)]);
    platform.end();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}
