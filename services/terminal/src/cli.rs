//! `tributary terminal …`: joins a meeting from the command line, or creates one.
//!
//! What a program may want to read is one JSON object in the last line of the standard output; what a
//! person may want to read on the way goes to the standard error.

mod discover;
mod join;
mod refusal;
mod report;

use std::{io::Write as _, net::IpAddr, path::PathBuf};

use anyhow::Context as _;
use clap::{Args as ClapArgs, Parser, Subcommand};
use tributary_contracts::terminal::v1::CreateMeeting;
use tributary_identifiers::MeetingId;

use crate::{Account, IdentitySource, TalkSchedule, Target};

/// Join a meeting without a browser, or create one.
#[derive(Debug, Parser)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Join a meeting, play something, listen, and tell what was heard.
    ///
    /// The last line of the standard output is a JSON object with statistics. Ends after --seconds, when
    /// interrupted, or when the meeting is over.
    Join(Box<JoinArgs>),
    /// Create a meeting and print its id and link.
    ///
    /// The last line of the standard output is a JSON object with `meeting_id` and `link`.
    CreateMeeting(CreateMeetingArgs),
    /// List the relays that are announced in the local network
    Discover(discover::DiscoverArgs),
}

#[derive(Debug, ClapArgs)]
struct RelayArgs {
    /// Address of the relay, for example http://127.0.0.1:8080 or ws://127.0.0.1:8080/terminal/v1
    #[arg(long, env = "TRIBUTARY_TERMINAL_RELAY", value_name = "URL")]
    relay: String,
    /// Enter as a guest with this name
    #[arg(long, conflicts_with = "user", default_value = "Terminal", value_name = "NAME")]
    name: String,
    /// Log in with this account instead of entering as a guest
    #[arg(long, requires = "password_file", value_name = "USER")]
    user: Option<String>,
    /// File with the account's password
    #[arg(long, requires = "user", value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
struct JoinArgs {
    #[command(flatten)]
    relay: RelayArgs,
    /// Link of the meeting, as it was shared
    #[arg(long, value_name = "URL", value_parser = Target::link, required_unless_present = "meeting")]
    link: Option<Target>,
    /// Id of the meeting, or its link without a share secret
    #[arg(long, value_name = "ID|LINK", value_parser = meeting_id, conflicts_with = "link")]
    meeting: Option<MeetingId>,
    /// Share secret of the meeting: the last part of its link
    #[arg(long, value_name = "SECRET", requires = "meeting")]
    share_secret: Option<String>,
    /// File with the meeting's password, if it has one
    #[arg(long, value_name = "FILE")]
    meeting_password_file: Option<PathBuf>,
    /// Come with the microphone off
    #[arg(long)]
    muted: bool,
    /// What the microphone hears: silence, tone:HZ, tone:HZ:DBFS, melody, melody:VARIANT, or a WAV
    /// (48 kHz) or Ogg Opus file
    #[arg(long, default_value = "silence", value_name = "SOUND")]
    play: String,
    /// Play a file again and again
    #[arg(long = "loop")]
    repeat: bool,
    /// Talk only at these times: TALK/PERIOD+OFFSET, for example 5s/15s+10s. Periods count from midnight
    /// UTC on 1 January 1970, so terminals with different offsets take turns
    #[arg(long, value_name = "SCHEDULE")]
    talk: Option<TalkSchedule>,
    /// Tones to listen for, in Hz, comma-separated, at least 75 Hz apart
    #[arg(long, value_name = "HZ,…", value_delimiter = ',', value_parser = tone_hz)]
    listen_for: Vec<f32>,
    /// Write what is heard to this WAV file (48 kHz mono, at most 10 minutes)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write this to everybody once in
    #[arg(long, value_name = "TEXT")]
    chat: Option<String>,
    /// Raise the hand once in
    #[arg(long)]
    raise_hand: bool,
    /// Check in, for the record, once in
    #[arg(long)]
    check_in: bool,
    /// Leave after so many seconds
    #[arg(long, value_name = "N", value_parser = seconds)]
    seconds: Option<f64>,
    /// Another relay, for when the first one is gone; repeat for more
    #[arg(long = "other-relay", value_name = "URL")]
    other_relays: Vec<String>,
    /// Own address for media; by default the one from which the relay is reached
    #[arg(long, value_name = "IP")]
    local_address: Option<IpAddr>,
}

#[derive(Debug, ClapArgs)]
struct CreateMeetingArgs {
    #[command(flatten)]
    relay: RelayArgs,
    /// What the meeting is about
    #[arg(long, default_value = "Meeting", value_name = "TEXT")]
    subject: String,
    /// Let everybody join who has the link
    #[arg(long)]
    shared: bool,
    /// File with a password for those who are not members
    #[arg(long, value_name = "FILE")]
    meeting_password_file: Option<PathBuf>,
}

/// Runs the command to its end.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Join(args) => join::run(*args).await,
        Command::CreateMeeting(args) => create_meeting(args).await,
        Command::Discover(args) => discover::run(args).await,
    }
}

