//! One meeting's mixing decisions: who is heard, who hears whom, and in which bytes.
//!
//! The mixer core is sans-IO: [`Meeting`] takes frames, needs, ticks and time as arguments and
//! gives out track frames and route plans. Participants with the same receive set form a class,
//! and a class is encoded once: everyone who is not speaking hears the common track, each active
//! speaker a track without themselves, and everyone in a room with speakers of its own a track without
//! those. What is said privately goes past all that: untouched, to the relays of those it is for.
//!
//! Invariants: a class with one source gets that source's packets untouched and at once, with
//! nothing decoded, encoded or ticked; the cost follows the speakers, never the audience; nobody
//! is a source of a track that is meant for them; what is for some is never on a track for others; input of any shape is counted, never a panic.

mod counters;
mod honesty;
mod jitter;
mod media;
mod meeting;
mod private;
mod relays;
mod tracks;
mod voice;

pub use counters::Counters;
pub use honesty::DOUBTS_MAX;
pub use jitter::Config as JitterConfig;
pub use media::{
    Destination, LevelDoubt, Output, ParticipantPlan, RoomPlan, RoutePlan, SOURCES_MAX, SendFrame,
    Sources, TARGETS_MAX, Track, TrackFrame,
};
pub use meeting::{Config, Meeting, Needs, PlanHeld, Reason};
pub use relays::{PARTICIPANTS_PER_RELAY_MAX, RELAYS_MAX, ROOMS_PER_RELAY_MAX, Room};
