//! What a world talks to: an SMTP server and an OpenID provider, real ones, as processes.
//!
//! They are the programs of `tests/peers`; each ends by itself when its starter has ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::Value;

use crate::process::without_settings;
use crate::{OidcProvider, http, wait};

const MAIL_DEADLINE: Duration = Duration::from_secs(10);
/// Redirects of one log-in; the provider needs three.
const REDIRECTS_MAX: usize = 10;

/// Where a peer's program is: `variable`, which the recipes set, else what `scripts/provision` says.
fn locate(variable: &str, what: &str) -> Result<PathBuf> {
    if let Some(program) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
        return Ok(program.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/provision");
    let output = Command::new(script).arg(what).output().context("run scripts/provision")?;
    if !output.status.success() {
        bail!("scripts/provision {what}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let said = String::from_utf8(output.stdout).context("read where the program is")?;
    Ok(said.lines().last().context("scripts/provision says nothing")?.into())
}

/// A peer's process; killed when dropped.
struct Peer {
    child: Child,
}

impl Peer {
    /// Starts a program; returns the first line it says too, which tells where it answers.
    fn start(
        program: &Path,
        arguments: &[String],
    ) -> Result<(Self, String, Lines<BufReader<ChildStdout>>)> {
        // Peers warn of what does not matter here; it is shown if they do not start.
        let mut errors = tempfile::tempfile().context("make a file for errors")?;
        let mut child = without_settings(&mut Command::new(program))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone()?)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let stdout = child.stdout.take().context("a piped output")?;
        let mut lines = BufReader::new(stdout).lines();
        let peer = Self { child };
        if let Some(Ok(first)) = lines.next() {
            return Ok((peer, first, lines));
        }
        let mut said = String::new();
        errors.rewind()?;
        errors.read_to_string(&mut said)?;
        bail!("{} has not started: {}", program.display(), said.trim())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A mail server that keeps what it is sent.
pub struct MailServer {
    port: u16,
    messages: Arc<Mutex<Vec<Value>>>,
    _peer: Peer,
}

impl MailServer {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let program = locate("TRIBUTARY_TEST_SMTP", "mail")?;
        let (peer, port, lines) = Peer::start(&program, &[])?;
        let messages = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&messages);
        std::thread::spawn(move || {
            for message in lines.map_while(Result::ok) {
                if let Ok(message) = serde_json::from_str(&message) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                }
            }
        });
        Ok(Self { port: port.trim().parse().context("read the port")?, messages, _peer: peer })
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The first message to an address, in the words of `tests/peers/smtp_server.py`.
    pub async fn message_to(&self, address: &str) -> Result<Value> {
        wait::until_some(format!("mail to {address}"), MAIL_DEADLINE, || async {
            let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
            let found = messages.iter().find(|message| {
                let recipients = message.get("envelope_to").and_then(Value::as_array);
                recipients.is_some_and(|to| to.iter().any(|to| to == address))
            });
            found.cloned()
        })
        .await
    }

    /// The plain text of a message.
    pub fn plain_text(message: &Value) -> Option<&str> {
        let parts = message.get("parts")?.as_array()?;
        let plain =
            parts.iter().find(|part| part.get("type").is_some_and(|t| t == "text/plain"))?;
        plain.get("text")?.as_str()
    }
}

/// An OpenID provider at which everybody can log in with any name.
pub struct OidcServer {
    issuer: String,
    _peer: Peer,
}

impl OidcServer {
    const CLIENT_ID: &'static str = "tributary";
    const CLIENT_SECRET: &'static str = "secret-of-the-tests";

    /// Starts it; it sends browsers back to these addresses and no others.
    pub fn start(redirect_uris: &[String]) -> Result<Self> {
        let program = locate("TRIBUTARY_TEST_OIDC", "oidc")?;
        let arguments: Vec<String> = redirect_uris
            .iter()
            .flat_map(|uri| ["--redirect-uri".to_owned(), uri.clone()])
            .chain(["--client-id", Self::CLIENT_ID].map(String::from))
            .chain(["--client-secret", Self::CLIENT_SECRET].map(String::from))
            .collect();
        let (peer, issuer, _) = Peer::start(&program, &arguments)?;
        Ok(Self { issuer, _peer: peer })
    }

    /// How a world's services find it.
    pub fn provider(&self) -> OidcProvider {
        Self::provider_at(&self.issuer)
    }

    /// How a world's services find one that is, or will be, there.
    pub fn provider_at(issuer: &str) -> OidcProvider {
        OidcProvider {
            id: "test".to_owned(),
            name: "Test ID".to_owned(),
            issuer: issuer.to_owned(),
            client_id: Self::CLIENT_ID.to_owned(),
            client_secret: Self::CLIENT_SECRET.to_owned(),
        }
    }

    /// Logs in there as a browser would, from the address that the platform has given; returns the
    /// address that the browser is sent back to.
    pub async fn log_in(&self, authorization_url: &str, name: &str) -> Result<String> {
        let browser = http::client()?;
        let mut cookies = BTreeMap::new();
        let mut url = format!("{authorization_url}&login_hint={name}");
        for _ in 0..REDIRECTS_MAX {
            let sent: Vec<_> =
                cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let answer = browser.get(&url).header(COOKIE, sent.join("; ")).send().await?;
            for cookie in answer.headers().get_all(SET_COOKIE) {
                let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
                let (name, value) = cookie.split_once('=').context("read a cookie")?;
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(next) = answer.headers().get(LOCATION) else {
                bail!("the provider answers {} to {url}", answer.status());
            };
            let next = next.to_str()?;
            url = if next.starts_with('/') {
                format!("{}{next}", self.issuer)
            } else {
                next.to_owned()
            };
            if !url.starts_with(&self.issuer) {
                return Ok(url);
            }
        }
        bail!("the provider redirects for ever");
    }
}

/// The value of a parameter in an address, percent-decoded where that matters for codes and states.
pub fn query_value(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next()?;
    let (_, value) =
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    Some(percent_decoded(value))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = match (*first, tail) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_an_address_are_found_and_decoded() {
        let url = "http://127.0.0.1:8080/?code=a%2Fb%3D&state=x-1&iss=http%3A%2F%2Fi#/m/1";
        assert_eq!(query_value(url, "code").unwrap(), "a/b=");
        assert_eq!(query_value(url, "state").unwrap(), "x-1");
        assert_eq!(query_value(url, "iss").unwrap(), "http://i");
        assert_eq!(query_value(url, "stat"), None);
        assert_eq!(query_value("http://127.0.0.1/", "code"), None);
        assert_eq!(percent_decoded("100%"), "100%");
    }
}
