//! The place that a terminal speaks from, as budgets know it.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that its holder can choose at will.
const IPV6_HOST_BITS: u32 = 64;

/// What stands for every address that is not known.
const UNKNOWN: &str = "unknown";

/// The text is no IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an IP address, or empty if it is not known")]
pub struct InvalidAddress;

/// An IPv4 address, or the first 64 bits of an IPv6 address: whoever has an IPv6 address has at
/// least 2^64 of them. Addresses that are not known (the empty text) count as one.
///
/// # Errors
/// The text is no IP address.
pub fn address_prefix(address: &str) -> Result<String, InvalidAddress> {
    if address.is_empty() {
        return Ok(UNKNOWN.to_owned());
    }
    let address: IpAddr = address.parse().map_err(|_| InvalidAddress)?;
    Ok(match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> IPV6_HOST_BITS << IPV6_HOST_BITS;
            format!("{}/64", Ipv6Addr::from_bits(network))
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_of_one_holder_have_one_prefix() {
        for (address, prefix) in [
            ("", "unknown"),
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(address_prefix(address).as_deref(), Ok(prefix));
        }
        for wrong in ["unknown", "192.0.2.7:80", "192.0.2.0/24", "example.org", " 192.0.2.7"] {
            assert_eq!(address_prefix(wrong), Err(InvalidAddress), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text: String) {
            let _ = address_prefix(&text);
        }
    }
}
