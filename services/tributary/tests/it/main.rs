//! The binary as an operator meets it: started, asked, ended.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by it, as tests do"
)]

mod all;
mod configuration;
mod edge;
mod life;
mod process;
