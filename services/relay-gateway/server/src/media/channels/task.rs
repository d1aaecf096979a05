//! The task that has the channels: offers, datagrams, orders and timers, one after the other.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use tokio::{net::UdpSocket, sync::mpsc};
use tokio_util::sync::CancellationToken;
use tributary_rtc_session::{Certificate, ChannelSession};

use super::{
    CHANNELS_MAX, CHANNELS_UNOPENED_MAX, ChannelId, DataLink, Datagram, MediaError, Offer,
    link::{LinkEnd, Order},
    place::{Over, Place, processor_time},
    routes::Routes,
};

const CHANNELS: &str = "tributary_relay_data_channels";
const OPENED: &str = "tributary_relay_data_channels_opened_total";
const OVER: &str = "tributary_relay_data_channels_over_total";
const REFUSED: &str = "tributary_relay_data_channels_refused_total";

/// All channels.
pub(super) struct Task {
    socket: Arc<UdpSocket>,
    candidates: Vec<SocketAddr>,
    certificate: Certificate,
    places: HashMap<ChannelId, Place>,
    routes: Routes,
    /// When each channel is due.
    timers: BTreeSet<(Instant, ChannelId)>,
    due: HashMap<ChannelId, Instant>,
    /// How many are not open yet.
    unopened: usize,
    last_id: u64,
    count: Arc<AtomicUsize>,
    orders: mpsc::UnboundedSender<Order>,
    ordered: mpsc::UnboundedReceiver<Order>,
}

impl Task {
    /// No channels yet. `count` shows how many there are.
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        candidates: Vec<SocketAddr>,
        certificate: Certificate,
        count: Arc<AtomicUsize>,
    ) -> Self {
        describe();
        let (orders, ordered) = mpsc::unbounded_channel();
        Self {
            socket,
            candidates,
            certificate,
            places: HashMap::new(),
            routes: Routes::default(),
            timers: BTreeSet::new(),
            due: HashMap::new(),
            unopened: 0,
            last_id: 0,
            count,
            orders,
            ordered,
        }
    }

    /// Until `shutdown`.
    pub(super) async fn run(
        mut self,
        mut offers: mpsc::Receiver<Offer>,
        mut datagrams: mpsc::Receiver<Datagram>,
        shutdown: CancellationToken,
    ) {
        loop {
            let timer = self.timers.first().map(|(at, _)| *at);
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(offer) = offers.recv() => {
                    // Nobody waits for it any more: the link is dropped and closes the channel.
                    let _ = offer.reply.send(self.accept(&offer.sdp));
                }
                Some(datagram) = datagrams.recv() => self.take_datagram(&datagram),
                Some(order) = self.ordered.recv() => self.take_order(order),
                () = sleep_until(timer) => self.take_timers(),
            }
        }
        for (_, place) in self.places.drain() {
            place.end(&self.socket);
        }
    }

    fn accept(&mut self, sdp: &str) -> Result<(String, DataLink), MediaError> {
        if self.places.len() >= CHANNELS_MAX || self.unopened >= CHANNELS_UNOPENED_MAX {
            counter!(REFUSED).increment(1);
            return Err(MediaError::ChannelsFull);
        }
        let (now, started) = (Instant::now(), processor_time());
        let (session, answer) =
            ChannelSession::answer(sdp, &self.candidates, &self.certificate, now)?;
        self.last_id += 1;
        let id = ChannelId(self.last_id);
        let (link, end) = LinkEnd::pair(id, self.orders.clone());
        self.routes.insert(id, session.local_ufrag());
        self.places.insert(id, Place::new(session, end, now));
        self.unopened += 1;
        self.show_count();
        self.drive(id, now, started);
        Ok((answer, link))
    }

    fn take_datagram(&mut self, datagram: &Datagram) {
        let Datagram { source, destination, contents } = datagram;
        let (now, started) = (Instant::now(), processor_time());
        let Self { routes, places, .. } = self;
        let accepts = |id: ChannelId| {
            places
                .get(&id)
                .is_some_and(|place| place.session.accepts(*source, *destination, contents, now))
        };
        let Some(id) = routes.owner_of(*source, contents, accepts) else { return };
        if let Some(place) = places.get_mut(&id) {
            place.session.receive(*source, *destination, contents, now);
        }
        self.drive(id, now, started);
    }

    fn take_order(&mut self, order: Order) {
        let (now, started) = (Instant::now(), processor_time());
        let (Order::Send(id, _) | Order::Close(id)) = order;
        let Some(place) = self.places.get_mut(&id) else { return };
        match order {
            Order::Send(_, message) => place.send(message),
            Order::Close(_) => place.close(now),
        }
        self.drive(id, now, started);
    }

    fn take_timers(&mut self) {
        let now = Instant::now();
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            self.due.remove(&id);
            let started = processor_time();
            if let Some(place) = self.places.get_mut(&id) {
                place.session.handle_timeout(now);
            }
            self.drive(id, now, started);
        }
    }

    /// Does what a channel wants after it was changed, and sets its timer.
    fn drive(&mut self, id: ChannelId, now: Instant, started: Duration) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let was_open = place.is_open();
        let driven = place.drive(&self.socket, now, started);
        if place.is_open() && !was_open {
            self.unopened -= 1;
            counter!(OPENED).increment(1);
        }
        match driven {
            Ok(due) => self.schedule(id, due),
            Err(over) => self.remove(id, over),
        }
    }

    fn schedule(&mut self, id: ChannelId, due: Instant) {
        if let Some(before) = self.due.insert(id, due) {
            self.timers.remove(&(before, id));
        }
        self.timers.insert((due, id));
    }

    fn remove(&mut self, id: ChannelId, over: Over) {
        let Some(place) = self.places.remove(&id) else { return };
        tracing::debug!(channel = id.0, ?over, "data channel over");
        counter!(OVER, "why" => over.label()).increment(1);
        self.unopened -= usize::from(!place.is_open());
        self.routes.remove(id);
        if let Some(due) = self.due.remove(&id) {
            self.timers.remove(&(due, id));
        }
        self.show_count();
    }

    fn show_count(&self) {
        self.count.store(self.places.len(), Ordering::Relaxed);
        gauge!(CHANNELS).set(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
    }
}

fn describe() {
    describe_gauge!(CHANNELS, Unit::Count, "Data channels of terminals.");
    describe_counter!(OPENED, Unit::Count, "Data channels that terminals opened.");
    describe_counter!(OVER, Unit::Count, "Data channels that ended, by why.");
    describe_counter!(REFUSED, Unit::Count, "Data channels refused because there were too many.");
    counter!(OPENED).absolute(0);
    counter!(REFUSED).absolute(0);
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
