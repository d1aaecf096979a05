//! The HTTP/1.1 server beneath the web client, the WebSocket and the attachments: who connects must
//! say what they want in time, and the end waits for who is being served.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// How long a request's header may take, and how long a connection may wait for its next request.
const HEADER_TIME_MAX: Duration = Duration::from_secs(20);
/// Largest header, in bytes: a token of 4 KiB and what browsers send.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// Connections at a time that are not WebSockets yet, or no more.
const CONNECTIONS_MAX: usize = 20_000;
/// After the system could not accept a connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then answers what was asked by then; over TLS, if there is an acceptor.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Router,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) if connections.len() < CONNECTIONS_MAX => {
                let serving = serve_one(stream, peer, tls.clone(), app.clone(), shutdown.clone());
                connections.spawn(serving);
            }
            // Closed without a word: it would cost more to say so.
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    app: Router,
    shutdown: CancellationToken,
) {
    // Small messages go out at once; a system that can't still serves.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return serve_stream(stream, peer, app, shutdown).await };
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(HEADER_TIME_MAX, tls.accept(stream)) => greeted,
        () = shutdown.cancelled() => return,
    };
    match greeted {
        Ok(Ok(stream)) => serve_stream(stream, peer, app, shutdown).await,
        Ok(Err(error)) => tracing::trace!(%error, "TLS was not agreed on"),
        Err(_) => {}
    }
}

async fn serve_stream(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    app: Router,
    shutdown: CancellationToken,
) {
    let service = app.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.map(Body::new)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::trace!(%error, "a connection ended badly");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What the server says until it closes.
    async fn answer_to(request: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(|| async { "here" }));
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(serve(listener, None, app, shutdown.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        shutdown.cancel();
        server.await.unwrap();
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_end_a_header_is_not_waited_for() {
        let begin = tokio::time::Instant::now();
        let answer = answer_to("GET / HTTP/1.1\r\nhost: a\r\nx-slow: ").await;
        assert!(!answer.contains("here"), "{answer}");
        assert!((HEADER_TIME_MAX..2 * HEADER_TIME_MAX).contains(&begin.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_for_nothing_more_is_closed() {
        let answer = answer_to("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.ends_with("here"), "{answer}");
    }
}
