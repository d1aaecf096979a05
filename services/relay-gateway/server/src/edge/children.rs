//! Relays that attach to this one: what they say goes up this relay's own uplink, what is for them
//! comes down it.
//!
//! A child's link is a link of this relay too, with a number of its own, and places keep theirs.

mod backend;
mod downward;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::close_code;
use bytes::Bytes;
use prost::Message as _;
use tokio::sync::oneshot;
use tonic::Status;
use tributary_contracts::{
    relay::v1::{
        CloseLink, Introduction, OpenLink, Place, PlaceAttach, PlaceDetach, RelaySettings,
        place::Body as PlaceBody,
    },
    terminal::v1::{TerminalMessage, relay_message::Body as Reply},
};
use tributary_identifiers::RelayId;

use super::{
    bulk::Bulk,
    session::{Full, Uplink},
    terminal::encode,
};
use crate::{
    media::{CarriedBy, TerminalId, UplinkId},
    refusal::Refused,
    terminals::link::Audience,
    uplink::Child,
};
use downward::Downward;

/// Relays that are known to be behind this one.
const KNOWN_MAX: usize = 4_096;
/// Introductions that wait for their answer.
const INTRODUCTIONS_MAX: usize = 1_024;

/// A link of a child.
struct ChildLink {
    /// Its number on this relay's own uplink.
    own: u32,
    /// Ends its task, and says how.
    close: oneshot::Sender<CloseLink>,
}

/// A relay behind this one, as the core has said.
#[derive(Clone, Debug)]
struct Known {
    room: bool,
    /// The uplink that it is behind, its own or that of a relay between; none before it is attached.
    by: Option<UplinkId>,
}

#[derive(Default)]
struct State {
    children: HashMap<UplinkId, Arc<Child>>,
    links: HashMap<(UplinkId, u32), ChildLink>,
    known: HashMap<RelayId, Known>,
    introductions: HashMap<u64, UplinkId>,
    /// Places that children were told of, with the links that they belong to there.
    placed: HashMap<u64, (UplinkId, u32)>,
}

/// What is behind this relay's own children: its parent.
pub(super) struct Children {
    uplink: Arc<Uplink>,
    bulk: Arc<Bulk>,
    state: Mutex<State>,
}

impl Children {
    pub(super) fn new(uplink: Arc<Uplink>, bulk: Arc<Bulk>) -> Self {
        Self { uplink, bulk, state: Mutex::default() }
    }

    /// How many are attached.
    pub(super) fn count(&self) -> usize {
        self.state().children.len()
    }

    /// This relay's session is another one: theirs can't go on.
    pub(super) fn end_all(&self) {
        let children: Vec<_> = self.state().children.values().cloned().collect();
        for child in children {
            child.end(Status::unavailable("the relay above has begun anew: attach anew"));
        }
        self.state().known.clear();
    }

    /// Passes an introduction down; false if the relay that is meant is not there.
    pub(super) fn introduce(&self, introduction: Introduction) -> bool {
        let Ok(relay) = introduction.relay_id.parse::<RelayId>() else { return false };
        let id = introduction.introduction_id;
        let child = {
            let mut state = self.state();
            let by = state.known.get(&relay).and_then(|known| known.by);
            let child = by.and_then(|by| state.children.get(&by).cloned());
            let Some(child) = child else { return false };
            if state.introductions.len() >= INTRODUCTIONS_MAX {
                // Of those that were never answered the core has told its pages long ago.
                state.introductions.clear();
            }
            state.introductions.insert(id, child.uplink);
            child
        };
        child.lost_since().is_none() && child.introduce(introduction).is_ok()
    }

    /// Passes on what the administrator has set for a relay that is behind this one.
    pub(super) fn settle(&self, settings: RelaySettings) {
        let Ok(relay) = settings.relay_id.parse::<RelayId>() else { return };
        let child = {
            let mut state = self.state();
            let Some(known) = state.known.get_mut(&relay) else { return };
            known.room = settings.room;
            let by = known.by;
            by.and_then(|by| state.children.get(&by).cloned())
        };
        if let Some(child) = child {
            child.set_settings(&relay, settings);
        }
    }

    /// Cuts off a relay that is not accepted any more, if it is attached here; otherwise whoever it is
    /// attached to is to do so.
    pub(super) fn revoke(&self, relay: &str) {
        let Ok(relay) = relay.parse::<RelayId>() else { return };
        let child = {
            let mut state = self.state();
            let by = state.known.remove(&relay).and_then(|known| known.by);
            by.and_then(|by| state.children.get(&by).cloned())
        };
        let Some(child) = child else { return };
        if child.relay == relay {
            tracing::info!(%relay, "relay revoked");
            child.end(Status::unauthenticated("this relay was revoked: enrol it with a new token"));
        } else {
            child.revoke_behind(&relay);
        }
    }

