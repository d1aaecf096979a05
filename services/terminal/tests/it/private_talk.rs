//! To some and to nobody else: by the private section, and by it only when that is in force.

use std::time::{Duration, Instant};

use tributary_contracts::event::v1::{TalkChanged, meeting_event};
use tributary_terminal::{Direction, Options, PacketRecord, Section, Terminal};

use crate::{
    conversation::tone,
    stub_relay::{Operations, StubRelay, meeting_id},
};

const SOON: Duration = Duration::from_secs(20);

async fn join(relay: &StubRelay, name: &str) -> Terminal {
    let mut options = Options::guest(&relay.url, name, meeting_id());
    options.listen_for_hz = vec![440.0];
    options.record_packets = true;
    Terminal::join(options).await.unwrap()
}

fn sent(terminal: &Terminal, section: Section) -> Vec<PacketRecord> {
    let mut packets = terminal.packets();
    packets.retain(|packet| packet.direction == Direction::Sent && packet.section == section);
    packets
}

#[tokio::test]
async fn whom_it_is_meant_for_hears_it_and_nobody_else() {
    let relay = StubRelay::start().await;
    let a = join(&relay, "A").await;
    let b = join(&relay, "B").await;
    let c = join(&relay, "C").await;
    a.set_muted(true).await.unwrap();
    a.talk_to(&[b.participant_id()]).await.unwrap();
    let in_force = Instant::now();
    assert_eq!(a.snapshot().talking_to, [b.participant_id()]);
    a.set_source(tone(440.0));
    let heard = |s: &tributary_terminal::Snapshot, section: Section| {
        s.heard[section.index()].heard_ms(440.0)
    };
    b.wait_until(|s| heard(s, Section::FirstPrivate) >= 500, SOON).await.unwrap();
    assert_eq!((b.hearing_on(Section::Meeting).packets, c.hearing().packets), (0, 0));
    let times = b.hearing_on(Section::FirstPrivate).tone_times(440.0).unwrap();
    assert!(times.first >= in_force && times.last > times.first);
    assert!(sent(&a, Section::Meeting).iter().all(|packet| packet.at < in_force));
    assert_eq!(b.snapshot().talks[&a.participant_id()], [b.participant_id()]);
    // And back: the microphone is off for the meeting, as it was.
    a.talk_to(&[]).await.unwrap();
    let over = Instant::now();
    a.wait_until(|_| sent(&a, Section::Meeting).len() > 50, SOON).await.unwrap();
    assert!(sent(&a, Section::FirstPrivate).iter().all(|packet| packet.at < over));
    a.set_muted(false).await.unwrap();
    c.wait_until(|s| heard(s, Section::Meeting) >= 300, SOON).await.unwrap();
    assert_eq!(c.hearing_on(Section::FirstPrivate).packets, 0);
}

#[tokio::test]
async fn until_it_is_in_force_and_when_it_ends_by_itself_nobody_hears_anything() {
    let relay = StubRelay::start().await;
    let a = join(&relay, "A").await;
    let b = join(&relay, "B").await;
    a.set_source(tone(440.0));
    b.wait_until(|s| s.hearing.heard_ms(440.0) >= 200, SOON).await.unwrap();
    relay.treat_operations(Operations::Kept);
    let targets = [b.participant_id()];
    let talking = a.talk_to(&targets);
    let (talk, ()) = tokio::join!(talking, async {
        a.wait_until(|_| relay.operations().len() == 1, SOON).await.unwrap();
        a.reset_packets();
        let half_a_second = Instant::now() + Duration::from_millis(500);
        a.wait_until(|_| Instant::now() >= half_a_second, SOON).await.unwrap();
        // At most the frame that was on its way.
        assert!(a.packets().iter().filter(|p| p.direction == Direction::Sent).count() <= 1);
        relay.treat_operations(Operations::Answered);
    });
    talk.unwrap();
    a.wait_until(|_| sent(&a, Section::FirstPrivate).len() > 20, SOON).await.unwrap();
    let participant_id = a.participant_id().0;
    let ended = TalkChanged { participant_id, target_ids: Vec::new() };
    relay.say_event(meeting_event::Body::TalkChanged(ended));
    a.wait_until(|s| s.talking_to.is_empty(), SOON).await.unwrap();
    a.reset_packets();
    let half_a_second = Instant::now() + Duration::from_millis(500);
    a.wait_until(|_| Instant::now() >= half_a_second, SOON).await.unwrap();
    assert!(a.packets().iter().filter(|p| p.direction == Direction::Sent).count() <= 1);
    a.talk_to(&[]).await.unwrap();
    a.wait_until(|_| sent(&a, Section::Meeting).len() > 20, SOON).await.unwrap();
}
