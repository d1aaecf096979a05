//! Why there is no connection to a parent, in words for whoever looks after the relay.

use std::{error::Error, fmt, path::PathBuf};

/// A step on the way to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Name and TCP.
    Tcp,
    /// The proxy, and its way on.
    Proxy,
    /// TLS.
    Tls,
    /// HTTP/2.
    Http2,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => {
                "it does not answer (TCP): is the address right, and does the firewall let it out?"
            }
            Self::Proxy => "the proxy does not answer",
            Self::Tls => "it answers, but not to TLS",
            Self::Http2 => "it answers, but not to HTTP/2",
        })
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// An upstream is no usable URL.
    #[error("edge.upstream {url:?} can't be used: {reason}")]
    Url {
        /// What was configured, without user and password.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The certificates to be trusted can't be read.
    #[error("edge.ca_file {}: {reason}", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The TLS library refuses what it was given.
    #[error("TLS can't be set up: {0}")]
    Setup(#[source] rustls::Error),
    /// The proxy's URL can't be used; it is not shown, as it may hold a password.
    #[error("{origin} can't be used: {reason}")]
    ProxyUrl {
        /// Where it stands.
        origin: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// The name has no address.
    #[error("the name {host:?} was not found: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// The system's answer.
        reason: String,
    },
    /// TCP does not come through.
    #[error("{address} can't be reached: {source}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The proxy wants to know who asks.
    #[error(
        "the proxy {proxy} wants a user and password: set edge.proxy to \
         http://user:password@{proxy}"
    )]
    ProxyCredentials {
        /// Its host and port.
        proxy: String,
    },
    /// The proxy does not connect.
    #[error("the proxy {proxy} does not connect to {upstream} ({reason}): allow it there")]
    ProxyRefused {
        /// Its host and port.
        proxy: String,
        /// The parent.
        upstream: String,
        /// What went wrong.
        reason: String,
    },
    /// Nobody known vouches for the certificate.
    #[error(
        "the upstream's certificate is not trusted: {reason}; set edge.ca_file to the certificate of \
         the authority that has signed it"
    )]
    NotTrusted {
        /// Why.
        reason: String,
    },
    /// The certificate is somebody else's.
    #[error("the upstream's certificate is not for {host:?}: {reason}; check edge.upstream")]
    OtherName {
        /// The name that was asked for.
        host: String,
        /// Whose it is.
        reason: String,
    },
    /// The certificate is too old or too new.
    #[error(
        "the upstream's certificate is not valid now: {reason}; check this machine's clock too"
    )]
    OutOfTime {
        /// Until or from when it is.
        reason: String,
    },
    /// TLS fails otherwise.
    #[error("{upstream} can't be spoken to by TLS: {reason}")]
    Tls {
        /// The parent.
        upstream: String,
        /// What went wrong.
        reason: String,
    },
    /// TLS works, and what answers is no parent.
    #[error(
        "{upstream} does not speak HTTP/2: it is no relay's uplink address, or a proxy that looks into \
         TLS stands between"
    )]
    NoHttp2 {
        /// The parent.
        upstream: String,
    },
    /// HTTP/2 fails.
    #[error("{upstream} can't be spoken to by HTTP/2: {reason}")]
    Http2 {
        /// The parent.
        upstream: String,
        /// What went wrong.
        reason: String,
    },
    /// It took too long.
    #[error("{upstream}: no connection within 5 s; {stage}")]
    TimedOut {
        /// The parent.
        upstream: String,
        /// What was being waited for.
        stage: Stage,
    },
    /// It went away while the rest was prepared.
    #[error("{upstream} closed the connection at once")]
    Lost {
        /// The parent.
        upstream: String,
    },
}

/// What an error says at the end of its chain, where the cause stands.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
