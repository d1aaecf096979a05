//! The links of one uplink, and what a child may say about them. Pure.
//!
//! **Invariant:** a link id is used once in a session.

use std::collections::BTreeMap;

use bytes::Bytes;
use tributary_contracts::relay::v1::{
    CloseLink, IntroductionAnswer, LinksReachable, OpenLink, RelayHop, attach_request::Body,
};
use tributary_identifiers::RelayId;
use tributary_relay_uplink::check_link;

use super::LINKS_MAX;

/// Largest message of a terminal, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Largest answer to an introduction, in bytes.
const SDP_BYTES_MAX: usize = 16 << 10;
/// Longest text, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// The child does not keep to the protocol: its uplink is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) String);

impl From<&str> for Violation {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What a child has said, as far as it can be.
#[derive(Debug)]
pub(crate) enum Up {
    Open(OpenLink),
    Message { link: u32, message: Bytes },
    Close(CloseLink),
    Reachable(LinksReachable),
    Introduced(IntroductionAnswer),
}

/// One link that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    reachable: bool,
}

/// The links of one session.
#[derive(Debug, Default)]
pub(crate) struct Links {
    highest: u32,
    open: BTreeMap<u32, Open>,
}

impl Links {
    /// Closes a link; true if it was open.
    pub(crate) fn close(&mut self, link: u32) -> bool {
        self.open.remove(&link).is_some()
    }

    pub(crate) fn is_open(&self, link: u32) -> bool {
        self.open.contains_key(&link)
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Closes all; says which were open.
    pub(crate) fn close_all(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.open).into_keys().collect()
    }

    /// All that are open.
    pub(crate) fn open_links(&self) -> Vec<u32> {
        self.open.keys().copied().collect()
    }

    /// All whose terminals the child can reach.
    pub(crate) fn reachable(&self) -> Vec<u32> {
        self.open.iter().filter(|(_, open)| open.reachable).map(|(link, _)| *link).collect()
    }

    /// Takes a numbered message into account; none if it is about links that are closed already.
    ///
    /// # Errors
    /// A relay that keeps to the protocol does not say this.
    pub(crate) fn take(
        &mut self,
        child: &RelayId,
        own_path: &[RelayId],
        body: Body,
    ) -> Result<Option<Up>, Violation> {
        match body {
            Body::OpenLink(open) => self.open(child, own_path, open).map(Some),
            Body::LinkMessage(message) => {
                let (link, message) = (message.link_id, message.message);
                if message.len() > MESSAGE_BYTES_MAX {
                    let text = "a terminal's message has more than 64 KiB";
                    return Err(text.into());
                }
                Ok(self.known(link)?.then_some(Up::Message { link, message }))
            }
            Body::CloseLink(close) => {
                self.known(close.link_id)?;
                Ok(self.close(close.link_id).then_some(Up::Close(close)))
            }
            Body::LinksReachable(changed) => self.mark(changed).map(Some),
            Body::IntroductionAnswer(answer) => {
                if answer.sdp.len() > SDP_BYTES_MAX || answer.reason.len() > TEXT_BYTES_MAX {
                    return Err("the answer to an introduction is too long".into());
                }
                Ok(Some(Up::Introduced(answer)))
            }
            Body::Hello(_) | Body::Heartbeat(_) => {
                Err("`hello` and `heartbeat` are not numbered".into())
            }
        }
    }

    fn open(
        &mut self,
        child: &RelayId,
        own_path: &[RelayId],
        open: OpenLink,
    ) -> Result<Up, Violation> {
        let link = open.link_id;
        if link <= self.highest {
            return Err(Violation(format!("link {link} is not newer than link {}", self.highest)));
        }
        if self.open.len() >= LINKS_MAX {
            return Err(Violation(format!("more than {LINKS_MAX} links are open")));
        }
        if open.client_address.parse::<std::net::IpAddr>().is_err() {
            return Err(Violation(format!("link {link}: `client_address` is no IP address")));
        }
        let path = ids_of(&open.path)?;
        check_link(own_path, child, &path)
            .map_err(|error| Violation(format!("link {link}: {error}")))?;
        self.highest = link;
        self.open.insert(link, Open { reachable: true });
        Ok(Up::Open(open))
    }

    /// Whether a link is open; it may have been closed while the child was speaking.
    fn known(&self, link: u32) -> Result<bool, Violation> {
        if link > self.highest || link == 0 {
            return Err(Violation(format!("link {link} was never opened")));
        }
        Ok(self.is_open(link))
    }

