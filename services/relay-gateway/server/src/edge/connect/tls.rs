//! TLS to a parent: whom to trust, and what went wrong in plain words.

use std::{io, path::Path, sync::Arc};

use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{ConnectError, Upstream, dial::dial, error::innermost};

/// HTTP/2 (RFC 9113 §3.2).
pub(in crate::edge) const HTTP2: &[u8] = b"h2";
/// HTTP/1.1 (RFC 7301 §6).
pub(in crate::edge) const HTTP1: &[u8] = b"http/1.1";

/// TCP to the host itself, whatever proxy there is.
pub(in crate::edge) async fn socket(target: &Upstream) -> Result<TcpStream, ConnectError> {
    dial(target.host(), target.port()).await
}

/// Trusts the authorities in `ca_file`, or, if that is empty, those of the system and of the web; offers
/// one protocol.
pub(in crate::edge) fn connector(
    ca_file: &Path,
    protocol: &[u8],
) -> Result<TlsConnector, ConnectError> {
    let roots = if ca_file.as_os_str().is_empty() { known_roots() } else { roots_in(ca_file)? };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ConnectError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The system's authorities, with the web's beside them: a machine may have none.
fn known_roots() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificates of the system can't be read");
    }
    roots.add_parsable_certificates(found.certs);
    roots
}

fn roots_in(path: &Path) -> Result<RootCertStore, ConnectError> {
    let bad = |reason: String| ConnectError::CaFile { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("there is no certificate in it (PEM)".to_owned()));
    }
    Ok(roots)
}

/// Speaks TLS, and looks whether that protocol is spoken inside.
pub(in crate::edge) async fn handshake<S>(
    connector: &TlsConnector,
    upstream: &Upstream,
    socket: S,
    protocol: &[u8],
) -> Result<TlsStream<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(upstream.host().to_owned()).map_err(|_| ConnectError::Tls {
        upstream: upstream.to_string(),
        reason: "its host is no name that a certificate can have".to_owned(),
    })?;
    let stream =
        connector.connect(name, socket).await.map_err(|error| in_words(&error, upstream))?;
    if stream.get_ref().1.alpn_protocol() != Some(protocol) {
        return Err(ConnectError::NoHttp2 { upstream: upstream.to_string() });
    }
    Ok(stream)
}

fn in_words(error: &io::Error, upstream: &Upstream) -> ConnectError {
    let failed = |reason: String| ConnectError::Tls { upstream: upstream.to_string(), reason };
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(fault)) => untrusted(fault, upstream),
        Some(rustls::Error::InvalidMessage(_)) => failed("what answers there is no TLS".to_owned()),
        Some(rustls::Error::NoApplicationProtocol) => {
            ConnectError::NoHttp2 { upstream: upstream.to_string() }
        }
        // The alert of a server that knows none of the protocols offered (RFC 7301 §3.2).
        Some(rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => {
            ConnectError::NoHttp2 { upstream: upstream.to_string() }
        }
        Some(other) => failed(other.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            failed("the connection was closed in the handshake".to_owned())
        }
        None => failed(innermost(error)),
    }
}

fn untrusted(fault: &CertificateError, upstream: &Upstream) -> ConnectError {
    let reason = fault.to_string();
    match fault {
        CertificateError::UnknownIssuer => ConnectError::NotTrusted {
            reason: "it is signed by an authority that this machine does not know".to_owned(),
        },
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ConnectError::OtherName { host: upstream.host().to_owned(), reason }
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => ConnectError::OutOfTime { reason },
        _ => ConnectError::NotTrusted { reason },
    }
}
