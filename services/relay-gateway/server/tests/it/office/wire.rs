//! What is on the wire of a session: messages in their order, over any number of connections.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};
use tributary_contracts::relay::v1::{
    AttachRequest, AttachResponse, Heartbeat, attach_request::Body as Up,
    attach_response::Body as Down,
};
use tributary_relay_uplink::{Arrival, Incoming, Outgoing, PayloadReceiver};

/// What of a session outlives its connections.
#[derive(Default)]
pub struct Memory {
    pub outgoing: Outgoing<Up>,
    pub incoming: Incoming,
    payloads: PayloadReceiver,
}

pub type Shared = Arc<Mutex<Memory>>;

pub fn locked(memory: &Shared) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what the core says, until it says nothing more.
pub async fn read(
    mut stream: Streaming<AttachResponse>,
    memory: Shared,
    tell: mpsc::UnboundedSender<Down>,
    counts: watch::Sender<(u64, u64)>,
    ended: watch::Sender<Option<Status>>,
    mut deaf: watch::Receiver<bool>,
) {
    loop {
        let next = tokio::select! {
            next = stream.message() => next,
            () = becomes(&mut deaf) => std::future::pending().await,
        };
        let message = match next {
            Ok(Some(message)) => message,
            Ok(None) => break drop(ended.send_replace(Some(Status::ok("ended")))),
            Err(status) => break drop(ended.send_replace(Some(status))),
        };
        let mut memory = locked(&memory);
        memory.outgoing.acknowledge(message.acknowledged).unwrap();
        if message.sequence == 0 {
            continue;
        }
        match memory.incoming.accept(message.sequence) {
            Arrival::New => {}
            Arrival::Known => continue,
            Arrival::Gap => panic!("a gap"),
        }
        let body = match message.body.unwrap() {
            Down::Deliver(mut deliver) => {
                let bytes = deliver.payload.len() as u64;
                counts.send_modify(|(messages, all)| {
                    *messages += 1;
                    *all += bytes;
                });
                deliver.payload =
                    memory.payloads.take(deliver.payload_id, deliver.payload).unwrap();
                Down::Deliver(deliver)
            }
            other => other,
        };
        // The test may look at nothing any more.
        let _ = tell.send(body);
    }
}

async fn becomes(deaf: &mut watch::Receiver<bool>) {
    let _ = deaf.wait_for(|deaf| *deaf).await;
}

/// Says what is to be said, and signs of life.
pub async fn write(
    raw: mpsc::Sender<AttachRequest>,
    memory: Shared,
    mut filled: watch::Receiver<()>,
) {
    let mut beats = tokio::time::interval(Duration::from_millis(200));
    loop {
        let beat = Heartbeat { sent_us: 1, ..Heartbeat::default() };
        let mut messages = Vec::new();
        {
            let mut memory = locked(&memory);
            let acknowledged = memory.incoming.received();
            while let Some((sequence, body)) = memory.outgoing.next_unsent() {
                let body = Some(body.clone());
                messages.push(AttachRequest { sequence, acknowledged, body });
            }
            let body = Some(Up::Heartbeat(beat));
            messages.push(AttachRequest { sequence: 0, acknowledged, body });
        }
        for message in messages {
            if raw.send(message).await.is_err() {
                return;
            }
        }
        tokio::select! {
            _ = beats.tick() => {}
            changed = filled.changed() => if changed.is_err() { return },
        }
    }
}