    fn mark(&mut self, mut changed: LinksReachable) -> Result<Up, Violation> {
        if changed.link_ids.len() > LINKS_MAX {
            return Err("`links_reachable` names more links than there may be".into());
        }
        for link in &changed.link_ids {
            self.known(*link)?;
        }
        changed.link_ids.retain(|link| match self.open.get_mut(link) {
            Some(open) => {
                open.reachable = changed.reachable;
                true
            }
            None => false,
        });
        Ok(Up::Reachable(changed))
    }
}

/// The ids of a path.
pub(crate) fn ids_of(path: &[RelayHop]) -> Result<Vec<RelayId>, Violation> {
    if path.len() > tributary_relay_uplink::DEPTH_MAX + 1 {
        return Err("a path has more relays than there may be in a chain".into());
    }
    let id = |hop: &RelayHop| {
        if hop.relay_name.len() > TEXT_BYTES_MAX {
            return Err("the name of a relay is too long".into());
        }
        hop.relay_id.parse().map_err(|error| Violation(format!("`path`: {error}")))
    };
    path.iter().map(id).collect()
}

#[cfg(test)]
mod tests {
    use tributary_contracts::relay::v1::LinkMessage;

    use super::*;

    fn hop(id: &str) -> RelayHop {
        RelayHop { relay_id: id.to_owned(), relay_name: id.to_owned() }
    }

    fn open(link_id: u32, path: &[&str]) -> Body {
        Body::OpenLink(OpenLink {
            link_id,
            client_address: "192.0.2.1".to_owned(),
            path: path.iter().map(|id| hop(id)).collect(),
            own: false,
        })
    }

    fn say(link_id: u32, bytes: usize) -> Body {
        Body::LinkMessage(LinkMessage { link_id, message: vec![0; bytes].into() })
    }

    fn take(links: &mut Links, body: Body) -> Result<Option<Up>, Violation> {
        links.take(&"child".parse().unwrap(), &["core".parse().unwrap()], body)
    }

    #[test]
    fn a_link_is_opened_once_and_what_comes_late_is_dropped() {
        let mut links = Links::default();
        assert!(matches!(take(&mut links, open(3, &["child"])), Ok(Some(Up::Open(_)))));
        assert!(matches!(take(&mut links, say(3, 10)), Ok(Some(Up::Message { link: 3, .. }))));
        assert!(links.close(3) && !links.close(3));
        assert!(matches!(take(&mut links, say(3, 10)), Ok(None)));
        assert!(take(&mut links, open(3, &["child"])).is_err());
        assert!(take(&mut links, open(2, &["child"])).is_err());
        assert!(matches!(take(&mut links, open(4, &["child", "leaf"])), Ok(Some(_))));
        assert_eq!(links.close_all(), [4]);
    }

    #[test]
    fn what_no_relay_says_is_a_violation() {
        let mut links = Links::default();
        take(&mut links, open(1, &["child"])).unwrap();
        for body in [
            say(2, 1),
            say(0, 1),
            say(1, MESSAGE_BYTES_MAX + 1),
            open(2, &[]),
            open(2, &["other"]),
            open(2, &["child", "core"]),
            open(2, &["child", "leaf", "child"]),
            open(2, &["child", "not an id"]),
            open(2, &["child", "b", "c", "d", "e", "f", "g", "h", "i"]),
            Body::Heartbeat(<_>::default()),
            Body::Hello(<_>::default()),
            Body::LinksReachable(LinksReachable { link_ids: vec![1, 9], reachable: false }),
            Body::CloseLink(CloseLink { link_id: 9, ..<_>::default() }),
            Body::IntroductionAnswer(IntroductionAnswer {
                sdp: "x".repeat(SDP_BYTES_MAX + 1),
                ..<_>::default()
            }),
        ] {
            let text = format!("{body:?}");
            assert!(take(&mut links, body).is_err(), "{}", text.get(..80).unwrap_or(&text));
        }
        assert_eq!(links.len(), 1);
    }

    #[test]
    fn links_that_cannot_be_reached_are_known() {
        let mut links = Links::default();
        take(&mut links, open(1, &["child"])).unwrap();
        take(&mut links, open(2, &["child"])).unwrap();
        let away = Body::LinksReachable(LinksReachable { link_ids: vec![1], reachable: false });
        take(&mut links, away).unwrap();
        assert_eq!(links.reachable(), [2]);
        let back = Body::LinksReachable(LinksReachable { link_ids: vec![1], reachable: true });
        take(&mut links, back).unwrap();
        assert_eq!(links.reachable(), [1, 2]);
    }
}
