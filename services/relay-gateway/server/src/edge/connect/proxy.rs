//! The HTTP proxy on the way, asked to connect (RFC 9110 §9.3.6).

use std::{io, sync::Arc};

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{ConnectError, Upstream};

/// What `edge.proxy` says for no proxy, whatever the environment says.
const NONE: &str = "none";
/// The port of a proxy whose URL has none (RFC 9110 §4.2.1).
const PORT: u16 = 80;
/// Longest answer of a proxy before the tunnel begins, in bytes.
const HEAD_MAX: usize = 8 << 10;
/// What a proxy answers that wants to know who asks (RFC 9110 §15.5.8).
const CREDENTIALS_WANTED: u16 = 407;

/// Which proxy is to be used. Never shown: it may hold a password.
#[derive(Clone)]
pub(crate) enum Proxy {
    None,
    Always(Intercept),
    Environment(Arc<Matcher>),
}

/// The proxy that stands on the way to one parent.
pub(super) struct Hop {
    intercept: Intercept,
    host: String,
    port: u16,
}

impl Proxy {
    /// As `edge.proxy` says: empty, `none` or a URL.
    pub(crate) fn new(setting: &str) -> Result<Self, ConnectError> {
        match setting.trim() {
            "" => Ok(Self::Environment(Arc::new(Matcher::from_env()))),
            NONE => Ok(Self::None),
            url => {
                // Which proxy it is does not depend on where the way goes.
                let anywhere = http::Uri::from_static("https://anywhere.invalid");
                let matcher = Matcher::builder().all(url.to_owned()).build();
                let intercept = matcher.intercept(&anywhere).ok_or(ConnectError::ProxyUrl {
                    origin: "edge.proxy",
                    reason: "write it as http://proxy.example:3128, or none",
                })?;
                Hop::new(intercept.clone(), "edge.proxy").map(|_| Self::Always(intercept))
            }
        }
    }

    /// The proxy on the way to this parent, if there is one.
    pub(super) fn for_upstream(&self, upstream: &Upstream) -> Result<Option<Hop>, ConnectError> {
        match self {
            Self::Always(intercept) => Hop::new(intercept.clone(), "edge.proxy").map(Some),
            Self::Environment(matcher) if !upstream.is_this_machine() => matcher
                .intercept(upstream.origin())
                .map(|intercept| Hop::new(intercept, "the proxy of the environment"))
                .transpose(),
            _ => Ok(None),
        }
    }
}

impl Hop {
    fn new(intercept: Intercept, origin: &'static str) -> Result<Self, ConnectError> {
        let bad = |reason| ConnectError::ProxyUrl { origin, reason };
        let uri = intercept.uri();
        if uri.scheme_str() != Some("http") {
            return Err(bad("only HTTP proxies are supported: http://proxy.example:3128"));
        }
        let host = uri.host().ok_or_else(|| bad("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(PORT);
        Ok(Self { intercept, host, port })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Has the proxy connect to the parent.
    pub(super) async fn tunnel<S>(
        &self,
        mut socket: S,
        upstream: &Upstream,
    ) -> Result<S, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let proxy = format!("{}:{}", self.host, self.port);
        let refused = |reason: String| ConnectError::ProxyRefused {
            proxy: proxy.clone(),
            upstream: upstream.to_string(),
            reason,
        };
        let asked = async {
            socket.write_all(&self.request(upstream)).await?;
            socket.flush().await?;
            read_head(&mut socket).await
        };
        let head = asked.await.map_err(|error| refused(error.to_string()))?;
        let answer = head.lines().next().unwrap_or_default();
        let status = answer.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
        match (answer.starts_with("HTTP/1."), status) {
            (true, Some(200..=299)) => Ok(socket),
            (true, Some(CREDENTIALS_WANTED)) => Err(ConnectError::ProxyCredentials { proxy }),
            (true, Some(status)) => {
                let said = http::StatusCode::from_u16(status).ok();
                let said = said.and_then(|status| status.canonical_reason()).unwrap_or_default();
                Err(refused(format!("{status} {said}").trim_end().to_owned()))
            }
            _ => Err(refused("what answers there is no HTTP proxy".to_owned())),
        }
    }

    fn request(&self, upstream: &Upstream) -> Vec<u8> {
        let to = upstream.authority();
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(credentials) = self.intercept.basic_auth() {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(credentials.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }
}

/// Reads until the empty line and not a byte more: what follows is the parent's.
async fn read_head(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_MAX {
            return Err(io::Error::other("its answer is too long"));
        }
        head.push(socket.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
