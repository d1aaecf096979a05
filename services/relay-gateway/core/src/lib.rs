//! What a relay decides about media, without doing any IO: which voices go up, whom a track goes to,
//! and where its frames lie on a terminal's RTP timeline.
//!
//! Participants are at terminals of the relay itself, or carried by the uplink of a relay behind it.
//!
//! Time is an argument everywhere. The server crate feeds in what arrives and sends what comes out.
//!
//! **Invariant:** nobody gets a frame that they can be heard in, whatever the route plan says; in a
//! room, nobody gets one that somebody in the room can be heard in.
//! **Invariant:** what is said privately goes up with whom it is for, and comes down to nobody else; an
//! uplink is not even told of targets that are not behind it.
//! **Invariant:** whoever is carried is heard by that uplink only, and an uplink gets each frame once.

mod egress;
mod epoch;
mod forward;
mod meeting;
mod route;
mod talk;
mod timelines;

pub use egress::{Placement, Slot};
pub use epoch::EpochGuard;
pub use meeting::{Dropped, Entry, Exit, Meeting, Needs, Room, UplinkId, Voice};
pub use route::{
    DOUBTS_MAX, ParticipantPlan, ROOMS_MAX, RoomPlan, RoutePlan, SOURCES_MAX, Track, TrackFrame,
};
pub use talk::{SWITCH_GUARD, TALK_GUARD, TALK_TARGETS_MAX};
pub use timelines::{Delivery, FLOOR, PRIVATE, SECTIONS_MAX, Timelines};
