//! A bundle has what helps, and no secret.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tributary_service_runtime::{PlatformConfig, Secret};

use super::*;
use crate::edge::{
    connect::Traffic,
    state::Status,
    status::{self, Group, Listener, MediaBytes, OwnMeeting, Someone, Sources, Standing},
};

/// A relay's page on a port of this machine.
async fn relay() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let status = Status { relay_id: "office".into(), participants: Some(7), ..Status::default() };
    let people = vec![Someone { name: "canary-person".into(), ..Someone::default() }];
    let meeting = OwnMeeting {
        subject: "canary-subject".into(),
        people: 1,
        groups: vec![Group { people, ..Group::default() }],
        ..OwnMeeting::at(Standing::In)
    };
    let sources = Sources {
        status: watch::Sender::new(Arc::new(status)).subscribe(),
        traffic: Arc::new(Traffic::default()),
        media: Arc::new(MediaBytes::default),
        meeting: watch::Sender::new(Some(Arc::new(meeting))).subscribe(),
    };
    let at = Listener { address, tls: false };
    let router = status::routes(sources, &Config::default(), at, CancellationToken::new());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, service).into_future());
    address
}

/// As the binary's, in small.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    platform: PlatformConfig,
    edge: Config,
}

#[tokio::test]
async fn a_bundle_has_what_helps_and_no_secret() {
    let address = relay().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let edge = Config {
        upstream: vec![format!("http://{gone}")],
        enrolment_token: Secret::new("canary-token"),
        proxy: Secret::new("none"),
        ..Config::default()
    };
    let mut platform = PlatformConfig::default();
    platform.nats.password = Secret::new("canary-password");
    platform.nats.url = "nats://me:canary-in/url@nats.example:4222".into();
    platform.database.url = Secret::new("postgres://me:canary-db@db.example/x");
    let whole = Whole { platform, edge: edge.clone() };
    let bundle = bundle(&format!("http://{address}"), &edge, &whole).await;

    let text = serde_json::to_string(&bundle).unwrap();
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(bundle["status"]["relay_id"], "office");
    assert_eq!(bundle["status"]["participants"], 7);
    assert_eq!(bundle["status"]["meeting"]["people"], 1, "how many, and not who");
    assert_eq!(bundle["configuration"]["edge"]["enrolment_token"], "<secret>");
    assert_eq!(bundle["configuration"]["nats"]["url"], "nats://<removed>@nats.example:4222");
    let upstream = &bundle["network"]["upstreams"][0];
    assert_eq!(upstream["connection"]["ok"], false);
    let error = upstream["connection"]["error"].as_str().unwrap();
    assert!(error.contains("can't be reached"), "{error}");
    assert_eq!(upstream["name"]["addresses"][0], "127.0.0.1");
    assert!(bundle["versions"]["tributary"].is_string() && bundle["log"].is_array(), "{text}");
}

#[tokio::test]
async fn a_relay_that_does_not_run_is_said_so_and_the_rest_is_there() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let address = format!("http://{gone}");
    let bundle = bundle(&address, &Config::default(), &Config::default()).await;
    let error = bundle["status"]["error"].as_str().unwrap();
    assert!(error.contains("no relay answers at") && error.contains("--address"), "{error}");
    assert!(bundle["configuration"]["rotate_days"].is_number());
}

#[tokio::test]
async fn what_answers_and_is_no_relay_is_called_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/status.json", axum::routing::get(|| async { "{}x" }));
    tokio::spawn(axum::serve(listener, router).into_future());
    let error = ask_status(&address, &PathBuf::new()).await.unwrap_err().to_string();
    assert!(error.contains("no edge relay's status"), "{error}");
    let error = ask_text(&address, "/nothing", &PathBuf::new()).await.unwrap_err().to_string();
    assert!(error.contains("no edge relay"), "{error}");
}
