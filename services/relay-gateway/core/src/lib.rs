//! What a relay decides about media, without doing any IO: which local voices go up, whom a track
//! goes to, and where its frames lie on a terminal's RTP timeline.
//!
//! Time is an argument everywhere. The server crate feeds in what arrives and sends what comes out.
//!
//! **Invariant:** nobody gets a frame that they can be heard in, whatever the route plan says.

mod egress;
mod epoch;
mod meeting;
mod route;

pub use egress::{Placement, Slot};
pub use epoch::EpochGuard;
pub use meeting::{Delivery, Dropped, Meeting, Needs, SendFrame};
pub use route::{
    AUDIO_SLOTS_MAX, DOUBTS_MAX, ParticipantPlan, RoutePlan, SOURCES_MAX, Track, TrackFrame,
};
