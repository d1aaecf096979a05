//! What follows from a change of speakers or roster: voices, plans, and what is on each track.

use std::time::Instant;

use tributary_identifiers::{ParticipantId, RelayId};

use super::{Meeting, VOICES_MAX, next_stream};
use crate::{
    media::{LevelDoubt, Output, ParticipantPlan, RoomPlan, RoutePlan, Sources, Track},
    relays::{Relays, RoomRef},
    tracks::{Content, Egress, Lane},
    voice::Voice,
};

impl Meeting {
    /// Frees the slots of those who have stopped.
    pub(super) fn settle(&mut self, now: Instant) {
        self.gate.expire(now);
        self.follow_gate(now);
    }

    /// Does what follows from people having come or gone. `moved`: a speaker is behind another
    /// relay than before.
    pub(super) fn follow_roster(&mut self, gone: &[ParticipantId], moved: bool, now: Instant) {
        for who in gone {
            if self.relays.of(*who).is_empty() {
                self.gate.remove(*who);
            }
        }
        if self.gate.revision() != self.revision {
            self.follow_gate(now);
        } else if moved {
            self.replan();
            self.route(now);
        } else {
            self.route(now);
        }
    }

    /// Does what follows from a change of the gate's selection.
    pub(super) fn follow_gate(&mut self, now: Instant) {
        if self.gate.revision() == self.revision {
            return;
        }
        self.revision = self.gate.revision();
        let speakers: Sources = self.gate.selected().collect();
        let changed = !speakers.same_set(&self.speakers);
        self.speakers = speakers;
        self.follow_speakers(now);
        if changed {
            self.replan();
        }
        self.route(now);
    }

    /// Makes a voice for each speaker, and notes who has stopped.
    fn follow_speakers(&mut self, now: Instant) {
        let Self { voices, speakers, streams, config, .. } = self;
        let onset = config.selection.onset_frames.saturating_add(1);
        for voice in voices.iter_mut() {
            if !speakers.contains(&voice.who) {
                voice.unselected_since.get_or_insert(now);
            } else if voice.unselected_since.take().is_some() {
                voice.begin_spurt(onset);
            }
        }
        for who in speakers.iter() {
            if !voices.iter().any(|voice| voice.who == *who) {
                let mut voice = Voice::new(*who, next_stream(streams), config.jitter, now);
                voice.begin_spurt(onset);
                voices.push(voice);
            }
        }
    }

    /// A new plan, for all relays.
    pub(super) fn replan(&mut self) {
        self.plan_version += 1;
        let relays: Vec<RelayId> = self.relays.ids().cloned().collect();
        for relay in relays {
            self.send_plan(relay);
        }
    }

    pub(super) fn send_plan(&mut self, relay: RelayId) {
        let alone = self.speakers.len() == 1;
        let (rooms, excepted) = self.rooms_and_exceptions(&relay);
        let room_plan = |room: u32| RoomPlan { room, track: Track::Room(room) };
        let exception = |participant: &ParticipantId| ParticipantPlan {
            participant: *participant,
            audio_slot: (!alone).then_some(Track::Minus(*participant)),
        };
        let doubts = self.doubts.iter().filter(|doubt| self.relays.of(doubt.who).contains(&relay));
        let doubts = doubts
            .map(|doubt| LevelDoubt { participant: doubt.who, correction: doubt.correction })
            .collect();
        let plan = RoutePlan {
            epoch: self.config.epoch,
            version: self.plan_version,
            speakers: self.speakers,
            rooms: rooms.into_iter().map(room_plan).collect(),
            exceptions: excepted.iter().map(exception).collect(),
            doubts,
        };
        self.counters.plans += 1;
        self.outputs.push_back(Output::Plan { relay, plan });
    }

