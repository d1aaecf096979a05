//! The web client's page.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::World;

async fn get(world: &World, path: &str) -> String {
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_provider_sends_the_browser_back_to_the_page() {
    let world = World::start().await;
    let page = get(&world, "/").await;
    assert_eq!(get(&world, "/?code=a%2Fb&state=c&iss=https%3A%2F%2Fidp.example").await, page);
    let policy = page.lines().find(|line| line.starts_with("content-security-policy: ")).unwrap();
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(page.contains("referrer-policy: no-referrer"), "the code must not go on to others");
    assert!(get(&world, "/other?code=a").await.starts_with("HTTP/1.1 404"));
}
