//! The terminal protocol as bytes: what a relay sends, exactly as it comes.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use prost::bytes::Bytes;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tributary_contracts::terminal::v1::relay_message::Body as Said;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_contracts::terminal::v1::{RelayMessage, TerminalMessage};

/// How long an answer may take.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
/// Field 1, a varint: `in_reply_to`, which comes first.
const IN_REPLY_TO: u8 = 0x08;

/// A connection to a relay, one request after the other.
pub struct Wire {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
}

/// An answer.
pub struct Answer {
    /// As it came, without the request's id.
    pub bytes: Vec<u8>,
    /// What it says.
    pub said: Said,
    /// From the first byte sent until the answer was there.
    pub time: Duration,
}

impl Wire {
    /// Connects to the relay of this page.
    pub async fn connect(page: &str) -> Result<Self> {
        Self::open(request(page)?).await
    }

    /// The same for a terminal at another address, as a proxy does that the relay trusts.
    pub async fn connect_from(page: &str, address: Ipv4Addr) -> Result<Self> {
        let mut request = request(page)?;
        request.headers_mut().insert("x-forwarded-for", address.to_string().parse()?);
        Self::open(request).await
    }

    async fn open(request: Request) -> Result<Self> {
        // Without Nagle's algorithm, as browsers connect.
        let (socket, _) =
            connect_async_with_config(request, None, true).await.context("connect")?;
        let mut wire = Self { socket, last_id: 0 };
        match wire.next().await?.0.body {
            Some(Said::Welcome(_)) => Ok(wire),
            other => bail!("the relay said {other:?} instead of welcome"),
        }
    }

    /// Asks, and waits for the answer; a refusal is one.
    pub async fn ask(&mut self, body: Ask) -> Result<Answer> {
        self.last_id += 1;
        let request = TerminalMessage { request_id: self.last_id, body: Some(body) };
        let request = Message::Binary(request.encode_to_vec().into());
        let begin = Instant::now();
        self.socket.send(request).await.context("ask")?;
        loop {
            let (message, bytes) = self.next().await?;
            if message.in_reply_to != self.last_id {
                continue;
            }
            let time = begin.elapsed();
            let said = message.body.context("the answer says nothing")?;
            return Ok(Answer { bytes: without_id(&bytes, self.last_id)?, said, time });
        }
    }

    async fn next(&mut self) -> Result<(RelayMessage, Bytes)> {
        loop {
            let next = tokio::time::timeout(ANSWER_DEADLINE, self.socket.next()).await;
            let message = next.context("the relay does not answer")?;
            match message.context("the relay has closed the connection")?? {
                Message::Binary(bytes) => return Ok((RelayMessage::decode(bytes.clone())?, bytes)),
                Message::Ping(_) | Message::Pong(_) => {}
                other => bail!("the relay sent {other:?}"),
            }
        }
    }
}

fn request(page: &str) -> Result<Request> {
    let address = page.strip_prefix("http://").context("a page of this machine")?;
    let url = format!("ws://{}/terminal/v1", address.trim_end_matches('/'));
    url.into_client_request().context("make a request")
}

/// Takes the id off; it must stand where encoders put it, at the beginning.
fn without_id(bytes: &[u8], id: u64) -> Result<Vec<u8>> {
    let mut head = vec![IN_REPLY_TO];
    prost::encoding::encode_varint(id, &mut head);
    let rest = bytes.strip_prefix(head.as_slice());
    Ok(rest.context("the answer does not begin with the request's id")?.to_vec())
}

#[cfg(test)]
mod tests {
    use tributary_contracts::terminal::v1::Pong;

    use super::*;

    #[test]
    fn only_the_id_is_set_aside() {
        let encode = |id| {
            RelayMessage { in_reply_to: id, body: Some(Said::Pong(Pong {})), ..Default::default() }
                .encode_to_vec()
        };
        let rest = without_id(&encode(1), 1).unwrap();
        assert!(!rest.is_empty());
        assert_eq!(without_id(&encode(70_000), 70_000).unwrap(), rest);
        assert!(without_id(&encode(2), 1).is_err());
    }
}
