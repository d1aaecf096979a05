//! `tributary nats-config`: a `nats-server.conf` in which every service may do just what it needs,
//! and a password file for each.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tributary_identifiers::OrganisationId;
use tributary_message_bus::permissions::{User, authorization};

const PASSWORD_BYTES: usize = 24;

/// Prints a nats-server configuration and makes the services' passwords.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the password files, one `<user>.password` each; missing ones are made.
    #[arg(long)]
    passwords: PathBuf,
    /// Id of a core relay, as in `relay.relay_id`; repeat for several. One that serves another
    /// organisation than `default` is `<organisation>/<relay id>`.
    #[arg(long = "relay", value_parser = read_relay)]
    relays: Vec<User>,
    /// Where clients connect.
    #[arg(long, default_value = "127.0.0.1:4222")]
    listen: SocketAddr,
    /// Where nats-server answers `/varz`, `/healthz` and the like; keep it on loopback.
    #[arg(long)]
    monitor: Option<SocketAddr>,
    /// Folder of JetStream's files; without it JetStream is off.
    #[arg(long)]
    store_dir: Option<PathBuf>,
}

/// Makes the configuration.
pub fn render(args: &Args) -> anyhow::Result<String> {
    let mut users = vec![User::Credential, User::AccessControl, User::MeetingRegistry, User::Mixer];
    users.extend(args.relays.iter().cloned());
    fs::create_dir_all(&args.passwords)
        .with_context(|| format!("make the folder {}", args.passwords.display()))?;
    let users = users
        .into_iter()
        .map(|user| password(&args.passwords, &user).map(|password| (user, password)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut text = format!("listen: \"{}\"\n", args.listen);
    if let Some(monitor) = args.monitor {
        text.push_str(&format!("http: \"{monitor}\"\n"));
    }
    // A media client that does not read is cut off soon, and never slows the others down.
    text.push_str(
        "max_payload: 256KB\nmax_pending: 8MB\nwrite_deadline: \"2s\"\n\
         no_fast_producer_stall: true\nlame_duck_duration: \"30s\"\n",
    );
    if let Some(folder) = &args.store_dir {
        text.push_str(&format!(
            "jetstream {{\n  store_dir: \"{}\"\n  sync_interval: always\n  \
             max_memory_store: 256MB\n  max_file_store: 8GB\n}}\n",
            folder.display()
        ));
    }
    text.push_str(&authorization(&users));
    Ok(text)
}

fn read_relay(text: &str) -> anyhow::Result<User> {
    let (organisation, relay) = text.split_once('/').unwrap_or(("", text));
    let organisation = OrganisationId::from_request(organisation)?;
    Ok(User::Relay { organisation, relay: relay.parse()? })
}

/// Reads a user's password, or makes one.
fn password(folder: &Path, user: &User) -> anyhow::Result<String> {
    let path = folder.join(format!("{}.password", user.name()));
    if let Ok(password) = fs::read_to_string(&path) {
        let password = password.trim_end().to_owned();
        anyhow::ensure!(
            !password.is_empty() && password.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{} must hold letters and digits only; remove it to get a new password",
            path.display()
        );
        return Ok(password);
    }
    let mut bytes = [0; PASSWORD_BYTES];
    getrandom::fill(&mut bytes).context("draw a password")?;
    let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("make {}", path.display()))?;
    writeln!(file, "{password}").with_context(|| format!("write {}", path.display()))?;
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_made_once_and_every_relay_has_a_user() {
        let folder = tempfile::tempdir().unwrap();
        let args = Args {
            passwords: folder.path().join("passwords"),
            relays: vec![read_relay("office-a").unwrap(), read_relay("acme/lobby").unwrap()],
            listen: "127.0.0.1:4222".parse().unwrap(),
            monitor: None,
            store_dir: Some("js".into()),
        };
        let first = render(&args).unwrap();
        assert!(first.contains("relay-office-a") && first.contains("sync_interval: always"));
        assert!(first.contains("trib.default.*.up.office-a"));
        assert!(first.contains("trib.acme.*.up.lobby"));
        assert!(read_relay("a b").is_err() && read_relay("a/b/c").is_err());
        assert_eq!(render(&args).unwrap(), first);
    }
}
