//! A terminal as a device of its own: a process that can be killed and can sleep.

use std::process::ExitStatus;
use std::sync::Arc;

use anyhow::Result;

use crate::World;
use crate::process::{Guard, Process};

/// `tributary terminal join`, as a process.
pub struct Device {
    process: Process,
    // Dropped last: the process is gone before the guard is.
    _guard: Arc<Guard>,
}

impl Device {
    /// Starts one that joins a meeting as a guest by the relay with this index; does not wait until it
    /// is in.
    pub fn join(world: &World, relay: usize, meeting_id: &str, name: &str) -> Result<Self> {
        let guard = Arc::new(Guard::start(None)?);
        let relay_url = world.relay_url(relay)?;
        let arguments =
            ["terminal", "join", "--relay", &relay_url, "--meeting", meeting_id, "--name", name];
        let log = world.folder().join(format!("log/terminal-{}.log", name.replace(' ', "-")));
        let program = crate::programs()?.join("tributary");
        let arguments = arguments.map(str::to_owned).to_vec();
        let mut process = Process::new("terminal", &program, arguments, log, guard.clone());
        process.start()?;
        Ok(Self { process, _guard: guard })
    }

    /// Sends SIGKILL to it.
    pub async fn kill(&mut self) -> Result<ExitStatus> {
        self.process.kill().await
    }

    /// Lets it stand still: it neither says nor hears anything.
    pub fn sleep(&self) {
        self.process.freeze();
    }

    /// Lets it go on.
    pub fn wake(&self) {
        self.process.thaw();
    }
}
