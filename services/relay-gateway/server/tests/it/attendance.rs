//! Reports of who was there, over HTTP.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Status;
use tributary_contracts::{access::v1::Role, registry::v1::AttendanceFormat};
use tributary_terminal::Account;

use crate::{
    fake_access::Verdict,
    world::{World, meeting},
};

struct Answer {
    status: u16,
    headers: Vec<String>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        let found = self.headers.iter().find_map(|header| header.strip_prefix(&prefix));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    /// Without what differs from answer to answer by nature.
    fn seen(&self) -> (u16, Vec<String>, String) {
        let headers = self.headers.iter().filter(|header| !header.starts_with("date: "));
        (self.status, headers.cloned().collect(), self.body.clone())
    }
}

async fn get(world: &World, account: &Account, number: u64, file: &str) -> Answer {
    let token = account.identity().map(|identity| identity.identity_token).unwrap_or_default();
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    let request = format!(
        "GET /meetings/{}/{file} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\n\r\n",
        meeting(number)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, headers: lines.map(str::to_owned).collect(), body: body.to_owned() }
}

/// The text of a chunked body, and whether it came to its end.
fn unchunked(body: &str) -> (String, bool) {
    let (mut text, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (text, true);
        }
        text.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    (text, false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_reads_the_report_in_either_form() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Host));
    let bob = world.account("bob").await;
    *world.registry.report.lock().unwrap() = Some(Ok(vec!["who,from,to\r\n", "ada,1,2\r\n"]));
    for (file, media_type, format) in [
        ("attendance.csv", "text/csv; charset=utf-8", AttendanceFormat::Csv),
        ("attendance.json", "application/json", AttendanceFormat::Json),
    ] {
        let answer = get(&world, &bob, 1, file).await;
        assert_eq!(answer.status, 200);
        assert_eq!(unchunked(&answer.body), ("who,from,to\r\nada,1,2\r\n".to_owned(), true));
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.header("cache-control"), "no-store");
        let name = file.replace("attendance.", &format!("attendance-{}.", meeting(1)));
        assert!(answer.header("content-disposition").contains(&format!("filename=\"{name}\"")));
        let asked = world.registry.exports.lock().unwrap().last().unwrap().clone();
        assert_eq!((asked.user_id.as_str(), asked.format()), ("bob", format));
        assert_eq!(asked.meeting_id, meeting(1).to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_host_reads_nothing_and_outsiders_learn_nothing() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Member));
    let eve = world.account("eve").await;
    let answer = get(&world, &eve, 1, "attendance.csv").await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("FORBIDDEN") && !answer.body.contains("no host"));
    let asked = world.registry.calls.lock().unwrap().len();
    let absent = get(&world, &eve, 2, "attendance.csv").await;
    assert_eq!(absent.status, 404);
    assert_eq!(absent.seen(), get(&world, &eve, 3, "attendance.json").await.seen());
    assert_eq!(absent.seen(), get(&world, &eve, 2, "attachments/file").await.seen());
    let nobody = Account::connect(&world.url).await.unwrap();
    assert_eq!(get(&world, &nobody, 1, "attendance.csv").await.status, 401);
    assert_eq!(world.registry.calls.lock().unwrap().len(), asked, "the registry was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_cut_off_does_not_look_whole() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Host));
    let bob = world.account("bob").await;
    *world.registry.report.lock().unwrap() = Some(Ok(vec!["who,from,to\r\n", "cut"]));
    let answer = get(&world, &bob, 1, "attendance.csv").await;
    assert_eq!(answer.status, 200);
    assert!(!unchunked(&answer.body).1, "{}", answer.body);
    *world.registry.report.lock().unwrap() = Some(Err(Status::unavailable("away")));
    assert_eq!(get(&world, &bob, 1, "attendance.csv").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_asks_too_often_is_told_to_wait_and_others_are_not() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Host));
    let (bob, eve) = (world.account("bob").await, world.account("eve").await);
    let mut limited = None;
    for number in 0..1_000 {
        // Whatever it is that is asked for.
        let file = if number % 2 == 0 { "attendance.csv" } else { "attachments/file" };
        let answer = get(&world, &bob, 1, file).await;
        if answer.status == 429 {
            limited = Some((number, answer.body));
            break;
        }
    }
    let (number, body) = limited.expect("no limit");
    assert!(number >= 100 && body.contains("LIMIT"), "{number} {body}");
    assert_eq!(get(&world, &eve, 1, "attendance.csv").await.status, 403);
}
