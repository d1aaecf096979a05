//! What the parent says in a session, handed to whom it is for; and the session's end.

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tributary_contracts::relay::v1::{
    Deliver, Place, attach_response::Body, place::Body as PlaceBody,
};
use tributary_relay_uplink::{Distance, Incoming, Outgoing, PayloadReceiver};

use super::{
    super::{
        links::{Down, Entry},
        places::PLACES_MAX,
    },
    Inner, Placed, Task, Violation, violation,
};
use crate::media::CarriedBy;

impl Inner {
    /// Forgets the session; the answers tell when the tasks of its links have ended.
    pub(super) fn end(&mut self) -> Vec<CancellationToken> {
        self.token.clear();
        self.over.cancel();
        self.over = CancellationToken::new();
        self.placed.clear();
        self.outgoing = Outgoing::default();
        self.incoming = Incoming::default();
        self.payloads = PayloadReceiver::default();
        self.distance = Distance::default();
        self.links.forget_all()
    }

    pub(super) fn take(&mut self, body: Option<Body>) -> Result<Vec<Task>, Violation> {
        let task = match body {
            Some(Body::Deliver(deliver)) => return self.deliver(deliver).map(|()| Vec::new()),
            Some(Body::CloseLink(close)) => {
                let code = u16::try_from(close.code).unwrap_or(1011);
                self.links.give(close.link_id, Down::Close(code));
                return Ok(Vec::new());
            }
            Some(Body::Place(place)) => return self.place(place),
            Some(Body::Introduction(introduction)) => Task::Introduce(introduction),
            Some(Body::Settings(settings)) => Task::Settle(settings),
            Some(Body::RelayRevoked(revoked)) => Task::Revoke(revoked.relay_id),
            // Those are not numbered; a newer parent does not say what this relay can't know.
            Some(Body::Attached(_) | Body::Heartbeat(_)) | None => return Ok(Vec::new()),
        };
        Ok(vec![task])
    }

    fn deliver(&mut self, deliver: Deliver) -> Result<(), Violation> {
        let taken = self.payloads.take(deliver.payload_id, deliver.payload);
        let payload = taken.map_err(|error| {
            // The sides are not in lockstep: nothing can be made of what follows.
            self.token.clear();
            violation(error)
        })?;
        let shared = deliver.payload_id != 0 || deliver.link_ids.len() > 1;
        for id in deliver.link_ids {
            // Who has gone meanwhile hears nothing more.
            self.links.give(id, Down::Message(payload.clone(), shared));
        }
        Ok(())
    }

    /// Hands what is said of a place to the task of its link.
    fn place(&mut self, place: Place) -> Result<Vec<Task>, Violation> {
        let id = place.place_id;
        let before = self.placed.get(&id).copied();
        let placed = match &place.body {
            Some(PlaceBody::Attach(attach)) => {
                if before.is_none() && self.placed.len() >= PLACES_MAX {
                    return Err(violation("there are more places than there can be"));
                }
                let link = attach.link_id;
                // Of a terminal that has gone meanwhile it is as it was.
                let gone = before.and_then(|before| before.carried);
                let carried = self.links.get(link).map_or(gone, |entry| entry.carried);
                self.placed.insert(id, Placed { link, carried });
                Some(Placed { link, carried })
            }
            Some(PlaceBody::Detach(_)) => self.placed.remove(&id),
            Some(PlaceBody::Sound(_) | PlaceBody::Switch(_)) => before,
            None => None,
        };
        let Some(Placed { link, carried }) = placed else { return Ok(Vec::new()) };
        let mut tasks = Vec::new();
        if let Some(before) = before
            && before.link != link
        {
            tasks.extend(self.leave(id, before, carried));
            self.wait_for(before.link, link);
        }
        if !self.links.give(link, Down::Place(place.clone())) {
            // Its task may still have something to do for the place.
            let after = self.links.get(link).map(|entry: &Entry| entry.ended.clone());
            tasks.push(Task::Place { place, carried, after });
        }
        Ok(tasks)
    }

    /// A place goes to another link. If that is not behind the same relay, the one that it was behind is
    /// told, after what was said before.
    fn leave(&self, place: u64, before: Placed, now: Option<CarriedBy>) -> Option<Task> {
        let by = before.carried?.uplink;
        if now.is_some_and(|now| now.uplink == by) {
            return None;
        }
        if self.links.give(before.link, Down::Left(place)) {
            return None;
        }
        let after = self.links.get(before.link).map(|entry| entry.ended.clone());
        Some(Task::Leave { place, by, after })
    }

    /// A place goes to another link: what was said before about it comes first.
    fn wait_for(&self, from: u32, to: u32) {
        let (reached, wait) = oneshot::channel();
        if self.links.give(from, Down::Reached(reached)) {
            self.links.give(to, Down::Wait(wait));
        }
    }
}
