//! Which address a terminal comes from. Pure.
//!
//! **Invariant:** nobody chooses the own address: what a header says counts only as far as the proxies
//! in between are trusted.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Proxies in a row that are looked through.
const HOPS_MAX: usize = 32;

/// The address of a terminal whose request came from `peer` with these values of `x-forwarded-for`, in
/// the order of the headers: of the addresses on the way, the last one that is not a trusted proxy.
/// IPv4 addresses in IPv6 form are given as IPv4.
pub(crate) fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[IpNet],
) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut address = peer.to_canonical();
    // The last one in the list is who spoke to the proxy that wrote it.
    let hops = forwarded_for.rev().flat_map(|value| value.rsplit(','));
    for hop in hops.take(HOPS_MAX) {
        if !is_trusted(address) {
            break;
        }
        // A trusted proxy that writes nonsense is as far as one can see.
        let Some(before) = read(hop.trim()) else { break };
        address = before.to_canonical();
    }
    address
}

/// An address as proxies write it: with or without port, IPv6 with or without brackets.
fn read(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bare).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded_for: &[&str], trusted: &[&str], expected: &str) {
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let headers = forwarded_for.iter().copied();
        let address = client_address(peer.parse().unwrap(), headers, &trusted);
        assert_eq!(address, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded_for:?}");
    }

    #[test]
    fn the_header_of_a_stranger_says_nothing() {
        check("203.0.113.7", &["198.51.100.1"], &[], "203.0.113.7");
        check("203.0.113.7", &["198.51.100.1"], &["10.0.0.0/8"], "203.0.113.7");
    }

    #[test]
    fn of_trusted_proxies_the_rightmost_address_that_is_none_counts() {
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48"];
        check("10.0.0.1", &["203.0.113.7"], &trusted, "203.0.113.7");
        check("10.0.0.1", &["192.0.2.66, 203.0.113.7"], &trusted, "203.0.113.7");
        check("10.0.0.1", &["192.0.2.66, 203.0.113.7, 10.1.2.3"], &trusted, "203.0.113.7");
        check("10.0.0.1", &["192.0.2.66", "203.0.113.7,10.1.2.3"], &trusted, "203.0.113.7");
        check("2001:db8:1::5", &["2001:db8:2::9"], &trusted, "2001:db8:2::9");
    }

    #[test]
    fn without_an_outer_address_it_is_the_outermost_proxy() {
        let trusted = ["10.0.0.0/8"];
        check("10.0.0.1", &[], &trusted, "10.0.0.1");
        check("10.0.0.1", &["10.0.0.2, 10.0.0.3"], &trusted, "10.0.0.2");
        check("10.0.0.1", &["203.0.113.7, unknown"], &trusted, "10.0.0.1");
        check("10.0.0.1", &[""], &trusted, "10.0.0.1");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        let trusted = ["127.0.0.0/8"];
        check("127.0.0.1", &["203.0.113.7:5000"], &trusted, "203.0.113.7");
        check("127.0.0.1", &["[2001:db8::1]:5000"], &trusted, "2001:db8::1");
        check("127.0.0.1", &["[2001:db8::1]"], &trusted, "2001:db8::1");
        check("127.0.0.1", &["::ffff:203.0.113.7"], &trusted, "203.0.113.7");
        check("::ffff:127.0.0.1", &["203.0.113.7"], &trusted, "203.0.113.7");
    }

    #[test]
    fn a_long_list_is_looked_through_only_so_far() {
        let long = "127.0.0.1,".repeat(1_000) + "127.0.0.1";
        check("127.0.0.1", &[&format!("203.0.113.7,{long}")], &["127.0.0.0/8"], "127.0.0.1");
    }
}
