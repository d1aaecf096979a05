//! Child processes that end with their owner, however the owner ends.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::wait;

/// Lines of a log that are shown when its process has failed.
const LOG_TAIL: usize = 30;

/// Ends processes when the owner is gone without having ended them itself, and removes its folder.
///
/// It is a shell that reads process ids from a pipe; the pipe's end tells it that the owner is gone.
pub struct Guard {
    child: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Guard {
    /// Starts a guard that removes `folder` at the end if one is given.
    pub fn start(folder: Option<&Path>) -> Result<Self> {
        const SCRIPT: &str = r#"
            trap '' INT TERM HUP
            while read -r operation pid; do
                case $operation in
                    +) set -- "$@" "$pid" ;;
                    -) rest=; for p in "$@"; do [ "$p" = "$pid" ] || rest="$rest $p"; done; set -- $rest ;;
                esac
            done
            for pid in "$@"; do kill -9 "-$pid" 2>/dev/null; done
            [ -z "$FOLDER" ] || rm -rf "$FOLDER"
        "#;
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT])
            .env("FOLDER", folder.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("start the guard (sh)")?;
        let pipe = Mutex::new(child.stdin.take());
        Ok(Self { child, pipe })
    }

    /// Ends the process group of this id when the owner is gone.
    pub fn watch(&self, pid: u32) {
        self.tell('+', pid);
    }

    /// The process has ended.
    pub fn forget(&self, pid: u32) {
        self.tell('-', pid);
    }

    fn tell(&self, operation: char, pid: u32) {
        if let Ok(mut pipe) = self.pipe.lock()
            && let Some(pipe) = pipe.as_mut()
        {
            // A guard that is gone can't guard; the owner still ends its processes itself.
            let _ = writeln!(pipe, "{operation} {pid}");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Ok(mut pipe) = self.pipe.lock() {
            drop(pipe.take());
        }
        let _ = self.child.wait();
    }
}

/// Takes out of a command's environment what services would read as their configuration: a world is
/// configured by its own files alone.
pub(crate) fn without_settings(command: &mut Command) -> &mut Command {
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("TRIBUTARY_") {
            command.env_remove(key);
        }
    }
    command
}

/// A program with arguments that can be started, stopped and started again.
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    guard: std::sync::Arc<Guard>,
    child: Option<Child>,
}

impl Process {
    /// Describes a process; nothing is started yet. Output is appended to `log`.
    pub fn new(
        name: &str,
        program: &Path,
        arguments: Vec<String>,
        log: PathBuf,
        guard: std::sync::Arc<Guard>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments,
            environment: Vec::new(),
            log,
            guard,
            child: None,
        }
    }

    /// Sets an environment variable for the next start.
    pub fn set_environment(&mut self, key: &str, value: &str) {
        self.environment.push((key.to_owned(), value.to_owned()));
    }

    /// Where its output goes.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Starts it in a process group of its own; does not wait until it is ready.
    pub fn start(&mut self) -> Result<()> {
        if self.is_running() {
            bail!("{} is already running", self.name);
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = without_settings(&mut Command::new(&self.program))
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {} ({})", self.name, self.program.display()))?;
        self.guard.tell('+', child.id());
        self.child = Some(child);
        Ok(())
    }

    /// True from its start until it has ended.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.child.as_ref().and_then(|child| Pid::from_raw(child.id() as i32)) {
            // Fails only if it has ended already, which is what was wanted.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Sends SIGTERM and waits for its end; an error after `deadline`.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM);
        self.ended(deadline).await
    }

    /// Sends SIGQUIT and waits for its end; an error after `deadline`.
    pub async fn quit(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.signal(Signal::QUIT);
        self.ended(deadline).await
    }

    /// Sends SIGKILL and waits for its end.
    pub async fn kill(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::KILL);
        self.ended(Duration::from_secs(5)).await
    }

    /// Lets it stand still, as a device that sleeps.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it has ended by itself; an error after `deadline`.
    pub async fn ended(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        let Some(child) = self.child.as_mut() else { bail!("{name} was not started") };
        let status = wait::until_some(format!("{name} to end"), deadline, || {
            let status = child.try_wait().ok().flatten();
            async move { status }
        })
        .await?;
        self.guard.tell('-', child.id());
        self.child = None;
        Ok(status)
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_TAIL)..).unwrap_or_default().join("\n")
    }

    /// Ends it at once, without waiting longer than the kernel needs.
    pub fn end_now(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
            self.guard.tell('-', child.id());
        }
    }

    /// Asks it to end, without waiting.
    pub fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end_now();
    }
}
