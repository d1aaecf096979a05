//! Mail, sent to a real server and read back by a parser that was written by others.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by it, as tests do")]

mod answers;
mod content;
mod protection;
mod server;

use tributary_mailer::{MailConfig, Mailer, Message};
use tributary_service_runtime::Secret;

/// Settings for a server at this URL.
fn config(url: String) -> MailConfig {
    MailConfig {
        url: Secret::new(url),
        from: "Tributary Überall <no-reply@meet.example.org>".into(),
        timeout_seconds: 60,
        ..MailConfig::default()
    }
}

fn mailer(url: String) -> Mailer {
    Mailer::new(&config(url)).unwrap().unwrap()
}

/// A short text to this address.
fn note(to: &str) -> Message {
    Message {
        to: to.parse().unwrap(),
        subject: "Note".into(),
        text: "text\n".into(),
        html: None,
        image: None,
    }
}
