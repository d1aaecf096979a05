//! What support needs to know of an edge relay, in one file without a secret: how it is, how it is set
//! up, what it has logged, and what the network answers from here.

mod local;
mod network;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    config::Config,
    connect::{ConnectError, Connector},
    status::{LOG, Report},
};
pub use local::{AskError, ask_text};

/// What a running relay is asked for, below its address.
const STATUS: &str = "/status.json";

/// How the relay at `address` (`http://127.0.0.1:8080`) is; `ca_file` as in `edge.ca_file`, for `https://`.
///
/// # Errors
/// Nobody answers there, or what answers is no edge relay or does not tell.
pub async fn ask_status(address: &str, ca_file: &Path) -> Result<Report, AskError> {
    let text = ask_text(address, STATUS, ca_file).await?;
    serde_json::from_str(&text).map_err(|error| AskError::Answer {
        address: address.to_owned(),
        reason: format!("it is no edge relay's status ({error})"),
    })
}

/// Gathers the bundle: `whole` is the configuration as it applies; of secrets it holds marks only.
/// Whatever can't be had is said in its place.
pub async fn bundle(address: &str, config: &Config, whole: &impl Serialize) -> Value {
    let said = |error: &dyn std::fmt::Display| json!({ "error": error.to_string() });
    let status = match ask_status(address, &config.ca_file).await {
        // Who meets is nothing that support needs to know.
        Ok(report) => json!(report.without_people()),
        Err(error) => said(&error),
    };
    let log = match ask_text(address, LOG, &config.ca_file).await {
        Ok(text) => json!(text.lines().collect::<Vec<_>>()),
        Err(error) => said(&error),
    };
    let made = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    json!({
        "made_unix_seconds": made,
        "versions": versions(),
        "status": status,
        "configuration": redacted(whole),
        "network": network(config).await,
        "log": log,
    })
}

fn versions() -> Value {
    let line = |path| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
    let release = line("/etc/os-release").and_then(|text| {
        let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        name.map(|name| name.trim_matches('"').to_owned())
    });
    json!({
        "tributary": env!("CARGO_PKG_VERSION"),
        "architecture": std::env::consts::ARCH,
        "system": release,
        "kernel": line("/proc/sys/kernel/osrelease"),
    })
}

/// The configuration with its secrets as marks, and addresses without what may be a password in them.
fn redacted(whole: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(whole).unwrap_or_default();
    strip_credentials(&mut value);
    value
}

/// Takes user and password out of every URL: not all settings that may hold one are secrets.
fn strip_credentials(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((scheme, rest)) = text.split_once("://")
                && let Some((authority, tail)) = split_authority(rest)
            {
                *text = format!("{scheme}://<removed>@{}{tail}", authority.1);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_credentials),
        Value::Object(keys) => keys.values_mut().for_each(strip_credentials),
        _ => {}
    }
}

/// User with password, host, and what follows; none if there is no user.
fn split_authority(rest: &str) -> Option<((&str, &str), &str)> {
    // The last `@`, wherever it is: a password may hold what would end an authority.
    let (user, host) = rest.rsplit_once('@')?;
    let end = host.find(['/', '?', '#']).unwrap_or(host.len());
    let (host, tail) = host.split_at_checked(end)?;
    Some(((user, host), tail))
}

async fn network(config: &Config) -> Value {
    let connector = match Connector::new(config) {
        Ok(connector) => connector,
        Err(error) => return json!({ "error": error.to_string() }),
    };
    let mut upstreams = Vec::new();
    for upstream in connector.upstreams() {
        upstreams.push(network::examine(&connector, upstream).await);
    }
    json!({ "upstreams": upstreams })
}
