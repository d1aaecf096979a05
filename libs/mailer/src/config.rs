//! Where the mail server is, and how to talk to it.

use std::{fs, time::Duration};

use lettre::{
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tributary_service_runtime::Secret;
use url::{Host, Url};

use crate::EmailAddress;

/// The longest time that one message may take, in seconds.
const TIMEOUT_SECONDS_MAX: u64 = 600;

/// Settings of outgoing mail.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server. Empty: no mail is sent. `smtps://[user:password@]host[:465]` with TLS from
    /// the first byte, `smtp+starttls://[user:password@]host[:587]` with TLS demanded before
    /// anything else, `smtp://host[:25]` without TLS, and with user and password only to loopback.
    /// Special characters in user and password are percent-encoded.
    pub url: Secret,
    /// Who the mail is from: `Name <name@example.org>` or `name@example.org`.
    pub from: String,
    /// A PEM file with the certificate authority of a mail server of one's own, trusted besides the
    /// public ones. Empty: only the public ones are.
    pub ca_file: String,
    /// Seconds that a message may take, from the call to the server's answer: 1 to 600.
    pub timeout_seconds: u64,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            from: String::new(),
            ca_file: String::new(),
            timeout_seconds: 30,
        }
    }
}

/// What is wrong with the settings. The URL is not repeated, as it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The URL can't be read, or is of another kind.
    #[error(
        "mail.url must be smtps://, smtp+starttls:// or smtp:// with a host, and nothing behind it"
    )]
    Url,
    /// A password would be sent for everybody on the way to read.
    #[error("mail.url: a password needs smtps:// or smtp+starttls://, unless the host is loopback")]
    OpenPassword,
    /// A password without a user or a user without a password.
    #[error("mail.url: user and password belong together, percent-encoded")]
    LogIn,
    /// The sender is missing or no address.
    #[error("mail.from must be an address as in: Tributary <no-reply@example.org>")]
    From,
    /// The time is out of range.
    #[error("mail.timeout_seconds must be 1 to {TIMEOUT_SECONDS_MAX}")]
    Timeout,
    /// The file with the authority can't be read.
    #[error("mail.ca_file: can't read {path}: {source}")]
    CaFile {
        /// The file.
        path: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The file holds no certificate, or TLS can't be set up with it.
    #[error("mail.ca_file: {path} must hold certificates in PEM")]
    Certificates {
        /// The file.
        path: String,
    },
    /// TLS can't be set up for this host.
    #[error("mail.url: TLS can't be set up: {0}")]
    Tls(String),
}

/// The settings, understood.
pub(crate) struct Route {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub log_in: Option<Credentials>,
    pub from: Mailbox,
    pub from_domain: String,
    pub timeout: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protection {
    None,
    StartTls,
    Implicit,
}

impl Route {
    /// None if mail is switched off.
    pub fn new(config: &MailConfig) -> Result<Option<Self>, ConfigError> {
        if config.url.is_empty() {
            return Ok(None);
        }
        let url = Url::parse(config.url.expose()).map_err(|_| ConfigError::Url)?;
        let (protection, default_port) = match url.scheme() {
            "smtp" => (Protection::None, 25),
            "smtp+starttls" => (Protection::StartTls, 587),
            "smtps" => (Protection::Implicit, 465),
            _ => return Err(ConfigError::Url),
        };
        let bare =
            matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host =
            url.host_str().filter(|host| !host.is_empty() && bare).ok_or(ConfigError::Url)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let log_in = log_in(&url)?;
        if log_in.is_some() && protection == Protection::None && !is_loopback(&host) {
            return Err(ConfigError::OpenPassword);
        }
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&config.timeout_seconds) {
            return Err(ConfigError::Timeout);
        }
        let (from, from_domain) = sender(&config.from)?;
        Ok(Some(Self {
            tls: tls(protection, &host, &config.ca_file)?,
            host,
            port: url.port().unwrap_or(default_port),
            log_in,
            from,
            from_domain,
            timeout: Duration::from_secs(config.timeout_seconds),
        }))
    }
}

fn log_in(url: &Url) -> Result<Option<Credentials>, ConfigError> {
    let decode = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map_err(|_| ConfigError::LogIn)?;
        // A NUL would end the user's name within the log-in (RFC 4616).
        if text.contains('\0') { Err(ConfigError::LogIn) } else { Ok(text.into_owned()) }
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(ConfigError::LogIn),
        (user, Some(password)) => Ok(Some(Credentials::new(decode(user)?, decode(password)?))),
    }
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => host.parse().is_ok_and(|address: std::net::Ipv6Addr| address.is_loopback()),
    }
}

