//! A log of packets, for tests that compare what was sent with what was heard.

use std::{collections::VecDeque, time::Instant};

use sha2::{Digest as _, Sha256};

use crate::Section;

/// Packets that are kept; the oldest go first. Over three minutes of both directions.
pub const PACKETS_MAX: usize = 20_000;

/// Which way a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the relay.
    Sent,
    /// From the relay.
    Received,
}

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketRecord {
    /// When it was handed to, or taken from, the socket.
    pub at: Instant,
    /// Which way.
    pub direction: Direction,
    /// In which section.
    pub section: Section,
    /// The first 64 bits of the payload's SHA-256.
    pub digest: u64,
    /// Its length in bytes.
    pub bytes: usize,
    /// RTP time, 48 kHz.
    pub media_time: u32,
    /// Level in -dBov (RFC 6464).
    pub level: Option<u8>,
}

#[derive(Default)]
pub(crate) struct PacketLog(VecDeque<PacketRecord>);

impl PacketLog {
    /// Keeps a packet; its digest and length are filled in.
    pub(crate) fn push(&mut self, payload: &[u8], record: PacketRecord) {
        if self.0.len() == PACKETS_MAX {
            self.0.pop_front();
        }
        let digest = Sha256::digest(payload);
        let digest = digest.iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte));
        self.0.push_back(PacketRecord { digest, bytes: payload.len(), ..record });
    }

    pub(crate) fn records(&self) -> Vec<PacketRecord> {
        self.0.iter().copied().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
