//! How a relay comes to be attached, or is not, and what it serves meanwhile.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tributary_terminal::protocol::Connection;

use crate::stage::{Edge, Stage};

async fn get(edge: &Edge, path: &str) -> String {
    let address = edge.world.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_relay_knows_who_and_where_it_is() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    edge.shows("the distance is known", |status| {
        status.attached.as_ref().is_some_and(|attached| attached.rtt_us.is_some())
    })
    .await;
    let status = edge.status.borrow().clone();
    assert_eq!((status.relay_id.as_str(), status.relay_name.as_str()), ("office", "The office"));
    let attached = status.attached.clone().unwrap();
    assert_eq!(attached.parent.relay_id, "test");
    assert_eq!(attached.path.len(), 1);
    // Both clocks are one.
    assert!(attached.clock_offset_us.abs() < 50_000, "{attached:?}");
    assert!(!status.revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_nobody_knows_says_so_and_lets_nobody_in() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    stage.relays.revoke("office");
    edge.cable.cut();
    edge.is_lost().await;
    edge.cable.mend();
    edge.shows("it is revoked", |status| status.revoked).await;
    let error = edge.status.borrow().last_error.clone().unwrap();
    assert!(error.text.contains("revoked"), "{error:?}");
    assert!(Connection::connect(&edge.world.url).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_no_page_and_says_why() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let answer = get(&edge, "/").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("edge relay"), "{answer}");
    let answer = get(&edge, "/meetings/../status").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_of_meetings_is_answered_by_the_core() {
    let stage = Stage::start().await;
    let edge = stage.edge("office").await;
    let path = format!("/meetings/{}/attachments/none", crate::world::meeting(1));
    let by_core = {
        let mut core = Vec::new();
        let address = stage.core.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_end(&mut core).await.unwrap();
        String::from_utf8(core).unwrap()
    };
    let by_edge = get(&edge, &path).await;
    let head = |answer: &str| answer.lines().next().unwrap().to_owned();
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(head(&by_edge), head(&by_core));
    assert!(by_edge.contains(body(&by_core).trim()), "{by_edge} / {by_core}");
    edge.cable.cut();
    edge.is_lost().await;
    assert!(get(&edge, &path).await.starts_with("HTTP/1.1 503"));
}
