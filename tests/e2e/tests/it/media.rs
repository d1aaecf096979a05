//! What speaking costs and what listeners get.

use std::collections::HashSet;
use std::time::Duration;

use tributary_harness::{Options, Service, wait};
use tributary_terminal::PacketRecord;

use crate::meeting::Meeting;

/// How long a steady state is watched.
const WATCH: Duration = Duration::from_millis(1000);

/// How long the earlier speakers' slots may still be mixed before a steady state is reached.
const SETTLE_DEADLINE: Duration = Duration::from_secs(10);

/// Encodes per mixing tick within a second; encodes alone if there are no such ticks.
async fn encodes_per_tick(meeting: &Meeting) -> f64 {
    let (encodes, ticks) = meeting.encodes_and_ticks().await;
    tokio::time::sleep(WATCH).await;
    let (encodes_after, ticks_after) = meeting.encodes_and_ticks().await;
    let (encodes, ticks) = (encodes_after - encodes, ticks_after - ticks);
    if ticks > 0.0 { encodes / ticks } else { encodes }
}

/// The cost while `speakers` speak, once the slots of those who spoke before are free: two
/// seconds in a row that cost the same.
async fn steady_cost(meeting: &Meeting, speakers: &[usize]) -> f64 {
    meeting.speak(speakers).await;
    let begin = std::time::Instant::now();
    let mut before = encodes_per_tick(meeting).await;
    loop {
        let now = encodes_per_tick(meeting).await;
        if (now - before).abs() < 0.01 {
            return now;
        }
        assert!(begin.elapsed() < SETTLE_DEADLINE, "the cost does not settle: {before}, {now}");
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn encodes_follow_the_speakers_and_not_the_thirty_listeners() {
    let mut meeting = Meeting::start(&[0, 0, 1]).await;
    for listener in 0..30 {
        meeting.join(listener % 2).await;
    }
    for (speakers, expected) in
        [(&[0][..], 0.0), (&[2], 0.0), (&[0, 1], 1.0), (&[0, 2], 1.0), (&[0, 1, 2], 4.0)]
    {
        let found = steady_cost(&meeting, speakers).await;
        assert!((found - expected).abs() < 0.05, "{speakers:?}: {found} encodes a tick");
    }
    assert_eq!(steady_cost(&meeting, &[]).await, 0.0, "silence is encoded");
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_get_the_very_bytes_that_a_lone_speaker_has_sent() {
    let meeting = Meeting::start(&[0, 0, 1, 1]).await;
    for speaker in [0, 3] {
        for voice in &meeting.voices {
            voice.forget();
        }
        meeting.speak(&[speaker]).await;
        tokio::time::sleep(WATCH).await;
        meeting.speak(&[]).await;
        let sent: HashSet<u64> = digests(meeting.voices[speaker].sent());
        let voiced = digests(meeting.voices[speaker].voiced_since_forgotten());
        assert!(voiced.len() > 50, "{} packets with voice", voiced.len());
        for (listener, voice) in meeting.voices.iter().enumerate() {
            let received = digests(voice.received_since_forgotten());
            if listener == speaker {
                assert!(received.is_empty(), "{listener} got {} packets", received.len());
                continue;
            }
            let foreign = received.difference(&sent).count();
            assert_eq!(foreign, 0, "{listener} got packets that the speaker has not sent");
            let missing = voiced.difference(&received).count();
            assert!(missing * 50 <= voiced.len(), "{listener} misses {missing} packets");
        }
    }
}

fn digests(packets: Vec<PacketRecord>) -> HashSet<u64> {
    packets.into_iter().map(|packet| packet.digest).collect()
}

/// Track bytes at the second relay per frame that the first terminal sends, from silence to silence.
async fn bytes_per_frame(meeting: &Meeting) -> f64 {
    let bytes = || async {
        let metrics = meeting.world.metrics(Service::Relay(1)).await.unwrap();
        metrics.sum("tributary_relay_track_bytes_total")
    };
    meeting.speak(&[]).await;
    let (before, frames_before) = (bytes().await, meeting.voices[0].voiced_frames_sent());
    meeting.speak(&[0]).await;
    tokio::time::sleep(3 * WATCH).await;
    meeting.speak(&[]).await;
    let frames = meeting.voices[0].voiced_frames_sent() - frames_before;
    // Counters are handed over a few times a second: wait until they stand still.
    let mut last = -1.0;
    loop {
        let now = bytes().await;
        if now <= last {
            return (now - before) / frames as f64;
        }
        last = now;
        tokio::time::sleep(WATCH).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_common_track_reaches_a_relay_once_for_one_and_for_twenty_listeners() {
    let mut meeting = Meeting::start(&[0, 1]).await;
    let one = bytes_per_frame(&meeting).await;
    assert!(one > 20.0, "{one} bytes per frame");
    for _ in 1..20 {
        meeting.join(1).await;
    }
    let twenty = bytes_per_frame(&meeting).await;
    let ratio = twenty / one;
    assert!((ratio - 1.0).abs() <= 0.02, "{twenty} to {one} bytes per frame: {ratio}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_speaker_is_heard_when_four_voices_are_allowed() {
    let options = Options { voices_max: Some(4), ..Options::default() };
    let meeting = Meeting::start_with(options, &[0, 0, 0, 1]).await;
    meeting.speak(&[0, 1, 2, 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_three_voices_a_fourth_speaker_is_not_mixed_in() {
    let meeting = Meeting::start(&[0, 0, 1, 1]).await;
    meeting.speak(&[0, 1, 2]).await;
    meeting.set_speakers(&[0, 1, 2, 3]);
    tokio::time::sleep(2 * WATCH).await;
    for voice in &meeting.voices {
        voice.forget();
    }
    tokio::time::sleep(WATCH).await;
    for voice in &meeting.voices {
        let heard = voice.heard_since_forgotten();
        assert!(heard.iter().filter(|ms| **ms > 0).count() <= 3, "{heard:?}");
    }
    meeting.set_speakers(&[1, 2, 3]);
    meeting.hears(&[1, 2, 3], Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_meeting_costs_the_mixer_nothing() {
    let mut meeting = Meeting::start(&[0, 1]).await;
    meeting.speak(&[0, 1]).await;
    for voice in meeting.voices.drain(..) {
        voice.leave().await.unwrap();
    }
    let deadline = Duration::from_secs(20);
    wait::until("the meeting to be empty", deadline, || async {
        meeting.directory.roster(&meeting.id).await.is_ok_and(|roster| roster.is_empty())
    })
    .await
    .unwrap();
    let (encodes, ticks) = meeting.encodes_and_ticks().await;
    tokio::time::sleep(WATCH).await;
    assert_eq!(meeting.encodes_and_ticks().await, (encodes, ticks));
}
