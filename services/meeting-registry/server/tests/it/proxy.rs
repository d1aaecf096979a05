//! A way to a server that can be cut and mended, as a network can.

use std::sync::Arc;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Connections end.
    Cut,
    /// Connections stand, and nothing is passed on.
    Silent,
}

/// Takes connections and passes them on. Ends with the value.
pub struct Proxy {
    pub port: u16,
    state: Arc<watch::Sender<State>>,
    _stop: DropGuard,
}

impl Proxy {
    /// To `target`, as in `127.0.0.1:5432`.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, _) = watch::channel(State::Open);
        let (state, stop) = (Arc::new(state), CancellationToken::new());
        let (watched, stopped, target) = (Arc::clone(&state), stop.clone(), target.to_owned());
        tokio::spawn(stopped.run_until_cancelled_owned(async move {
            loop {
                let (from, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(from, target.clone(), watched.subscribe()));
            }
        }));
        Self { port, state, _stop: stop.drop_guard() }
    }

    /// Ends all connections, and each new one at once.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Passes nothing on any more; connections stand, and end when it is mended.
    pub fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    pub fn mend(&self) {
        self.state.send_replace(State::Open);
    }
}

async fn pass(mut from: TcpStream, target: String, mut state: watch::Receiver<State>) {
    if *state.borrow_and_update() == State::Open {
        let Ok(mut to) = TcpStream::connect(target).await else { return };
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
            _ = state.wait_for(|state| *state != State::Open) => {}
        }
    }
    // Ends with the proxy too, by an error.
    let _ = state.wait_for(|state| *state != State::Silent).await;
}
