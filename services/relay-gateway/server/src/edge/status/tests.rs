//! The page and its numbers, asked for as browsers do.

use axum::body::Body;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::super::state;
use super::*;

/// An office in the middle of a meeting.
fn office() -> Status {
    let hop = |id: &str, name: &str| state::Hop { relay_id: id.into(), relay_name: name.into() };
    Status {
        relay_id: "berlin-3".into(),
        relay_name: "Berlin office".into(),
        limit_kbit: Some(4_000),
        attached: Some(state::AttachedTo {
            upstream: "https://hub.example:443".into(),
            parent: hop("hub-eu", "Hub Europe"),
            path: vec![hop("core-1", "Core"), hop("hub-eu", "Hub Europe")],
            version: "0.1.0".into(),
            protocol: 1,
            since_ms: unix_ms() - 7_384_000,
            rtt_us: Some(18_420),
            clock_offset_us: -2_300,
        }),
        terminals: 96,
        participants: Some(100),
        relays: 1,
        last_error: Some(state::LastError {
            text: "nothing was heard from the parent for 2 s".into(),
            at_ms: unix_ms() - 1_260_000,
        }),
        delivered_bytes: 3_000_000,
        heard_bytes: 1_000_000,
        ..Status::default()
    }
}

/// Five minutes with three speakers, a pause and a short cut.
fn minutes() -> (History, Totals) {
    let mut totals =
        Totals { up: 9_000_000, down: 40_000_000, direct: 1_800_000_000, direct_up: 700_000_000 };
    let mut history = History::new(totals);
    for second in 0..history::SECONDS as u64 {
        let wave = (second * 37 + second * second * 11) % 1_900;
        let talk = if (120..150).contains(&second) { 0 } else { 1 };
        let there = u64::from(!(200..206).contains(&second));
        totals.up += there * (700 + talk * (4_600 + wave));
        totals.down += there * (900 + talk * (12_500 + wave * 2));
        totals.direct += there * talk * (96 * (11_800 + wave));
        history.note(totals);
    }
    (history, totals)
}

/// What the relay's own participant sees: with names that would like to be more than text.
fn meeting() -> OwnMeeting {
    let someone = |name: &str| Someone { name: name.into(), ..Someone::default() };
    let head = Someone { itself: true, muted: true, ..someone("Berlin office") };
    let people = vec![head, Someone { speaking: true, ..someone("<b>Ada</b>") }];
    let own = Group {
        relay_id: "berlin-3".into(),
        relay_name: "Berlin office".into(),
        own: true,
        people,
    };
    let subject = "<script>alert(1)</script>".into();
    OwnMeeting { subject, people: 1, groups: vec![own], ..OwnMeeting::at(Standing::In) }
}

fn board(status: Status) -> Board {
    let (history, totals) = minutes();
    let traffic = Arc::new(Traffic::default());
    traffic.count_for_test(totals.up, totals.down);
    let media = MediaBytes {
        down: totals.direct - status.delivered_bytes,
        up: totals.direct_up - status.heard_bytes,
    };
    let sources = Sources {
        status: watch::Sender::new(Arc::new(status)).subscribe(),
        traffic,
        media: Arc::new(move || media),
        meeting: watch::Sender::new(Some(Arc::new(meeting()))).subscribe(),
    };
    Board { sources, history: Arc::new(Mutex::new(history)) }
}

const NEAR: &str = "127.0.0.1:50000";
const FAR: &str = "192.0.2.7:50000";

