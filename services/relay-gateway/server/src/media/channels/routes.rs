//! Which channel a datagram belongs to.

use std::{collections::HashMap, net::SocketAddr};

use tributary_rtc_session::stun_local_ufrag;

use super::ChannelId;

/// Addresses a terminal may send from at a time: its interfaces, both IP versions.
const ADDRESSES_MAX: usize = 8;

/// The addresses and ICE names of all channels.
#[derive(Default)]
pub(super) struct Routes {
    by_address: HashMap<SocketAddr, ChannelId>,
    by_ufrag: HashMap<String, ChannelId>,
    names: HashMap<ChannelId, Names>,
}

/// What leads to one channel.
struct Names {
    ufrag: String,
    addresses: Vec<SocketAddr>,
}

impl Routes {
    /// A new channel, with its ICE user name fragment.
    pub(super) fn insert(&mut self, id: ChannelId, ufrag: &str) {
        self.by_ufrag.insert(ufrag.to_owned(), id);
        self.names.insert(id, Names { ufrag: ufrag.to_owned(), addresses: Vec::new() });
    }

    /// The channel is no more.
    pub(super) fn remove(&mut self, id: ChannelId) {
        let Some(names) = self.names.remove(&id) else { return };
        self.by_ufrag.remove(&names.ufrag);
        for address in names.addresses {
            self.by_address.remove(&address);
        }
    }

    /// The channel that a datagram belongs to: by its source address, or else, for a STUN binding
    /// request, by the ufrag it names (RFC 8445 §7.3), if that channel accepts it.
    pub(super) fn owner_of(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        accepts: impl Fn(ChannelId) -> bool,
    ) -> Option<ChannelId> {
        if let Some(id) = self.by_address.get(&source).copied()
            && accepts(id)
        {
            return Some(id);
        }
        let id = *self.by_ufrag.get(stun_local_ufrag(datagram)?)?;
        if !accepts(id) {
            return None;
        }
        self.bind(source, id);
        Some(id)
    }

    fn bind(&mut self, source: SocketAddr, id: ChannelId) {
        if let Some(previous) = self.by_address.insert(source, id)
            && let Some(names) = self.names.get_mut(&previous)
        {
            names.addresses.retain(|address| *address != source);
        }
        let Some(names) = self.names.get_mut(&id) else { return };
        if names.addresses.len() >= ADDRESSES_MAX {
            let oldest = names.addresses.remove(0);
            self.by_address.remove(&oldest);
        }
        names.addresses.push(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A STUN binding request that names this ufrag.
    fn request(ufrag: &str) -> Vec<u8> {
        let name = format!("{ufrag}:x");
        let padded = name.len().next_multiple_of(4);
        let mut datagram = vec![0, 1, 0, padded as u8 + 4, 0x21, 0x12, 0xa4, 0x42];
        datagram.extend([7; 12]);
        datagram.extend([0, 6, 0, name.len() as u8]);
        datagram.extend(name.as_bytes());
        datagram.resize(24 + padded, 0);
        datagram
    }

    fn address(number: u16) -> SocketAddr {
        ([192, 0, 2, 1], number).into()
    }

    #[test]
    fn a_request_binds_its_address_until_the_channel_is_gone() {
        let (mut routes, one, two) = (Routes::default(), ChannelId(1), ChannelId(2));
        routes.insert(one, "oneone");
        routes.insert(two, "twotwo");
        let dtls = [22, 254, 253];
        assert_eq!(routes.owner_of(address(1), &dtls, |_| true), None);
        assert_eq!(routes.owner_of(address(1), &request("oneone"), |_| false), None, "forged");
        assert_eq!(routes.owner_of(address(1), &request("oneone"), |_| true), Some(one));
        assert_eq!(routes.owner_of(address(1), &dtls, |_| true), Some(one));
        // The same address, another channel: only the first no longer accepts it.
        let second = |id| id == two;
        assert_eq!(routes.owner_of(address(1), &request("twotwo"), second), Some(two));
        routes.remove(one);
        assert_eq!(routes.owner_of(address(1), &dtls, |_| true), Some(two));
        routes.remove(two);
        assert_eq!(routes.owner_of(address(1), &dtls, |_| true), None);
        assert!(routes.by_address.is_empty() && routes.by_ufrag.is_empty());
    }

    #[test]
    fn the_addresses_of_a_channel_are_bounded() {
        let mut routes = Routes::default();
        routes.insert(ChannelId(1), "oneone");
        for number in 1..=100 {
            routes.owner_of(address(number), &request("oneone"), |_| true).unwrap();
        }
        assert_eq!(routes.by_address.len(), ADDRESSES_MAX);
        assert_eq!(routes.owner_of(address(100), &[22], |_| true), Some(ChannelId(1)));
        assert_eq!(routes.owner_of(address(1), &[22], |_| true), None);
    }
}
