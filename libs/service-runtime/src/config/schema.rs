//! Which keys exist, found out from a serialised configuration.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use serde_json::Value;

use super::{Fault, Faults};
use crate::secret;

/// The end of the key that names the file of a secret.
pub(super) const FILE_SUFFIX: &str = "_file";
/// Names farther apart than this share of their length are not each other's typing errors.
const DISTANCE_SHARE: usize = 3;

/// A configuration as a tree of keys.
pub(super) struct Schema {
    root: Value,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// More keys.
    Section,
    /// A value.
    Leaf,
    /// A list of values.
    List,
    /// A secret.
    Secret,
    /// The file of the secret whose key is this one without [`FILE_SUFFIX`].
    SecretFile,
}

impl Schema {
    /// The tree of this configuration.
    pub(super) fn of<C: Serialize>(config: &C) -> Result<Self, Faults> {
        serde_json::to_value(config)
            .map(|root| Self { root })
            .map_err(|error| Fault::Whole { message: error.to_string() }.into())
    }

    /// What stands at `path`; none if nothing does.
    pub(super) fn node(&self, path: &str) -> Option<Node> {
        if let Some(value) = self.find(path) {
            return Some(match value {
                Value::Object(keys) if !keys.is_empty() => Node::Section,
                Value::Array(_) => Node::List,
                value if is_secret(value) => Node::Secret,
                _ => Node::Leaf,
            });
        }
        let secret = self.find(path.strip_suffix(FILE_SUFFIX)?)?;
        is_secret(secret).then_some(Node::SecretFile)
    }

    fn find(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.root, |node, key| node.get(key))
    }

    /// The known path that was most likely meant by `path`.
    pub(super) fn nearest(&self, path: &str) -> Option<String> {
        let meant = folded(path);
        let mut known = Vec::new();
        self.visit(&mut |path, value| {
            if is_secret(value) {
                known.push(format!("{path}{FILE_SUFFIX}"));
            }
            known.push(path.to_owned());
        });
        known
            .into_iter()
            .map(|known| (strsim::damerau_levenshtein(&meant, &folded(&known)), known))
            .min()
            .filter(|(distance, known)| *distance <= known.len().max(path.len()) / DISTANCE_SHARE)
            .map(|(_, known)| known)
    }

    /// Listeners that others than this machine can reach, with their addresses.
    pub(super) fn listeners_beyond_loopback(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.visit(&mut |path, value| {
            let key = path.rsplit('.').next().unwrap_or(path);
            if key != "listen" && !key.ends_with("_listen") {
                return;
            }
            let addresses = match value {
                Value::Array(addresses) => addresses.iter().collect(),
                address => vec![address],
            };
            let public = addresses.into_iter().filter_map(Value::as_str);
            found.extend(
                public
                    .filter(|address| !is_loopback(address))
                    .map(|address| format!("{path} ({address})")),
            );
        });
        found
    }

    /// The keys of secrets that have their built-in value.
    pub(super) fn development_secrets(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.visit(&mut |path, value| {
            if value.as_str() == Some(secret::DEVELOPMENT) {
                found.push(path.to_owned());
            }
        });
        found
    }

    fn visit(&self, visitor: &mut impl FnMut(&str, &Value)) {
        visit_below("", &self.root, visitor);
    }
}

fn visit_below(prefix: &str, node: &Value, visitor: &mut impl FnMut(&str, &Value)) {
    let Value::Object(keys) = node else { return };
    for (key, value) in keys {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        visitor(&path, value);
        visit_below(&path, value, visitor);
    }
}

fn is_secret(value: &Value) -> bool {
    let marks = [secret::SET, secret::UNSET, secret::DEVELOPMENT];
    value.as_str().is_some_and(|text| marks.contains(&text))
}

/// The empty address is a listener that is off.
fn is_loopback(address: &str) -> bool {
    if address.is_empty() {
        return true;
    }
    if let Ok(address) = address.parse::<SocketAddr>() {
        return address.ip().to_canonical().is_loopback();
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback())
}

/// Levels are easily confused with underscores, and `-` with `_`.
fn folded(path: &str) -> String {
    path.to_lowercase().replace(['.', '-'], "_")
}
