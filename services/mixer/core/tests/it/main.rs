//! A meeting on virtual time, with real Opus: what it promises, seen from its participants.

mod cost;
mod hostile;
mod jitter;
mod roster;
mod sound;
mod transitions;
mod world;
