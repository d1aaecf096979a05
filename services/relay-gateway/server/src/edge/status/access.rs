//! Who looks at the page, from where, and in which language.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

use super::Listener;

/// What proxies say of those they ask for: then the peer is the proxy, and who asks may be anywhere.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// True if the request was made on this machine, to this machine by its own name: a page from elsewhere
/// that has its name point here (DNS rebinding) names another, or has no certificate for it.
pub(super) fn is_this_machine(
    listener: Listener,
    peer: Option<SocketAddr>,
    headers: &HeaderMap,
) -> bool {
    // Nobody but this machine has its address, and gets answers.
    let own = |ip: IpAddr| {
        let ip = ip.to_canonical();
        ip.is_loopback() || ip == listener.address.ip().to_canonical() && !ip.is_unspecified()
    };
    let near = peer.is_some_and(|peer| own(peer.ip()));
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    near && !forwarded && (listener.tls || host.is_some_and(|host| names_one_of(host, own)))
}

fn names_one_of(host: &str, own: impl Fn(IpAddr) -> bool) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return own(address.ip());
    }
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
    let name = if port.parse::<u16>().is_ok() { name } else { host };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse().is_ok_and(own) || name.eq_ignore_ascii_case("localhost")
}

/// `zh-CN` if the browser likes Chinese better than English, else `en` (RFC 9110 §12.5.4).
pub(super) fn language(headers: &HeaderMap) -> &'static str {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let (mut english, mut chinese) = (0.0_f32, 0.0_f32);
    for range in wanted.unwrap_or_default().split(',') {
        let (tag, weight) = range.split_once(";q=").unwrap_or((range, "1"));
        let weight = weight.trim().parse::<f32>().unwrap_or(0.0);
        match tag.trim().split('-').next().unwrap_or_default() {
            tag if tag.eq_ignore_ascii_case("zh") => chinese = chinese.max(weight),
            tag if tag.eq_ignore_ascii_case("en") => english = english.max(weight),
            _ => {}
        }
    }
    if chinese > english { "zh-CN" } else { "en" }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: Listener =
        Listener { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80), tls: false };

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn this_machine_is_who_comes_from_it_straight_and_calls_it_so() {
        let near: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        for host in ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "[::1]"] {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert!(is_this_machine(HERE, Some(near), &headers), "{host}");
            let mapped = "[::ffff:127.0.0.1]:5000".parse().unwrap();
            assert!(is_this_machine(HERE, Some(mapped), &headers), "{host}");
            let far = "192.0.2.1:1".parse().unwrap();
            assert!(!is_this_machine(HERE, Some(far), &headers), "{host}");
            assert!(!is_this_machine(HERE, None, &headers), "{host}");
        }
        for others in [
            headers(&[("host", "evil.example:8080")]),
            headers(&[("host", "192.0.2.1:8080")]),
            headers(&[("host", "localhost.evil.example")]),
            headers(&[("host", "localhost"), ("x-forwarded-for", "192.0.2.1")]),
            headers(&[]),
        ] {
            assert!(!is_this_machine(HERE, Some(near), &others), "{others:?}");
        }
    }

    #[test]
    fn this_machine_may_come_by_its_address_in_the_network() {
        let address: SocketAddr = "192.0.2.7:8443".parse().unwrap();
        let (own, other) = ("192.0.2.7:5000".parse().unwrap(), "192.0.2.8:5000".parse().unwrap());
        for (tls, host, good) in [
            (false, "192.0.2.7:8443", true),
            (false, "relay.example:8443", false),
            (true, "relay.example:8443", true),
        ] {
            let listener = Listener { address, tls };
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert_eq!(is_this_machine(listener, Some(own), &headers), good, "{tls} {host}");
            assert!(!is_this_machine(listener, Some(other), &headers), "{tls} {host}");
        }
    }

    #[test]
    fn the_language_that_is_wanted_more_is_spoken() {
        for (wanted, spoken) in [
            ("", "en"),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
            ("en-GB,en;q=0.9,zh;q=0.8", "en"),
            ("fr, zh;q=0.3", "zh-CN"),
            ("de", "en"),
            ("zh;q=x", "en"),
        ] {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, wanted.parse().unwrap())]);
            assert_eq!(language(&headers), spoken, "{wanted}");
        }
    }
}
