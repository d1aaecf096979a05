//! Bearer checks: who may call is decided before anything else looks at a call.

use std::task::{Context, Poll};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Digest, SHA256, digest},
};
use futures_util::future::{Either, Ready, ready};
use http::{HeaderMap, header};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{SecurityConfig, telemetry::names};

/// What everybody may ask: a prober and an explorer have no token, and learn nothing that is not
/// in the published contracts.
const FREE: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];
const ADMIN: &str = "/tributary.admin.";

/// Whether a path is open to everybody.
pub(super) fn is_free(path: &str) -> bool {
    FREE.iter().any(|free| path.starts_with(free))
}

/// The layer that asks for these tokens.
pub(super) fn layer(security: &SecurityConfig) -> AuthorizationLayer {
    let digest_of = |secret: &crate::Secret| {
        (!secret.is_empty()).then(|| digest(&SHA256, secret.expose().as_bytes()))
    };
    AuthorizationLayer(Tokens {
        service: digest_of(&security.service_token),
        admin: digest_of(&security.admin_token),
    })
}

/// The digests of the tokens, as comparing those tells neither length nor common prefix.
#[derive(Clone, Copy)]
struct Tokens {
    service: Option<Digest>,
    admin: Option<Digest>,
}

impl Tokens {
    fn allow(&self, path: &str, headers: &HeaderMap) -> bool {
        if is_free(path) {
            return true;
        }
        let wanted = if path.starts_with(ADMIN) { self.admin } else { self.service };
        let (Some(wanted), Some(shown)) = (wanted, bearer(headers)) else { return false };
        let shown = digest(&SHA256, shown);
        verify_slices_are_equal(wanted.as_ref(), shown.as_ref()).is_ok()
    }
}

/// The token of a bearer; none if there are several, or another scheme.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

#[derive(Clone)]
pub(super) struct AuthorizationLayer(Tokens);

impl<S> Layer<S> for AuthorizationLayer {
    type Service = Authorization<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authorization { inner, tokens: self.0 }
    }
}

#[derive(Clone)]
pub(super) struct Authorization<S> {
    inner: S,
    tokens: Tokens,
}

impl<S, B> Service<http::Request<B>> for Authorization<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if self.tokens.allow(request.uri().path(), request.headers()) {
            return Either::Left(self.inner.call(request));
        }
        metrics::counter!(names::CALLS_REFUSED).increment(1);
        let refusal = Status::unauthenticated("a valid bearer token is needed");
        Either::Right(ready(Ok(refusal.into_http())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn allowed(path: &str, authorization: &[&str]) -> bool {
        let security = SecurityConfig {
            service_token: Secret::new("service-token"),
            admin_token: Secret::new("admin-token"),
        };
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        layer(&security).0.allow(path, &headers)
    }

    #[test]
    fn each_path_takes_its_own_token_and_no_other() {
        let service = "/tributary.registry.v1.RegistryService/Join";
        let admin = "/tributary.admin.v1.UserService/CreateUser";
        let health = "/grpc.health.v1.Health/Check";
        for (path, authorization, expected) in [
            (service, &["Bearer service-token"][..], true),
            (service, &["bearer service-token"], true),
            (service, &["Bearer admin-token"], false),
            (service, &["Bearer service-toke"], false),
            (service, &["Bearer service-token "], false),
            (service, &["Basic service-token"], false),
            (service, &["Bearer"], false),
            (service, &[], false),
            (service, &["Bearer service-token", "Bearer service-token"], false),
            (admin, &["Bearer admin-token"], true),
            (admin, &["Bearer service-token"], false),
            (admin, &[], false),
            (health, &[], true),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[], true),
            ("/grpc.other/Call", &[], false),
            ("//tributary.admin.v1.UserService/CreateUser", &["Bearer admin-token"], false),
        ] {
            assert_eq!(allowed(path, authorization), expected, "{path} {authorization:?}");
        }
    }

    #[test]
    fn an_empty_token_lets_nobody_in() {
        let tokens = layer(&SecurityConfig {
            service_token: Secret::default(),
            admin_token: Secret::default(),
        });
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, "Bearer ".parse().unwrap());
        assert!(!tokens.0.allow("/tributary.registry.v1.RegistryService/Join", &headers));
    }
}
