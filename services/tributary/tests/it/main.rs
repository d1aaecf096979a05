//! The binary as an operator meets it: started, asked, ended.

mod configuration;
mod life;
mod process;
