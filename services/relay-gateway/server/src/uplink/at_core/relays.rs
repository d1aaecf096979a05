//! Which relays are attached to this core, directly or by others: who they are, whom they suit, and
//! introductions to them.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ipnet::IpNet;
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};
use tonic::Status;
use tributary_contracts::{
    credential::v1::RelayIdentity,
    relay::v1::{Introduction, IntroductionAnswer, RelaySettings},
    terminal::v1::SuggestedRelay,
};
use tributary_identifiers::RelayId;

use crate::{
    media::UplinkId,
    uplink::{Child, sessions::replaced},
};

/// Relays behind one uplink.
const RELAYS_OF_UPLINK_MAX: usize = 1_000;
/// Introductions that wait for their answer.
const INTRODUCTIONS_MAX: usize = 1_024;
/// Those of them that wait for the answer of one uplink.
const INTRODUCTIONS_OF_UPLINK_MAX: usize = 16;
const INTRODUCTION_TIME_MAX: Duration = Duration::from_secs(5);
/// Relays that a terminal is told of.
const SUGGESTED_MAX: usize = 4;

struct Known {
    settings: RelaySettings,
    /// None: they are to be asked for.
    prefixes: Option<Vec<IpNet>>,
}

struct Via {
    child: Arc<Child>,
    relays: HashSet<RelayId>,
}

#[derive(Default)]
struct State {
    known: HashMap<RelayId, Known>,
    vias: HashMap<UplinkId, Via>,
    introductions: HashMap<u64, (UplinkId, oneshot::Sender<IntroductionAnswer>)>,
    last_introduction: u64,
}

/// Why nobody was introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntroductionError {
    /// No such relay is attached.
    Unknown,
    /// It can't be reached, refuses, or does not answer.
    NotNow,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Relays {
    state: Mutex<State>,
    incomplete: Notify,
}

impl Relays {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What credential says about a relay that is there, or comes.
    pub(super) fn know(&self, relay: &RelayId, identity: &RelayIdentity) {
        let prefixes = identity.prefixes.iter().filter_map(|prefix| prefix.parse().ok()).collect();
        let settings = identity.settings.clone().unwrap_or_default();
        let known = Known { settings, prefixes: Some(prefixes) };
        self.state().known.insert(relay.clone(), known);
    }

    /// A relay is attached: from now on it is there and nowhere else. False if its session is over
    /// already, and nothing has changed.
    pub(super) fn begin(&self, child: &Arc<Child>) -> bool {
        let relays = HashSet::from([child.relay.clone()]);
        let mut state = self.state();
        // Whoever has replaced it may be here already.
        if child.is_over() {
            return false;
        }
        for earlier in state.take_out(&child.relay) {
            earlier.end(replaced());
        }
        state.vias.insert(child.uplink, Via { child: child.clone(), relays });
        // While it was being let in, the end of another session may have taken what was known of it.
        if let Entry::Vacant(place) = state.known.entry(child.relay.clone()) {
            place.insert(Known { settings: child.settings(), prefixes: None });
            self.incomplete.notify_one();
        }
        true
    }

    /// Waits until there are relays whose networks are to be asked for.
    pub(super) async fn incomplete(&self) -> Vec<RelayId> {
        self.incomplete.notified().await;
        let state = self.state();
        let incomplete = state.known.iter().filter(|(_, known)| known.prefixes.is_none());
        incomplete.map(|(relay, _)| relay.clone()).collect()
    }

    /// A relay has attached to one that is behind this uplink: from now on it is there and nowhere
    /// else, and a session of its own is over. True if it was not there before.
    pub(super) fn put_behind(&self, child: &Arc<Child>, relay: &RelayId) -> Result<bool, Status> {
        let mut state = self.state();
        let gone = || Status::unauthenticated("there is no such session: attach anew");
        let via = state.vias.get(&child.uplink).filter(|_| !child.is_over()).ok_or_else(gone)?;
        if via.relays.contains(relay) {
            return Ok(false);
        }
        if via.relays.len() >= RELAYS_OF_UPLINK_MAX {
            return Err(Status::resource_exhausted("too many relays are behind this uplink"));
        }
        for own in state.take_out(relay) {
            own.end(replaced());
        }
        if let Some(via) = state.vias.get_mut(&child.uplink) {
            via.relays.insert(relay.clone());
        }
        Ok(true)
    }

    /// A session is over: whoever was behind it is gone.
    pub(super) fn end(&self, uplink: UplinkId) {
        let mut state = self.state();
        state.vias.remove(&uplink);
        state.introductions.retain(|_, (of, _)| *of != uplink);
        let State { known, vias, .. } = &mut *state;
        known.retain(|relay, _| vias.values().any(|via| via.relays.contains(relay)));
    }

    /// Whether all of these have been verified through this uplink.
    pub(super) fn are_behind(&self, uplink: UplinkId, relays: &[RelayId]) -> bool {
        let state = self.state();
        let Some(via) = state.vias.get(&uplink) else { return false };
        relays.iter().all(|relay| via.relays.contains(relay))
    }

