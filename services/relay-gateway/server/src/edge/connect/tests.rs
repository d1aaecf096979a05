//! Connections to servers that are there: with TLS, behind a proxy, and to those that are no parents.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioExecutor;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::{Code, body::Body};
use tower::{Service as _, ServiceExt as _};
use tributary_service_runtime::Secret;

use super::*;

const BODY_BYTES: usize = 50_000;

/// An authority, and what is signed by it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server with a certificate for this name, valid until `year`, that offers this protocol.
    fn acceptor(&self, name: &str, year: i32, protocol: &[u8]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Serves HTTP/2: to each request 50 kB.
async fn parent(tls: Option<TlsAcceptor>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            match tls.clone() {
                Some(tls) => tokio::spawn(async move {
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream).await;
                    }
                }),
                None => tokio::spawn(answer(stream)),
            };
        }
    });
    port
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| {
        let at = request.uri().to_string();
        let body = Full::new(Bytes::from(vec![b'.'; BODY_BYTES]));
        let answer = http::Response::builder().header("at", at).body(body);
        std::future::ready(answer)
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// An HTTP proxy that wants this line in what it is asked, and connects to this machine. Says what it
/// was asked.
async fn proxy(wanted: &'static str) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let asked = String::from_utf8(asked).unwrap();
            let first = asked.lines().next().unwrap().to_owned();
            let _ = tell.send(asked.clone());
            let target = first.split(' ').nth(1).unwrap();
            let port: u16 = target.rsplit_once(':').unwrap().1.parse().unwrap();
            let refusal: Option<&[u8]> = match (asked.contains(wanted), port) {
                (false, _) => Some(b"HTTP/1.1 407 Who?\r\nconnection: close\r\n\r\n"),
                (_, 25) => Some(b"HTTP/1.1 403 Not there\r\n\r\n"),
                _ => None,
            };
            if let Some(refusal) = refusal {
                stream.write_all(refusal).await.unwrap();
                continue;
            }
            tokio::spawn(async move {
                let mut on = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut on).await;
            });
        }
    });
    (port, told)
}

fn config(url: &str) -> Config {
    Config { upstream: vec![url.to_owned()], proxy: Secret::new("none"), ..Config::default() }
}

async fn connect(config: &Config) -> Result<(Connector, Connected), ConnectError> {
    let connector = Connector::new(config)?;
    let upstream = connector.upstreams()[0].clone();
    let connected = connector.connect(&upstream).await?;
    Ok((connector, connected))
}

async fn refusal(config: &Config) -> String {
    connect(config).await.err().unwrap().to_string()
}

/// The header `at` and the length of the answer to one request.
async fn ask(channel: &mut Channel) -> (String, usize) {
    use http_body_util::BodyExt as _;
    let request = http::Request::builder().uri("/a").body(Body::empty()).unwrap();
    let answer = channel.ready().await.unwrap().call(request).await.unwrap();
    let at = answer.headers()["at"].to_str().unwrap().to_owned();
    (at, answer.into_body().collect().await.unwrap().to_bytes().len())
}

#[tokio::test]
async fn a_parent_with_a_certificate_of_ones_own_is_reached_and_bytes_are_counted() {
    let authority = Authority::new();
    let port = parent(Some(authority.acceptor("localhost", 2100, b"h2"))).await;
    let url = format!("https://localhost:{port}");
    let config = Config { ca_file: authority.file(), ..config(&url) };
    let (connector, mut connected) = connect(&config).await.unwrap();
    assert_eq!(connected.peer.port(), port);
    assert!(!connected.through_proxy);
    let before = (connector.traffic().sent(), connector.traffic().received());
    assert!(before.0 > 0 && before.1 > 0, "the handshake counts: {before:?}");
    assert_eq!(ask(&mut connected.channel).await, (format!("{url}/a"), BODY_BYTES));
    let more = connector.traffic().received() - before.1;
    let most = BODY_BYTES as u64 * 11 / 10;
    assert!((BODY_BYTES as u64..most).contains(&more), "{more}");
    assert!(connector.traffic().sent() - before.0 < 2000);
}

