//! HTTP to a provider: TLS by rustls with aws-lc-rs, no redirects, bounded in time and size.

use std::{error::Error as _, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use openidconnect::{
    AsyncHttpClient, HttpRequest, HttpResponse,
    http::{HeaderValue, header::USER_AGENT},
    url::Url,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use crate::config::is_safe;

/// For one exchange, connecting too. A log-in makes two or three one after the other, and whoever
/// waits for it gives up after some seconds.
const EXCHANGE_TIME: Duration = Duration::from_secs(3);

/// The longest answer, in bytes: more than any key set has.
const ANSWER_LENGTH_MAX: usize = 1024 * 1024;

const NAME: HeaderValue =
    HeaderValue::from_static(concat!("tributary/", env!("CARGO_PKG_VERSION")));

/// Asks one provider.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Whether the provider is on this machine and may be asked without TLS.
    plain: bool,
}

/// No HTTP client can be made.
#[derive(Debug, thiserror::Error)]
#[error("TLS to log-in providers: {0}")]
pub struct ClientError(#[from] rustls::Error);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Could not be asked.
    #[error("{0}")]
    Exchange(String),
    /// Took too long.
    #[error("no answer within {} s", EXCHANGE_TIME.as_secs())]
    TooSlow,
    /// The answer is too long.
    #[error("the answer is longer than {ANSWER_LENGTH_MAX} bytes")]
    TooLong,
    /// Whatever goes there could be read on the way.
    #[error("{0} is not an https address")]
    NotSafe(String),
}

impl HttpClient {
    /// For the provider with this issuer.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn new(issuer: &Url) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        // The machine's own, for providers with certificates of the company.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).build(connector.build());
        Ok(Self { client, plain: issuer.scheme() == "http" })
    }

    async fn exchange(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = request.uri().to_string();
        let safe = Url::parse(&url)
            .is_ok_and(|url| is_safe(&url) && (self.plain || url.scheme() == "https"));
        if !safe {
            return Err(HttpError::NotSafe(url));
        }
        request.headers_mut().insert(USER_AGENT, NAME);
        let request = request.map(|body| Full::new(body.into()));
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| {
                let cause = error.source().map(|cause| format!(": {cause}"));
                HttpError::Exchange(format!("{error}{}", cause.unwrap_or_default()))
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_LENGTH_MAX).collect().await;
            let body = body.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    HttpError::TooLong
                } else {
                    HttpError::Exchange(error.to_string())
                }
            })?;
            Ok(HttpResponse::from_parts(head, body.to_bytes().into()))
        };
        let answer = tokio::time::timeout(EXCHANGE_TIME, exchange).await;
        answer.unwrap_or(Err(HttpError::TooSlow))
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}
