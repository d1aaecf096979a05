//! Just enough of an HTTP client for the files of meetings: one request a connection.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    account::Downloaded,
    protocol::{ConnectError, authority_and_folder},
};

/// How long one transfer may take.
const TRANSFER_TIME_MAX: Duration = Duration::from_secs(300);

/// Why a file was not attached or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// The relay did not do it.
    #[error("{status} {code}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The refusal's code, such as `NOT_ADMITTED`.
        code: String,
        /// For people.
        message: String,
        /// The headers as they came, names in lower case.
        headers: Vec<(String, String)>,
        /// The body as it came.
        body: Bytes,
    },
    /// There was no answer, or no usable one.
    #[error("no usable answer from the relay: {0}")]
    Lost(String),
}

impl From<ConnectError> for HttpError {
    fn from(error: ConnectError) -> Self {
        Self::Lost(error.to_string())
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Method {
    Get,
    Post,
}

pub(crate) struct Request {
    pub(crate) method: Method,
    /// Escaped, below the relay's address.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

/// Sends a request and reads the whole answer; an answer that is no success is an error.
pub(crate) async fn send(relay_url: &str, request: Request) -> Result<Downloaded, HttpError> {
    let transfer = timeout(TRANSFER_TIME_MAX, transfer(relay_url, request)).await;
    transfer.map_err(|_| HttpError::Lost("not in time".to_owned()))?
}

async fn transfer(relay_url: &str, request: Request) -> Result<Downloaded, HttpError> {
    let (authority, folder) = authority_and_folder(relay_url)?;
    let has_port = authority.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok());
    let address = if has_port { authority.clone() } else { format!("{authority}:80") };
    let lost = |error: &dyn std::fmt::Display| HttpError::Lost(error.to_string());
    let stream = TcpStream::connect(address).await.map_err(|error| lost(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    let connection = tokio::spawn(connection);
    let method = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    let mut http = hyper::Request::builder()
        .method(method)
        .uri(format!("{folder}{}", request.path))
        .header(header::HOST, authority);
    for (name, value) in request.headers {
        // As bytes: a password may have any characters.
        http = http.header(name, value.into_bytes());
    }
    let http = http.body(Full::new(request.body)).map_err(|error| lost(&error))?;
    let answer = sender.send_request(http).await.map_err(|error| lost(&error))?;
    let read = read(answer).await;
    connection.abort();
    read
}

async fn read(answer: hyper::Response<Incoming>) -> Result<Downloaded, HttpError> {
    let status = answer.status();
    let headers = texts(answer.headers());
    let data = answer.into_body().collect().await;
    let data = data.map_err(|error| HttpError::Lost(error.to_string()))?.to_bytes();
    if status.is_success() {
        return Ok(Downloaded { headers, data });
    }
    let json: serde_json::Value = serde_json::from_slice(&data).unwrap_or_default();
    let text = |name: &str| {
        json.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    Err(HttpError::Refused {
        status: status.as_u16(),
        code: text("code"),
        message: text("message"),
        headers,
        body: data,
    })
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// Percent-encoded (RFC 3986) for a part of a path or query.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("a b/ü&.txt"), "a%20b%2F%C3%BC%26.txt");
    }
}
