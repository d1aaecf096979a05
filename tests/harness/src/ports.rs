//! Free ports on loopback.
//!
//! Ports are drawn below the range that systems use for outgoing connections, so that a service
//! which is stopped finds its port free when it starts again.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// First port that is drawn.
const FIRST: u16 = 10_000;
/// Number of ports that are drawn from; 10,000 to 31,999.
const COUNT: u16 = 22_000;
/// Draws before giving up.
const DRAWS_MAX: usize = 1_000;

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// An address on 127.0.0.1 whose port is free for TCP and UDP and was not given to anyone before in
/// this process.
pub fn free() -> Result<SocketAddr> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_default();
    for _ in 0..DRAWS_MAX {
        let random = getrandom::u32().context("draw a port")?;
        let port = FIRST + (random % u32::from(COUNT)) as u16;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let free = TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
        if free && given.insert(port) {
            return Ok(address);
        }
    }
    bail!("no free port on 127.0.0.1 between {FIRST} and {}", FIRST + COUNT)
}
