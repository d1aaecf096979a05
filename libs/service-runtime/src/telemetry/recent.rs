//! The last log lines of this process, kept in memory for who asks for them: not every machine keeps
//! what goes to stderr.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, OnceLock, PoisonError},
};

use tracing_subscriber::{Layer, Registry, fmt::MakeWriter};

/// Longest line that is kept, in bytes; the rest of it is cut off.
const LINE_BYTES_MAX: usize = 2_000;

static RECENT: OnceLock<Recent> = OnceLock::new();

struct Recent {
    lines_max: usize,
    lines: Mutex<VecDeque<String>>,
}

/// Has the process keep its last `lines_max` log lines. To be called before [`init`](super::init).
pub fn keep_recent_lines(lines_max: usize) {
    RECENT.get_or_init(|| Recent { lines_max, lines: Mutex::default() });
}

/// The last log lines, oldest first; none unless they are kept.
pub fn recent_lines() -> Vec<String> {
    RECENT.get().map(Recent::read).unwrap_or_default()
}

/// Writes to the memory, if lines are kept.
pub(super) fn layer() -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
    let recent = RECENT.get()?;
    Some(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(recent).boxed())
}

impl Recent {
    fn read(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    fn keep(&self, line: &str) {
        let mut end = line.len().min(LINE_BYTES_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let line = line.get(..end).unwrap_or_default().trim_end().to_owned();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= self.lines_max {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// A line comes in one piece.
struct Line(&'static Recent);

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.keep(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for &'static Recent {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_long_ones_cut() {
        assert!(layer().is_none() && recent_lines().is_empty());
        keep_recent_lines(3);
        let subscriber = tracing_subscriber::registry().with(layer().unwrap());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..4 {
                tracing::info!(number, "line");
            }
            tracing::info!("{}", "é".repeat(LINE_BYTES_MAX));
        });
        let lines = recent_lines();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].ends_with("line number=2") && !lines[0].contains('\u{1b}'), "{lines:?}");
        assert!(lines[2].len() <= LINE_BYTES_MAX && lines[2].ends_with('é'));
    }
}
