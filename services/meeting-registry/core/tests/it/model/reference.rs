//! What a meeting must be after each step, in the plainest form: lists, numbers, and one look at each
//! rule.

use std::collections::BTreeMap;

use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Act, OfflineReason, Operation, OperationRefusal as Why, Patience, Presence, State,
};

/// Somebody who is or was in. User 0 organises, nobody else is on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub user: u32,
    pub key: u32,
    pub relay: (u32, u32),
    pub session: u32,
    pub sequence: u64,
    pub depth: u32,
    pub itself: bool,
    pub muted: bool,
    /// What it has chosen.
    pub presence: Presence,
    pub unreachable: bool,
    pub hand: bool,
    pub host: bool,
    pub talk: Vec<u32>,
    pub held: bool,
    pub is_in: bool,
    pub admitted: bool,
}

/// What is expected of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    NotTheirs,
    Wait,
    Refused(Why),
    Done,
    Changed,
}

#[derive(Default)]
pub struct Model {
    pub places: BTreeMap<u32, Place>,
    pub removed: Vec<u32>,
    pub lobby: bool,
    pub locked: bool,
    pub spotlight: u32,
    pub ended: bool,
}

/// A terminal that comes, as the steps say it.
#[derive(Clone, Debug)]
pub struct Coming {
    pub user: u32,
    pub key: u32,
    pub relay: (u32, u32),
    pub depth: u32,
    pub itself: bool,
    pub session: u32,
    pub held: bool,
    pub muted: bool,
}

const OTHER_MEETING: Presence = Presence::Offline(OfflineReason::OtherMeeting);

impl Model {
    /// Whether they may come in.
    pub fn join(&mut self, coming: &Coming) -> bool {
        let Coming { user, key, .. } = *coming;
        let known = self.places.values().find(|one| one.user == user && one.key == key).cloned();
        let was_in = known.as_ref().is_some_and(|one| one.admitted);
        let is_in = known.as_ref().is_some_and(|one| one.is_in);
        let host = known.as_ref().map_or(user == 0, |one| one.host);
        if self.ended || self.removed.contains(&user) || !is_in && self.locked && !was_in && !host {
            return false;
        }
        if !is_in {
            let others = self.places.iter().filter(|(_, one)| one.is_in && one.key == key);
            for id in others.map(|(id, _)| *id).collect::<Vec<_>>() {
                self.out(id);
            }
        }
        let waits = if is_in { !was_in } else { self.lobby && user != 0 && !was_in && !host };
        let fresh = if coming.held { OTHER_MEETING } else { Presence::Online };
        let same_run = known.as_ref().is_some_and(|one| one.session == coming.session);
        let stays = is_in && same_run && !coming.held;
        let presence = match known.as_ref().map(|one| one.presence) {
            _ if waits => Presence::Waiting,
            Some(chosen @ (Presence::Away | Presence::Offline(OfflineReason::Interrupted)))
                if stays =>
            {
                chosen
            }
            _ => fresh,
        };
        let place = known
            .clone()
            .filter(|one| is_in && same_run && one.relay == coming.relay && !coming.held);
        let id = self.places.iter().find(|(_, one)| one.user == user && one.key == key);
        let id = id.map_or(self.places.len() as u32 + 1, |(id, _)| *id);
        self.places.insert(
            id,
            Place {
                user,
                key,
                relay: coming.relay,
                session: coming.session,
                sequence: known.as_ref().filter(|_| same_run).map_or(0, |one| one.sequence),
                // Coming again can't take back what a host did meanwhile; beginning anew can.
                muted: match &known {
                    Some(before) if before.session == coming.session && before.muted => true,
                    _ => coming.muted,
                },
                presence,
                depth: coming.depth,
                itself: coming.itself,
                unreachable: false,
                hand: is_in && known.is_some_and(|one| one.hand),
                host,
                talk: place.map(|one| one.talk).unwrap_or_default(),
                held: coming.held,
                is_in: true,
                admitted: !waits,
            },
        );
        true
    }

