//! One connection of a child: its control stream, read and written until it breaks or is given up.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use prost::Message as _;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tributary_contracts::relay::v1::{
    AttachRequest, AttachResponse, Heartbeat, attach_request, attach_response,
};
use tributary_identifiers::RelayId;
use tributary_relay_uplink::{Arrival, Beat, Distance, Silence, Silent};

use super::{
    backend::Backend,
    child::Child,
    connections::Caller,
    is_garbage,
    links::Violation,
    sessions::{Claim, Seat, replaced},
    unix_us,
};

const HEARTBEAT: Duration = Duration::from_millis(500);
/// What becomes the same for many terminals within this time goes to all of them at once.
const GATHER: Duration = Duration::from_millis(3);
/// Messages between this task and HTTP/2.
pub(super) const MESSAGES_AHEAD: usize = 8;
/// How long the last word of a connection may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// What the child's messages come from.
pub(super) trait Inbound: Send {
    fn next(&mut self) -> impl Future<Output = Result<Option<AttachRequest>, Status>> + Send;
}

impl Inbound for tonic::Streaming<AttachRequest> {
    async fn next(&mut self) -> Result<Option<AttachRequest>, Status> {
        self.message().await
    }
}

/// Where messages for the child go.
pub(super) type Outbound = mpsc::Sender<Result<AttachResponse, Status>>;

/// How a connection ends.
enum End {
    /// It broke, or is silent.
    Lost,
    Superseded,
    /// The session is over.
    Over,
    Violation(Violation),
}

struct Line<'a, B> {
    backend: &'a B,
    child: &'a Arc<Child>,
    own_path: &'a [RelayId],
    caller: &'a Caller,
    distance: Mutex<Distance>,
    stop: CancellationToken,
}

/// Runs a connection to its end. `first` is said before all else.
pub(super) async fn run<B: Backend>(
    backend: Arc<B>,
    own_path: Vec<RelayId>,
    seat: Seat,
    first: AttachResponse,
    mut inbound: impl Inbound,
    outbound: Outbound,
    caller: Caller,
) {
    let Seat { claim, incoming: mut kept, .. } = seat;
    let child = claim.child.clone();
    let mut last_heard = Instant::now();
    let mut incoming = std::mem::take(&mut *kept);
    let mut farewell = None;
    if outbound.send(Ok(first)).await.is_ok() {
        let line = Line {
            backend: &*backend,
            child: &child,
            own_path: &own_path,
            caller: &caller,
            distance: Mutex::new(Distance::with_guess(child.offset_us())),
            stop: CancellationToken::new(),
        };
        let reading = line.read(&claim, &mut inbound, &mut incoming, &mut last_heard);
        let (end, ()) = tokio::join!(line.stopping(reading), line.stopping(line.write(&outbound)));
        farewell = match end {
            End::Lost => None,
            End::Superseded => Some(replaced()),
            End::Over => Some(child.why()),
            End::Violation(violation) => {
                tracing::warn!(relay = %child.relay, %violation, "a relay does not keep to the protocol");
                metrics::counter!("tributary_relay_uplink_violations_total").increment(1);
                let status = Status::invalid_argument(violation.0);
                child.end(status.clone());
                Some(status)
            }
        };
    }
    *kept = incoming;
    // A newer connection does not wait for the farewell.
    drop(kept);
    if let Some(status) = farewell {
        let _ = timeout(FAREWELL_MAX, outbound.send(Err(status))).await;
    }
    claim.lose(last_heard);
}

