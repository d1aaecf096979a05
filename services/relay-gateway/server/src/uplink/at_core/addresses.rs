//! Which addresses terminals behind relays have for the services' budgets. Pure.
//!
//! **Invariant:** what a relay says about its terminals' addresses tells them apart among themselves,
//! and no more: whatever it says, they are in one network, which is that relay's alone. So an office
//! has the budgets of a network, as behind NAT, and addresses that every office has (`192.168.1.10`)
//! are as many as there are offices.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::Ipv6Net;
use sha2::{Digest as _, Sha256};
use tributary_identifiers::RelayId;

/// The first byte of unique local addresses that are assigned locally (RFC 4193 §3.1).
const UNIQUE_LOCAL: u8 = 0xfd;
/// Bits of the network; services count IPv6 addresses by it.
const NETWORK_BITS: u8 = 64;
const OF_NETWORK: &[u8] = b"tributary-address";
const OF_TERMINAL: &[u8] = b"tributary-address-terminal";
/// Stands for what is no address.
const UNKNOWN: &str = "unknown";

/// The network of the terminals behind a relay that is attached to the core, directly or by others.
pub(super) fn network_of(relay: &RelayId) -> Ipv6Net {
    let bits = u128::from(network_bits(relay)) << NETWORK_BITS;
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), NETWORK_BITS)
}

/// The address, in that network, of a terminal that is said to have this one in its own. What is no
/// address is always the same.
pub(super) fn address_of(relay: &RelayId, said: &str) -> IpAddr {
    let said = said.parse::<IpAddr>().map(|address| address.to_canonical().to_string());
    let said = said.as_deref().unwrap_or(UNKNOWN);
    let terminal = first_half(&[OF_TERMINAL, said.as_bytes()]);
    let bits = u128::from(network_bits(relay)) << NETWORK_BITS | u128::from(terminal);
    Ipv6Addr::from_bits(bits).into()
}

fn network_bits(relay: &RelayId) -> u64 {
    let hash = first_half(&[OF_NETWORK, relay.as_str().as_bytes()]);
    u64::from(UNIQUE_LOCAL) << 56 | hash >> 8
}

/// The first 64 bits of the hash of these parts.
fn first_half(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(relay: &str, said: &str) -> IpAddr {
        address_of(&relay.parse().unwrap(), said)
    }

    fn network(relay: &str) -> Ipv6Net {
        network_of(&relay.parse().unwrap())
    }

    #[test]
    fn an_address_in_two_offices_is_two() {
        let (one, other) =
            (address("office-a", "192.168.1.10"), address("office-b", "192.168.1.10"));
        assert_ne!(one, other);
        assert_ne!(network("office-a"), network("office-b"));
        // For ever: budgets outlive the process.
        assert_eq!(one, address("office-a", "192.168.1.10"));
    }

    #[test]
    fn whatever_a_relay_says_its_terminals_are_in_its_own_network() {
        let unique_local: Ipv6Net = "fd00::/8".parse().unwrap();
        assert!(
            network("office-a").prefix_len() == 64 && unique_local.contains(&network("office-a"))
        );
        let network = ipnet::IpNet::V6(network("office-a"));
        let said = ["192.168.1.10", "203.0.113.7", "2001:db8::1", "::1", "0.0.0.0", "", "nonsense"];
        for said in said {
            assert!(network.contains(&address("office-a", said)), "{said}");
        }
        // Not by naming an address of another relay, either.
        let of_other = address("office-b", "192.168.1.10").to_string();
        assert!(network.contains(&address("office-a", &of_other)));
    }

    #[test]
    fn its_terminals_differ_and_however_an_address_is_written_it_is_one() {
        let one = address("office-a", "192.168.1.10");
        assert_ne!(one, address("office-a", "192.168.1.11"));
        assert_eq!(one, address("office-a", "::ffff:192.168.1.10"));
        assert_eq!(address("office-a", "2001:DB8::0:1"), address("office-a", "2001:db8::1"));
        assert_eq!(address("office-a", "nonsense"), address("office-a", "192.168.1.10:80"));
        assert_ne!(address("office-a", ""), one);
    }
}
