//! A world for tests in other languages.
//!
//! Prints one JSON object that describes it, then obeys commands on standard input, each answered by
//! one JSON line, until standard input ends:
//!
//! - `stop|kill|start|restart SERVICE`, SERVICE being `nats`, `credential`, `meeting-registry`,
//!   `access-control`, `mixer` or `relay N`
//! - `meeting SUBJECT`: a new meeting that is shared; answers its `meeting_id`

use std::io::{BufRead, Write, stdin, stdout};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tributary_harness::directory::{Directory, User};
use tributary_harness::{Options, RelayOptions, Service, World};

#[derive(Parser)]
struct Arguments {
    /// Speakers heard at once; the services' default if not given.
    #[arg(long)]
    voices_max: Option<u8>,
    /// Name of a relay; repeat for more. "Office A" and "Office B" if not given.
    #[arg(long)]
    relay: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut options = Options { voices_max: arguments.voices_max, ..Options::default() };
    if !arguments.relay.is_empty() {
        options.relays = arguments.relay.iter().map(|name| RelayOptions::named(name)).collect();
    }
    let relay_count = options.relays.len();
    let mut world = World::start(options).await?;
    let directory = world.directory()?;
    let password = "a password for tests";
    let user = directory.user("ada", "Ada", password).await?;
    let meeting_id = directory.meeting(&user, "Test", true).await?;
    let relays = (0..relay_count)
        .map(|index| Ok(json!({"name": world.relay_name(index)?, "url": world.relay_url(index)?})))
        .collect::<Result<Vec<_>>>()?;
    say(&json!({
        "relays": relays,
        "user": {"user_name": user.user_name, "password": password, "display_name": "Ada"},
        "meeting_id": meeting_id,
    }))?;

    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        let answer = match obey(&mut world, &directory, &user, &line).await {
            Ok(answer) => answer,
            Err(error) => json!({"error": format!("{error:#}")}),
        };
        say(&answer)?;
    }
    world.end().await
}

async fn obey(world: &mut World, directory: &Directory, user: &User, line: &str) -> Result<Value> {
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    if command == "meeting" {
        return Ok(json!({"meeting_id": directory.meeting(user, rest, true).await?}));
    }
    let service = service(rest)?;
    match command {
        "stop" => drop(world.terminate(service).await?),
        "kill" => drop(world.kill(service).await?),
        "start" => world.start_service(service).await?,
        "restart" => {
            world.terminate(service).await?;
            world.start_service(service).await?;
        }
        other => bail!("unknown command {other:?}"),
    }
    Ok(json!({"done": line}))
}

fn service(name: &str) -> Result<Service> {
    Ok(match name {
        "nats" => Service::Nats,
        "credential" => Service::Credential,
        "meeting-registry" => Service::MeetingRegistry,
        "access-control" => Service::AccessControl,
        "mixer" => Service::Mixer,
        relay => {
            let index = relay.strip_prefix("relay ").context("no such service")?;
            Service::Relay(index.parse().context("no such relay")?)
        }
    })
}

/// The lines of standard input; the channel closes with it.
fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn say(value: &Value) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()?;
    Ok(())
}