impl<B: Backend> Line<'_, B> {
    async fn stopping<T>(&self, work: impl Future<Output = T>) -> T {
        let result = work.await;
        self.stop.cancel();
        result
    }

    async fn read(
        &self,
        claim: &Claim,
        inbound: &mut impl Inbound,
        incoming: &mut tributary_relay_uplink::Incoming,
        last_heard: &mut Instant,
    ) -> End {
        loop {
            let message = tokio::select! {
                biased;
                () = self.child.over() => return End::Over,
                () = claim.superseded() => return End::Superseded,
                () = self.stop.cancelled() => return End::Lost,
                message = self.next(inbound, last_heard) => message,
            };
            let message = match message {
                Err(Silent::Nothing | Silent::NoMessage) | Ok(Ok(None)) => return End::Lost,
                Ok(Err(status)) => return broken_or_garbage(&status),
                Ok(Ok(Some(message))) => message,
            };
            *last_heard = Instant::now();
            self.child.counts.up(message.encoded_len());
            // What has been accepted is carried out: this is not given up half-way.
            if let Err(violation) = self.take(incoming, message).await {
                return End::Violation(violation);
            }
        }
    }

    /// The next message, as long as the child gives a sign of life: on a thin line a large message takes its
    /// time, and no heartbeat comes before its end.
    async fn next(
        &self,
        inbound: &mut impl Inbound,
        last_heard: &mut Instant,
    ) -> Result<Result<Option<AttachRequest>, Status>, Silent> {
        let began = Instant::now();
        let mut received = self.caller.received();
        let mut silence = Silence::new(Duration::ZERO, received);
        let mut next = pin!(inbound.next());
        loop {
            let look = silence.look(began.elapsed(), self.caller.received())?;
            if let Ok(message) = timeout_at(began + look, &mut next).await {
                return Ok(message);
            }
            let received_now = self.caller.received();
            if std::mem::replace(&mut received, received_now) < received_now {
                *last_heard = Instant::now();
            }
        }
    }

    async fn take(
        &self,
        incoming: &mut tributary_relay_uplink::Incoming,
        message: AttachRequest,
    ) -> Result<(), Violation> {
        let acknowledged = message.acknowledged;
        self.child.queue.acknowledge(acknowledged).map_err(|error| Violation(error.to_string()))?;
        if message.sequence == 0 {
            return self.take_unnumbered(message);
        }
        match incoming.accept(message.sequence) {
            Arrival::New => {}
            Arrival::Known => return Ok(()),
            Arrival::Gap => {
                let (wanted, is) = (incoming.received() + 1, message.sequence);
                return Err(Violation(format!("message {is} came in the place of {wanted}")));
            }
        }
        self.child.received.store(incoming.received(), Ordering::Relaxed);
        // Something newer need not be understood: whoever says it does without an answer of older ones.
        let Some(body) = message.body else { return Ok(()) };
        let up = self.child.links().take(&self.child.relay, self.own_path, body)?;
        match up {
            Some(up) => self.backend.take(self.child, up).await,
            None => self.child.counts.late(),
        }
        Ok(())
    }

    fn take_unnumbered(&self, message: AttachRequest) -> Result<(), Violation> {
        match message.body {
            Some(attach_request::Body::Heartbeat(heartbeat)) => {
                let Heartbeat { sent_us, echoed_sent_us, echoed_received_us } = heartbeat;
                let mut distance = self.distance.lock().unwrap_or_else(PoisonError::into_inner);
                distance.hear(Beat { sent_us, echoed_sent_us, echoed_received_us }, unix_us());
                self.child.offset_us.store(distance.offset_us(), Ordering::Relaxed);
                if let Some(rtt_us) = distance.rtt_us() {
                    self.child.rtt_us.store(rtt_us, Ordering::Relaxed);
                }
                Ok(())
            }
            // An acknowledgement, or something newer that need not be understood.
            None => Ok(()),
            Some(_) => Err("a message that must be numbered is not".into()),
        }
    }

    async fn write(&self, outbound: &Outbound) {
        let _taking = self.child.queue.taking();
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut filled = self.child.queue.filled();
        // What waits already goes out at once.
        filled.mark_changed();
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = outbound.closed() => return,
                _ = heartbeat.tick() => {
                    let body = attach_response::Body::Heartbeat(self.beat());
                    if !self.send(outbound, AttachResponse { body: Some(body), ..<_>::default() }).await {
                        return;
                    }
                }
                changed = filled.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::time::sleep(GATHER).await;
                    filled.borrow_and_update();
                    while let Some(message) = self.child.queue.next() {
                        if !self.send(outbound, message).await {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn beat(&self) -> Heartbeat {
        let mut distance = self.distance.lock().unwrap_or_else(PoisonError::into_inner);
        let Beat { sent_us, echoed_sent_us, echoed_received_us } = distance.beat(unix_us());
        Heartbeat { sent_us, echoed_sent_us, echoed_received_us }
    }

    /// True if it went out; what did not comes again by the next connection.
    async fn send(&self, outbound: &Outbound, mut message: AttachResponse) -> bool {
        message.acknowledged = self.child.received.load(Ordering::Relaxed);
        self.child.counts.down(message.encoded_len());
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            sent = outbound.send(Ok(message)) => sent.is_ok(),
        }
    }
}

/// A connection that broke is taken up again; who sends what can't be read is cut.
fn broken_or_garbage(status: &Status) -> End {
    if is_garbage(status) {
        return End::Violation("a message can't be read, or is too large".into());
    }
    End::Lost
}
