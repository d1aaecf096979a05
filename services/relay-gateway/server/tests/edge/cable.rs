//! A cable between a relay and its parent, whose bytes are counted, and which can be thin, cut, and mended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// So many bytes come through in a second, each way.
    Thin(u32),
    /// Connections are closed, and new ones too.
    Cut,
    /// Nothing comes through, and nobody is told.
    Dead,
}

pub struct Cable {
    pub url: String,
    state: watch::Sender<State>,
    /// Bytes to the child.
    down: Arc<AtomicU64>,
    /// Bytes to the parent.
    up: Arc<AtomicU64>,
    _carrying: AbortOnDropHandle<()>,
}

impl Cable {
    pub async fn to(address: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, states) = watch::channel(State::Whole);
        let (down, up) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counts = (down.clone(), up.clone());
        let carrying = tokio::spawn(async move {
            let mut carried = Vec::new();
            while let Ok((child, _)) = listener.accept().await {
                let (states, counts) = (states.clone(), counts.clone());
                let carrying = tokio::spawn(carry(child, address, states, counts));
                carried.push(AbortOnDropHandle::new(carrying));
            }
        });
        Self { url, state, down, up, _carrying: AbortOnDropHandle::new(carrying) }
    }

    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub fn die(&self) {
        self.state.send_replace(State::Dead);
    }

    pub fn thin(&self, bytes_per_second: u32) {
        self.state.send_replace(State::Thin(bytes_per_second));
    }

    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }

    pub fn down(&self) -> u64 {
        self.down.load(Ordering::SeqCst)
    }
}

async fn carry(
    child: TcpStream,
    address: std::net::SocketAddr,
    mut states: watch::Receiver<State>,
    (down, up): (Arc<AtomicU64>, Arc<AtomicU64>),
) {
    if *states.borrow() == State::Cut {
        return;
    }
    let parent = TcpStream::connect(address).await.unwrap();
    let (child_in, child_out) = child.into_split();
    let (parent_in, parent_out) = parent.into_split();
    let watching = states.clone();
    let cut = async {
        let _ = states.wait_for(|state| *state == State::Cut).await;
    };
    tokio::select! {
        () = cut => {}
        () = copy(child_in, parent_out, up, watching.clone()) => {}
        () = copy(parent_in, child_out, down, watching) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: Arc<AtomicU64>,
    mut states: watch::Receiver<State>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        if *states.borrow_and_update() == State::Dead {
            // Lost: what comes later on this connection makes no sense any more.
            return std::future::pending().await;
        }
        count.fetch_add(length as u64, Ordering::SeqCst);
        for piece in buffer[..length].chunks(1024) {
            let state = *states.borrow_and_update();
            if let State::Thin(rate) = state {
                let time = Duration::from_secs_f64(piece.len() as f64 / f64::from(rate));
                tokio::time::sleep(time).await;
            }
            if to.write_all(piece).await.is_err() {
                return;
            }
        }
    }
}