#[tokio::test]
async fn certificates_that_cannot_be_trusted_are_refused_in_plain_words() {
    let authority = Authority::new();
    let trusting = |url: &str| Config { ca_file: authority.file(), ..config(url) };
    let port = parent(Some(authority.acceptor("localhost", 2100, b"h2"))).await;
    let url = format!("https://localhost:{port}");
    let words = refusal(&config(&url)).await;
    assert!(words.contains("is not trusted") && words.contains("set edge.ca_file"), "{words}");

    let words = refusal(&trusting(&format!("https://127.0.0.1:{port}"))).await;
    assert!(words.contains("is not for \"127.0.0.1\""), "{words}");

    let old = parent(Some(authority.acceptor("localhost", 2020, b"h2"))).await;
    let words = refusal(&trusting(&format!("https://localhost:{old}"))).await;
    assert!(words.contains("not valid now") && words.contains("clock"), "{words}");

    let missing = Config { ca_file: "no/such/file".into(), ..config(&url) };
    let words = refusal(&missing).await;
    assert!(words.contains("edge.ca_file no/such/file"), "{words}");
    let no_certificate = authority.folder.path().join("empty.pem");
    std::fs::write(&no_certificate, "nothing").unwrap();
    let words = refusal(&Config { ca_file: no_certificate, ..config(&url) }).await;
    assert!(words.contains("there is no certificate in it"), "{words}");
}

#[tokio::test]
async fn what_is_no_parent_is_called_so() {
    let authority = Authority::new();
    let web = parent(Some(authority.acceptor("localhost", 2100, b"http/1.1"))).await;
    let trusting = |url: &str| Config { ca_file: authority.file(), ..config(url) };
    let words = refusal(&trusting(&format!("https://localhost:{web}"))).await;
    assert!(words.contains("does not speak HTTP/2"), "{words}");

    let plain = parent(None).await;
    let words = refusal(&trusting(&format!("https://localhost:{plain}"))).await;
    assert!(words.contains("can't be spoken to by TLS"), "{words}");

    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let words = refusal(&config(&format!("http://127.0.0.1:{gone}"))).await;
    assert!(words.contains("can't be reached") && words.contains("refused"), "{words}");

    let words = refusal(&config("https://no-such-host.invalid")).await;
    assert!(words.contains("\"no-such-host.invalid\" was not found"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let words = refusal(&config(&url)).await;
    assert!(words.contains("no connection within 5 s") && words.contains("not to TLS"), "{words}");
}

#[tokio::test]
async fn a_connection_that_is_over_stays_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (closed, connections) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
    let (close, accepted) = (closed.clone(), Arc::clone(&connections));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            accepted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(close.clone().run_until_cancelled_owned(answer(stream)));
        }
    });
    let (_connector, mut connected) = connect(&config(&url)).await.unwrap();
    ask(&mut connected.channel).await;
    closed.cancel();
    for _ in 0..3 {
        let request = http::Request::builder().uri("/a").body(Body::empty()).unwrap();
        let outcome = match connected.channel.ready().await {
            Ok(channel) => channel.call(request).await.map(|_| ()),
            Err(error) => Err(error),
        };
        let status = tonic::Status::from_error(Box::new(outcome.unwrap_err()));
        assert_ne!(status.code(), Code::Ok, "{status}");
    }
    // The parent still listens, and is not turned to behind the owner's back.
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_proxy_is_asked_to_connect_and_shown_its_password_which_nobody_else_sees() {
    let authority = Authority::new();
    let port = parent(Some(authority.acceptor("localhost", 2100, b"h2"))).await;
    // "me:hidden" in Base64.
    let (proxy, mut asked) = proxy("Proxy-Authorization: Basic bWU6aGlkZGVu\r\n").await;
    let url = format!("https://localhost:{port}");
    let behind = |credentials: &str, url: &str| Config {
        ca_file: authority.file(),
        proxy: Secret::new(format!("http://{credentials}127.0.0.1:{proxy}")),
        ..config(url)
    };
    let (_, mut connected) = connect(&behind("me:hidden@", &url)).await.unwrap();
    assert!(connected.through_proxy);
    assert_eq!(connected.peer.port(), proxy);
    assert_eq!(ask(&mut connected.channel).await, (format!("{url}/a"), BODY_BYTES));
    let request = asked.recv().await.unwrap();
    assert!(request.starts_with(&format!("CONNECT localhost:{port} HTTP/1.1\r\n")), "{request}");

    let words = refusal(&behind("", &url)).await;
    assert!(words.contains("wants a user and password: set edge.proxy"), "{words}");
    let words = refusal(&behind("me:wrong@", &url)).await;
    assert!(words.contains("wants a user") && !words.contains("wrong"), "{words}");
    let words = refusal(&behind("me:hidden@", "https://localhost:25")).await;
    assert!(words.contains("(403 Forbidden): allow it there"), "{words}");
    assert!(!words.contains("hidden"), "{words}");
}

#[tokio::test]
async fn proxies_that_cannot_be_used_are_refused_without_showing_them() {
    for url in ["socks5://me:hidden@127.0.0.1:1", "https://me:hidden@127.0.0.1:1", "http://"] {
        let config = Config { proxy: Secret::new(url), ..config("https://relay.example") };
        let words = Connector::new(&config).err().unwrap().to_string();
        assert!(words.contains("edge.proxy") && !words.contains("hidden"), "{url}: {words}");
    }
}