async fn get(
    on_lan: bool,
    path: &str,
    peer: &str,
    language: &str,
) -> (StatusCode, HeaderMap, String) {
    let listener = Listener { address: "127.0.0.1:8080".parse().unwrap(), tls: false };
    let router = router(board(office()), Audience { on_lan, listener });
    let mut request = Request::get(path)
        .header("host", "localhost:8080")
        .header("accept-language", language)
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
    let (head, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (head.status, head.headers, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn the_numbers_are_those_of_the_relay_and_the_saving_follows_from_them() {
    let (status, headers, body) = get(false, "/status.json", NEAR, "en").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    let report: Report = serde_json::from_str(&body).unwrap();
    let (history, totals) = minutes();
    assert_eq!((report.bytes_up, report.bytes_down), (totals.up, totals.down));
    assert_eq!(report.delivered_bytes, totals.direct);
    assert_eq!(report.saved_bytes, i64::try_from(totals.direct - totals.down).unwrap());
    assert!(report.saved.contains("saved (9"), "{}", report.saved);
    assert_eq!(report.heard_bytes, totals.direct_up);
    assert_eq!(report.saved_up_bytes, i64::try_from(totals.direct_up - totals.up).unwrap());
    assert!(report.saved_up.contains("saved (9"), "{}", report.saved_up);
    assert_eq!(report.history, history.seconds());
    let attached = report.attached_to.unwrap();
    assert_eq!((report.attached, attached.rtt_ms), (true, Some(18.42)));
    assert_eq!(attached.path[0].relay_name, "Core");
    assert_eq!((report.participants, report.terminals, report.relays), (Some(100), 96, 1));
    assert_eq!((report.limit_kbit, report.advice), (Some(4_000), None));
    assert_eq!(report.meeting, Some(meeting()));
    assert_eq!(report.last_error.unwrap(), "nothing was heard from the parent for 2 s");
}

#[tokio::test]
async fn a_relay_that_has_saved_nothing_says_so() {
    let traffic = Arc::new(Traffic::default());
    traffic.count_for_test(10, 5_000);
    let sources = Sources {
        status: watch::Sender::new(Arc::new(Status::default())).subscribe(),
        traffic,
        media: Arc::new(|| MediaBytes { down: 100, up: 3 }),
        meeting: watch::Sender::new(None).subscribe(),
    };
    let report = Report::new(&Status::default(), &sources.totals(), None, Vec::new(), 0);
    assert_eq!((report.saved_bytes, report.saved_up_bytes, report.attached), (-4_900, -7, false));
    assert!(report.saved.starts_with("Nothing saved yet"), "{}", report.saved);
    assert_eq!((report.participants, report.limit_kbit), (None, None), "nobody has said so");
    assert!(report.advice.unwrap().contains("one-time token"));
}

#[test]
fn without_an_uplink_a_meeting_is_shown_as_of_before_and_never_to_support() {
    let own = Some(meeting());
    let totals = Totals::default();
    let report = Report::new(&Status::default(), &totals, own.clone(), Vec::new(), 0);
    let shown = report.meeting.unwrap();
    assert_eq!((shown.standing, shown.words.as_str()), (Standing::Lost, Standing::Lost.words()));
    assert!(shown.groups[0].people.iter().all(|someone| !someone.speaking));
    let report = Report::new(&office(), &totals, own, Vec::new(), 0).without_people();
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("Ada") && !text.contains("alert"), "{text}");
    assert_eq!(report.meeting.unwrap().people, 1);
}

#[tokio::test]
async fn others_see_nothing_unless_the_page_is_open_to_them() {
    let files = ["/status/page.js", "/status/meeting.js", "/status/page.css"];
    for path in ["/status", "/status.json"].into_iter().chain(files) {
        let (status, _, body) = get(false, path, FAR, "en").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        assert!(body.contains("edge.status_on_lan = true"), "{body}");
        assert!(!body.contains("Berlin") && !body.contains("Ada"), "{body}");
        assert_eq!(get(true, path, FAR, "en").await.0, StatusCode::OK, "{path}");
        assert_eq!(get(false, path, NEAR, "en").await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(get(true, LOG, FAR, "en").await.0, StatusCode::FORBIDDEN);
    assert_eq!(get(true, LOG, NEAR, "en").await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_speaks_two_languages() {
    for (wanted, spoken) in [("en", "en"), ("zh-CN,zh;q=0.9", "zh-CN")] {
        let (_, headers, body) = get(false, "/status", NEAR, wanted).await;
        assert!(body.contains(&format!("<html lang=\"{spoken}\">")), "{body}");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        for text in [body.as_str(), STYLE, SCRIPT, MEETING_SCRIPT] {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http:") && !text.contains("https:"), "{text}");
        }
        assert!(!body.contains("style=") && !body.contains("onclick"), "{body}");
    }
}

#[test]
fn every_text_is_there_in_both_languages() {
    let dictionary = |language: &str| {
        let opening = format!("  {language}: {{\n");
        let start = SCRIPT.find(&opening).unwrap() + opening.len();
        let body = &SCRIPT[start..][..SCRIPT[start..].find("\n  },").unwrap()];
        let keys = body.match_indices(": ").filter_map(|(at, _)| {
            // Of `key: "text"` and `key: (arguments) => text`, not of a colon in a text.
            body[at + 2..].starts_with(['"', '(']).then_some(())?;
            let key = body[..at].rsplit([' ', '\n', '{']).next()?;
            key.chars().all(|letter| letter.is_ascii_alphabetic()).then(|| key.to_owned())
        });
        keys.filter(|key| !key.is_empty()).collect::<std::collections::BTreeSet<_>>()
    };
    let english = dictionary("en");
    assert!(english.len() > 25, "{english:?}");
    for key in &english {
        let asked = format!("text.{key}");
        let used = [SCRIPT, MEETING_SCRIPT].iter().any(|script| script.contains(&asked));
        assert!(used || PAGE.contains(&format!("data-text=\"{key}\"")), "{key} is not used");
    }
    let chinese = dictionary("\"zh-CN\"");
    assert!(english.is_subset(&chinese), "{:?}", english.difference(&chinese));
}

#[test]
fn what_people_have_chosen_goes_into_the_page_as_text_only() {
    for script in [SCRIPT, MEETING_SCRIPT] {
        for way in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("] {
            assert!(!script.contains(way), "{way}");
        }
    }
}

#[test]
fn the_page_has_words_for_everything_that_can_become_of_the_relays_own_meeting() {
    for standing in Standing::ALL {
        let name = serde_json::to_string(&standing).unwrap();
        let name = name.trim_matches('"');
        let known = [format!("\"{name}\": "), format!(" {name}: ")];
        assert!(known.iter().any(|known| MEETING_SCRIPT.contains(known.as_str())), "{name}");
        assert!(standing.words().ends_with('.'), "{name}");
    }
}
