//! Measurements against services as processes of their own, on PostgreSQL, with the release build.
//!
//! Each measurement is a function that returns one JSON object with an `ok` in it; `just bench NAME`
//! prints it.

pub mod access;
pub mod floor;
pub mod oracle;
mod population;
pub mod relay_bytes;
mod statistics;

/// Two decimals: more would be noise.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn progress(text: &str) {
    eprintln!("bench: {text}");
}
