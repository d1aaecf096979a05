//! A way to somewhere that can be cut and mended: connections through it stay open while nothing passes.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A TCP proxy on loopback; ends with all its connections when dropped.
pub struct Proxy {
    address: SocketAddr,
    passes: watch::Sender<bool>,
    ended: watch::Sender<u32>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Opens a way to that address.
    pub async fn to(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("open a proxy")?;
        let address = listener.local_addr().context("open a proxy")?;
        let (passes, ended) = (watch::Sender::new(true), watch::Sender::new(0));
        let mut task = JoinSet::new();
        task.spawn(accept(listener, target, passes.subscribe(), ended.subscribe()));
        Ok(Self { address, passes, ended, _task: task })
    }

    /// Where it is entered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Nothing passes any more, and nobody is told.
    pub fn cut(&self) {
        self.passes.send_replace(false);
    }

    /// Everything passes again. Connections from before are reset, as after a long outage.
    pub fn mend(&self) {
        self.ended.send_modify(|times| *times += 1);
        self.passes.send_replace(true);
    }

    /// Ends all connections; new ones pass.
    pub fn reset(&self) {
        self.ended.send_modify(|times| *times += 1);
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    passes: watch::Receiver<bool>,
    ended: watch::Receiver<u32>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (passes, mut ended) = (passes.clone(), ended.clone());
        ended.mark_unchanged();
        connections.spawn(async move {
            tokio::select! {
                _ = carry(stream, target, passes) => {}
                _ = ended.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(
    near: TcpStream,
    target: SocketAddr,
    mut passes: watch::Receiver<bool>,
) -> std::io::Result<()> {
    near.set_nodelay(true)?;
    // Who connects while the way is cut waits until it is mended.
    if passes.wait_for(|passes| *passes).await.is_err() {
        return Ok(());
    }
    let far = TcpStream::connect(target).await?;
    far.set_nodelay(true)?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        up = pump(near_in, far_out, passes.clone()) => up,
        down = pump(far_in, near_out, passes) => down,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut passes: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() || passes.wait_for(|passes| *passes).await.is_err() {
            return Ok(());
        }
        to.write_all(bytes).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn nothing_passes_while_it_is_cut_and_new_connections_do_when_it_is_mended() {
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::to(target.local_addr().unwrap()).await.unwrap();
        let mut near = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut far, _) = target.accept().await.unwrap();
        let mut byte = [0];
        near.write_all(b"a").await.unwrap();
        far.read_exact(&mut byte).await.unwrap();
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
