//! Uplinks by TLS, with certificates of an authority of one's own, and through an HTTP proxy: everything
//! that a terminal does goes that way.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tributary_contracts::event::v1::meeting_event::Body as EventBody;
use tributary_message_bus::Subscriber;
use tributary_relay_gateway_server::{UplinkConfig, edge};
use tributary_service_runtime::Secret;

use crate::{
    proxy::Proxy,
    sound::{heard_at_the_mixer, peer, talk},
    stage::{Edge, Stage},
};

/// An authority, and the certificate of a server that it has signed, in files.
struct Authority {
    folder: TempDir,
}

impl Authority {
    /// For a server that is called `localhost`.
    fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(authority, issuer).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &issuer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, pem) in
            [("ca", issuer.pem()), ("server", server.pem()), ("key", key.serialize_pem())]
        {
            std::fs::write(file(&folder, name), pem).unwrap();
        }
        Self { folder }
    }

    /// Whoever attaches is shown this certificate.
    fn show(&self, uplink: &mut UplinkConfig) {
        uplink.certificate_file = Some(file(&self.folder, "server"));
        uplink.key_file = Some(file(&self.folder, "key"));
    }

    /// The parent is looked for by its name, and no other authority is trusted.
    fn trust(&self, config: &mut edge::config::Config) {
        for url in &mut config.upstream {
            *url = url.replace("http://127.0.0.1", "https://localhost");
        }
        config.ca_file = file(&self.folder, "ca");
    }
}

fn file(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(format!("{name}.pem"))
}

/// Somebody behind that relay joins, is heard, and is told what happens.
async fn is_served(stage: &Stage, edge: &Edge, name: &str, up: &mut Subscriber) {
    let mut person = edge.enter(name).await;
    let own = person.join(1).await.participant_id;
    let _talking = talk(peer(&person).await);
    while !heard_at_the_mixer(up).await.contains(&own) {}
    let number = stage.announce(name).await;
    loop {
        let event = person.next_event().await;
        if matches!(event.body, Some(EventBody::Announcement(_))) {
            assert_eq!(event.number, number);
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_by_tls_serves_terminals_at_each_level() {
    let authority = Authority::new();
    let stage = Stage::start_with(|uplink| authority.show(uplink)).await;
    let (_mixer, mut up) = stage.up().await;
    let office = stage.edge_as(
        "office",
        stage.uplinks,
        |_| {},
        |config, uplink| {
            authority.trust(config);
            authority.show(uplink);
        },
    );
    let office = office.await;
    office.is_attached().await;
    let below = office.uplinks.unwrap();
    let desk = stage.edge_as("desk", below, |_| {}, |config, _| authority.trust(config)).await;
    desk.is_attached().await;
    let upstream = desk.status.borrow().attached.clone().unwrap().upstream;
    assert!(upstream.starts_with("https://localhost:"), "{upstream}");
    is_served(&stage, &office, "eve", &mut up).await;
    is_served(&stage, &desk, "kim", &mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_of_another_authority_is_not_shown_the_token() {
    let (authority, other) = (Authority::new(), Authority::new());
    let stage = Stage::start_with(|uplink| other.show(uplink)).await;
    let trusting =
        |config: &mut edge::config::Config, _: &mut UplinkConfig| authority.trust(config);
    let office = stage.edge_as("office", stage.uplinks, |_| {}, trusting).await;
    office
        .shows("it says why", |status| {
            status.last_error.as_ref().is_some_and(|error| error.text.contains("is not trusted"))
        })
        .await;
    assert!(office.status.borrow().relay_id.is_empty(), "it is enrolled");
    assert!(stage.relays.expects("office"), "its token is used up");
}

#[tokio::test(flavor = "multi_thread")]
async fn through_an_http_proxy_a_relay_attaches_again_and_again_and_serves_terminals() {
    let authority = Authority::new();
    let stage = Stage::start_with(|uplink| authority.show(uplink)).await;
    let (_mixer, mut up) = stage.up().await;
    let proxy = Proxy::start().await;
    let behind = |config: &mut edge::config::Config, _: &mut UplinkConfig| {
        authority.trust(config);
        config.proxy = Secret::new(proxy.url());
    };
    let office = stage.edge_as("office", stage.uplinks, |_| {}, behind).await;
    office.is_attached().await;
    is_served(&stage, &office, "eve", &mut up).await;
    let before = proxy.tunnels();
    assert!(before > 0);
    office.cable.cut();
    office.is_lost().await;
    office.cable.mend();
    office.is_attached().await;
    assert!(office.status.borrow().resumed >= 1);
    assert!(proxy.tunnels() > before);
    is_served(&stage, &office, "bob", &mut up).await;
}
