//! Faults, and what must hold all the same: `operations` kills processes while people do things, and
//! `evil_relay` is a relay that wants what it must not.

pub mod evil_relay;
pub mod operations;
