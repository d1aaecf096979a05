//! The control side's end of one channel, and the place's end of it. Neither waits for the other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, watch};
use tributary_rtc_session::MESSAGE_BYTES_MAX;

use super::{ChannelId, WAITING_BYTES_MAX, WAITING_MESSAGES_MAX};

/// What a message that waits takes beside its bytes: so that many short ones are bounded too.
const MESSAGE_OVERHEAD: usize = 64;

/// How far a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The other side has not opened it yet.
    Awaited,
    /// Messages flow.
    Open,
    /// It is over.
    Closed,
}

/// What the control side wants.
pub(super) enum Order {
    /// Send this.
    Send(ChannelId, Bytes),
    /// Close it when what was sent is through.
    Close(ChannelId),
}

/// Why a message can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// The channel is closed.
    #[error("the data channel is closed")]
    Closed,
    /// The other side does not keep up; the channel is closed now.
    #[error("the data channel is closed: the terminal does not take what is sent to it")]
    Overflow,
    /// Empty, or longer than a message can be.
    #[error("a message of {0} bytes can't be sent, 1 to {MESSAGE_BYTES_MAX} are possible")]
    Length(usize),
}

/// One data channel, as the control side has it.
#[derive(Debug)]
pub struct DataLink {
    /// Messages to the terminal.
    pub tx: DataSender,
    /// Messages from the terminal.
    pub rx: DataReceiver,
}

/// What both ends of a link share.
#[derive(Debug, Default)]
struct Shared {
    /// Bytes that wait for the terminal.
    outgoing: AtomicUsize,
    /// Fewer do.
    room: Notify,
    /// Bytes that wait for the control side.
    incoming: AtomicUsize,
    /// The control side has closed it.
    closing: AtomicBool,
}

/// Sends messages to a terminal.
#[derive(Clone, Debug)]
pub struct DataSender {
    id: ChannelId,
    /// Bounded by what may wait for each channel.
    orders: mpsc::UnboundedSender<Order>,
    phase: watch::Receiver<Phase>,
    shared: Arc<Shared>,
}

impl DataSender {
    /// Sends a message of 1 to 65,536 bytes after those before it. Never waits.
    ///
    /// # Errors
    /// It can't be sent. After [`DataError::Overflow`] the channel is closed.
    pub fn try_send(&self, message: Bytes) -> Result<(), DataError> {
        self.check(&message)?;
        if !charge(&self.shared.outgoing, message.len()) {
            self.close();
            return Err(DataError::Overflow);
        }
        self.orders.send(Order::Send(self.id, message)).map_err(|_| DataError::Closed)
    }

    /// The same for who can wait until there is room. Cancelled, it has sent nothing.
    ///
    /// # Errors
    /// It can't be sent.
    pub async fn send(&self, message: Bytes) -> Result<(), DataError> {
        loop {
            let room = self.shared.room.notified();
            self.check(&message)?;
            if charge(&self.shared.outgoing, message.len()) {
                let order = Order::Send(self.id, message);
                return self.orders.send(order).map_err(|_| DataError::Closed);
            }
            tokio::select! {
                () = room => {}
                () = self.closed() => {}
            }
        }
    }

    fn check(&self, message: &Bytes) -> Result<(), DataError> {
        match message.len() {
            1..=MESSAGE_BYTES_MAX if self.is_closed() => Err(DataError::Closed),
            1..=MESSAGE_BYTES_MAX => Ok(()),
            length => Err(DataError::Length(length)),
        }
    }

    /// Closes the channel; what was sent before goes out first, for at most two seconds.
    pub fn close(&self) {
        if !self.shared.closing.swap(true, Ordering::Relaxed) {
            // The task is gone, and the channel with it.
            let _ = self.orders.send(Order::Close(self.id));
        }
    }

    /// Waits until the channel is over.
    pub async fn closed(&self) {
        // An error: the task is gone, and the channel with it.
        let _ = self.phase.clone().wait_for(|phase| *phase == Phase::Closed).await;
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closing.load(Ordering::Relaxed) || *self.phase.borrow() == Phase::Closed
    }
}

/// Receives the messages of a terminal; dropped, it closes the channel.
#[derive(Debug)]
pub struct DataReceiver {
    messages: mpsc::Receiver<Bytes>,
    sender: DataSender,
}

impl DataReceiver {
    /// The next message, 1 to 65,536 bytes; none: the channel is over. Cancelled, it loses nothing.
    pub async fn recv(&mut self) -> Option<Bytes> {
        let message = self.messages.recv().await?;
        release(&self.sender.shared.incoming, message.len());
        Some(message)
    }

    /// Waits until the terminal has opened the channel; false: it never will.
    pub async fn opened(&mut self) -> bool {
        let phase = self.sender.phase.wait_for(|phase| *phase != Phase::Awaited).await;
        phase.is_ok_and(|phase| *phase == Phase::Open)
    }
}

impl Drop for DataReceiver {
    fn drop(&mut self) {
        self.sender.close();
    }
}

/// The place's end of a link. Dropped, the channel is over for the control side.
pub(super) struct LinkEnd {
    messages: mpsc::Sender<Bytes>,
    phase: watch::Sender<Phase>,
    shared: Arc<Shared>,
}

