//! `tributary terminal discover`: the relays that are announced in the local network.

use std::{io::Write as _, time::Duration};

use clap::Args as ClapArgs;
use serde_json::json;
use tributary_lan_discovery::Found;

/// Longest time that is looked, in seconds.
const SECONDS_MAX: u64 = 60;

#[derive(Debug, ClapArgs)]
pub(super) struct DiscoverArgs {
    /// How long to look
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: DiscoverArgs) -> anyhow::Result<()> {
    let found = tributary_lan_discovery::browse(Duration::from_secs(args.seconds)).await?;
    let text = if args.json { as_json(&found) } else { as_lines(&found) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn as_json(found: &[Found]) -> String {
    let relays: Vec<_> = found
        .iter()
        .map(|found| {
            json!({
                "relay_id": found.record.relay_id,
                "relay_name": found.record.relay_name,
                "version": found.record.version,
                "url": found.url(),
                "path": found.record.path,
                "tls": found.record.tls,
                "addresses": found.addresses,
            })
        })
        .collect();
    format!("{}\n", serde_json::Value::Array(relays))
}

fn as_lines(found: &[Found]) -> String {
    if found.is_empty() {
        return "no relay is announced in this network (edge.announce = true announces one)\n"
            .to_owned();
    }
    let line = |found: &Found| {
        let (record, url) = (&found.record, found.url().unwrap_or_default());
        format!("{url}  {} ({}), version {}\n", record.relay_name, record.relay_id, record.version)
    };
    found.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use tributary_lan_discovery::RelayRecord;

    use super::*;

    fn office() -> Found {
        Found {
            record: RelayRecord {
                relay_id: "office".parse().unwrap(),
                relay_name: "Berlin".into(),
                version: "1.2".into(),
                path: "/terminal/v1".into(),
                tls: false,
            },
            addresses: vec!["192.0.2.1:8080".parse().unwrap()],
        }
    }

    #[test]
    fn relays_are_listed_for_people_and_for_programs() {
        let lines = as_lines(&[office()]);
        assert_eq!(lines, "http://192.0.2.1:8080  Berlin (office), version 1.2\n");
        assert!(as_lines(&[]).contains("edge.announce"));
        let list: serde_json::Value = serde_json::from_str(&as_json(&[office()])).unwrap();
        assert_eq!(list[0]["url"], "http://192.0.2.1:8080");
        assert_eq!(list[0]["relay_id"], "office");
        assert_eq!(list[0]["addresses"][0], "192.0.2.1:8080");
    }
}
