//! What people write while the uplink is not what it should be, and what has come of it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use crate::branch::Branch;
use crate::wait;

/// Time between two lines.
const PACE: Duration = Duration::from_millis(300);

/// Operations that were submitted, by their ids.
#[derive(Default)]
pub struct Deeds {
    submitted: Vec<String>,
}

/// What has come of them.
pub struct Verdict {
    /// Submitted.
    pub operations: usize,
    /// Without an effect.
    pub lost: usize,
    /// With more than one.
    pub doubled: usize,
    /// The most stays that anybody has in the report of attendance.
    pub stays_max: usize,
    /// How often terminals had to come back.
    pub reconnections: u32,
    /// Lines of chat that somebody was not told, or was told twice.
    pub told_wrong: usize,
}

impl Verdict {
    /// As it must be.
    pub fn holds(&self) -> bool {
        let found = (self.lost, self.doubled, self.told_wrong, self.stays_max);
        found == (0, 0, 0, 1) && self.operations > 0 && self.reconnections == 0
    }
}

impl Deeds {
    /// Inside and outside somebody writes, again and again.
    pub async fn be_busy(&mut self, branch: &Branch, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        let mut next = Instant::now();
        while next < end {
            for (office, who) in [(&branch.inside, 1), (&branch.outside, 1)] {
                let text = format!("line {}", self.submitted.len());
                self.submitted.push(office.chat(who, &text).await?);
            }
            next += PACE;
            tokio::time::sleep_until(next.min(end)).await;
        }
        Ok(())
    }

    /// Waits until everything has its result and everybody was told all of it.
    pub async fn settle(&self, branch: &Branch, deadline: Duration) -> Result<()> {
        let settled = wait::until("everything to have its result", deadline, || async {
            let seen = (branch.inside.look().await, branch.outside.look().await);
            let (Ok(inner), Ok(outer)) = seen else { return false };
            let all = inner.iter().chain(&outer);
            all.clone().all(|one| one.pending == 0 && one.chat.len() >= self.submitted.len())
        });
        if let Err(error) = settled.await {
            // What is missing shows in the verdict.
            super::progress(&format!("{error:#}"));
        }
        Ok(())
    }

    /// Looks into the meeting's log, the report of attendance, and what everybody was told.
    pub async fn judge(&self, branch: &Branch) -> Result<Verdict> {
        let log = branch.directory.log(&branch.meeting_id).await?;
        let mut effects: HashMap<&str, usize> = HashMap::new();
        for cause in log.iter().filter_map(|event| event.cause.as_ref()) {
            *effects.entry(&cause.operation_id).or_default() += 1;
        }
        let effects_of = |id: &String| effects.get(id.as_str()).copied().unwrap_or_default();
        let attendance = branch.directory.attendance(&branch.meeting_id).await?;
        let (inner, outer) = (branch.inside.look().await?, branch.outside.look().await?);
        let seen = || inner.iter().chain(&outer);
        let told_wrong = seen().map(|one| wrong(&one.chat, self.submitted.len())).sum();
        Ok(Verdict {
            operations: self.submitted.len(),
            lost: self.submitted.iter().filter(|id| effects_of(id) == 0).count(),
            doubled: self.submitted.iter().filter(|id| effects_of(id) > 1).count(),
            stays_max: attendance.iter().map(|one| one.stays.len()).max().unwrap_or_default(),
            reconnections: seen().map(|one| one.connections.saturating_sub(1)).sum(),
            told_wrong,
        })
    }
}

/// Lines that are not there exactly once.
fn wrong(chat: &[String], lines: usize) -> usize {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for text in chat {
        *times.entry(text).or_default() += 1;
    }
    let is_wrong = |line: &usize| times.get(format!("line {line}").as_str()) != Some(&1);
    (0..lines).filter(is_wrong).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_missing_or_told_twice_is_found() {
        let chat = ["line 0", "line 1", "line 1", "line 3"].map(str::to_owned);
        assert_eq!(wrong(&chat, 4), 2);
        assert_eq!(wrong(&chat[..2], 2), 0);
    }
}
