//! Times in words, with the offset from UTC said, so that nobody has to guess whose time it is.

use time::{OffsetDateTime, UtcOffset, Weekday};

use crate::Language;

/// The largest distance of a local time from UTC, in minutes, either way.
pub const UTC_OFFSET_MINUTES_MAX: i16 = 14 * 60;

/// A point in time and the offset in which to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeetingTime(OffsetDateTime);

impl MeetingTime {
    /// `unix_seconds` since 1970-01-01 UTC, to the year 9999, to be said `utc_offset_minutes` east
    /// of UTC (0: in UTC).
    ///
    /// # Errors
    /// If the year has more than four digits, or the offset is beyond
    /// [`UTC_OFFSET_MINUTES_MAX`].
    pub fn new(unix_seconds: u64, utc_offset_minutes: i16) -> Result<Self, InvalidTime> {
        if !(-UTC_OFFSET_MINUTES_MAX..=UTC_OFFSET_MINUTES_MAX).contains(&utc_offset_minutes) {
            return Err(InvalidTime);
        }
        let seconds = i64::try_from(unix_seconds).map_err(|_| InvalidTime)?;
        let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| InvalidTime)?;
        let offset = UtcOffset::from_whole_seconds(i32::from(utc_offset_minutes) * 60)
            .map_err(|_| InvalidTime)?;
        // The local date may lie in the year after the last one.
        time.checked_to_offset(offset).map(Self).ok_or(InvalidTime)
    }

    /// In words: the local time with its offset, and the same in UTC if that differs.
    pub(crate) fn words(self, language: Language) -> String {
        let offset = self.0.offset();
        if offset.is_utc() {
            let utc = date_and_time(self.0, language);
            return match language {
                Language::English => format!("{utc} (UTC)"),
                Language::Chinese => format!("{utc}（UTC）"),
            };
        }
        let sign = if offset.is_negative() { '-' } else { '+' };
        let (hours, minutes, _) = offset.as_hms();
        let local = date_and_time(self.0, language);
        let utc = date_and_time(self.0.to_offset(UtcOffset::UTC), language);
        let (hours, minutes) = (hours.unsigned_abs(), minutes.unsigned_abs());
        match language {
            Language::English => format!("{local} (UTC{sign}{hours:02}:{minutes:02}), {utc} (UTC)"),
            Language::Chinese => {
                format!("{local}（UTC{sign}{hours:02}:{minutes:02}），{utc}（UTC）")
            }
        }
    }
}

/// Dates are written the same everywhere (ISO 8601): 04/05 is April to some and May to others.
fn date_and_time(time: OffsetDateTime, language: Language) -> String {
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute) = (time.hour(), time.minute());
    let weekday = weekday(time.weekday(), language);
    format!("{year:04}-{month:02}-{day:02} {weekday} {hour:02}:{minute:02}")
}

const fn weekday(day: Weekday, language: Language) -> &'static str {
    let (english, chinese) = match day {
        Weekday::Monday => ("Monday", "星期一"),
        Weekday::Tuesday => ("Tuesday", "星期二"),
        Weekday::Wednesday => ("Wednesday", "星期三"),
        Weekday::Thursday => ("Thursday", "星期四"),
        Weekday::Friday => ("Friday", "星期五"),
        Weekday::Saturday => ("Saturday", "星期六"),
        Weekday::Sunday => ("Sunday", "星期日"),
    };
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

/// The numbers are no time that can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a meeting's time is before the year 10000, at most 14 hours from UTC")]
pub struct InvalidTime;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(seconds: u64, offset: i16, language: Language) -> String {
        MeetingTime::new(seconds, offset).unwrap().words(language)
    }

    #[test]
    fn times_are_said_with_their_offset_and_in_utc() {
        // date -u -d '2030-03-05 06:30' +%s
        let seconds = 1_898_922_600;
        for (offset, english) in [
            (0, "2030-03-05 Tuesday 06:30 (UTC)"),
            (480, "2030-03-05 Tuesday 14:30 (UTC+08:00), 2030-03-05 Tuesday 06:30 (UTC)"),
            (-570, "2030-03-04 Monday 21:00 (UTC-09:30), 2030-03-05 Tuesday 06:30 (UTC)"),
            (345, "2030-03-05 Tuesday 12:15 (UTC+05:45), 2030-03-05 Tuesday 06:30 (UTC)"),
            (-30, "2030-03-05 Tuesday 06:00 (UTC-00:30), 2030-03-05 Tuesday 06:30 (UTC)"),
        ] {
            assert_eq!(words(seconds, offset, Language::English), english);
        }
        assert_eq!(
            words(seconds, 480, Language::Chinese),
            "2030-03-05 星期二 14:30（UTC+08:00），2030-03-05 星期二 06:30（UTC）"
        );
        // date -u -d '2028-02-29 23:59:59' +%s
        assert_eq!(words(1_835_481_599, 0, Language::English), "2028-02-29 Tuesday 23:59 (UTC)");
    }

    #[test]
    fn impossible_times_are_refused() {
        for (seconds, offset) in
            [(u64::MAX, 0), (253_402_300_800, 0), (253_402_300_799, 60), (0, 841), (0, -841)]
        {
            assert_eq!(MeetingTime::new(seconds, offset), Err(InvalidTime), "{seconds} {offset}");
        }
        MeetingTime::new(253_402_300_799, 0).unwrap();
    }

    proptest! {
        #[test]
        fn any_numbers_are_said_or_refused(seconds: u64, offset: i16) {
            if let Ok(time) = MeetingTime::new(seconds % (1 << 39), offset) {
                prop_assert!(time.words(Language::English).contains("(UTC)"));
            }
        }
    }
}
