//! A cable between a terminal and its relay that can be cut so that only the relay notices.

use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub struct Cable {
    pub url: String,
    cut: CancellationToken,
    _carrying: AbortOnDropHandle<()>,
}

impl Cable {
    /// Leads to a relay.
    pub async fn to(relay_url: &str) -> Self {
        let relay = relay_url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cut = CancellationToken::new();
        let until = cut.clone();
        let carrying = tokio::spawn(async move {
            let mut terminals = Vec::new();
            while let Some(Ok((terminal, _))) = until.run_until_cancelled(listener.accept()).await {
                let relay = TcpStream::connect(&relay).await.unwrap();
                let carried = tokio::spawn(carry(terminal, relay, until.clone()));
                terminals.push(AbortOnDropHandle::new(carried));
            }
            std::future::pending().await
        });
        Self { url, cut, _carrying: AbortOnDropHandle::new(carrying) }
    }

    /// The relay's end is closed; the terminal's stays as it is, and nothing comes on it.
    pub fn cut(&self) {
        self.cut.cancel();
    }
}

async fn carry(mut terminal: TcpStream, mut relay: TcpStream, cut: CancellationToken) {
    let carrying = tokio::io::copy_bidirectional(&mut terminal, &mut relay);
    if cut.run_until_cancelled(carrying).await.is_none() {
        drop(relay);
        std::future::pending::<()>().await;
    }
}
