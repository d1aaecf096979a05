//! A terminal's stay in a meeting: gets in, follows what happens, and comes back when the connection is
//! lost, until it leaves or is not let in any more.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use tributary_contracts::{
    event::v1::meeting_event::Body as Happened,
    registry::v1::{Operation, SetMuted, operation},
    terminal::v1::{
        Leave, Operate, RefusalCode, RelayMessage, relay_message::Body as Reply,
        terminal_message::Body,
    },
};
use tributary_identifiers::{MeetingId, ParticipantId};

use crate::{
    EndReason, Event, JoinError, Snapshot,
    admission::Admission,
    media::{self, Desk, LinkState},
    protocol::{Connection, RequestError, Requests, ping},
};

/// How long ICE and DTLS may take.
const LINK_TIME_MAX: Duration = Duration::from_secs(10);
/// How long one attempt to get in may take.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(25);
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

pub(crate) enum Command {
    SetMuted(bool, oneshot::Sender<Result<(), RequestError>>),
    Leave(oneshot::Sender<()>),
}

pub(crate) type JoinReport = oneshot::Sender<Result<MeetingId, JoinError>>;

pub(crate) struct Attendance {
    pub(crate) relay_url: String,
    pub(crate) local_address: IpAddr,
    pub(crate) join_time_max: Duration,
    pub(crate) admission: Admission,
    pub(crate) desk: Arc<Desk>,
    pub(crate) media: mpsc::Sender<media::Command>,
    pub(crate) link: watch::Receiver<LinkState>,
    pub(crate) snapshot: watch::Sender<Snapshot>,
    pub(crate) events: broadcast::Sender<Event>,
}

/// How it went on after the terminal was in.
enum Outcome {
    Lost,
    Over(EndReason),
}

