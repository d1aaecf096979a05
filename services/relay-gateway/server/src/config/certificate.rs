//! A certificate with its private key, from PEM files.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file can't be read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is no {what} in PEM form")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
    },
    /// The two don't fit together.
    #[error("the certificate in {path} can't be used with its key: {text}")]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        text: String,
    },
}

/// A certificate chain and its key, looked at and ready to be used.
#[derive(Clone)]
pub struct Certificate {
    chain_pem: Vec<u8>,
    key_pem: Vec<u8>,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(..)")
    }
}

impl Certificate {
    /// Reads both files; none: nothing is set.
    pub(super) fn read(
        certificate: Option<&Path>,
        key: Option<&Path>,
    ) -> Result<Option<Self>, CertificateError> {
        let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(None) };
        let (chain_pem, key_pem) = (load(certificate)?, load(key)?);
        let malformed =
            |path: &Path, what| CertificateError::Malformed { path: path.to_owned(), what };
        let chain = CertificateDer::pem_slice_iter(&chain_pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| malformed(certificate, "certificate chain"))?;
        let private =
            PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| malformed(key, "private key"))?;
        let unusable = |error: tokio_rustls::rustls::Error| CertificateError::Unusable {
            path: certificate.to_owned(),
            text: error.to_string(),
        };
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { chain_pem, key_pem, config: Arc::new(config) }))
    }

    /// Speaks TLS to HTTP/1.1 clients.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// For a gRPC server.
    pub(crate) fn identity(&self) -> tonic::transport::Identity {
        tonic::transport::Identity::from_pem(&self.chain_pem, &self.key_pem)
    }
}

fn load(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let failed = |source| CertificateError::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed(io::Error::other("the file is larger than 1 MiB")));
    }
    fs::read(path).map_err(failed)
}
