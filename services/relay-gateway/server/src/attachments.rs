//! Files of meetings over HTTP: `POST /meetings/<id>/attachments?name=…` and
//! `GET /meetings/<id>/attachments/<id>`, in the name of who holds the identity token.
//!
//! **Invariants:** every download is decided by access control anew; who is not let in gets the same
//! bytes and headers whatever the reason; no file is held in memory; a transfer ends when the token
//! that it goes by is revoked.

mod allowances;
pub(crate) mod answer;
pub(crate) mod disposition;
mod download;
pub(crate) mod places;
mod spool;
mod upload;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use allowances::Allowances;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, header},
    routing::{get, post},
};
use places::{Place, Places};

use tributary_identifiers::UserId;

use crate::{
    refusal::Refused,
    terminals::{
        Shared,
        admit::{Identity, Shown},
    },
};

/// Downloads at a time, and of one user.
const DOWNLOADS_MAX: usize = 256;
const DOWNLOADS_OF_USER_MAX: usize = 8;
/// Uploads at a time, and of one user; each has a file on disk until it is complete.
const UPLOADS_MAX: usize = 32;
const UPLOADS_OF_USER_MAX: usize = 4;
/// How long a file may be on its way between this relay and a terminal.
pub(crate) const TRANSFER_TIME_MAX: Duration = Duration::from_secs(15 * 60);
const SHARE_SECRET: &str = "tributary-share-secret";
const PASSWORD: &str = "tributary-password";

/// What is on its way by HTTP, and who may ask for more. A clone shares it.
#[derive(Clone)]
pub(crate) struct Transfers {
    pub(crate) shared: Arc<Shared>,
    bytes_max: u64,
    downloads: Places,
    uploads: Places,
    allowances: Allowances,
}

/// The routes.
pub(crate) fn routes(transfers: Transfers) -> Router {
    Router::new()
        .route("/meetings/{meeting_id}/attachments", post(upload::upload))
        .route("/meetings/{meeting_id}/attachments/{attachment_id}", get(download::download))
        // The spool has a limit of its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(transfers)
}

impl Transfers {
    pub(crate) fn new(shared: Arc<Shared>, bytes_max: u64) -> Self {
        Self {
            shared,
            bytes_max,
            downloads: Places::new(DOWNLOADS_MAX, DOWNLOADS_OF_USER_MAX),
            uploads: Places::new(UPLOADS_MAX, UPLOADS_OF_USER_MAX),
            allowances: Allowances::default(),
        }
    }

    /// Who asks, if they do not ask too often.
    pub(crate) async fn identity(&self, headers: &HeaderMap) -> Result<Identity, Refused> {
        // Without a token it is as with one that is no good.
        let identity = self.shared.identity(bearer(headers).unwrap_or_default()).await?;
        self.allowances.take(&identity.claims.user_id, Instant::now())?;
        Ok(identity)
    }

    /// A place for one download of this user.
    pub(crate) fn place_to_read(&self, user: &UserId) -> Result<Place, Refused> {
        self.downloads.take(user)
    }

    pub(crate) fn address(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        self.shared.address_of(peer.ip(), headers)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What an outsider shows; field values may be UTF-8.
pub(crate) fn shown(headers: &HeaderMap) -> Shown {
    let text = |name| {
        let value = headers.get(name).map_or(&[][..], |value| value.as_bytes());
        String::from_utf8_lossy(value).into_owned()
    };
    Shown { password: text(PASSWORD), share_secret: text(SHARE_SECRET) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_from_the_header() {
        let check = |value: Option<&str>, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers), expected, "{value:?}");
        };
        check(Some("Bearer a.b.c"), Some("a.b.c"));
        check(Some("bearer a.b.c "), Some("a.b.c"));
        check(Some("Basic a.b.c"), None);
        check(Some("a.b.c"), None);
        check(None, None);
    }

    #[test]
    fn a_password_may_have_any_characters() {
        let mut headers = HeaderMap::new();
        let value = axum::http::HeaderValue::from_bytes("pässwörd".as_bytes()).unwrap();
        headers.insert(PASSWORD, value);
        assert_eq!(shown(&headers).password, "pässwörd");
        assert_eq!(shown(&headers).share_secret, "");
    }
}