async fn create_meeting(args: CreateMeetingArgs) -> anyhow::Result<()> {
    let password = secret(args.meeting_password_file.as_deref())?;
    let account = Account::connect(&args.relay.relay).await?;
    account.identify(args.relay.identity()?).await.context("log in or enter as a guest")?;
    let (subject, shared) = (args.subject, args.shared);
    let create = CreateMeeting { subject, shared, password, ..CreateMeeting::default() };
    let created = account.create_meeting(create).await.context("create the meeting")?;
    let meeting_id = created.meeting_id;
    let shared_by = created.share.and_then(|share| share.link).map(|link| link.url);
    if shared && shared_by.is_none() {
        progress("the meeting could not be shared: its link opens it for members only");
    }
    let link = shared_by.unwrap_or_else(|| link(&args.relay.relay, &meeting_id));
    progress(&format!("meeting {meeting_id} created: {link}"));
    print_json(&serde_json::json!({ "meeting_id": meeting_id, "link": link }))
}

impl RelayArgs {
    fn identity(&self) -> anyhow::Result<IdentitySource> {
        Ok(match &self.user {
            None => IdentitySource::Guest { display_name: self.name.clone() },
            Some(user_name) => IdentitySource::LogIn {
                user_name: user_name.clone(),
                password: secret(self.password_file.as_deref())?,
            },
        })
    }
}

/// The content of a file without the line's end, empty without a file.
fn secret(file: Option<&std::path::Path>) -> anyhow::Result<String> {
    let Some(file) = file else { return Ok(String::new()) };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("read the password file {}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The page that opens the meeting in a browser.
fn link(relay: &str, meeting_id: &str) -> String {
    let page = relay.split('#').next().unwrap_or_default();
    let page = page.trim_end_matches('/').trim_end_matches("/terminal/v1");
    format!("{}/#/m/{meeting_id}", page.replacen("ws", "http", usize::from(page.starts_with("ws"))))
}

fn meeting_id(text: &str) -> Result<MeetingId, String> {
    let id = text.rsplit(['/', '=']).next().unwrap_or(text);
    id.trim().parse().map_err(|_| "neither a meeting's id nor its link".to_owned())
}

fn tone_hz(text: &str) -> Result<f32, String> {
    let hz = text.trim().parse::<f32>().ok().filter(|hz| (50.0..=20_000.0).contains(hz));
    hz.ok_or_else(|| "a tone has 50 to 20000 Hz".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=1e9).contains(seconds));
    seconds.ok_or_else(|| "not a number of seconds".to_owned())
}

fn progress(text: &str) {
    // Nobody may be reading.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let line = serde_json::to_string(value).context("write JSON")?;
    writeln!(std::io::stdout().lock(), "{line}").context("write to the standard output")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_meeting_is_named_by_id_or_link() {
        let id: MeetingId = meeting_id("1152921504606846977").unwrap();
        let link = link("ws://127.0.0.1:8080/terminal/v1", &id.to_string());
        assert_eq!(link, "http://127.0.0.1:8080/#/m/1152921504606846977");
        assert_eq!(meeting_id(&link).unwrap(), id);
        assert_eq!(
            super::link("http://relay.example/#/m/7", &id.to_string()),
            "http://relay.example/#/m/1152921504606846977"
        );
        assert!(meeting_id("http://127.0.0.1:8080/").is_err());
    }

    #[test]
    fn all_options_are_understood_together() {
        let args = Args::try_parse_from([
            "terminal",
            "join",
            "--relay",
            "http://r",
            "--meeting",
            "1152921504606846977",
            "--name",
            "Ada",
            "--play",
            "tone:440",
            "--loop",
            "--record",
            "out.wav",
            "--seconds",
            "2.5",
            "--talk",
            "5s/15s+0s",
            "--listen-for",
            "440,550",
            "--muted",
            "--chat",
            "hello",
            "--raise-hand",
            "--check-in",
            "--other-relay",
            "http://s",
        ]);
        let Command::Join(join) = args.unwrap().command else { panic!("another command") };
        assert_eq!(join.listen_for, [440.0, 550.0]);
        assert_eq!((join.seconds, join.other_relays), (Some(2.5), vec!["http://s".to_owned()]));
        assert_eq!(
            (join.chat.as_deref(), join.raise_hand, join.check_in),
            (Some("hello"), true, true)
        );
        assert_eq!(join.meeting.unwrap().to_string(), "1152921504606846977");
        let link = "http://r/#/m/1152921504606846977/AAECAwQFBgcICQoLDA0ODw";
        let args =
            Args::try_parse_from(["terminal", "join", "--relay", "http://r", "--link", link]);
        let Command::Join(join) = args.unwrap().command else { panic!("another command") };
        assert_eq!(join.link.unwrap().share_secret, "AAECAwQFBgcICQoLDA0ODw");
        assert!(Args::try_parse_from(["terminal", "join", "--relay", "http://r"]).is_err());
        for wrong in [
            ["--talk", "x"],
            ["--listen-for", "1"],
            ["--seconds", "-1"],
            ["--meeting", "x"],
            ["--link", link],
        ] {
            let args =
                ["terminal", "join", "--relay", "http://r", "--meeting", "1152921504606846977"];
            assert!(Args::try_parse_from(args.into_iter().chain(wrong)).is_err(), "{wrong:?}");
        }
    }
}
