//! Faults, and what must hold all the same: `operations` kills processes while people do things,
//! `evil_relay` is a relay that wants what it must not, `evil_edge` one that attaches to another, `uplink`
//! cuts an office off, and `uplink_loss` lets its uplink be slow and lose packets.

mod attempts;
pub mod evil_edge;
pub mod evil_relay;
pub mod operations;
pub mod uplink;
pub mod uplink_loss;

fn progress(text: &str) {
    eprintln!("faults: {text}");
}
