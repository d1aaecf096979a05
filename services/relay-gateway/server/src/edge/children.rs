//! Relays that attach to this one: what they say goes up this relay's own uplink, what is for them
//! comes down it.
//!
//! A child's link is a link of this relay too, with a number of its own, and places keep theirs.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::close_code;
use bytes::Bytes;
use prost::Message as _;
use tokio::{sync::oneshot, time::Instant};
use tonic::Status;
use tributary_contracts::{
    relay::v1::{
        CloseLink, EnrolRequest, FetchRequestHead, FetchResponseHead, GetChallengeRequest, Hello,
        Introduction, OpenLink, Place, PlaceAttach, RelayHop, RelaySettings, RotateKeyRequest,
        VerifyRelayRequest, place::Body as PlaceBody,
    },
    terminal::v1::{Draining, TerminalMessage, relay_message::Body as Reply},
};
use tributary_identifiers::RelayId;

use super::{
    bulk::Bulk,
    fetch,
    links::{Down, Inbox},
    session::{Full, Uplink},
    terminal::encode,
};
use crate::{
    media::{CarriedBy, MediaHandle, TerminalId, UplinkId},
    refusal::Refused,
    terminals::link::Audience,
    uplink::{Backend, Child, FetchBody, Up},
};

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
        let own = self.state().links.get(&(child.uplink, link)).map(|known| known.own);
        let Some(own) = own else { return };
        let in_reply_to = |message: &Bytes| {
            TerminalMessage::decode(message.clone()).map_or(0, |message| message.request_id)
        };
        if let Err(Full) = self.uplink.say(own, message.clone()) {
            let refusal = Refused::try_again("the relay above this one").into_message();
            let id = in_reply_to(&message);
            let message = encode(id, String::new(), Reply::Refusal(refusal));
            // Its session is over then.
            let _ = child.deliver(link, message, Audience::One).await;
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

/// What the parent says about one link of a child, on its way.
struct Downward {
    all: Arc<Children>,
    child: Arc<Child>,
    link: u32,
    own: u32,
    carried: CarriedBy,
}

impl Downward {
    async fn run(self, mut inbox: Inbox, mut closed: oneshot::Receiver<CloseLink>) {
        let over = inbox.over.clone();
        let say = loop {
            let down = tokio::select! {
                biased;
                () = over.cancelled() => break self.restart().await,
                () = self.child.over() => break Some(self.lost()),
                close = &mut closed => break close.ok(),
                down = inbox.next() => down,
            };
            let Some(down) = down else { break None };
            if !self.pass(down).await {
                break None;
            }
        };
        self.all.state().links.remove(&(self.child.uplink, self.link));
        self.all.uplink.end(self.own, inbox, Some(self.carried), say).await;
    }

    /// The child's session is over; when it was there for the last time its own end says better.
    fn lost(&self) -> CloseLink {
        let silent = self.child.lost_since().map(|since| since.elapsed()).unwrap_or_default();
        let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
        CloseLink { link_id: self.own, silent_ms, code: close_code::ABNORMAL.into() }
    }

    /// This relay's own session is over, or the child can't keep up: the terminal is to come again.
    async fn restart(&self) -> Option<CloseLink> {
        let draining = encode(0, String::new(), Reply::Draining(Draining {}));
        let _ = self.child.deliver(self.link, draining, Audience::Many).await;
        self.child.close_link(self.link, close_code::RESTART);
        let code = close_code::RESTART.into();
        Some(CloseLink { link_id: self.own, silent_ms: 0, code })
    }

    /// True while the link goes on.
    async fn pass(&self, down: Down) -> bool {
        match down {
            Down::Message(message, shared) => {
                let to = if shared { Audience::Many } else { Audience::One };
                self.child.deliver(self.link, message, to).await.is_ok()
            }
            Down::Place(place) => {
                self.all.uplink.places.put(&place, Some(self.carried)).await;
                self.all.tell_place(&self.child, self.link, place);
                true
            }
            Down::Close(code) => {
                self.child.close_link(self.link, code);
                false
            }
            Down::Reached(reached) => {
                // Nobody waits for it any more: that link has ended.
                let _ = reached.send(());
                true
            }
            Down::Wait(reached) => {
                // An error: the other link has ended.
                let _ = reached.await;
                true
            }
        }
    }
}

impl Backend for Arc<Children> {
    fn path(&self) -> Result<Vec<RelayHop>, Status> {
        if !self.uplink.is_connected() {
            let text = "this relay is not attached to its parent now: try again, or another one";
            return Err(Status::unavailable(text));
        }
        let mut path = self.uplink.path().to_vec();
        path.push(self.uplink.own_hop());
        Ok(path)
    }

    fn media(&self) -> &MediaHandle {
        self.uplink.places.media()
    }

    async fn challenge(&self) -> Result<Vec<u8>, Status> {
        let answer = self.uplink.client()?.get_challenge(GetChallengeRequest {}).await?;
        Ok(answer.into_inner().challenge)
    }

    async fn enrol(&self, request: EnrolRequest) -> Result<RelaySettings, Status> {
        let answer = self.uplink.client()?.enrol(request).await?.into_inner();
        answer.settings.ok_or_else(|| Status::internal("the parent's answer has no settings"))
    }

    async fn verify(
        &self,
        via: Option<&Arc<Child>>,
        hello: &Hello,
    ) -> Result<RelaySettings, Status> {
        let request = VerifyRelayRequest { hello: Some(hello.clone()) };
        let request = self.uplink.in_session(request)?;
        let answer = self.uplink.client()?.verify_relay(request).await?.into_inner();
        let settings = answer.settings;
        let settings =
            settings.ok_or_else(|| Status::internal("the parent's answer has no settings"))?;
        self.learn(via, &settings);
        Ok(settings)
    }

    async fn rotate(&self, _via: &Arc<Child>, request: RotateKeyRequest) -> Result<(), Status> {
        let request = self.uplink.in_session(request)?;
        self.uplink.client()?.rotate_key(request).await?;
        Ok(())
    }

    fn began(&self, child: &Arc<Child>) {
        let mut state = self.state();
        state.children.insert(child.uplink, child.clone());
        let room = child.settings().room;
        state.known.insert(child.relay.clone(), Known { room, by: Some(child.uplink) });
    }

    async fn take(&self, child: &Arc<Child>, up: Up) {
        match up {
            Up::Open(open) => self.open(child, open),
            Up::Message { link, message } => self.say(child, link, message).await,
            Up::Close(close) => self.close(child, close),
            Up::Reachable(changed) => {
                self.say_reachable(child, Some(&changed.link_ids), changed.reachable);
            }
            Up::Introduced(answer) => {
                let asked = self.state().introductions.remove(&answer.introduction_id);
                // Only who was asked answers.
                if asked == Some(child.uplink) {
                    self.uplink.answer_introduction(answer);
                }
            }
        }
    }

    fn reachable(&self, child: &Arc<Child>, reachable: bool) {
        self.say_reachable(child, None, reachable);
    }

    fn ended(&self, child: &Arc<Child>, last_there: Instant) {
        let silent_ms = u64::try_from(last_there.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut state = self.state();
        state.children.remove(&child.uplink);
        state.placed.retain(|_, (by, _)| *by != child.uplink);
        state.known.retain(|_, known| known.by != Some(child.uplink));
        let of_child = state.links.extract_if(|(by, _), _| *by == child.uplink);
        for ((_, link_id), known) in of_child {
            let code = close_code::ABNORMAL.into();
            // Its task has ended by itself already.
            let _ = known.close.send(CloseLink { link_id, silent_ms, code });
        }
    }

    async fn fetch(
        &self,
        _child: &Arc<Child>,
        head: FetchRequestHead,
        body: FetchBody,
    ) -> Result<(FetchResponseHead, FetchBody), Status> {
        fetch::fetch(&self.uplink, &self.bulk, head, body).await
    }
}
