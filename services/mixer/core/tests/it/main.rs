//! A meeting on virtual time, with real Opus: what it promises, seen from its participants.

#[cfg(test)]
mod cost;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod jitter;
#[cfg(test)]
mod private;
#[cfg(test)]
mod room;
#[cfg(test)]
mod roster;
#[cfg(test)]
mod sound;
#[cfg(test)]
mod transitions;
#[cfg(test)]
mod world;
