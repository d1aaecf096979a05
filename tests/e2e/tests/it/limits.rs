//! A relay whose uplink has a limit: files take what voices leave of it.

use std::time::{Duration, Instant};

use serde_json::Value;
use tributary_contracts::admin::v1::UpdateRelayRequest;
use tributary_harness::hearing::Voice;
use tributary_harness::proxy::Proxy;
use tributary_harness::{EdgeOptions, Parent, wait};
use tributary_identifiers::MeetingId;
use tributary_terminal::{Account, Hearing};

use crate::edges::{RECOVERED, cloud};
use crate::meeting::{Meeting, TONES};

const LIMIT_KBIT: u32 = 1_000;
/// Of the line, 1.6 Mbit/s, which a file alone would fill.
const LINE_BYTES_PER_SECOND: u64 = 200_000;
/// At the limit eight seconds and five.
const DOWN_BYTES: usize = 1_000_000;
const UP_BYTES: usize = 600_000;
/// Of what was sent, on a busy machine. It catches voices that are held up for long; that files keep to the
/// limit is told by the rate.
const CONCEALED_MAX: f64 = 0.2;
const FRAME: Duration = Duration::from_millis(20);

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|number| (number * 31 / 7) as u8).collect()
}

/// What went over a socket while something was done.
struct Passage {
    bytes: u64,
    took: Duration,
}

impl Passage {
    /// At most the limit, with what is on its way ahead of it, and not much less.
    fn keeps_to_the_limit(&self) {
        let kbit = self.bytes as f64 * 8.0 / self.took.as_secs_f64() / 1_000.0;
        let limit = f64::from(LIMIT_KBIT);
        let is_right = (limit * 0.25..limit * 1.4).contains(&kbit);
        assert!(is_right, "{kbit:.0} kbit/s: {} bytes in {:?}", self.bytes, self.took);
    }
}

/// Somebody heard one who spoke all the time, without a gap.
fn was_undisturbed(listener: &Voice, tone: f32, took: Duration) {
    let Hearing { packets, concealment, stall_max, .. } = listener.terminal().hearing();
    let sent = took.as_secs_f64() / FRAME.as_secs_f64();
    assert!(packets as f64 > sent * 0.9, "{packets} packets of {sent:.0}");
    assert!(concealment.ratio() < CONCEALED_MAX, "{concealment:?}, a stall of {stall_max:?}");
    let heard = Duration::from_millis(listener.terminal().hearing().heard_ms(tone));
    assert!(heard > took.mul_f64(0.8), "heard for {heard:?} of {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_take_what_voices_leave_of_a_limit_and_voices_go_on() {
    let mut meeting = Meeting::start_with(cloud(Vec::new()), &[0]).await;
    let uplink = meeting.world.uplink_address(Parent::Relay(0)).unwrap();
    let proxy = Proxy::to(uplink).await.unwrap();
    let below = EdgeOptions::below("Office A", Parent::At(proxy.address()));
    let edge = meeting.world.add_edge(below).await.unwrap();
    let (core, office) =
        (meeting.world.relay_url(0).unwrap(), meeting.world.edge_url(edge).unwrap());
    meeting.join_by(&office).await;
    let update = UpdateRelayRequest {
        relay_id: meeting.world.edge_id(edge).unwrap(),
        uplink_limit_kbit: Some(LIMIT_KBIT),
        ..Default::default()
    };
    meeting.directory.update_relay(update).await.unwrap();
    wait::until("the limit to be in force", RECOVERED, || async {
        let status = meeting.world.edge_status(edge).await.unwrap_or_default();
        status.get("limit_kbit").and_then(Value::as_u64) == Some(LIMIT_KBIT.into())
    })
    .await
    .unwrap();
    proxy.thin(LINE_BYTES_PER_SECOND);
    // One outside and one inside, each of whom hears the other.
    meeting.speak(&[0, 1]).await;
    let id: MeetingId = meeting.id.parse().unwrap();
    let outside = Account::logged_in(&core, "ada", "a password for tests").await.unwrap();
    let inside = outside.at(&office).await.unwrap();
    let (down, up) = (content(DOWN_BYTES), content(UP_BYTES));
    let kind = "application/octet-stream";
    let file = outside.attach(id, "down.bin", kind, down.clone()).await.unwrap();

    meeting.voices[1].terminal().reset_hearing();
    let (before, begin) = (proxy.carried_down(), Instant::now());
    let read = inside.attachment(id, &file.attachment_id).await.unwrap();
    let took = begin.elapsed();
    let passage = Passage { bytes: proxy.carried_down() - before, took };
    was_undisturbed(&meeting.voices[1], TONES[0], took);
    passage.keeps_to_the_limit();
    assert!(read.data == down);

    meeting.voices[0].terminal().reset_hearing();
    let (before, begin) = (proxy.carried_up(), Instant::now());
    let file = inside.attach(id, "up.bin", kind, up.clone()).await.unwrap();
    let took = begin.elapsed();
    let passage = Passage { bytes: proxy.carried_up() - before, took };
    was_undisturbed(&meeting.voices[0], TONES[1], took);
    passage.keeps_to_the_limit();
    let read = outside.attachment(id, &file.attachment_id).await.unwrap();
    assert!(read.data == up);
}