    /// A place is not behind this child any more, whose relays let go of it.
    pub(super) fn leave(&self, by: UplinkId, place: u64) {
        let (child, link) = {
            let mut state = self.state();
            let child = state.children.get(&by).cloned();
            // Where it is now may have been told already; that link is another's.
            let link = state.placed.get(&place).filter(|(of, _)| *of == by).map(|(_, link)| *link);
            if link.is_some() {
                state.placed.remove(&place);
            }
            (child, link)
        };
        if let Some(child) = child {
            let body = PlaceBody::Detach(PlaceDetach {});
            child.place(link.unwrap_or_default(), TerminalId(place), body);
        }
    }

    /// Something about a place whose link is gone here: the child still has the place.
    pub(super) fn pass_place(&self, place: Place) {
        let Some((by, link)) = self.state().placed.get(&place.place_id).copied() else { return };
        let child = self.state().children.get(&by).cloned();
        // Of who is to come in the link has no number there any more.
        if let (Some(child), false) = (child, matches!(place.body, Some(PlaceBody::Attach(_)))) {
            self.tell_place(&child, link, place);
        }
    }

    fn tell_place(&self, child: &Arc<Child>, link: u32, place: Place) {
        let id = place.place_id;
        let body = match place.body {
            Some(PlaceBody::Attach(attach)) => {
                self.state().placed.insert(id, (child.uplink, link));
                PlaceBody::Attach(PlaceAttach { link_id: link, ..attach })
            }
            Some(PlaceBody::Detach(detach)) => {
                self.state().placed.remove(&id);
                PlaceBody::Detach(detach)
            }
            Some(body) => body,
            None => return,
        };
        child.place(link, TerminalId(id), body);
    }

    fn open(self: &Arc<Self>, child: &Arc<Child>, open: OpenLink) {
        let link = open.link_id;
        let leaf = open.path.last().and_then(|hop| hop.relay_id.parse::<RelayId>().ok());
        let room = leaf.and_then(|leaf| {
            let in_room = self.state().known.get(&leaf).is_some_and(|known| known.room);
            in_room.then(|| leaf.room_id())
        });
        let carried = CarriedBy { uplink: child.uplink, room };
        let mut path = vec![self.uplink.own_hop()];
        path.extend(open.path);
        let opened = self.uplink.open(OpenLink { path, ..open }, Some(carried));
        let Some((own, inbox)) = opened else {
            return child.close_link(link, close_code::AGAIN);
        };
        let (close, closed) = oneshot::channel();
        self.state().links.insert((child.uplink, link), ChildLink { own, close });
        let down = Downward { all: self.clone(), child: child.clone(), link, own, carried };
        tokio::spawn(down.run(inbox, closed));
    }

    async fn say(&self, child: &Arc<Child>, link: u32, message: Bytes) {
        self.uplink.heard(message.len());
        let own = self.state().links.get(&(child.uplink, link)).map(|known| known.own);
        let Some(own) = own else { return };
        let in_reply_to = |message: &Bytes| {
            TerminalMessage::decode(message.clone()).map_or(0, |message| message.request_id)
        };
        if let Err(Full) = self.uplink.say(own, message.clone()) {
            let refusal = Refused::try_again("the relay above this one").into_message();
            let id = in_reply_to(&message);
            let message = encode(id, String::new(), Reply::Refusal(refusal));
            // This reads what the child says, which is not to wait for the child. Without room for it the
            // request stays unanswered; or the child's session is over.
            let _ = child.offer(link, message, Audience::One);
        }
    }

    fn close(&self, child: &Arc<Child>, close: CloseLink) {
        if let Some(known) = self.state().links.remove(&(child.uplink, close.link_id)) {
            // Its task has ended by itself already.
            let _ = known.close.send(close);
        }
    }

    fn say_reachable(&self, child: &Arc<Child>, links: Option<&[u32]>, reachable: bool) {
        let links = links.map(|links| links.iter().collect::<HashSet<_>>());
        let own: Vec<u32> = {
            let state = self.state();
            let of_child = state.links.iter().filter(|((by, _), _)| *by == child.uplink);
            of_child
                .filter(|((_, link), _)| links.as_ref().is_none_or(|links| links.contains(link)))
                .map(|(_, known)| known.own)
                .collect()
        };
        if !own.is_empty() {
            self.uplink.say_reachable(own, reachable);
        }
    }

    fn learn(&self, via: Option<&Arc<Child>>, settings: &RelaySettings) {
        let Ok(relay) = settings.relay_id.parse::<RelayId>() else { return };
        let mut state = self.state();
        if state.known.len() >= KNOWN_MAX && !state.known.contains_key(&relay) {
            return;
        }
        if let Some(via) = via {
            via.set_settings(&relay, settings.clone());
        }
        // One that comes back to its session is where it was.
        let before = state.known.get(&relay).and_then(|known| known.by);
        let by = via.map(|via| via.uplink).or(before);
        state.known.insert(relay, Known { room: settings.room, by });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
