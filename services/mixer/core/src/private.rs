//! What one participant says to some only: where it goes, and on which time base.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tributary_identifiers::{ParticipantId, RelayId};

/// A step of the RTP time beyond this, in samples at 48 kHz, is another time base.
const STEP_MAX: u32 = 10 * 48_000;
/// After so long without a packet, how far RTP time went on says nothing.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Of the relays that say somebody is behind them, those that said it last are believed: while
/// somebody moves, two are.
const HOMES_MAX: usize = 2;

/// The relays that each participant is behind, in the order in which they said so.
pub type Homes = HashMap<ParticipantId, Vec<RelayId>>;

/// Whom a private frame is for, by relay.
pub type Routes = [(RelayId, Arc<[ParticipantId]>)];

/// The private talk of one participant. It lives as long as the participant is behind the relay.
#[derive(Debug)]
pub struct Whisper {
    stream: u32,
    media_time: u32,
    at: Instant,
    /// As the last frame said.
    targets: Vec<ParticipantId>,
    /// The roster's revision that `routes` is for.
    revision: u64,
    routes: Vec<(RelayId, Arc<[ParticipantId]>)>,
}

impl Whisper {
    /// A talk in which nothing was said yet. `stream` must be no other's.
    pub fn new(stream: u32, media_time: u32, now: Instant) -> Self {
        Self { stream, media_time, at: now, targets: Vec::new(), revision: 0, routes: Vec::new() }
    }

    /// The stream of a frame of this RTP time; `next` gives a new one.
    pub fn stream_of(&mut self, media_time: u32, now: Instant, next: impl FnOnce() -> u32) -> u32 {
        let step = media_time.wrapping_sub(self.media_time);
        let ahead = step <= STEP_MAX;
        let near = ahead || step >= u32::MAX - STEP_MAX;
        if !near || now.saturating_duration_since(self.at) >= PAUSE_MAX {
            self.stream = next();
            self.media_time = media_time;
        } else if ahead {
            self.media_time = media_time;
        }
        self.at = now;
        self.stream
    }

    /// The relays of `targets`, each with those who are behind it. `revision` is that of `homes`, from
    /// 1: nothing is looked up again while neither changes.
    pub fn routes(
        &mut self,
        talker: ParticipantId,
        targets: &[ParticipantId],
        homes: &Homes,
        revision: u64,
    ) -> &Routes {
        if self.revision != revision || self.targets != targets {
            self.revision = revision;
            self.targets = targets.to_vec();
            self.routes = group(talker, targets, homes);
        }
        &self.routes
    }
}

fn group(
    talker: ParticipantId,
    targets: &[ParticipantId],
    homes: &Homes,
) -> Vec<(RelayId, Arc<[ParticipantId]>)> {
    let mut targets: Vec<_> = targets.iter().copied().filter(|who| *who != talker).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut groups: Vec<(&RelayId, Vec<ParticipantId>)> = Vec::new();
    for target in targets {
        let relays = homes.get(&target).map(Vec::as_slice).unwrap_or_default();
        for relay in relays.iter().rev().take(HOMES_MAX) {
            match groups.iter_mut().find(|(other, _)| *other == relay) {
                Some((_, group)) => group.push(target),
                None => groups.push((relay, vec![target])),
            }
        }
    }
    groups.into_iter().map(|(relay, targets)| (relay.clone(), targets.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(name: &str) -> RelayId {
        name.parse().unwrap()
    }

    fn ids(numbers: &[u32]) -> Vec<ParticipantId> {
        numbers.iter().copied().map(ParticipantId).collect()
    }

    #[test]
    fn each_relay_is_told_of_its_own_targets_only_and_the_talker_is_none() {
        let homes: Homes = [(1, vec!["a"]), (2, vec!["b"]), (3, vec!["a"]), (9, vec!["a"])]
            .into_iter()
            .map(|(who, relays)| (ParticipantId(who), relays.into_iter().map(relay).collect()))
            .collect();
        let mut whisper = Whisper::new(1, 0, Instant::now());
        let routes = whisper.routes(ParticipantId(9), &ids(&[3, 2, 1, 9, 3, 77]), &homes, 1);
        let expected = [(relay("a"), ids(&[1, 3]).into()), (relay("b"), ids(&[2]).into())];
        assert_eq!(*routes, expected);
        assert!(whisper.routes(ParticipantId(9), &ids(&[9, 77]), &homes, 1).is_empty());
    }

    #[test]
    fn of_many_relays_that_claim_somebody_the_last_ones_are_believed() {
        let claims = (0..100).map(|number: u32| relay(&number.to_string())).collect();
        let homes = Homes::from([(ParticipantId(1), claims)]);
        let mut whisper = Whisper::new(1, 0, Instant::now());
        let routes = whisper.routes(ParticipantId(9), &ids(&[1]), &homes, 1);
        let relays: Vec<_> = routes.iter().map(|(relay, _)| relay.as_str()).collect();
        assert_eq!(relays, ["99", "98"]);
    }

    #[test]
    fn who_moves_is_found_with_the_next_revision() {
        let mut homes = Homes::from([(ParticipantId(1), vec![relay("a")])]);
        let mut whisper = Whisper::new(1, 0, Instant::now());
        let mut relay_of_1 = |homes: &Homes, revision| {
            let routes = whisper.routes(ParticipantId(9), &ids(&[1]), homes, revision);
            routes.iter().map(|(relay, _)| relay.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(relay_of_1(&homes, 1), ["a"]);
        homes.insert(ParticipantId(1), vec![relay("b")]);
        assert_eq!(relay_of_1(&homes, 2), ["b"]);
    }

    #[test]
    fn another_time_base_is_another_stream() {
        let now = Instant::now();
        let mut whisper = Whisper::new(1, u32::MAX - 100, now);
        let mut stream = |time, now| whisper.stream_of(time, now, || 2);
        assert_eq!(stream(859, now), 1, "over the wrap");
        assert_eq!(stream(u32::MAX - 100, now), 1, "late");
        assert_eq!(stream(859 + STEP_MAX, now), 1);
        assert_eq!(stream(859 + 3 * STEP_MAX, now), 2, "far ahead");
        let mut whisper = Whisper::new(1, 0, now);
        assert_eq!(whisper.stream_of(960, now + PAUSE_MAX, || 2), 2, "after a pause");
    }
}
