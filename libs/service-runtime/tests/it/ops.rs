//! What an orchestrator sees.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tributary_service_runtime::{CancellationToken, OpsServer, Readiness};

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn a_process_that_waits_is_live_and_says_what_it_waits_for() {
    let readiness = Readiness::new();
    let server = OpsServer::bind(([127, 0, 0, 1], 0).into(), readiness.clone()).await.unwrap();
    let address = server.address();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));

    let database = readiness.dependency("database");
    database.not_ready("connection refused");
    assert_eq!(get(address, "/livez").await.0, 200);
    assert_eq!(
        get(address, "/readyz").await,
        (
            503,
            r#"{"ready":false,"draining":false,"waiting_for":[{"dependency":"database","reason":"connection refused"}]}"#
                .to_owned()
        )
    );
    database.ready();
    assert_eq!(get(address, "/readyz").await.0, 200);
    assert_eq!(get(address, "/metrics").await.0, 200);
    assert_eq!(get(address, "/other").await.0, 404);
    readiness.drain();
    assert_eq!(get(address, "/readyz").await.0, 503);
    assert_eq!(get(address, "/livez").await.0, 200);
    stop.cancel();
    serving.await.unwrap();
}
