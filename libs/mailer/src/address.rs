//! Addresses that a message can be sent to.

use std::{fmt, str::FromStr};

use lettre::Address;
use url::Host;

/// The longest address, in bytes (RFC 5321 section 4.5.3.1.3, without the angle brackets).
pub const ADDRESS_LENGTH_MAX: usize = 254;

/// An e-mail address: a plain name of ASCII characters and the name of a host. The host is kept in
/// lower case and in ASCII, as the DNS has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    pub(crate) fn to_lettre(&self) -> Result<Address, InvalidAddress> {
        self.0.parse().map_err(|_| InvalidAddress)
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidAddress;

    /// Reads `name@host`; not a quoted name, an address of a machine, or one with a display name.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (name, host) = text.rsplit_once('@').ok_or(InvalidAddress)?;
        let plain = name.is_ascii() && !name.contains(['"', '\\', '(', ')', '@']);
        if !plain || text.len() > ADDRESS_LENGTH_MAX || host.contains(['%', '[']) {
            return Err(InvalidAddress);
        }
        let Ok(Host::Domain(host)) = Host::parse(host) else { return Err(InvalidAddress) };
        let address: Address = format!("{name}@{host}").parse().map_err(|_| InvalidAddress)?;
        let text = address.to_string();
        if text.len() > ADDRESS_LENGTH_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidAddress);
        }
        Ok(Self(text))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no address that can be written to; it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address looks like name@example.org, at most {ADDRESS_LENGTH_MAX} bytes")]
pub struct InvalidAddress;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_and_their_hosts_made_plain() {
        for (text, expected) in [
            ("ada@example.org", "ada@example.org"),
            ("Ada.Lovelace+x@Example.ORG", "Ada.Lovelace+x@example.org"),
            ("o'neill@h.example", "o'neill@h.example"),
            ("root@localhost", "root@localhost"),
            ("li@例子.测试", "li@xn--fsqu00a.xn--0zwm56d"),
        ] {
            assert_eq!(text.parse::<EmailAddress>().expect(text).as_str(), expected);
        }
        assert_eq!("a@h.example".parse::<EmailAddress>().unwrap().domain(), "h.example");
    }

    #[test]
    fn what_could_be_more_than_one_address_is_refused() {
        let long =
            format!("a@{}.org", "h".repeat(60)).replace("a@", &format!("{}@", "a".repeat(64)));
        let too_long = format!("{}@{}example.org", "a".repeat(64), "h.".repeat(100));
        assert!(long.parse::<EmailAddress>().is_ok());
        for text in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada\r\nRCPT TO:<eve@h>@example.org",
            "ada@example.org,eve@example.org",
            "ada@example.org eve@example.org",
            "<ada@example.org>",
            "Ada <ada@example.org>",
            "ada@eve@example.org",
            "\"ada\"@example.org",
            "\"a b\"@example.org",
            "ada(c)@example.org",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "ada@[::1]",
            "ada@2130706433",
            "ada@exa mple.org",
            "ada@ex%61mple.org",
            "ådå@example.org",
            ".ada@example.org",
            "ada\0@example.org",
            &too_long,
        ] {
            assert_eq!(text.parse::<EmailAddress>(), Err(InvalidAddress), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_is_one_word(text in ".{0,9}@?.{0,9}") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                let one = |c: char| c.is_ascii_graphic() && !",;:<>()[]\\\"".contains(c);
                prop_assert!(address.as_str().chars().all(one), "{}", address);
                prop_assert_eq!(address.as_str().parse::<EmailAddress>().unwrap(), address);
            }
        }
    }
}