    pub fn leave(&mut self, which: impl Fn(u32, &Place) -> bool) {
        let leaving = self.places.iter().filter(|(id, one)| one.is_in && which(**id, one));
        for id in leaving.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.out(id);
        }
    }

    fn out(&mut self, id: u32) {
        if let Some(one) = self.places.get_mut(&id) {
            (one.is_in, one.hand, one.talk) = (false, false, Vec::new());
            one.unreachable = false;
        }
        if self.spotlight == id {
            self.spotlight = 0;
        }
    }

    /// Whether there have been all of them. Only those whom the relay keeps in change.
    pub fn set_reachable(&mut self, ids: &[u32], relay: (u32, u32), reachable: bool) -> bool {
        if ids.iter().any(|id| !self.places.contains_key(id)) {
            return false;
        }
        let behind = |one: &&mut Place| one.is_in && one.relay == relay;
        let named = self.places.iter_mut().filter(|(id, _)| ids.contains(id));
        for one in named.map(|(_, one)| one).filter(behind) {
            one.unreachable = !reachable;
        }
        true
    }

    pub fn set_lobby(&mut self, open: bool) {
        self.lobby = open;
        for one in self.places.values_mut().filter(|one| !open && one.is_in && !one.admitted) {
            one.let_in();
        }
    }

    pub fn end(&mut self) {
        self.leave(|_, _| true);
        self.ended = true;
    }

    pub fn operate(&mut self, operation: &Operation, patience: Patience, now: u64) -> Expected {
        let id = operation.participant.0;
        let Some(actor) = self.places.get(&id).cloned() else { return Expected::NotTheirs };
        if operation.session.as_str() != format!("terminal-{}", actor.session) {
            return Expected::Refused(Why::SessionOver);
        }
        if operation.sequence <= actor.sequence {
            return Expected::Refused(Why::Overtaken);
        }
        if operation.sequence != actor.sequence + 1 && patience == Patience::Wait {
            return Expected::Wait;
        }
        let outcome = if operation.not_after < now {
            Err(Why::Expired)
        } else if self.ended {
            Err(Why::MeetingEnded)
        } else if !actor.is_in || !actor.admitted {
            Err(Why::NotIn)
        } else {
            self.act(id, &actor, &operation.act)
        };
        self.places.get_mut(&id).unwrap().sequence = operation.sequence;
        match outcome {
            Err(why) => Expected::Refused(why),
            Ok(true) => Expected::Changed,
            Ok(false) => Expected::Done,
        }
    }

    /// Whether something changes, or why it is refused.
    fn act(&mut self, id: u32, actor: &Place, act: &Act) -> Result<bool, Why> {
        let me = |model: &mut Self, how: &dyn Fn(&mut Place)| {
            how(model.places.get_mut(&id).unwrap());
            Ok(true)
        };
        match act {
            Act::SetMuted(muted) if actor.muted == *muted => Ok(false),
            Act::SetMuted(muted) => me(self, &|one| one.muted = *muted),
            Act::SetHand(raised) if actor.hand == *raised => Ok(false),
            Act::SetHand(raised) => me(self, &|one| one.hand = *raised),
            Act::CheckIn => Ok(true),
            Act::SendChat { text, .. } if text.is_empty() => Err(Why::Invalid),
            Act::SendChat { to, .. } => self.named(id, to, |one| one.admitted).map(|()| true),
            Act::SetPresence(Presence::Waiting) => Err(Why::Invalid),
            Act::SetPresence(presence) if actor.presence == *presence => Ok(false),
            Act::SetPresence(presence) => me(self, &|one| {
                one.presence = *presence;
                if matches!(presence, Presence::Offline(_)) {
                    one.talk.clear();
                }
            }),
            Act::TalkTo(to) if to.is_empty() && actor.talk.is_empty() => Ok(false),
            Act::TalkTo(to) => {
                let offline = matches!(actor.presence, Presence::Offline(_));
                if to.contains(&ParticipantId(id)) {
                    return Err(Why::Invalid);
                }
                if !to.is_empty() && offline {
                    return Err(Why::NotPossible);
                }
                self.named(id, to, |one| one.is_in && one.admitted)?;
                let mut talk: Vec<_> = to.iter().map(|id| id.0).collect();
                talk.sort_unstable();
                talk.dedup();
                me(self, &|one| one.talk.clone_from(&talk))
            }
            Act::Unknown => Err(Why::Unsupported),
            _ if !actor.host => Err(Why::NotHost),
            act => self.host_act(id, actor, act),
        }
    }

    fn host_act(&mut self, id: u32, actor: &Place, act: &Act) -> Result<bool, Why> {
        let admitted = |one: &Place| one.is_in && one.admitted;
        match act {
            Act::SetLocked(locked) => Ok(std::mem::replace(&mut self.locked, *locked) != *locked),
            Act::MuteParticipant(target) => {
                let target = self.target(*target, admitted)?;
                Ok(!std::mem::replace(&mut target.muted, true))
            }
            Act::AskToUnmute(target) => Ok(self.target(*target, admitted)?.muted),
            Act::SetHost { participant, host } => {
                let target = self.target(*participant, admitted)?;
                if target.user == 0 && target.host != *host {
                    return Err(Why::NotPossible);
                }
                Ok(std::mem::replace(&mut target.host, *host) != *host)
            }
            Act::AnswerLobby { participant, admitted: true } => {
                let target = self.target(*participant, |one| one.is_in)?;
                let waited = !target.admitted;
                if waited {
                    target.let_in();
                }
                Ok(waited)
            }
            Act::AnswerLobby { participant, .. } => {
                self.target(*participant, |one| one.is_in && !one.admitted)?;
                self.out(participant.0);
                Ok(true)
            }
            Act::RemoveParticipant(target) => {
                let user = self.target(*target, |one| one.is_in)?.user;
                if user == 0 || user == actor.user {
                    return Err(Why::NotPossible);
                }
                self.leave(|_, one| one.user == user);
                self.removed.push(user);
                Ok(true)
            }
            Act::SetSpotlight(target) => {
                if let Some(target) = target {
                    self.target(*target, admitted)?;
                }
                let target = target.map_or(0, |target| target.0);
                Ok(std::mem::replace(&mut self.spotlight, target) != target)
            }
            Act::LowerHand(Some(target)) => {
                Ok(std::mem::take(&mut self.target(*target, admitted)?.hand))
            }
            Act::LowerHand(None) => {
                let any = self.places.values().any(|one| one.hand);
                self.places.values_mut().for_each(|one| one.hand = false);
                Ok(any)
            }
            Act::End => {
                self.end();
                Ok(true)
            }
            other => panic!("{id} {other:?}"),
        }
    }

    fn target(
        &mut self,
        id: ParticipantId,
        fits: impl Fn(&Place) -> bool,
    ) -> Result<&mut Place, Why> {
        let place = self.places.get_mut(&id.0).ok_or(Why::Invalid)?;
        if fits(place) { Ok(place) } else { Err(Why::NotPossible) }
    }

    fn named(
        &self,
        actor: u32,
        ids: &[ParticipantId],
        fits: impl Fn(&Place) -> bool,
    ) -> Result<(), Why> {
        if ids.contains(&ParticipantId(actor)) {
            return Err(Why::Invalid);
        }
        // As a set, in order.
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        for id in ids {
            let place = self.places.get(&id.0).ok_or(Why::Invalid)?;
            if !fits(place) {
                return Err(Why::NotPossible);
            }
        }
        Ok(())
    }

    /// The same of the state machine.
    pub fn of(state: &State) -> BTreeMap<u32, Place> {
        let number = |text: &str| text.rsplit('-').next().unwrap().parse::<u32>().unwrap();
        let read = |place: &tributary_meeting_registry_core::Present, is_in| {
            let one = &place.participant;
            let run = place.relay_session.as_str().rsplit('-').next().unwrap();
            let user = if one.user_id.as_str() == "ann" { 0 } else { number(one.user_id.as_str()) };
            let place = Place {
                user,
                key: number(place.key.as_str()),
                relay: (number(one.relay_id.as_str()), run.parse().unwrap()),
                session: number(place.session.as_str()),
                sequence: place.last_sequence,
                depth: one.relay_depth,
                itself: one.relay_itself,
                muted: one.muted,
                presence: place.chosen,
                unreachable: one.unreachable,
                hand: one.hand_raised > 0,
                host: one.host,
                talk: place.talk.iter().map(|id| id.0).collect(),
                held: place.held,
                is_in,
                admitted: place.admitted,
            };
            (one.id.0, place)
        };
        let present = state.participants().map(|one| read(one, true));
        present.chain(state.gone().map(|one| read(one, false))).collect()
    }
}

impl Place {
    fn let_in(&mut self) {
        self.presence = if self.held { OTHER_MEETING } else { Presence::Online };
        self.admitted = true;
    }
}
