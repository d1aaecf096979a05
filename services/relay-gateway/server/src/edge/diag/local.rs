//! One question to a relay that runs, over HTTP/1.1.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::super::connect::{Upstream, tls};
use super::ConnectError;

/// From connecting to the end of the answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer, in bytes.
const ANSWER_MAX: usize = 4 << 20;

/// Why a relay has not answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no connection.
    #[error(
        "no relay answers at {address}: {source}; if it listens elsewhere, say where by --address"
    )]
    Connect {
        /// Where.
        address: String,
        /// Why.
        source: ConnectError,
    },
    /// It does not tell.
    #[error("{address}: {text}")]
    Refused {
        /// Where.
        address: String,
        /// What it says.
        text: String,
    },
    /// What it says can't be used.
    #[error("{address}: {reason}")]
    Answer {
        /// Where.
        address: String,
        /// What is wrong.
        reason: String,
    },
}

/// Gets a text from the relay at `address`.
///
/// # Errors
/// Nobody answers, or not with 200 and a text.
pub async fn ask_text(address: &str, path: &str, ca_file: &Path) -> Result<String, AskError> {
    let answer = |reason: String| AskError::Answer { address: address.to_owned(), reason };
    match timeout(DEADLINE, ask(address, path, ca_file)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(answer("no answer within 10 s".to_owned())),
    }
}

async fn ask(address: &str, path: &str, ca_file: &Path) -> Result<String, AskError> {
    let failed = |source| AskError::Connect { address: address.to_owned(), source };
    let target = Upstream::parse(address, true).map_err(failed)?;
    let socket = tls::socket(&target).await.map_err(failed)?;
    if target.is_tls() {
        let connector = tls::connector(ca_file, tls::HTTP1).map_err(failed)?;
        let stream =
            tls::handshake(&connector, &target, socket, tls::HTTP1).await.map_err(failed)?;
        exchange(address, &target, path, stream).await
    } else {
        exchange(address, &target, path, socket).await
    }
}

async fn exchange<S>(
    address: &str,
    target: &Upstream,
    path: &str,
    stream: S,
) -> Result<String, AskError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let bad = |reason: String| AskError::Answer { address: address.to_owned(), reason };
    let broken = |error: hyper::Error| bad(format!("what answers there is no relay ({error})"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let serving = tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, target.authority())
        .body(Empty::<Bytes>::new())
        .map_err(|error| bad(error.to_string()))?;
    let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let body = Limited::new(body, ANSWER_MAX).collect().await;
    serving.abort();
    let body = body.map_err(|error| bad(error.to_string()))?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    match head.status {
        StatusCode::OK => Ok(text),
        StatusCode::NOT_FOUND => Err(bad("what answers there is no edge relay".to_owned())),
        status => {
            let text = text.trim().chars().take(300).collect::<String>();
            let text = if text.is_empty() { status.to_string() } else { text };
            Err(AskError::Refused { address: address.to_owned(), text })
        }
    }
}
