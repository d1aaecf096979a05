//! What a terminal has done and seen, written down line by line by the process that it lives in. A line
//! is one write: what was written before SIGKILL is there to be read after it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One thing that a terminal has done or seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The terminal, as the run has numbered it.
    pub terminal: usize,
    /// Which of its lives: how often it was killed before.
    pub life: u32,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What a terminal has done or seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum What {
    /// It came in for the first time in this life, with a roster that includes events up to `number`.
    Joined {
        /// The meeting's id.
        meeting: String,
        /// Who it is there.
        participant: u32,
        /// Number of the last event that it needs not be told.
        number: u64,
    },
    /// It was told an event.
    Event {
        /// Number of the event.
        number: u64,
        /// Of the event as it came.
        digest: u64,
    },
    /// It has done something.
    Submitted {
        /// The operation's id.
        operation: String,
        /// Its place in the session.
        sequence: u64,
    },
    /// The relay has said that the operation can't be lost any more.
    Received {
        /// The operation's id.
        operation: String,
    },
    /// The terminal knows what became of it, and has forgotten the operation.
    Answered {
        /// The operation's id.
        operation: String,
    },
    /// It was told something that does not come after what it was told before.
    Repeated,
    /// It is out for good.
    Ended {
        /// Why.
        why: String,
    },
}

/// Writes a journal.
pub struct Writer(Mutex<File>);

impl Writer {
    /// Appends to a file.
    pub fn append(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self(Mutex::new(file.with_context(|| format!("open {}", path.display()))?)))
    }

    /// Adds an entry.
    pub fn write(&self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry).context("write an entry")?;
        line.push(b'\n');
        let mut file = self.0.lock().map_err(|_| anyhow::anyhow!("a writer has panicked"))?;
        file.write_all(&line).context("write to the journal")
    }
}

/// Reads a journal while it is being written.
pub struct Reader {
    path: PathBuf,
    /// Where the next line begins.
    at: u64,
}

impl Reader {
    /// Reads from the beginning; the file need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, at: 0 }
    }

    /// The entries that were added since it was asked the last time. A line without end is left for
    /// later; of a process that was killed it is never read.
    pub fn news(&mut self) -> Result<Vec<Entry>> {
        let Ok(mut file) = File::open(&self.path) else { return Ok(Vec::new()) };
        file.seek(SeekFrom::Start(self.at)).context("find the place in a journal")?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).context("read a journal")?;
        let mut entries = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(whole) = line.strip_suffix(b"\n") else { break };
            self.at += u64::try_from(line.len())?;
            entries.push(serde_json::from_slice(whole).context("read an entry of a journal")?);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_read_while_it_grows_and_half_a_line_is_left_for_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut reader = Reader::new(path.clone());
        assert_eq!(reader.news().unwrap(), []);
        let writer = Writer::append(&path).unwrap();
        let entry =
            |number| Entry { terminal: 3, life: 1, what: What::Event { number, digest: 9 } };
        writer.write(&entry(1)).unwrap();
        writer.write(&entry(2)).unwrap();
        assert_eq!(reader.news().unwrap(), [entry(1), entry(2)]);
        let whole = serde_json::to_vec(&entry(3)).unwrap();
        let (half, rest) = whole.split_at(10);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(half).unwrap();
        assert_eq!(reader.news().unwrap(), []);
        file.write_all(rest).unwrap();
        file.write_all(b"\n").unwrap();
        assert_eq!(reader.news().unwrap(), [entry(3)]);
    }
}
