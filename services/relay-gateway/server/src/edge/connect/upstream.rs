//! The address of a parent.

use std::{fmt, net::IpAddr};

use http::Uri;

use super::ConnectError;

/// Where a parent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Scheme, host and port; no path.
    origin: Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Upstream {
    /// Reads `https://host[:port]`, or `http://host[:port]` of this machine itself or with `plaintext`.
    ///
    /// # Errors
    /// It is no such URL.
    pub fn parse(url: &str, plaintext: bool) -> Result<Self, ConnectError> {
        let bad = |reason| ConnectError::Url { url: shown(url), reason };
        let uri: Uri = url.trim().parse().map_err(|_| {
            bad("it is no URL: write it as https://relay.example or https://relay.example:7443")
        })?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("it must begin with https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it must not hold a user or password"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad("it must end after host and port"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" if tls => 443,
            "" => 80,
            port => match port.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()) {
                Some(port) if port > 0 => port,
                _ => return Err(bad("its port must be 1 to 65535")),
            },
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        if !tls && !plaintext && !is_this_machine(&host) {
            return Err(bad(
                "without TLS everything can be read on the way: use https://, or set edge.plaintext \
                 = true",
            ));
        }
        let scheme = if tls { "https" } else { "http" };
        let origin = Uri::builder()
            .scheme(scheme)
            .authority(format!("{}:{port}", authority.host()))
            .path_and_query("/")
            .build()
            .map_err(|_| bad("it is no URL"))?;
        Ok(Self { origin, host, port, tls })
    }

    /// Scheme, host and port, as the connection's requests name them.
    #[must_use]
    pub const fn origin(&self) -> &Uri {
        &self.origin
    }

    /// Name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(in crate::edge) fn authority(&self) -> &str {
        self.origin.authority().map_or("", |authority| authority.as_str())
    }

    /// True for `https://`.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// True if it is on this machine by its name: such a one is not looked for behind a proxy.
    pub(super) fn is_this_machine(&self) -> bool {
        is_this_machine(&self.host)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.origin.to_string();
        formatter.write_str(text.trim_end_matches('/'))
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The URL as it may be shown: without what may be a password.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let text = if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") };
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_of_urls() {
        for (url, host, port, shown) in [
            ("https://relay.example", "relay.example", 443, "https://relay.example:443"),
            ("https://relay.example:7443/", "relay.example", 7443, "https://relay.example:7443"),
            ("https://[2001:db8::1]:9", "2001:db8::1", 9, "https://[2001:db8::1]:9"),
            ("http://127.0.0.1:7443", "127.0.0.1", 7443, "http://127.0.0.1:7443"),
            ("http://[::1]", "::1", 80, "http://[::1]:80"),
        ] {
            let upstream = Upstream::parse(url, false).unwrap();
            assert_eq!((upstream.host(), upstream.port()), (host, port));
            assert_eq!(upstream.to_string(), shown);
            assert_eq!(upstream.is_tls(), url.starts_with("https"));
        }
    }

    #[test]
    fn what_is_no_address_of_a_parent_is_refused_without_showing_a_password() {
        for url in [
            "relay.example",
            "ftp://relay.example",
            "https://",
            "https://relay.example/path",
            "https://relay.example?a=b",
            "https://relay.example:0",
            "https://relay.example:70000",
            "https://me:hidden@relay.example",
            "http://192.0.2.1",
            "https://me:hidden@ relay",
            "me:hidden@relay",
        ] {
            let error = Upstream::parse(url, false).unwrap_err().to_string();
            assert!(error.contains("edge.upstream") && !error.contains("hidden"), "{url}: {error}");
        }
        Upstream::parse("http://192.0.2.1", true).unwrap();
    }
}
