//! The place that a client asks from, as budgets know it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Bits of an IPv6 address that its holder can choose at will.
const IPV6_HOST_BITS: u32 = 64;

/// An IPv4 address or the first 64 bits of an IPv6 address: whoever has an IPv6 address has at least
/// 2^64 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressPrefix {
    /// One address.
    V4(Ipv4Addr),
    /// A /64; the lower bits are 0.
    V6(Ipv6Addr),
}

impl AddressPrefix {
    /// The prefix of an address; an IPv4 address that is written as IPv6 counts as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() >> IPV6_HOST_BITS << IPV6_HOST_BITS;
                Self::V6(Ipv6Addr::from_bits(network))
            }
        }
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "{address}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(address: &str) -> String {
        AddressPrefix::of(address.parse().unwrap()).to_string()
    }

    #[test]
    fn an_ipv4_address_stands_for_itself_however_it_is_written() {
        assert_eq!(prefix("192.0.2.7"), "192.0.2.7");
        assert_eq!(prefix("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn an_ipv6_address_stands_for_its_network() {
        assert_eq!(prefix("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    }

    proptest! {
        #[test]
        fn the_lower_half_of_an_ipv6_address_does_not_matter(network: u64, a: u64, b: u64) {
            let address = |host: u64| {
                Ipv6Addr::from_bits(u128::from(network) << 64 | u128::from(host))
            };
            prop_assume!(address(a).to_ipv4_mapped().is_none());
            prop_assume!(address(b).to_ipv4_mapped().is_none());
            prop_assert_eq!(
                AddressPrefix::of(IpAddr::V6(address(a))),
                AddressPrefix::of(IpAddr::V6(address(b)))
            );
        }
    }
}
