//! A world for tests in other languages.
//!
//! Prints one JSON object that describes it, then obeys commands on standard input, each answered by
//! one JSON line, until standard input ends:
//!
//! - `stop|kill|start|restart SERVICE`, SERVICE being `nats`, `credential`, `meeting-registry`,
//!   `access-control`, `mixer`, `relay N` or `edge N`
//! - `freeze|thaw SERVICE`: lets it stand still, and go on
//! - `status N`: what edge relay N says of itself; `attached N`: the same as soon as it is attached
//! - `revoke N`: ends edge relay N's right to attach
//! - `meeting SUBJECT`: a new meeting of Ada's that is shared; answers its `meeting_id` and its `link`
//! - `private-meeting SUBJECT`: the same, not shared; answers its `meeting_id`
//! - `lobby-meeting SUBJECT`: one that is shared and in which outsiders wait in the lobby; answers its
//!   `meeting_id` and its `link`
//! - `scheduled SUBJECT SECONDS USER_NAME…`: one that begins in so many seconds, with these members;
//!   the subject is one word; answers its `meeting_id`

use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tributary_contracts::admin::v1::CreateMeetingRequest;
use tributary_harness::directory::{Directory, ORGANISATION, User};
use tributary_harness::peers::OidcServer;
use tributary_harness::{EdgeOptions, Options, Parent, RelayOptions, Service, World};

/// The password of everybody.
const PASSWORD: &str = "a password for tests";
/// Who has an account: log-in name, and the name shown to others. The first organises meetings.
const PEOPLE: [(&str, &str); 3] = [("ada", "Ada"), ("grace", "Grace"), ("linus", "Linus")];

#[derive(Parser)]
struct Arguments {
    /// Speakers heard at once; the services' default if not given.
    #[arg(long)]
    voices_max: Option<u8>,
    /// Name of a relay; repeat for more. "Office A" and "Office B" if not given.
    #[arg(long)]
    relay: Vec<String>,
    /// Name of a relay that stands in a room; repeat for more. They come after the others.
    #[arg(long)]
    room: Vec<String>,
    /// An edge relay, as `NAME` below the first relay, or `NAME@relay N` or `NAME@edge N`; repeat for more,
    /// each after its parent.
    #[arg(long, value_parser = edge)]
    edge: Vec<EdgeOptions>,
    /// The same in a room. They come after the others.
    #[arg(long, value_parser = edge)]
    edge_room: Vec<EdgeOptions>,
    /// The OpenID provider `test`, called "Test ID", is there, or will be when somebody logs in by it.
    #[arg(long)]
    oidc_issuer: Option<String>,
    /// Nobody comes in without an account.
    #[arg(long)]
    no_guests: bool,
    /// Port of a mail server on this machine; without it there is none.
    #[arg(long)]
    smtp: Option<u16>,
}

impl Arguments {
    fn options(&self) -> Result<Options> {
        let mut options = Options { voices_max: self.voices_max, ..Options::default() };
        if !self.relay.is_empty() {
            options.relays = self.relay.iter().map(|name| RelayOptions::named(name)).collect();
        }
        options.relays.extend(self.room.iter().map(|name| RelayOptions::room(name)));
        let rooms = self.edge_room.iter().cloned().map(EdgeOptions::in_a_room);
        options.edges = self.edge.iter().cloned().chain(rooms).collect();
        options.oidc = self.oidc_issuer.as_deref().map(OidcServer::provider_at);
        if self.no_guests {
            options = options.configured("credential.guests = false")?;
        }
        match self.smtp {
            Some(port) => options.with_mail(port),
            None => Ok(options),
        }
    }
}

/// A world, and who is in it.
struct Stage {
    world: World,
    directory: Directory,
    people: Vec<User>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Arguments::parse().options()?;
    let (relay_count, edge_count) = (options.relays.len(), options.edges.len());
    let world = World::start(options).await?;
    let directory = world.directory()?;
    let mut people = Vec::new();
    let mut users = Vec::new();
    for (user_name, display_name) in PEOPLE {
        let user = directory.user(user_name, display_name, PASSWORD).await?;
        users.push(json!({
            "user_id": user.user_id,
            "user_name": user_name,
            "password": PASSWORD,
            "display_name": display_name,
        }));
        people.push(user);
    }
    let mut stage = Stage { world, directory, people };
    let meeting_id = stage.directory.meeting(stage.ada()?, "Test", true).await?;
    let relays = (0..relay_count)
        .map(|index| {
            let world = &stage.world;
            Ok(json!({"name": world.relay_name(index)?, "url": world.relay_url(index)?}))
        })
        .collect::<Result<Vec<_>>>()?;
    let edges = (0..edge_count).map(|index| stage.edge(index)).collect::<Result<Vec<_>>>()?;
    say(&json!({
        "relays": relays,
        "edges": edges,
        "user": users.first(),
        "users": users,
        "meeting_id": meeting_id,
    }))?;

    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        let answer = match stage.obey(&line).await {
            Ok(answer) => answer,
            Err(error) => json!({"error": format!("{error:#}")}),
        };
        say(&answer)?;
    }
    stage.world.end().await
}

