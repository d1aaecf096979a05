//! What the network answers: names, and a connection to each parent as the relay makes it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::connect::{Connector, Upstream};

/// How long a name is looked for.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);

/// Looks its name up and connects once; nothing is asked of the parent.
pub(super) async fn examine(connector: &Connector, upstream: &Upstream) -> Value {
    let begin = Instant::now();
    let connection = match connector.connect(upstream).await {
        Ok(connected) => json!({
            "ok": true,
            "took_ms": ms(begin),
            "local": connected.local.to_string(),
            "peer": connected.peer.to_string(),
            "through_proxy": connected.through_proxy,
        }),
        Err(error) => json!({ "ok": false, "took_ms": ms(begin), "error": error.to_string() }),
    };
    json!({
        "upstream": upstream.to_string(),
        "name": name(upstream).await,
        "connection": connection,
    })
}

async fn name(upstream: &Upstream) -> Value {
    let begin = Instant::now();
    let looking = tokio::net::lookup_host((upstream.host(), upstream.port()));
    match timeout(RESOLVE_DEADLINE, looking).await {
        Ok(Ok(found)) => {
            let addresses: Vec<_> = found.map(|address| address.ip().to_string()).collect();
            json!({ "took_ms": ms(begin), "addresses": addresses })
        }
        Ok(Err(error)) => json!({ "took_ms": ms(begin), "error": error.to_string() }),
        Err(_) => json!({ "error": "no answer within 5 s" }),
    }
}

fn ms(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
