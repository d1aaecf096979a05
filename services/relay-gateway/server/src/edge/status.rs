//! The status page of an edge relay: how it is, for whoever looks after it. Read-only.
//!
//! `/status` is the page, `/status.json` what it shows, as [`Report`]. The page is served to this machine
//! alone unless it is configured otherwise, and loads nothing from elsewhere. A relay that is in a meeting
//! itself shows it here, to the same audience: who opens the page to the network shows there who is in it.

mod access;
mod history;
mod meeting;
mod report;
#[cfg(test)]
mod tests;
mod text;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension, Json, Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tributary_service_runtime::telemetry::recent_lines;

use super::{
    config::Config,
    connect::Traffic,
    state::{Status, unix_ms},
};
use history::{History, Totals};
pub use meeting::{Group, OwnMeeting, PEOPLE_SHOWN_MAX, Shown, Someone, Standing};
pub use report::{AttachedTo, Hop, Report, Second};

/// Nothing but what this relay serves itself, no frames, no forms.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("status/page/page.html");
const STYLE: &str = include_str!("status/page/page.css");
const SCRIPT: &str = include_str!("status/page/page.js");
const MEETING_SCRIPT: &str = include_str!("status/page/meeting.js");
const ICON: &str = include_str!("status/page/icon.svg");
/// The last log lines: never for other machines.
pub(super) const LOG: &str = "/status/log.txt";
/// Stands in the page where its language goes.
const LANGUAGE: &str = "{{language}}";

/// What the page is made of.
#[derive(Clone)]
pub struct Sources {
    /// How the relay is.
    pub status: watch::Receiver<Arc<Status>>,
    /// What has gone over the uplink.
    pub traffic: Arc<Traffic>,
    /// Media so far.
    pub media: Arc<dyn Fn() -> MediaBytes + Send + Sync>,
    /// The meeting that the relay itself is in.
    pub meeting: watch::Receiver<Shown>,
}

/// What media would have cost on connections of the terminals' own, in bytes, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaBytes {
    /// What was delivered.
    pub down: u64,
    /// What came from them.
    pub up: u64,
}

impl Sources {
    fn totals(&self) -> Totals {
        let media = (self.media)();
        let status = self.status.borrow();
        Totals {
            up: self.traffic.sent(),
            down: self.traffic.received(),
            direct: media.down + status.delivered_bytes,
            direct_up: media.up + status.heard_bytes,
        }
    }
}

#[derive(Clone)]
struct Board {
    sources: Sources,
    history: Arc<Mutex<History>>,
}

/// Who may see the page.
#[derive(Clone, Copy)]
struct Audience {
    on_lan: bool,
    listener: Listener,
}

/// Where the page is served.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// The address that is listened on.
    pub address: SocketAddr,
    /// True if it speaks TLS.
    pub tls: bool,
}

/// The routes of the page. Looks at the counters every second until `shutdown`; must be called inside a
/// Tokio runtime, and wants to know from where a request comes ([`ConnectInfo`]).
pub fn routes(
    sources: Sources,
    config: &Config,
    listener: Listener,
    shutdown: CancellationToken,
) -> Router {
    let history = Arc::new(Mutex::new(History::new(sources.totals())));
    let sampling = sample(sources.clone(), Arc::clone(&history));
    tokio::spawn(shutdown.run_until_cancelled_owned(sampling));
    router(Board { sources, history }, Audience { on_lan: config.status_on_lan, listener })
}

fn router(board: Board, audience: Audience) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(move || std::future::ready(([(header::CONTENT_TYPE, kind)], text)))
    };
    Router::new()
        .route("/status", get(page))
        .route("/status/page.css", file("text/css; charset=utf-8", STYLE))
        .route("/status/page.js", file("text/javascript; charset=utf-8", SCRIPT))
        .route("/status/meeting.js", file("text/javascript; charset=utf-8", MEETING_SCRIPT))
        .route("/status/icon.svg", file("image/svg+xml", ICON))
        .route("/status.json", get(report))
        .route(LOG, get(|| std::future::ready(recent_lines().join("\n"))))
        .with_state(board)
        .layer(middleware::from_fn_with_state(audience, guard))
}

async fn sample(sources: Sources, history: Arc<Mutex<History>>) {
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and there is nothing to see yet.
    second.tick().await;
    loop {
        second.tick().await;
        let totals = sources.totals();
        history.lock().unwrap_or_else(PoisonError::into_inner).note(totals);
    }
}

/// Lets in who may see it, and says what browsers may do with it.
async fn guard(
    State(audience): State<Audience>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = peer.map(|Extension(ConnectInfo(peer))| peer);
    let local = access::is_this_machine(audience.listener, peer, request.headers());
    let open = audience.on_lan && request.uri().path() != LOG;
    let mut response = if local || open {
        next.run(request).await
    } else {
        let sentence = "The status page is for the relay's own machine. To see it from here, set \
                        edge.status_on_lan = true there.\n";
        (StatusCode::FORBIDDEN, sentence).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn page(headers: HeaderMap) -> Response {
    let language = access::language(&headers);
    let page = PAGE.replace(LANGUAGE, language);
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, language),
        (header::VARY, "accept-language"),
    ];
    (headers, page).into_response()
}

async fn report(State(board): State<Board>) -> Json<Report> {
    let totals = board.sources.totals();
    let status = Arc::clone(&board.sources.status.borrow());
    let history = board.history.lock().unwrap_or_else(PoisonError::into_inner).seconds();
    let meeting = board.sources.meeting.borrow().as_deref().cloned();
    Json(Report::new(&status, &totals, meeting, history, unix_ms()))
}
