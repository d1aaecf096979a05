//! The demo: two relays, two more in a chain below the first, a shared meeting, and a few headless
//! terminals that talk in turns.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tributary_contracts::operation::v1::{CheckIn, SendChat, SetHand};
use tributary_terminal::OperationBody;

use crate::hearing::Voice;
use crate::{EdgeOptions, Options, Parent, RelayOptions, Service, World, locate_nats_server};

/// Who is in the meeting from the start, and at which relay.
const TALKERS: [(&str, Parent); 5] = [
    ("Ada", Parent::Relay(0)),
    ("Grace", Parent::Relay(1)),
    ("Alan", OFFICE),
    ("Barbara", OFFICE),
    ("Edsger", Parent::Edge(1)),
];
/// The relay below the first one, which has another one below it.
const OFFICE: Parent = Parent::Edge(0);
/// Who speaks, and for how many milliseconds: mostly one alone, sometimes two or three at once.
const TURNS: [(&[usize], u64); 10] = [
    (&[0], 3000),
    (&[3], 3000),
    (&[0, 3], 1500),
    (&[1], 2500),
    (&[4], 3000),
    (&[1, 4], 1500),
    (&[2], 3000),
    (&[2, 3, 0], 1500),
    (&[3], 2500),
    (&[4], 2000),
];
const PASSWORD: &str = "tributary-demo";
const GREETING: &str = "Welcome! Write something, raise a hand, or hold somebody's button to be \
                        heard by them alone.";

/// What the demo was asked for.
pub struct Plan {
    /// Where data and logs are kept.
    pub folder: PathBuf,
    /// The port of the first relay's page, if it is free.
    pub port: u16,
}

/// Runs until Ctrl-C or SIGTERM, then ends everything.
pub async fn run(plan: Plan) -> Result<()> {
    fs::create_dir_all(&plan.folder).with_context(|| format!("make {}", plan.folder.display()))?;
    let folder = plan.folder.canonicalize()?;
    let lock = File::create(folder.join("lock"))?;
    if lock.try_lock().is_err() {
        bail!("a demo is already running in {}: stop it with Ctrl-C", folder.display());
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    step(&format!("nats-server: {}", locate_nats_server()?.display()));
    step("starting nats-server, credential, meeting-registry, access-control, mixer, four relays");
    let options = Options {
        relays: vec![
            RelayOptions::at_port("Cloud", plan.port),
            RelayOptions::at_port("Office B", plan.port.saturating_add(1)),
        ],
        edges: vec![EdgeOptions {
            port: Some(plan.port.saturating_add(2)),
            ..EdgeOptions::below("Office A", Parent::Relay(0))
        }],
        folder: Some(folder),
        ..Options::default()
    };
    let started = tokio::select! {
        started = start(options, plan.port.saturating_add(3)) => started,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let (mut world, link, voices) = started?;
    show(&world, &link)?;
    let outcome = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        ended = first_to_end(&mut world) => ended,
        () = talk(&voices) => Ok(()),
    };
    step("stopping");
    drop(voices);
    world.end().await?;
    outcome
}

/// Starts everything, with the talkers in the meeting; returns the link to it, without the address of
/// a page. The room's relay is in the meeting itself, and so comes last.
async fn start(options: Options, room_port: u16) -> Result<(World, String, Vec<Voice>)> {
    let mut world = World::start(options).await?;
    let directory = world.directory()?;
    step("creating a user and a meeting");
    let user = directory.user("demo", "Demo", PASSWORD).await?;
    let meeting_id = directory.meeting(&user, "Demo meeting", false).await?;
    let link = directory.share_link(&user, &meeting_id).await?.url;
    let room = EdgeOptions::below("Room 3", OFFICE).in_a_room().in_meeting(&link);
    world.add_edge(EdgeOptions { port: Some(room_port), ..room }).await?;
    let fragment = link.find('#').and_then(|at| link.get(at..)).context("a link has a fragment")?;
    step(&format!("bringing in {} headless terminals", TALKERS.len()));
    let mut voices = Vec::new();
    for (variant, (name, relay)) in TALKERS.into_iter().enumerate() {
        let url = match relay {
            Parent::Edge(index) => world.edge_url(index)?,
            Parent::Relay(index) => world.relay_url(index)?,
            Parent::At(address) => format!("http://{address}"),
        };
        voices.push(Voice::join_with_melody(&url, &meeting_id, name, variant as u32).await?);
    }
    busy(&voices)?;
    Ok((world, format!("/{fragment}"), voices))
}

/// What else people do in a meeting: somebody has written, has a hand up, has checked in.
fn busy(voices: &[Voice]) -> Result<()> {
    let send = SendChat { text: GREETING.to_owned(), ..SendChat::default() };
    let acts = [
        OperationBody::SendChat(send),
        OperationBody::SetHand(SetHand { raised: true }),
        OperationBody::CheckIn(CheckIn {}),
    ];
    for (voice, act) in voices.iter().zip(acts) {
        voice.terminal().submit(act)?;
    }
    Ok(())
}

/// Lets the voices speak in turns, for ever.
async fn talk(voices: &[Voice]) {
    for (speakers, milliseconds) in TURNS.into_iter().cycle() {
        for (index, voice) in voices.iter().enumerate() {
            voice.speak(speakers.contains(&index));
        }
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// An error when a service has ended, which none should.
async fn first_to_end(world: &mut World) -> Result<()> {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if let Some(service) = world.any_ended() {
            bail!("{service:?} has ended; its log is in {}", world.folder().join("log").display());
        }
    }
}

fn show(world: &World, link: &str) -> Result<()> {
    let admin = world.grpc_address(Service::MeetingRegistry)?;
    let lines = [
        ("Cloud", format!("{}{link}", world.relay_url(0)?)),
        ("Office B", format!("{}{link}", world.relay_url(1)?)),
        ("Office A", format!("{}{link}?relay={}", world.relay_url(0)?, world.edge_id(0)?)),
        ("  status", world.edge_status_url(0)?),
        ("Room 3", world.edge_status_url(1)?),
        ("  on a wall", format!("{}#room", world.edge_status_url(1)?)),
        ("Log in as", format!("demo, password {PASSWORD} (or come in as a guest)")),
        (
            "Admin gRPC",
            format!("{admin} (meetings), {} (users)", world.grpc_address(Service::Credential)?),
        ),
        (
            "  try",
            format!(
                "grpcurl -plaintext -H 'authorization: Bearer {}' {admin} \
                 tributary.admin.v1.MeetingService/ListMeetings",
                world.admin_token()
            ),
        ),
        ("Metrics", format!("{} (mixer)", world.metrics_url(Service::Mixer)?)),
        ("", format!("{} (Cloud)", world.metrics_url(Service::Relay(0))?)),
        ("Data, logs", world.folder().display().to_string()),
        ("Stop", "Ctrl-C".to_owned()),
        ("Wipe", "just wipe".to_owned()),
    ];
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\nTributary is running. Open the first address; five people are talking in turns.\n"
    )?;
    for (what, value) in lines {
        writeln!(out, "  {what:<11} {value}")?;
    }
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

fn step(text: &str) {
    eprintln!("  {text}");
}
