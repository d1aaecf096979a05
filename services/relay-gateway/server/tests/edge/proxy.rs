//! An HTTP proxy on the way to a parent, which wants to know who asks.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// "me:hidden" in Base64.
const CREDENTIALS: &str = "Proxy-Authorization: Basic bWU6aGlkZGVu\r\n";

/// Connects to ports of this machine, whatever they are called.
pub struct Proxy {
    port: u16,
    tunnels: Arc<AtomicU64>,
    _serving: AbortOnDropHandle<()>,
}

impl Proxy {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tunnels = Arc::new(AtomicU64::new(0));
        let count = tunnels.clone();
        let serving = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                serving.spawn(tunnel(client, count.clone()));
            }
        });
        Self { port, tunnels, _serving: AbortOnDropHandle::new(serving) }
    }

    /// As who may use it.
    pub fn url(&self) -> String {
        format!("http://me:hidden@127.0.0.1:{}", self.port)
    }

    /// Connections that it has made so far.
    pub fn tunnels(&self) -> u64 {
        self.tunnels.load(Ordering::SeqCst)
    }
}

async fn tunnel(mut client: TcpStream, tunnels: Arc<AtomicU64>) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => asked.push(byte),
            Err(_) => return,
        }
    }
    let asked = String::from_utf8(asked).unwrap();
    let target = asked.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let port = target.and_then(|target| target.rsplit_once(':')?.1.parse::<u16>().ok());
    let (Some(port), true) = (port, asked.contains(CREDENTIALS)) else {
        let _ = client.write_all(b"HTTP/1.1 407 Who?\r\nconnection: close\r\n\r\n").await;
        return;
    };
    let mut parent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tunnels.fetch_add(1, Ordering::SeqCst);
    let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
    let _ = copy_bidirectional(&mut client, &mut parent).await;
}