impl LinkEnd {
    /// Both ends of a link.
    pub(super) fn pair(id: ChannelId, orders: mpsc::UnboundedSender<Order>) -> (DataLink, Self) {
        let (messages, received) = mpsc::channel(WAITING_MESSAGES_MAX);
        let (said, phase) = watch::channel(Phase::Awaited);
        let shared = Arc::<Shared>::default();
        let tx = DataSender { id, orders, phase, shared: shared.clone() };
        let rx = DataReceiver { messages: received, sender: tx.clone() };
        (DataLink { tx, rx }, Self { messages, phase: said, shared })
    }

    /// The terminal has opened the channel.
    pub(super) fn open(&self) {
        self.phase.send_replace(Phase::Open);
    }

    /// Hands a message to the control side. False: it does not keep up.
    pub(super) fn deliver(&self, message: Bytes) -> bool {
        charge(&self.shared.incoming, message.len()) && self.messages.try_send(message).is_ok()
    }

    /// A message of this length waits here no more.
    pub(super) fn sent(&self, length: usize) {
        release(&self.shared.outgoing, length);
        self.shared.room.notify_waiters();
    }
}

impl Drop for LinkEnd {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Closed);
    }
}

/// Counts a message that waits, unless too much does.
fn charge(waiting: &AtomicUsize, length: usize) -> bool {
    let more = |waiting: usize| {
        Some(waiting + length + MESSAGE_OVERHEAD).filter(|sum| *sum <= WAITING_BYTES_MAX)
    };
    waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

/// A message waits no more.
fn release(waiting: &AtomicUsize, length: usize) {
    let less = |waiting: usize| Some(waiting.saturating_sub(length + MESSAGE_OVERHEAD));
    let _ = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> (DataLink, LinkEnd, mpsc::UnboundedReceiver<Order>) {
        let (orders, ordered) = mpsc::unbounded_channel();
        let (link, end) = LinkEnd::pair(ChannelId(7), orders);
        (link, end, ordered)
    }

    #[test]
    fn what_waits_for_the_terminal_is_bounded_and_beyond_that_it_is_closed_once() {
        let (link, end, mut ordered) = link();
        let message = Bytes::from(vec![1; 1000]);
        let room = WAITING_BYTES_MAX / (1000 + MESSAGE_OVERHEAD);
        for _ in 0..room {
            link.tx.try_send(message.clone()).unwrap();
        }
        end.sent(1000);
        link.tx.try_send(message.clone()).unwrap();
        assert_eq!(link.tx.try_send(message.clone()), Err(DataError::Overflow));
        assert_eq!(link.tx.try_send(message), Err(DataError::Closed));
        link.tx.close();
        let mut orders = Vec::new();
        while let Ok(order) = ordered.try_recv() {
            orders.push(order);
        }
        assert_eq!(orders.len(), room + 2);
        let closes = orders.iter().filter(|order| matches!(order, Order::Close(_))).count();
        assert_eq!(closes, 1);
    }

    #[test]
    fn short_messages_are_bounded_too() {
        let (link, _end, _ordered) = link();
        let sent = (0..100_000).take_while(|_| link.tx.try_send(Bytes::from_static(b"x")).is_ok());
        assert_eq!(sent.count(), WAITING_BYTES_MAX / (1 + MESSAGE_OVERHEAD));
    }

    #[tokio::test]
    async fn who_waits_for_room_gets_it_or_learns_that_the_channel_is_gone() {
        let (link, end, _ordered) = link();
        let message = Bytes::from(vec![1; 60_000]);
        for _ in 0..WAITING_BYTES_MAX / (60_000 + MESSAGE_OVERHEAD) {
            link.tx.send(message.clone()).await.unwrap();
        }
        let waits = link.tx.send(message.clone());
        let takes = async {
            tokio::task::yield_now().await;
            end.sent(60_000);
        };
        assert_eq!(tokio::join!(waits, takes).0, Ok(()));
        let waits = link.tx.send(message);
        let ends = async {
            tokio::task::yield_now().await;
            drop(end);
        };
        assert_eq!(tokio::join!(waits, ends).0, Err(DataError::Closed));
    }

    #[tokio::test]
    async fn what_waits_for_the_control_side_is_bounded_in_number_and_bytes() {
        let (mut link, end, _ordered) = link();
        let long = Bytes::from(vec![1; MESSAGE_BYTES_MAX]);
        assert!((0..3).all(|_| end.deliver(long.clone())));
        assert!(!end.deliver(long.clone()));
        assert_eq!(link.rx.recv().await, Some(long.clone()));
        assert!(end.deliver(long));
        let (_link, end, _ordered) = self::link();
        let delivered = (0..100_000).take_while(|_| end.deliver(Bytes::from_static(b"x")));
        assert_eq!(delivered.count(), WAITING_MESSAGES_MAX);
    }

    #[tokio::test]
    async fn both_ends_learn_that_the_other_is_gone() {
        let (mut link, end, mut ordered) = link();
        end.open();
        assert!(link.rx.opened().await);
        drop(end);
        link.tx.closed().await;
        assert_eq!(link.rx.recv().await, None);
        assert_eq!(link.tx.try_send(Bytes::from_static(b"x")), Err(DataError::Closed));
        drop(link.rx);
        assert!(matches!(ordered.recv().await, Some(Order::Close(ChannelId(7)))));
        let (mut link, end, _ordered) = self::link();
        drop(end);
        assert!(!link.rx.opened().await, "never");
    }
}
