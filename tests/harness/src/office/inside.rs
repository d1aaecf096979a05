//! The process itself: one order a line, one answer a line.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tributary_contracts::operation::v1::SendChat;
use tributary_terminal::{
    AudioSource, Direction, OperationBody, Options, PacketRecord, Person, Snapshot, Terminal,
};

use super::{Order, Packet, PersonSeen, Seat, Seen};
use crate::http;

/// Softer than this is no voice, in -dBov: relays' threshold.
const VOICED_DBOV: u8 = 50;
/// Loud enough for relays, soft enough for three in a mix.
const TONE_DBFS: f32 = -20.0;
/// So many come in at once.
const AT_THE_DOOR: usize = 6;
/// How long somebody may take to come in.
const JOIN_TIME_MAX: Duration = Duration::from_secs(60);

struct Inside {
    terminal: Terminal,
    hz: f32,
}

/// Obeys until standard input ends.
pub async fn serve() -> Result<()> {
    let (sender, mut lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut people = Vec::new();
    while let Some(line) = lines.recv().await {
        let order = serde_json::from_str(&line).context("read an order")?;
        let answer = match obey(order, &mut people).await {
            Ok(done) => json!({ "done": done }),
            Err(error) => json!({"error": format!("{error:#}")}),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

async fn obey(order: Order, people: &mut Vec<Inside>) -> Result<Value> {
    match order {
        Order::Join(seats) => {
            let entering = stream::iter(seats.into_iter().map(enter)).buffered(AT_THE_DOOR);
            let entered: Vec<Inside> = entering.try_collect().await?;
            let ids: Vec<u32> = entered.iter().map(|one| one.terminal.participant_id().0).collect();
            people.extend(entered);
            Ok(json!(ids))
        }
        Order::Speak(who) => {
            for (index, one) in people.iter().enumerate() {
                let tone = AudioSource::Tone { hz: one.hz, level_dbfs: TONE_DBFS };
                let silence = AudioSource::Silence;
                one.terminal.set_source(if who.contains(&index) { tone } else { silence });
            }
            Ok(Value::Null)
        }
        Order::Forget => {
            for one in people.iter() {
                one.terminal.reset_hearing();
                one.terminal.reset_packets();
            }
            Ok(Value::Null)
        }
        Order::Look => Ok(serde_json::to_value(people.iter().map(see).collect::<Vec<_>>())?),
        Order::Packets(who) => Ok(serde_json::to_value(packets(&one_of(people, who)?.terminal))?),
        Order::Chat(who, text) => {
            let send = SendChat { text, ..SendChat::default() };
            let sent = one_of(people, who)?.terminal.submit(OperationBody::SendChat(send))?;
            Ok(json!(sent.id.to_string()))
        }
        Order::Get(url) => Ok(json!(http::get(&url).await?.error_for_status()?.text().await?)),
        Order::Leave => {
            let leaving = people.drain(..).map(|one| one.terminal.leave());
            stream::iter(leaving).buffer_unordered(AT_THE_DOOR).collect::<()>().await;
            Ok(Value::Null)
        }
    }
}

fn one_of(people: &[Inside], who: usize) -> Result<&Inside> {
    people.get(who).context("nobody of that number")
}

async fn enter(seat: Seat) -> Result<Inside> {
    let mut urls = seat.relay_urls.into_iter();
    let first = urls.next().context("no relay")?;
    let meeting_id = seat.meeting_id.parse().context("read the meeting's id")?;
    let options = Options {
        other_relay_urls: urls.collect(),
        listen_for_hz: seat.listen_for,
        record_packets: seat.packets,
        join_time_max: JOIN_TIME_MAX,
        ..Options::guest(first, &seat.name, meeting_id)
    };
    let terminal = Terminal::join(options).await;
    let terminal = terminal.with_context(|| format!("bring {} in", seat.name))?;
    Ok(Inside { terminal, hz: seat.hz })
}

fn see(one: &Inside) -> Seen {
    let now: Snapshot = one.terminal.snapshot();
    let person = |person: &Person| PersonSeen {
        participant_id: person.participant_id.0,
        name: person.display_name.clone(),
        relay_name: person.relay_name.clone(),
        relay_depth: person.relay_depth,
        unreachable: person.unreachable,
    };
    Seen {
        participant_id: one.terminal.participant_id().0,
        connected: now.connected,
        connections: now.connections,
        ended: now.ended.is_some(),
        pending: one.terminal.pending().len(),
        repeated_events: now.repeated_events,
        people: now.roster.values().map(person).collect(),
        chat: now.chat.iter().map(|line| line.text.clone()).collect(),
        heard_ms: now.hearing.tone_ms.iter().map(|(_, ms)| *ms).collect(),
        packets: now.hearing.packets,
        bytes: now.hearing.bytes,
        expected: now.hearing.concealment.expected,
        concealed: now.hearing.concealment.concealed,
        stall_max_ms: u64::try_from(now.hearing.stall_max.as_millis()).unwrap_or(u64::MAX),
    }
}

/// What was sent with a voice in it, and all that came.
fn packets(terminal: &Terminal) -> Vec<Packet> {
    let (now, unix) = (Instant::now(), SystemTime::now());
    let unix = unix.duration_since(UNIX_EPOCH).unwrap_or_default();
    let records = terminal.packets().into_iter();
    let is_voiced = |record: &PacketRecord| record.level.is_some_and(|level| level <= VOICED_DBOV);
    let kept =
        records.filter(|record| record.direction == Direction::Received || is_voiced(record));
    let packet = |record: PacketRecord| {
        let at = unix.saturating_sub(now.saturating_duration_since(record.at));
        Packet {
            at_us: u64::try_from(at.as_micros()).unwrap_or(u64::MAX),
            sent: record.direction == Direction::Sent,
            digest: record.digest,
            bytes: record.bytes,
        }
    };
    kept.map(packet).collect()
}
