//! Handing messages to the mail server.

use std::{fmt, sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{Error, extension::ClientId},
};
use tokio::{sync::Semaphore, time::timeout};

use crate::{ConfigError, InvalidMessage, MailConfig, Message, config::Route};

/// Connections to the mail server at once; further messages wait for one of them.
pub const CONNECTIONS_MAX: usize = 4;

/// The longest reason of somebody else that is passed on, in characters.
const REASON_LENGTH_MAX: usize = 200;

/// Sends mail. Clones share the connections. It logs nothing and keeps nothing.
#[derive(Clone)]
pub struct Mailer {
    shared: Arc<Shared>,
}

struct Shared {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    from_domain: String,
    timeout: Duration,
    connections: Semaphore,
}

/// Why the mail server has not taken a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The message itself is impossible.
    #[error(transparent)]
    Message(#[from] InvalidMessage),
    /// The server does not want the message, and won't another time: the address may not exist.
    #[error("the mail server refused the message: {0}")]
    Refused(String),
    /// The server can't take the message now.
    #[error("the mail server can't take the message now, try again later: {0}")]
    Deferred(String),
    /// User and password are wrong, or needed.
    #[error("the mail server refused the log-in, check user and password in mail.url: {0}")]
    LogIn(String),
    /// The server can't be reached, or nobody knows whether it is the right one.
    #[error("the mail server can't be reached, check mail.url and mail.ca_file: {0}")]
    Unreachable(String),
    /// No answer in time. The message may or may not have been taken.
    #[error("the mail server did not answer within {0} s, try again later")]
    Timeout(u64),
}

impl SendError {
    /// Whether the same message may be taken another time.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Deferred(_) | Self::Unreachable(_) | Self::Timeout(_) => true,
            Self::Message(_) | Self::Refused(_) | Self::LogIn(_) => false,
        }
    }
}

impl Mailer {
    /// A mailer by these settings; none if they say that no mail is sent. Nothing is connected yet.
    ///
    /// # Errors
    /// If a setting is wrong, or the file with the authority can't be read.
    pub fn new(config: &MailConfig) -> Result<Option<Self>, ConfigError> {
        let Some(route) = Route::new(config)? else { return Ok(None) };
        // A connection per message: one that was given up half-way is never used again.
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(route.host)
            .port(route.port)
            .tls(route.tls)
            .hello_name(ClientId::Domain(route.from_domain.clone()))
            .timeout(Some(route.timeout));
        if let Some(log_in) = route.log_in {
            transport = transport.credentials(log_in);
        }
        let shared = Shared {
            transport: transport.build(),
            from: route.from,
            from_domain: route.from_domain,
            timeout: route.timeout,
            connections: Semaphore::new(CONNECTIONS_MAX),
        };
        Ok(Some(Self { shared: Arc::new(shared) }))
    }

    /// Sends a message, and returns when the mail server has taken it. That it took it does not yet
    /// mean that it arrives.
    ///
    /// # Errors
    /// If the message is impossible, or the server does not take it within the configured time,
    /// which includes the wait for a free connection. Dropping the future gives up; the message may
    /// have been taken then.
    pub async fn send(&self, message: &Message) -> Result<(), SendError> {
        let shared = &*self.shared;
        let mail = message.assemble(&shared.from, shared.message_id()?)?;
        let sending = async {
            // The semaphore is never closed; without a permit the message is sent all the same.
            let _connection = shared.connections.acquire().await.ok();
            shared.transport.send(mail).await
        };
        match timeout(shared.timeout, sending).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_timeout() => Err(shared.timed_out()),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err(shared.timed_out()),
        }
    }
}

impl fmt::Debug for Mailer {
    /// The transport knows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer(from {})", self.shared.from)
    }
}

impl Shared {
    const fn timed_out(&self) -> SendError {
        SendError::Timeout(self.timeout.as_secs())
    }

    /// A new id of a message (RFC 5322 section 3.6.4).
    fn message_id(&self) -> Result<String, InvalidMessage> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| InvalidMessage::Parts)?;
        Ok(format!("<{:032x}@{}>", u128::from_be_bytes(random), self.from_domain))
    }
}

fn explain(error: &Error) -> SendError {
    let reason = reason(error);
    match error.status().map(u16::from) {
        // RFC 4954 section 6; 534 and 538 by the same registry.
        Some(530 | 534 | 535 | 538) => SendError::LogIn(reason),
        _ if error.is_permanent() => SendError::Refused(reason),
        _ if error.is_transient() => SendError::Deferred(reason),
        _ => SendError::Unreachable(reason),
    }
}

/// What the other side or the operating system says, on one line and not too long.
fn reason(error: &Error) -> String {
    let line: String = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|character| !character.is_control()).take(REASON_LENGTH_MAX).collect()
}
