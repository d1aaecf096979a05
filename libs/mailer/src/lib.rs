//! E-mail by SMTP (RFC 5321): one message to one person, taken by the mail server or refused with a
//! reason that says whose fault it is.
//!
//! **Invariants:** nothing that a message is made of can become a header or a recipient of its own;
//! a password goes over no unprotected line but loopback; TLS never falls back to none; every call
//! ends within the configured time.

mod address;
mod config;
mod message;
mod relay;

pub use address::{ADDRESS_LENGTH_MAX, EmailAddress, InvalidAddress};
pub use config::{ConfigError, MailConfig};
pub use message::{
    BODY_LENGTH_MAX, IMAGE_LENGTH_MAX, InlineImage, InvalidMessage, Message, SUBJECT_LENGTH_MAX,
};
pub use relay::{CONNECTIONS_MAX, Mailer, SendError};