impl Attendance {
    /// Attends until the end; tells once how the first attempts went.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>, report: JoinReport) {
        let deadline = Instant::now() + self.join_time_max;
        let mut report = Some(report);
        let mut backoff = Backoff::default();
        let end = loop {
            let error = match self.attach_unless_left(&mut commands).await {
                None => break EndReason::Left,
                Some(Ok(connection)) => {
                    backoff = Backoff::default();
                    self.arrived(&mut report);
                    match self.follow(connection, &mut commands).await {
                        Outcome::Over(end) => break end,
                        Outcome::Lost => self.lost(),
                    }
                    None
                }
                Some(Err(error)) => Some(error),
            };
            if let Some(error) = error {
                tracing::debug!(%error, "not in yet");
                let out_of_time = Instant::now() >= deadline;
                if report.is_some() && (error.is_final_at_first() || out_of_time) {
                    report.take().map(|report| report.send(Err(error)));
                    return;
                }
                if report.is_none()
                    && let Some(end) = error.end_of_stay()
                {
                    break end;
                }
            }
            let wait = backoff.next();
            if let Some(left) =
                meanwhile(&self.desk, &self.snapshot, &mut commands, sleep(wait)).await.err()
            {
                let _ = left.send(());
                break EndReason::Left;
            }
        };
        self.end(end).await;
    }

    fn arrived(&mut self, report: &mut Option<JoinReport>) {
        self.snapshot.send_modify(|snapshot| {
            snapshot.connected = true;
            snapshot.connections += 1;
        });
        let _ = self.events.send(Event::Connected);
        if let (Some(report), Some(meeting_id)) = (report.take(), self.admission.meeting_id()) {
            let _ = report.send(Ok(meeting_id));
        }
    }

    fn lost(&mut self) {
        self.snapshot.send_modify(|snapshot| snapshot.lost(Instant::now()));
        let _ = self.events.send(Event::Lost);
    }

    async fn end(&mut self, end: EndReason) {
        let _ = self.media.send(media::Command::Close).await;
        self.snapshot.send_modify(|snapshot| {
            snapshot.lost(Instant::now());
            snapshot.ended = Some(end.clone());
        });
        let _ = self.events.send(Event::Ended(end));
    }

    async fn attach_unless_left(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Option<Result<Connection, JoinError>> {
        let (desk, snapshot) = (Arc::clone(&self.desk), self.snapshot.clone());
        let attaching = timeout(ATTEMPT_TIME_MAX, self.attach());
        match meanwhile(&desk, &snapshot, commands, attaching).await {
            Ok(Ok(attached)) => Some(attached),
            Ok(Err(_)) => Some(Err(JoinError::TimedOut)),
            Err(left) => {
                let _ = left.send(());
                None
            }
        }
    }

    /// Gets in, all the way to a peer connection.
    async fn attach(&mut self) -> Result<Connection, JoinError> {
        let connection = Connection::connect(&self.relay_url).await?;
        let muted = self.desk.muted.load(Ordering::Relaxed);
        let cursor = self.snapshot.borrow().cursor;
        let joined = self.admission.join(&connection, muted, cursor).await?;
        let relay_id = connection.welcome().relay_id.clone();
        self.snapshot.send_modify(|snapshot| {
            snapshot.relay_id = relay_id;
            snapshot.muted = muted;
            snapshot.joined(joined);
        });
        let link = self.admission.link(&connection, self.local_address).await?;
        let number = link.number;
        let using = media::Command::Use(Box::new(link));
        self.media.send(using).await.map_err(|_| JoinError::NoAudio)?;
        let connected = self.link.wait_for(|state| match state {
            LinkState::Connected(of) | LinkState::Gone(of) => *of == number,
            LinkState::None | LinkState::Connecting(_) => false,
        });
        match timeout(LINK_TIME_MAX, connected).await {
            Ok(Ok(state)) if matches!(*state, LinkState::Connected(_)) => {}
            _ => return Err(JoinError::NoAudio),
        }
        if self.desk.muted.load(Ordering::Relaxed) != muted {
            // Switched on the way in.
            tokio::spawn(set_muted(connection.requests(), !muted));
        }
        Ok(connection)
    }

    /// Follows the meeting until the connection or the stay ends.
    async fn follow(
        &mut self,
        mut connection: Connection,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Outcome {
        let pings = ping(connection.requests());
        let identity = self.admission.holder().keep_fresh(connection.requests());
        tokio::pin!(pings, identity);
        loop {
            tokio::select! {
                // What the relay has said comes first: it may say why all else ends.
                biased;
                message = connection.next() => match message.map(|message| self.take(message)) {
                    Some(None) => {}
                    Some(Some(outcome)) => return outcome,
                    None => return Outcome::Lost,
                },
                () = &mut pings => return Outcome::Lost,
                () = &mut identity => {}
                Ok(()) = self.link.changed() => {
                    if matches!(*self.link.borrow_and_update(), LinkState::Gone(_)) {
                        return Outcome::Lost;
                    }
                }
                command = commands.recv() => match command {
                    Some(Command::SetMuted(muted, reply)) => {
                        note_muted(&self.desk, &self.snapshot, muted);
                        let requests = connection.requests();
                        tokio::spawn(async move { reply.send(set_muted(requests, muted).await) });
                    }
                    Some(Command::Leave(reply)) => {
                        let left = connection.request(Body::Leave(Leave {})).await;
                        tracing::debug!(?left, "left");
                        connection.close().await;
                        let _ = reply.send(());
                        return Outcome::Over(EndReason::Left);
                    }
                    None => return Outcome::Over(EndReason::Left),
                },
            }
        }
    }

    fn take(&mut self, message: RelayMessage) -> Option<Outcome> {
        match message.body? {
            Reply::Event(event) => {
                let mut news = false;
                self.snapshot.send_modify(|snapshot| news = snapshot.apply(&event));
                if !news {
                    return None;
                }
                let ended = matches!(event.body, Some(Happened::Ended(_)));
                let _ = self.events.send(Event::Meeting(Box::new(event)));
                ended.then(|| {
                    let text = "the meeting is over".to_owned();
                    Outcome::Over(EndReason::Refused(RefusalCode::MeetingEnded, text))
                })
            }
            Reply::Speakers(speakers) => {
                let ids: Vec<_> = speakers.speaker_ids.into_iter().map(ParticipantId).collect();
                let now = Instant::now();
                self.snapshot.send_modify(|snapshot| snapshot.set_speakers(ids.clone(), now));
                let _ = self.events.send(Event::Speakers(ids));
                None
            }
            Reply::Roster(roster) => {
                self.snapshot.send_modify(|snapshot| snapshot.take_roster(roster));
                None
            }
            Reply::Draining(_) => Some(Outcome::Lost),
            Reply::Refusal(refusal) => {
                let end = end_of_stay(refusal.code(), refusal.message);
                Some(end.map_or(Outcome::Lost, Outcome::Over))
            }
            _ => None,
        }
    }
}

/// Waits for something while there is no connection; a wish to leave ends the waiting.
async fn meanwhile<T>(
    desk: &Desk,
    snapshot: &watch::Sender<Snapshot>,
    commands: &mut mpsc::Receiver<Command>,
    until: impl Future<Output = T>,
) -> Result<T, oneshot::Sender<()>> {
    tokio::pin!(until);
    loop {
        tokio::select! {
            done = &mut until => return Ok(done),
            command = commands.recv() => match command {
                Some(Command::SetMuted(muted, reply)) => {
                    // Joining will say so.
                    note_muted(desk, snapshot, muted);
                    let _ = reply.send(Ok(()));
                }
                Some(Command::Leave(reply)) => return Err(reply),
                None => return Err(oneshot::channel().0),
            },
        }
    }
}

fn note_muted(desk: &Desk, snapshot: &watch::Sender<Snapshot>, muted: bool) {
    desk.muted.store(muted, Ordering::Relaxed);
    snapshot.send_modify(|snapshot| snapshot.muted = muted);
}

async fn set_muted(requests: Requests, muted: bool) -> Result<(), RequestError> {
    let body = Some(operation::Body::SetMuted(SetMuted { muted }));
    let operation = Some(Operation { operation_id: operation_id(), body });
    match requests.request(Body::Operate(Operate { operation })).await? {
        Reply::OperationResult(_) => Ok(()),
        _ => Err(RequestError::WrongKind),
    }
}

/// A random UUID (RFC 9562, version 4).
fn operation_id() -> String {
    let random = u128::from_be_bytes(random_bytes());
    let id = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{id:032x}");
    let part = |range| hex.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

/// Zeros if the system has no randomness, which no other service would survive either.
fn random_bytes<const N: usize>() -> [u8; N] {
    let mut random = [0; N];
    let _ = getrandom::fill(&mut random);
    random
}

/// What a refusal means for somebody who was in; `None`: trying again may help.
pub(crate) fn end_of_stay(code: RefusalCode, message: String) -> Option<EndReason> {
    matches!(
        code,
        RefusalCode::Malformed
            | RefusalCode::Unsupported
            | RefusalCode::NotLoggedIn
            | RefusalCode::NotAdmitted
            | RefusalCode::WrongPassword
            | RefusalCode::BadSessionDescription
            | RefusalCode::MeetingEnded
            | RefusalCode::Replaced
            | RefusalCode::Forbidden
    )
    .then_some(EndReason::Refused(code, message))
}

/// Grows from attempt to attempt, with jitter, so that many terminals don't come back at once.
#[derive(Default)]
struct Backoff {
    attempts: u32,
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let most = (BACKOFF_MIN * 2_u32.pow(self.attempts.min(8))).min(BACKOFF_MAX);
        self.attempts += 1;
        let random = f64::from(u32::from_ne_bytes(random_bytes())) / f64::from(u32::MAX);
        BACKOFF_MIN + (most - BACKOFF_MIN).mul_f64(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_ids_are_uuids_and_differ() {
        let (a, b) = (operation_id(), operation_id());
        assert_ne!(a, b);
        let bytes = a.as_bytes();
        assert_eq!((a.len(), bytes[14]), (36, b'4'), "{a}");
        assert!(b"89ab".contains(&bytes[19]), "{a}");
        assert!([8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-'), "{a}");
    }

    #[test]
    fn the_backoff_stays_between_its_bounds_and_grows() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..50).map(|_| backoff.next()).collect();
        assert_eq!(waits[0], BACKOFF_MIN);
        assert!(waits.iter().all(|wait| (BACKOFF_MIN..=BACKOFF_MAX).contains(wait)));
        assert!(waits[10..].iter().any(|wait| *wait > Duration::from_secs(1)));
    }
}
