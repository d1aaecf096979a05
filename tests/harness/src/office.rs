//! People in a process of their own, which may be in a network of its own: they do what they are told,
//! and tell what they hear.

mod inside;

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

pub use self::inside::serve;
use crate::netns::Namespace;
use crate::process::{Guard, without_settings};

/// How long an order may take.
const ANSWER_DEADLINE: Duration = Duration::from_secs(180);

/// Somebody who joins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seat {
    /// The name shown to others.
    pub name: String,
    /// Relays, the first one first.
    pub relay_urls: Vec<String>,
    /// The meeting.
    pub meeting_id: String,
    /// The tone of the voice, in Hz.
    pub hz: f32,
    /// Tones to listen for; none: hears without listening.
    pub listen_for: Vec<f32>,
    /// Keep the packets.
    pub packets: bool,
}

/// What those inside are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Come in, in this order; answered by participant ids.
    Join(Vec<Seat>),
    /// These speak, and nobody else.
    Speak(Vec<usize>),
    /// Hearing and packets are counted from now on.
    Forget,
    /// Tell what you know and hear.
    Look,
    /// Tell your packets.
    Packets(usize),
    /// Write this to everybody; answered by the operation's id.
    Chat(usize, String),
    /// What stands on that page.
    Get(String),
    /// Go.
    Leave,
}

/// What somebody knows and hears.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Who it is.
    pub participant_id: u32,
    /// Joined, and audio can flow.
    pub connected: bool,
    /// How often it was.
    pub connections: u32,
    /// Out for good.
    pub ended: bool,
    /// Operations without a result.
    pub pending: usize,
    /// Events that came again.
    pub repeated_events: u64,
    /// Everybody who is in.
    pub people: Vec<PersonSeen>,
    /// Texts of chat.
    pub chat: Vec<String>,
    /// Milliseconds of each tone it listens for, since the last `Forget`.
    pub heard_ms: Vec<u64>,
    /// Packets that came since.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Frames that a fixed playout of 100 ms expected, and had to conceal.
    pub expected: u64,
    /// See there.
    pub concealed: u64,
    /// Longest time between two packets that belong one after the other.
    pub stall_max_ms: u64,
}

/// Somebody, as somebody else sees them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonSeen {
    /// Who.
    pub participant_id: u32,
    /// The name.
    pub name: String,
    /// The relay's name: the group.
    pub relay_name: String,
    /// Relays between it and the core.
    pub relay_depth: u32,
    /// Its relay can't be reached.
    pub unreachable: bool,
}

/// A packet: one that was sent with a voice in it, or one that came.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Packet {
    /// Unix time in microseconds.
    pub at_us: u64,
    /// True if it was sent, false if received.
    pub sent: bool,
    /// Of its payload.
    pub digest: u64,
    /// Bytes of its payload.
    pub bytes: usize,
}

/// The process.
pub struct Office {
    child: Child,
    talk: Mutex<(ChildStdin, mpsc::Receiver<String>)>,
    guard: Guard,
    _namespace: Option<Arc<Namespace>>,
}

impl Office {
    /// Opens one, in that network or in everybody's.
    pub fn open(namespace: Option<&Arc<Namespace>>) -> Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let guard = Guard::start(None)?;
        let program = crate::programs()?.join("office");
        let (program, arguments) = match namespace {
            Some(namespace) => namespace.enter(&program, Vec::new()),
            None => (program, Vec::<String>::new()),
        };
        let mut child = without_settings(&mut Command::new(&program))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        guard.watch(child.id());
        let stdin = child.stdin.take().context("the office has no ear")?;
        let stdout = child.stdout.take().context("the office has no mouth")?;
        let (said, lines) = mpsc::channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if said.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        let talk = Mutex::new((stdin, lines));
        Ok(Self { child, talk, guard, _namespace: namespace.cloned() })
    }

    async fn tell<T: DeserializeOwned>(&self, order: &Order) -> Result<T> {
        let mut talk = self.talk.lock().await;
        let (stdin, lines) = &mut *talk;
        writeln!(stdin, "{}", serde_json::to_string(order)?).context("tell the office")?;
        let line = tokio::time::timeout(ANSWER_DEADLINE, lines.recv()).await;
        let line = line.context("the office does not answer")?.context("the office is gone")?;
        let mut answer: HashMap<String, Value> = serde_json::from_str(&line)?;
        match (answer.remove("done"), answer.remove("error")) {
            (Some(done), None) => Ok(serde_json::from_value(done)?),
            (_, error) => bail!("{}", error.unwrap_or_default()),
        }
    }

    /// Brings people in; returns who they are.
    pub async fn join(&self, seats: Vec<Seat>) -> Result<Vec<u32>> {
        self.tell(&Order::Join(seats)).await
    }

    /// These speak, and nobody else of these here.
    pub async fn speak(&self, who: &[usize]) -> Result<()> {
        self.tell(&Order::Speak(who.to_vec())).await
    }

    /// Hearing and packets are counted from now on.
    pub async fn forget(&self) -> Result<()> {
        self.tell(&Order::Forget).await
    }

    /// What each of them knows and hears.
    pub async fn look(&self) -> Result<Vec<Seen>> {
        self.tell(&Order::Look).await
    }

    /// The packets of one of them: those sent with a voice in them, and all that came.
    pub async fn packets(&self, who: usize) -> Result<Vec<Packet>> {
        self.tell(&Order::Packets(who)).await
    }

    /// One of them writes something to everybody; returns the operation's id.
    pub async fn chat(&self, who: usize, text: &str) -> Result<String> {
        self.tell(&Order::Chat(who, text.to_owned())).await
    }

    /// A page, as it is seen from there.
    pub async fn get(&self, url: &str) -> Result<String> {
        self.tell(&Order::Get(url.to_owned())).await
    }

    /// Everybody leaves.
    pub async fn leave(&self) -> Result<()> {
        self.tell(&Order::Leave).await
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            // Fails only if it has ended already.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
        self.guard.forget(self.child.id());
    }
}