    /// The rooms behind a relay that have speakers of their own, where everybody gets the same, they too;
    /// and the speakers behind it who are in none of those.
    pub(super) fn rooms_and_exceptions(&self, relay: &RelayId) -> (Vec<u32>, Sources) {
        let rooms = self.relays.rooms_with(relay, &self.speakers);
        let excepted = self.relays.speakers_outside(relay, &rooms, &self.speakers);
        (rooms, excepted)
    }

    /// Makes a lane for each class that has speakers to leave out: one for each speaker, or for all
    /// of a room.
    fn make_lanes(&mut self, now: Instant) {
        let Self { relays, speakers, lanes, .. } = self;
        for who in speakers.iter() {
            let room = relays.room_of(*who);
            let is_it = |lane: &Lane| match room {
                Some(room) => lane.is_for_room(room),
                None => lane.track == Track::Minus(*who),
            };
            if !lanes.iter().any(is_it) {
                lanes.push(match room {
                    Some(room) => Lane::for_room(room, now),
                    None => Lane::new(Track::Minus(*who), now),
                });
            }
        }
    }

    /// Decides anew what is on each track, and carries running sound over.
    fn route(&mut self, now: Instant) {
        self.make_lanes(now);
        let listened = self.relays.has_listeners(&self.speakers);
        let Self { relays, speakers, voices, lanes, streams, counters, outputs, config, .. } = self;
        let mut egress = Egress { counters, outputs };
        for lane in lanes.iter_mut() {
            let sources = sources_of(lane, relays, speakers, listened);
            let sources_before = std::mem::replace(&mut lane.sources, sources);
            let content_before = std::mem::replace(&mut lane.content, Content::of(&sources));
            match (content_before, lane.content) {
                (Content::Nothing | Content::Lone(_), Content::Mix) => {
                    lane.start_mix(next_stream(streams));
                }
                (Content::Mix, Content::Lone(who)) if sources_before.contains(&who) => {
                    if let Some(voice) = voices.iter().find(|voice| voice.who == who) {
                        lane.leave_mix(voice, &sources_before, config.bitrate, now, &mut egress);
                    }
                }
                _ => {}
            }
        }
        self.follow_mixing(now);
    }

    /// Voices that are mixed get a decoder, others lose it; the longest unused are forgotten.
    fn follow_mixing(&mut self, now: Instant) {
        let Self { voices, lanes, counters, .. } = self;
        for voice in voices.iter_mut() {
            let mixed = lanes.iter().any(|lane| lane.mixes(voice.who));
            if mixed && !voice.is_mixed() {
                counters.codec_failures += u64::from(voice.start_mixing(counters).is_err());
            } else if !mixed && voice.is_mixed() {
                voice.stop_mixing(counters);
            }
        }
        lanes.retain_mut(|lane| lane.release(now));
        while voices.len() > VOICES_MAX
            && let Some(place) = longest_unused(voices)
        {
            voices.remove(place);
        }
    }
}

/// Who is to be heard on a lane. Says a minus lane where it goes.
fn sources_of(lane: &mut Lane, relays: &Relays, speakers: &Sources, listened: bool) -> Sources {
    match (lane.track, lane.relays.as_slice()) {
        (Track::Common, _) if listened => *speakers,
        (Track::Minus(who), _) if speakers.contains(&who) && relays.room_of(who).is_none() => {
            lane.relays.clear();
            lane.relays.extend_from_slice(relays.of(who));
            speakers.without(who)
        }
        (Track::Room(id), [relay]) => {
            match relays.speakers_in_room(RoomRef { relay, id }, speakers) {
                nobody if nobody.is_empty() => Sources::EMPTY,
                here => speakers.except(&here),
            }
        }
        _ => Sources::EMPTY,
    }
}

fn longest_unused(voices: &[Voice]) -> Option<usize> {
    let unused = voices.iter().enumerate();
    let unused = unused.filter_map(|(place, voice)| Some((voice.unselected_since?, place)));
    unused.min().map(|(_, place)| place)
}
