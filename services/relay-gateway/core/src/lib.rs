//! What a relay decides about media, without doing any IO: which local voices go up, whom a track
//! goes to, and where its frames lie on a terminal's RTP timeline.
//!
//! Time is an argument everywhere. The server crate feeds in what arrives and sends what comes out.
//!
//! **Invariant:** nobody gets a frame that they can be heard in, whatever the route plan says; in a
//! room, nobody gets one that somebody in the room can be heard in.
//! **Invariant:** what is said privately goes up with whom it is for, and comes down to nobody else.

mod egress;
mod epoch;
mod meeting;
mod route;
mod talk;
mod timelines;

pub use egress::{Placement, Slot};
pub use epoch::EpochGuard;
pub use meeting::{Dropped, Meeting, Needs, Voice};
pub use route::{DOUBTS_MAX, ParticipantPlan, RoutePlan, SOURCES_MAX, Track, TrackFrame};
pub use talk::{SWITCH_GUARD, TALK_GUARD, TALK_TARGETS_MAX};
pub use timelines::{Delivery, FLOOR, PRIVATE, SECTIONS_MAX, Timelines};
