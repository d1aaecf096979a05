//! The SMTP server of `tests/peers`, a process of its own.

#![expect(clippy::panic, reason = "only tests call this, and fail by it")]

use std::{process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Names the program; `scripts/provision` says more.
const VARIABLE: &str = "TRIBUTARY_TEST_SMTP";
const DEADLINE: Duration = Duration::from_secs(60);

/// A running server; it ends with the value.
pub struct Server {
    pub port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Server {
    pub async fn start(options: &[&str]) -> Self {
        let Ok(program) = std::env::var(VARIABLE) else {
            panic!("{VARIABLE} is not set: run the tests by `just test` or `just cargo-test`");
        };
        let mut process = Command::new(program)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap();
        Self { port: port.unwrap().parse().unwrap(), lines, _process: process }
    }

    /// The next message that it has taken, as `smtp_server.py` describes it.
    pub async fn received(&mut self) -> Value {
        let line = timeout(DEADLINE, self.lines.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.unwrap()).unwrap()
    }
}

/// The value of a header that stands there once.
pub fn header<'a>(message: &'a Value, name: &str) -> &'a str {
    let headers = message["headers"].as_array().unwrap();
    let mut found = headers.iter().filter(|header| header[0] == name);
    let value = found.next().unwrap()[1].as_str().unwrap();
    assert!(found.next().is_none(), "{name} stands there twice");
    value
}
