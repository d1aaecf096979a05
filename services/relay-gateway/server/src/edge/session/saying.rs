//! What is said to the parent in a session.

use bytes::Bytes;
use tributary_contracts::relay::v1::{
    AttachRequest, CloseLink, Heartbeat, IntroductionAnswer, LinkMessage, LinksReachable, OpenLink,
    attach_request::Body as Up,
};
use tributary_relay_uplink::{Beat, UNACKNOWLEDGED_BYTES_MAX};

use super::{
    super::{
        links::{Down, Inbox, link},
        state::unix_us,
    },
    Full, Uplink,
};
use crate::media::CarriedBy;

/// What terminals say is refused before so much waits, so that what ends links always has room. Bytes.
const SAYABLE_BYTES_MAX: usize = UNACKNOWLEDGED_BYTES_MAX / 4 * 3;
/// What goes around a message.
const FRAME_BYTES: usize = 16;

impl Uplink {
    /// A terminal has connected; none if no more can be said.
    pub(in crate::edge) fn open(
        &self,
        open: OpenLink,
        carried: Option<CarriedBy>,
    ) -> Option<(u32, Inbox)> {
        let mut inner = self.inner();
        if inner.outgoing.bytes() >= SAYABLE_BYTES_MAX {
            return None;
        }
        let id = inner.links.allot()?;
        let path_bytes: usize =
            open.path.iter().map(|hop| hop.relay_id.len() + hop.relay_name.len() + 8).sum();
        let bytes = FRAME_BYTES + open.client_address.len() + path_bytes;
        inner.outgoing.push(Up::OpenLink(OpenLink { link_id: id, ..open }), bytes).ok()?;
        let (entry, inbox) = link(carried, &inner.over);
        inner.links.add(id, entry);
        drop(inner);
        self.unsent.notify_one();
        Some((id, inbox))
    }

    /// A terminal says something.
    ///
    /// # Errors
    /// Too much waits, of this terminal or of all.
    pub(in crate::edge) fn say(&self, link: u32, message: Bytes) -> Result<(), Full> {
        let mut inner = self.inner();
        if !inner.links.may_say(link) || inner.outgoing.bytes() >= SAYABLE_BYTES_MAX {
            return Err(Full);
        }
        let bytes = message.len() + FRAME_BYTES;
        let up = Up::LinkMessage(LinkMessage { link_id: link, message });
        let sequence = inner.outgoing.push(up, bytes).map_err(|_| Full)?;
        inner.links.charge(sequence, link, bytes);
        drop(inner);
        self.unsent.notify_one();
        Ok(())
    }

    /// Terminals behind a relay that is attached here can't be reached for now, or can again.
    pub(in crate::edge) fn say_reachable(&self, mut link_ids: Vec<u32>, reachable: bool) {
        // Links of a session that is over are not the next one's.
        link_ids.retain(|id| self.inner().links.contains(*id));
        if link_ids.is_empty() {
            return;
        }
        let bytes = FRAME_BYTES + 5 * link_ids.len();
        self.push(Up::LinksReachable(LinksReachable { link_ids, reachable }), bytes);
    }

    pub(in crate::edge) fn answer_introduction(&self, answer: IntroductionAnswer) {
        let bytes = FRAME_BYTES + answer.sdp.len() + answer.reason.len();
        self.push(Up::IntroductionAnswer(answer), bytes);
    }

    /// A link is at its end: says so, unless the parent has, and does what was left to do for its places.
    /// Those that are behind another relay are given to `pass`, to be told there.
    pub(in crate::edge) async fn end(
        &self,
        id: u32,
        mut inbox: Inbox,
        carried: Option<CarriedBy>,
        say: Option<CloseLink>,
        mut pass: impl FnMut(Down) + Send,
    ) {
        if let Some(close) = say
            && self.inner().links.contains(id)
        {
            self.push(Up::CloseLink(CloseLink { link_id: id, ..close }), FRAME_BYTES);
        }
        inbox.close();
        while let Some(down) = inbox.next().await {
            match down {
                // Of an earlier session nothing is to be done any more.
                Down::Place(place) if self.inner().links.contains(id) => {
                    self.places.put(&place, carried).await;
                    pass(Down::Place(place));
                }
                Down::Left(place) => pass(Down::Left(place)),
                // Whoever waits for it goes on.
                Down::Reached(reached) => drop(reached.send(())),
                Down::Place(_) | Down::Wait(_) | Down::Message(..) | Down::Close(_) => {}
            }
        }
        self.inner().links.remove(id);
        inbox.ended.cancel();
    }

    fn push(&self, up: Up, bytes: usize) {
        let mut inner = self.inner();
        if inner.outgoing.push(up, bytes).is_err() {
            // Nothing of a session may be lost.
            tracing::error!("the parent acknowledges nothing: the session is over");
            inner.token.clear();
            self.broken.notify_one();
        }
        drop(inner);
        self.unsent.notify_one();
    }

    /// The next message to be sent on this connection; none if there is nothing.
    pub(in crate::edge) fn next_unsent(&self) -> Option<AttachRequest> {
        let mut inner = self.inner();
        let acknowledged = inner.incoming.received();
        let (sequence, up) = inner.outgoing.next_unsent()?;
        Some(AttachRequest { sequence, acknowledged, body: Some(up.clone()) })
    }

    /// Resolves when there may be something to be sent.
    pub(in crate::edge) async fn has_unsent(&self) {
        self.unsent.notified().await;
    }

    /// A sign of life.
    pub(in crate::edge) fn heartbeat(&self) -> AttachRequest {
        let mut inner = self.inner();
        let Beat { sent_us, echoed_sent_us, echoed_received_us } = inner.distance.beat(unix_us());
        let heartbeat = Heartbeat { sent_us, echoed_sent_us, echoed_received_us };
        let acknowledged = inner.incoming.received();
        AttachRequest { sequence: 0, acknowledged, body: Some(Up::Heartbeat(heartbeat)) }
    }

    /// Resolves when everything that was said has arrived.
    pub(in crate::edge) async fn acknowledged(&self) {
        loop {
            let eased = self.eased.notified();
            if self.inner().outgoing.bytes() == 0 {
                return;
            }
            eased.await;
        }
    }
}
