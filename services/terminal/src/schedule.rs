//! When a terminal talks, so that several, in one process or many, talk in turns without telling each
//! other: by the clock on the wall.

use std::{str::FromStr, time::Duration};

use thiserror::Error;

/// Talks for some time in each period, for example 5 s of each 15 s, beginning 10 s into it. Periods count
/// from midnight UTC on 1 January 1970, so terminals with one period and different offsets take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TalkSchedule {
    talk: Duration,
    period: Duration,
    offset: Duration,
}

/// Not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "not a schedule: {0:?}; write TALK/PERIOD+OFFSET, for example 5s/15s+10s, TALK not longer than PERIOD"
)]
pub struct InvalidSchedule(String);

impl TalkSchedule {
    /// True if it is time to talk, so long after the Unix epoch.
    pub fn is_talking(&self, unix: Duration) -> bool {
        let period = self.period.as_millis();
        let into_period = (unix.as_millis() + period - self.offset.as_millis() % period) % period;
        into_period < self.talk.as_millis()
    }
}

impl FromStr for TalkSchedule {
    type Err = InvalidSchedule;

    /// `TALK/PERIOD` or `TALK/PERIOD+OFFSET`, in seconds (`5s`, `0.5s`, `5`) or milliseconds (`500ms`).
    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let invalid = || InvalidSchedule(text.to_owned());
        let (talk, rest) = text.split_once('/').ok_or_else(invalid)?;
        let (period, offset) = rest.split_once('+').unwrap_or((rest, "0"));
        let [talk, period, offset] = [talk, period, offset].map(duration);
        let (talk, period, offset) =
            (talk.ok_or_else(invalid)?, period.ok_or_else(invalid)?, offset.ok_or_else(invalid)?);
        if period.as_millis() == 0 || talk > period {
            return Err(invalid());
        }
        Ok(Self { talk, period, offset })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * scale;
    // A day is more than any period needs.
    (0.0..=86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talks(schedule: &str, from: u64, to: u64) -> Vec<u64> {
        let schedule: TalkSchedule = schedule.parse().unwrap();
        (from..to).filter(|second| schedule.is_talking(Duration::from_secs(*second))).collect()
    }

    #[test]
    fn terminals_with_different_offsets_take_turns() {
        assert_eq!(talks("2s/6s", 60, 72), [60, 61, 66, 67]);
        assert_eq!(talks("2s/6s+2s", 60, 72), [62, 63, 68, 69]);
        assert_eq!(talks("2/6+4", 60, 72), [64, 65, 70, 71]);
        assert_eq!(talks("2/6+5", 60, 72), [60, 65, 66, 71]);
        assert_eq!(talks("1500ms/3s+6s", 60, 66), [60, 61, 63, 64]);
        assert_eq!(talks("0s/3s", 0, 9), [] as [u64; 0]);
        assert_eq!(talks("1s/1s", 0, 3), [0, 1, 2]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "5s", "5s/", "/5s", "6s/5s", "1s/0s", "-1s/5s", "1s/5s+x", "nans/5s", "1e9/1e9"]
        {
            assert!(text.parse::<TalkSchedule>().is_err(), "{text}");
        }
    }
}