impl Stage {
    fn ada(&self) -> Result<&User> {
        self.people.first().context("nobody is there")
    }

    fn edge(&self, index: usize) -> Result<Value> {
        let world = &self.world;
        Ok(json!({
            "name": world.edge_name(index)?,
            "id": world.edge_id(index)?,
            "url": world.edge_url(index)?,
            "status_url": world.edge_status_url(index)?,
        }))
    }

    async fn obey(&mut self, line: &str) -> Result<Value> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "meeting" => {
                let meeting_id = self.directory.meeting(self.ada()?, rest, false).await?;
                let link = self.directory.share_link(self.ada()?, &meeting_id).await?.url;
                return Ok(json!({"meeting_id": meeting_id, "link": link}));
            }
            "private-meeting" => {
                let meeting_id = self.directory.meeting(self.ada()?, rest, false).await?;
                return Ok(json!({"meeting_id": meeting_id}));
            }
            "lobby-meeting" => {
                let meeting_id = self.meeting_with_lobby(rest).await?;
                let link = self.directory.share_link(self.ada()?, &meeting_id).await?.url;
                return Ok(json!({"meeting_id": meeting_id, "link": link}));
            }
            "status" => return self.world.edge_status(rest.parse()?).await,
            "attached" => {
                self.world.edge_attached(rest.parse()?).await?;
                return self.world.edge_status(rest.parse()?).await;
            }
            "revoke" => {
                let relay_id = self.world.edge_id(rest.parse()?)?;
                self.directory.revoke_relay(&relay_id).await?;
                return Ok(json!({"done": line}));
            }
            "scheduled" => return Ok(json!({"meeting_id": self.schedule(rest).await?})),
            _ => {}
        }
        let service = service(rest)?;
        let world = &mut self.world;
        match command {
            "stop" => drop(world.terminate(service).await?),
            "kill" => drop(world.kill(service).await?),
            "start" => world.start_service(service).await?,
            "freeze" => world.freeze(service)?,
            "thaw" => world.thaw(service)?,
            "restart" => {
                world.terminate(service).await?;
                world.start_service(service).await?;
            }
            other => bail!("unknown command {other:?}"),
        }
        Ok(json!({"done": line}))
    }

    async fn meeting_with_lobby(&self, subject: &str) -> Result<String> {
        self.directory
            .create_meeting(CreateMeetingRequest {
                organisation: ORGANISATION.to_owned(),
                subject: subject.to_owned(),
                organiser_user_id: self.ada()?.user_id.clone(),
                organiser_display_name: "Ada".to_owned(),
                lobby: true,
                ..Default::default()
            })
            .await
    }

    /// `SUBJECT SECONDS USER_NAME…`
    async fn schedule(&self, words: &str) -> Result<String> {
        let mut words = words.split_whitespace();
        let subject = words.next().context("no subject")?.to_owned();
        let ahead = words.next().context("no seconds")?.parse().context("read the seconds")?;
        let members = words.map(|name| {
            let found = self.people.iter().find(|person| person.user_name == name);
            Ok(found.with_context(|| format!("there is no {name}"))?.user_id.clone())
        });
        let starts_at = SystemTime::now() + Duration::from_secs(ahead);
        self.directory
            .create_meeting(CreateMeetingRequest {
                organisation: ORGANISATION.to_owned(),
                subject,
                organiser_user_id: self.ada()?.user_id.clone(),
                organiser_display_name: "Ada".to_owned(),
                member_user_ids: members.collect::<Result<_>>()?,
                starts_at: Some(starts_at.into()),
                ..Default::default()
            })
            .await
    }
}

/// `NAME`, `NAME@relay N` or `NAME@edge N`.
fn edge(text: &str) -> Result<EdgeOptions> {
    let (name, parent) = text.split_once('@').unwrap_or((text, "relay 0"));
    let parent = match service(parent)? {
        Service::Relay(index) => Parent::Relay(index),
        Service::Edge(index) => Parent::Edge(index),
        other => bail!("{other:?} is no relay"),
    };
    Ok(EdgeOptions::below(name, parent))
}

fn service(name: &str) -> Result<Service> {
    Ok(match name {
        "nats" => Service::Nats,
        "credential" => Service::Credential,
        "meeting-registry" => Service::MeetingRegistry,
        "access-control" => Service::AccessControl,
        "mixer" => Service::Mixer,
        relay => match relay.split_once(' ') {
            Some(("relay", index)) => Service::Relay(index.parse().context("no such relay")?),
            Some(("edge", index)) => Service::Edge(index.parse().context("no such edge relay")?),
            _ => bail!("no such service"),
        },
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
