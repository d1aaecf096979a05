//! A way to somewhere that can be thin, cut and mended: connections through it stay open while nothing
//! passes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What goes through a thin way at a time, in bytes.
const PIECE: usize = 2 * 1024;
/// A way that nothing has gone through for so long is free at once. Shorter, timers are only late.
const IDLE: Duration = Duration::from_millis(20);

/// A TCP proxy on loopback; ends with all its connections when dropped.
pub struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    ended: watch::Sender<u32>,
    carried: Arc<Carried>,
    _task: JoinSet<()>,
}

#[derive(Clone, Copy, Debug)]
struct Way {
    passes: bool,
    /// Bytes a second in each direction and connection; none: all there are.
    rate: Option<u64>,
}

/// What has passed, in bytes.
#[derive(Debug, Default)]
struct Carried {
    up: AtomicU64,
    down: AtomicU64,
}

impl Proxy {
    /// Opens a way to that address.
    pub async fn to(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("open a proxy")?;
        let address = listener.local_addr().context("open a proxy")?;
        let way = watch::Sender::new(Way { passes: true, rate: None });
        let ended = watch::Sender::new(0);
        let carried = Arc::<Carried>::default();
        let mut task = JoinSet::new();
        let states = (way.subscribe(), ended.subscribe());
        task.spawn(accept(listener, target, states, Arc::clone(&carried)));
        Ok(Self { address, way, ended, carried, _task: task })
    }

    /// Where it is entered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has passed towards the target so far, in bytes.
    pub fn carried_up(&self) -> u64 {
        self.carried.up.load(Ordering::Relaxed)
    }

    /// What has passed from the target so far, in bytes.
    pub fn carried_down(&self) -> u64 {
        self.carried.down.load(Ordering::Relaxed)
    }

    /// So many bytes pass in a second from now on, in each direction and connection.
    pub fn thin(&self, bytes_per_second: u64) {
        self.way.send_modify(|way| way.rate = Some(bytes_per_second.max(1)));
    }

    /// Nothing passes any more, and nobody is told.
    pub fn cut(&self) {
        self.way.send_modify(|way| way.passes = false);
    }

    /// Everything passes again. Connections from before are reset, as after a long outage.
    pub fn mend(&self) {
        self.ended.send_modify(|times| *times += 1);
        self.way.send_modify(|way| way.passes = true);
    }

    /// Ends all connections; new ones pass.
    pub fn reset(&self) {
        self.ended.send_modify(|times| *times += 1);
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    (way, ended): (watch::Receiver<Way>, watch::Receiver<u32>),
    carried: Arc<Carried>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (way, mut ended) = (way.clone(), ended.clone());
        let carried = Arc::clone(&carried);
        ended.mark_unchanged();
        connections.spawn(async move {
            tokio::select! {
                _ = carry(stream, target, way, &carried) => {}
                _ = ended.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(
    near: TcpStream,
    target: SocketAddr,
    mut way: watch::Receiver<Way>,
    carried: &Carried,
) -> std::io::Result<()> {
    near.set_nodelay(true)?;
    // Who connects while the way is cut waits until it is mended.
    if way.wait_for(|way| way.passes).await.is_err() {
        return Ok(());
    }
    let far = TcpStream::connect(target).await?;
    far.set_nodelay(true)?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        up = pump(near_in, far_out, way.clone(), &carried.up) => up,
        down = pump(far_in, near_out, way, &carried.down) => down,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    count: &AtomicU64,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut free_at = Instant::now();
    loop {
        let length = from.read(&mut buffer).await?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        for piece in bytes.chunks(PIECE) {
            let Ok(rate) = way.wait_for(|way| way.passes).await.map(|way| way.rate) else {
                return Ok(());
            };
            if let Some(rate) = rate {
                if free_at.elapsed() > IDLE {
                    free_at = Instant::now();
                }
                free_at += Duration::from_secs_f64(piece.len() as f64 / rate as f64);
                sleep_until(free_at).await;
            }
            count.fetch_add(piece.len() as u64, Ordering::Relaxed);
            to.write_all(piece).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thin_way_takes_its_time() {
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::to(target.local_addr().unwrap()).await.unwrap();
        proxy.thin(100_000);
        let mut near = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut far, _) = target.accept().await.unwrap();
        let begin = Instant::now();
        near.write_all(&[7; 30_000]).await.unwrap();
        let mut bytes = vec![0; 30_000];
        far.read_exact(&mut bytes).await.unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(250), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn nothing_passes_while_it_is_cut_and_new_connections_do_when_it_is_mended() {
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::to(target.local_addr().unwrap()).await.unwrap();
        let mut near = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut far, _) = target.accept().await.unwrap();
        let mut byte = [0];
        near.write_all(b"a").await.unwrap();
        far.read_exact(&mut byte).await.unwrap();
        assert_eq!((proxy.carried_up(), proxy.carried_down()), (1, 0));
        proxy.cut();
        near.write_all(b"b").await.unwrap();
        let passed = tokio::time::timeout(Duration::from_millis(100), far.read_exact(&mut byte));
        assert!(passed.await.is_err());
        proxy.mend();
        assert_eq!(near.read(&mut byte).await.unwrap_or(0), 0, "the old connection goes on");
        let mut near = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut far, _) = target.accept().await.unwrap();
        near.write_all(b"c").await.unwrap();
        far.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"c");
    }
}