    pub(super) fn settings(&self, relay: &RelayId) -> Option<RelaySettings> {
        self.state().known.get(relay).map(|known| known.settings.clone())
    }

    /// Everybody who is attached or behind somebody who is.
    pub(super) fn all(&self) -> HashSet<RelayId> {
        let state = self.state();
        let of = |via: &Via| {
            let own = std::iter::once(via.child.relay.clone());
            own.chain(via.relays.iter().cloned()).collect::<Vec<_>>()
        };
        state.vias.values().flat_map(of).collect()
    }

    /// The uplink that a relay is behind, or is attached by.
    pub(super) fn via(&self, relay: &RelayId) -> Option<Arc<Child>> {
        let state = self.state();
        let behind = state.vias.values().find(|via| via.relays.contains(relay));
        let via = behind.or_else(|| state.vias.values().find(|via| via.child.relay == *relay));
        via.map(|via| via.child.clone())
    }

    /// The uplinks of other relays that a relay is behind.
    pub(super) fn behind_which(&self, relay: &RelayId) -> Vec<Arc<Child>> {
        let state = self.state();
        let others = state.vias.values().filter(|via| via.child.relay != *relay);
        let by = others.filter(|via| via.relays.contains(relay));
        by.map(|via| via.child.clone()).collect()
    }

    /// A relay is not what it was any more. Says which sessions are its own: they are to be ended.
    pub(super) fn forget(&self, relay: &RelayId) -> Vec<Arc<Child>> {
        let mut state = self.state();
        state.known.remove(relay);
        state.take_out(relay)
    }

    /// The relays whose networks hold this address, the narrowest network first.
    pub(crate) fn suggested(&self, address: IpAddr) -> Vec<SuggestedRelay> {
        let state = self.state();
        let mut suited = Vec::new();
        for via in state.vias.values().filter(|via| via.child.lost_since().is_none()) {
            for relay in &via.relays {
                let Some(known) = state.known.get(relay) else { continue };
                let prefixes = known.prefixes.iter().flatten();
                let holding = prefixes.filter(|prefix| prefix.contains(&address));
                if let Some(length) = holding.map(IpNet::prefix_len).max() {
                    let relay_name = known.settings.relay_name.clone();
                    suited
                        .push((length, SuggestedRelay { relay_id: relay.to_string(), relay_name }));
                }
            }
        }
        suited.sort_by(|(a, one), (b, other)| b.cmp(a).then(one.relay_id.cmp(&other.relay_id)));
        suited.into_iter().take(SUGGESTED_MAX).map(|(_, suggested)| suggested).collect()
    }

    /// Introduces a terminal at this address to a relay: the answer to its offer.
    pub(crate) async fn introduce(
        &self,
        relay: &RelayId,
        sdp: String,
        address: IpAddr,
    ) -> Result<String, IntroductionError> {
        let (id, answer) = {
            let (tell, answer) = oneshot::channel();
            let child = self.via(relay).ok_or(IntroductionError::Unknown)?;
            let mut state = self.state();
            let of_uplink = state.introductions.values().filter(|(of, _)| *of == child.uplink);
            if child.lost_since().is_some()
                || state.introductions.len() >= INTRODUCTIONS_MAX
                || of_uplink.count() >= INTRODUCTIONS_OF_UPLINK_MAX
            {
                return Err(IntroductionError::NotNow);
            }
            state.last_introduction += 1;
            let id = state.last_introduction;
            state.introductions.insert(id, (child.uplink, tell));
            drop(state);
            let introduction = Introduction {
                introduction_id: id,
                relay_id: relay.to_string(),
                sdp,
                client_address: address.to_string(),
            };
            if child.introduce(introduction).is_err() {
                self.state().introductions.remove(&id);
                return Err(IntroductionError::NotNow);
            }
            (id, answer)
        };
        let answer = timeout(INTRODUCTION_TIME_MAX, answer).await;
        self.state().introductions.remove(&id);
        match answer {
            Ok(Ok(answer)) if !answer.sdp.is_empty() => Ok(answer.sdp),
            Ok(Ok(answer)) => {
                tracing::info!(%relay, reason = %answer.reason.escape_debug(), "not introduced");
                Err(IntroductionError::NotNow)
            }
            _ => Err(IntroductionError::NotNow),
        }
    }

    /// A relay answers an introduction, if it was asked.
    pub(super) fn introduced(&self, uplink: UplinkId, answer: IntroductionAnswer) {
        let mut state = self.state();
        let id = answer.introduction_id;
        if state.introductions.get(&id).is_none_or(|(of, _)| *of != uplink) {
            return;
        }
        if let Some((_, tell)) = state.introductions.remove(&id) {
            // Who asked may be gone.
            let _ = tell.send(answer);
        }
    }
}

impl State {
    /// A relay is attached at one place only. Says which sessions were its own until now.
    fn take_out(&mut self, relay: &RelayId) -> Vec<Arc<Child>> {
        for via in self.vias.values_mut() {
            via.relays.remove(relay);
        }
        let own = self.vias.values().filter(|via| via.child.relay == *relay);
        own.map(|via| via.child.clone()).collect()
    }
}

#[cfg(test)]
#[path = "relays/tests.rs"]
mod tests;
