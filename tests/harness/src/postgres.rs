//! A PostgreSQL server that can be stopped and started again while others use it.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;

use crate::ports;
use crate::process::{Guard, Process};

const START_DEADLINE: Duration = Duration::from_secs(30);
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// How long to wait before it is looked at or started once more.
const RETRY: Duration = Duration::from_millis(20);
/// As whom the server runs when the caller is root, which PostgreSQL refuses to be: the first that
/// there is.
const OWNERS: [&str; 2] = ["postgres", "nobody"];

/// A server on loopback with a folder of its own; ends, data and all, when dropped.
pub struct PostgresServer {
    process: Process,
    port: u16,
    // Dropped last, in this order: the process is gone before its folder is.
    _guard: Arc<Guard>,
    folder: TempDir,
}

impl PostgresServer {
    /// Makes a server and waits until it answers.
    pub async fn start() -> Result<Self> {
        let programs = locate()?;
        let folder = tempfile::Builder::new().prefix("tributary-postgres-").tempdir()?;
        let guard = Arc::new(Guard::start(Some(folder.path()))?);
        let owner = Owner::find(folder.path())?;
        let data = folder.path().join("data");
        initialise(&programs, &owner, folder.path(), &data)?;
        let port = ports::free()?.port();
        let mut command = owner.command(&programs.join("postgres"));
        command
            .extend(["-D", &data.display().to_string(), "-p", &port.to_string()].map(String::from));
        command.extend(["-k", &folder.path().display().to_string()].map(String::from));
        for setting in [
            "listen_addresses=127.0.0.1",
            "max_connections=300",
            "fsync=off",
            "shared_buffers=256MB",
        ] {
            command.extend(["-c", setting].map(String::from));
        }
        let (program, arguments) = command.split_first().context("a command has a program")?;
        let mut server = Self {
            process: Process::new(
                "postgres",
                Path::new(program),
                arguments.to_vec(),
                folder.path().join("server.log"),
                guard.clone(),
            ),
            port,
            _guard: guard,
            folder,
        };
        server.start_again().await?;
        Ok(server)
    }

    /// Stops the server as a crash would, and waits until it is gone; its data stays.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.quit(STOP_DEADLINE).await.map(drop)
    }

    /// Sends SIGKILL to the server's first process, and waits until that is gone. Its others end as
    /// soon as they notice; the data stays.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await.map(drop)
    }

    /// Starts the server that was stopped or killed, and waits until it answers.
    pub async fn start_again(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            self.process.start()?;
            match self.answers().await? {
                true => return Ok(()),
                // It refuses to start while processes of the killed one are still there.
                false if begin.elapsed() < START_DEADLINE => {
                    tokio::time::sleep(RETRY).await;
                }
                false => bail!("PostgreSQL does not start:\n{}", self.process.log_tail()),
            }
        }
    }

    /// Waits until it answers; false if it has ended instead.
    async fn answers(&mut self) -> Result<bool> {
        let begin = Instant::now();
        while self.process.is_running() {
            if self.connect("postgres").await.is_ok() {
                return Ok(true);
            }
            if begin.elapsed() > START_DEADLINE {
                bail!("PostgreSQL does not answer:\n{}", self.process.log_tail());
            }
            tokio::time::sleep(RETRY).await;
        }
        self.process.ended(STOP_DEADLINE).await?;
        Ok(false)
    }

    /// The folder with its data and its log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a database; returns its URL.
    pub async fn database(&self, name: &str) -> Result<String> {
        let connection = self.connect("postgres").await?;
        connection.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        connection.close().await?;
        Ok(self.url(name))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://tributary@127.0.0.1:{}/{database}", self.port)
    }

    async fn connect(&self, database: &str) -> Result<DatabaseConnection> {
        let mut options = ConnectOptions::new(self.url(database));
        options
            .max_connections(1)
            .sqlx_logging(false)
            .acquire_timeout(Duration::from_millis(500))
            .connect_timeout(Duration::from_millis(500));
        Ok(Database::connect(options).await?)
    }
}

/// The folder of PostgreSQL's programs: `$POSTGRES_PROGRAMS`, which the recipes set, else what
/// `scripts/provision postgres` says.
fn locate() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("POSTGRES_PROGRAMS").filter(|path| !path.is_empty()) {
        return Ok(folder.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/provision");
    let output = Command::new(script).arg("postgres").output().context("look for PostgreSQL")?;
    if !output.status.success() {
        bail!("no PostgreSQL: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let said = String::from_utf8(output.stdout).context("read where PostgreSQL is")?;
    Ok(said.lines().last().context("scripts/provision says nothing")?.into())
}

/// As whom the server runs.
enum Owner {
    Caller,
    Other { user: u32, group: u32 },
}

impl Owner {
    /// The caller, unless that is root; the folder becomes the other one's.
    fn find(folder: &Path) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Caller);
        }
        let (user, group) = OWNERS
            .iter()
            .find_map(|name| Some((id_of(name, "-u")?, id_of(name, "-g")?)))
            .context("PostgreSQL does not run as root, and there is no user `nobody`")?;
        chown(folder, Some(user), Some(group)).context("give the folder to PostgreSQL's user")?;
        Ok(Self::Other { user, group })
    }

    /// The words that run a program as this owner.
    fn command(&self, program: &Path) -> Vec<String> {
        let mut words = match self {
            Self::Caller => Vec::new(),
            Self::Other { user, group } => vec![
                "setpriv".to_owned(),
                format!("--reuid={user}"),
                format!("--regid={group}"),
                "--clear-groups".to_owned(),
            ],
        };
        words.push(program.display().to_string());
        words
    }
}

fn id_of(name: &str, which: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn initialise(programs: &Path, owner: &Owner, folder: &Path, data: &Path) -> Result<()> {
    let mut words = owner.command(&programs.join("initdb"));
    words.extend(["-D", &data.display().to_string(), "-U", "tributary"].map(String::from));
    words.extend(["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"].map(String::from));
    let (program, arguments) = words.split_first().context("a command has a program")?;
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .output()
        .context("run initdb")?;
    if !output.status.success() {
        bail!("initdb: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