fn sender(text: &str) -> Result<(Mailbox, String), ConfigError> {
    if text.chars().any(char::is_control) {
        return Err(ConfigError::From);
    }
    let mailbox: Mailbox = text.parse().map_err(|_| ConfigError::From)?;
    let address: EmailAddress = mailbox.email.to_string().parse().map_err(|_| ConfigError::From)?;
    let email = address.to_lettre().map_err(|_| ConfigError::From)?;
    Ok((Mailbox::new(mailbox.name, email), address.domain().to_owned()))
}

fn tls(protection: Protection, host: &str, ca_file: &str) -> Result<Tls, ConfigError> {
    if protection == Protection::None {
        return Ok(Tls::None);
    }
    let mut parameters =
        TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    if !ca_file.is_empty() {
        let path = || ca_file.to_owned();
        let pem =
            fs::read(ca_file).map_err(|source| ConfigError::CaFile { path: path(), source })?;
        let marked = pem.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE);
        let authority = Certificate::from_pem(&pem).ok().filter(|_| marked);
        let authority = authority.ok_or_else(|| ConfigError::Certificates { path: path() })?;
        parameters = parameters.add_root_certificate(authority);
    }
    let parameters = parameters.build().map_err(|error| {
        if ca_file.is_empty() {
            ConfigError::Tls(error.to_string())
        } else {
            ConfigError::Certificates { path: ca_file.to_owned() }
        }
    })?;
    Ok(match protection {
        Protection::Implicit => Tls::Wrapper(parameters),
        Protection::StartTls | Protection::None => Tls::Required(parameters),
    })
}

/// Without this a PEM file holds nothing to trust.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, from: &str) -> MailConfig {
        MailConfig { url: Secret::new(url), from: from.into(), ..MailConfig::default() }
    }

    fn error(config: &MailConfig) -> ConfigError {
        let error = Route::new(config).err().expect("an error");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        error
    }

    #[test]
    fn without_a_url_mail_is_off_whatever_else_is_set() {
        assert!(Route::new(&config("", "nobody")).unwrap().is_none());
    }

    #[test]
    fn urls_say_where_and_how() {
        let from = "Tributary <no-reply@Meet.example.org>";
        for (url, host, port, protected, log_in) in [
            ("smtp://localhost", "localhost", 25, false, false),
            ("smtp://u:p@127.0.0.1:2525/", "127.0.0.1", 2525, false, true),
            ("smtp://u:p@[::1]:2525", "::1", 2525, false, true),
            ("smtp://relay.example.org", "relay.example.org", 25, false, false),
            ("smtps://h.example", "h.example", 465, true, false),
            ("smtps://u%40x:p%2Fq@h.example:9", "h.example", 9, true, true),
            ("smtp+starttls://u:p@h.example", "h.example", 587, true, true),
        ] {
            let route = Route::new(&config(url, from)).unwrap().unwrap();
            assert_eq!((route.host.as_str(), route.port), (host, port), "{url}");
            assert_eq!(!matches!(route.tls, Tls::None), protected, "{url}");
            assert_eq!(route.log_in.is_some(), log_in, "{url}");
            assert_eq!(route.from_domain, "meet.example.org");
        }
        let url = "smtps://u%40x:p%2Fq@h.example";
        let log_in = Route::new(&config(url, from)).unwrap().unwrap().log_in;
        assert_eq!(log_in, Some(Credentials::new("u@x".into(), "p/q".into())));
        for (url, starttls) in [("smtps://h.example", false), ("smtp+starttls://h.example", true)] {
            let tls = Route::new(&config(url, from)).unwrap().unwrap().tls;
            assert_eq!(matches!(tls, Tls::Required(_)), starttls);
            assert_eq!(matches!(tls, Tls::Wrapper(_)), !starttls);
        }
    }

    #[test]
    fn wrong_settings_are_named_and_passwords_are_not() {
        let from = "a@example.org";
        for url in [
            "localhost:25",
            "http://canary@h/",
            "smtp://",
            "smtps://h/canary",
            "smtps://h?tls=canary",
            "smtps://h#canary",
            "smtps://u:canary@h:port",
        ] {
            assert!(matches!(error(&config(url, from)), ConfigError::Url), "{url}");
        }
        let open = error(&config("smtp://u:canary@relay.example.org", from));
        assert!(matches!(open, ConfigError::OpenPassword));
        for url in [
            "smtps://canary@h.example",
            "smtps://:canary@h.example",
            "smtps://u:%ff@h.example",
            "smtps://u%00:p@h.example",
        ] {
            assert!(matches!(error(&config(url, from)), ConfigError::LogIn), "{url}");
        }
        for from in ["", "Tributary", "a@b@c", "a@127.0.0.1", "A <a@h.example>\r\nBcc: b@h.example"]
        {
            assert!(matches!(error(&config("smtps://h.example", from)), ConfigError::From));
        }
        for timeout_seconds in [0, TIMEOUT_SECONDS_MAX + 1] {
            let config = MailConfig { timeout_seconds, ..config("smtps://h.example", from) };
            assert!(matches!(error(&config), ConfigError::Timeout));
        }
    }
}
