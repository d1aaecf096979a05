//! What the parent says about one link of a child, on its way there.

use std::sync::Arc;

use axum::extract::ws::close_code;
use tokio::sync::oneshot;
use tributary_contracts::{
    relay::v1::CloseLink,
    terminal::v1::{Draining, UplinkChanged, relay_message::Body as Reply},
};

use super::{
    super::{
        links::{Down, Inbox},
        outage,
        terminal::encode,
    },
    Children,
};
use crate::{media::CarriedBy, terminals::link::Audience, uplink::Child};

/// One link of a child.
pub(super) struct Downward {
    pub(super) all: Arc<Children>,
    pub(super) child: Arc<Child>,
    /// Its number on the child's uplink.
    pub(super) link: u32,
    /// And on this relay's own.
    pub(super) own: u32,
    pub(super) carried: CarriedBy,
}

impl Downward {
    /// Passes everything on, to the link's end.
    pub(super) async fn run(self, mut inbox: Inbox, mut closed: oneshot::Receiver<CloseLink>) {
        let over = inbox.over.clone();
        let mut outage = self.all.uplink.outage();
        // Before that, a terminal knows nothing that is said to it.
        let mut welcomed = false;
        let say = loop {
            let down = tokio::select! {
                biased;
                () = over.cancelled() => break self.restart().await,
                () = self.child.over() => break Some(self.lost()),
                close = &mut closed => break close.ok(),
                down = inbox.next() => down,
                changed = outage.next(), if welcomed => {
                    if !self.tell_uplink(changed).await {
                        break None;
                    }
                    continue;
                }
            };
            let Some(down) = down else { break None };
            welcomed |= matches!(down, Down::Message(..));
            if !self.pass(down).await {
                break None;
            }
        };
        self.all.state().links.remove(&(self.child.uplink, self.link));
        let pass = |down| match down {
            Down::Place(place) => self.all.pass_place(place),
            Down::Left(place) => self.all.leave(self.child.uplink, place),
            // Nobody is there to hear it.
            Down::Message(..) | Down::Close(_) | Down::Reached(_) | Down::Wait(_) => {}
        };
        self.all.uplink.end(self.own, inbox, Some(self.carried), say, pass).await;
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

    /// The child goes on passing things down while this relay is cut off itself. True while the link
    /// goes on.
    async fn tell_uplink(&self, changed: UplinkChanged) -> bool {
        // Who can't be reached hears of a loss from its own relay, and would hear this when it is over.
        if !changed.attached && self.child.lost_since().is_some() {
            return true;
        }
        self.child.deliver(self.link, outage::encoded(changed), Audience::Many).await.is_ok()
    }

    /// True while the link goes on.
    async fn pass(&self, down: Down) -> bool {
        match down {
            Down::Message(message, shared) => {
                let to = if shared { Audience::Many } else { Audience::One };
                let bytes = message.len();
                let delivered = self.child.deliver(self.link, message, to).await.is_ok();
                if delivered {
                    self.all.uplink.delivered(bytes);
                }
                delivered
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
            Down::Left(place) => {
                self.all.leave(self.child.uplink, place);
                true
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
