//! Pages that came from the core and want to speak to this relay, which they can't reach but by WebRTC.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tributary_contracts::relay::v1::{Introduction, IntroductionAnswer, OpenLink};

use super::{
    children::Children,
    session::Uplink,
    terminal::{Census, Terminal},
    wire::Wire,
};

/// Introductions that are answered at a time.
const ANSWERED_MAX: usize = 64;

/// Answers introductions, and serves the terminals that come by them.
pub(super) struct Introductions {
    pub(super) uplink: Arc<Uplink>,
    pub(super) children: Option<Arc<Children>>,
    pub(super) census: Census,
    pub(super) connections: TaskTracker,
    pub(super) shutdown: CancellationToken,
    pub(super) slots: Arc<Semaphore>,
}

impl Introductions {
    pub(super) fn new(
        uplink: Arc<Uplink>,
        children: Option<Arc<Children>>,
        census: Census,
        connections: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(ANSWERED_MAX));
        Self { uplink, children, census, connections, shutdown, slots }
    }

    /// Takes one in; it is answered when it can be.
    pub(super) fn take(&self, introduction: Introduction) {
        let id = introduction.introduction_id;
        if introduction.relay_id != self.uplink.settings().relay_id {
            let passed = self.children.as_ref().is_some_and(|c| c.introduce(introduction));
            if !passed {
                self.refuse(id, "the relay is not attached now");
            }
            return;
        }
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            return self
                .refuse(id, "too many pages want to speak to this relay at once: try again");
        };
        let (uplink, census) = (self.uplink.clone(), self.census.clone());
        let shutdown = self.shutdown.clone();
        self.connections.spawn(async move {
            let client_address = introduction.client_address;
            let accepted = uplink.places.media().accept_channel(introduction.sdp).await;
            let (sdp, mut channel) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    let reason = error.to_string().chars().take(200).collect();
                    let answer =
                        IntroductionAnswer { introduction_id: id, sdp: String::new(), reason };
                    return uplink.answer_introduction(answer);
                }
            };
            let reason = String::new();
            uplink.answer_introduction(IntroductionAnswer { introduction_id: id, sdp, reason });
            drop(slot);
            let opened = tokio::select! {
                opened = channel.rx.opened() => opened,
                () = shutdown.cancelled() => false,
            };
            if !opened {
                return;
            }
            let path = vec![uplink.own_hop()];
            let open = OpenLink { client_address, path, ..OpenLink::default() };
            // Without one the page goes back to the core.
            let Some(link) = uplink.open(open, None) else { return };
            Terminal::new(uplink, link, Wire::Channel(channel), shutdown).run(census).await;
        });
    }

    fn refuse(&self, introduction_id: u64, reason: &str) {
        let answer =
            IntroductionAnswer { introduction_id, sdp: String::new(), reason: reason.to_owned() };
        self.uplink.answer_introduction(answer);
    }
}
