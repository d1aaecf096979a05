//! The attendance as a text: CSV (RFC 4180) for tables, JSON (RFC 8259) for programs.

use std::fmt::Write as _;

use super::{Attendance, AttendanceReport, Stay};
use crate::{Meeting, UnixMillis};

const HEADER: &str = "participant_id,user_id,display_name,guest,relay_id,relay_name,from,to,\
                      present_ms,end_inferred,checked_in_at\r\n";

impl AttendanceReport {
    /// A header line and a line for each stay; times in UTC (RFC 3339). Check-ins are in the line of
    /// the stay in which they were made, several with a space between. No cell is a formula to a
    /// program for tables: what would be one begins with an apostrophe.
    #[must_use]
    pub fn csv(&self, now: UnixMillis) -> String {
        let mut text = HEADER.to_owned();
        for one in self.attendances() {
            if one.stays.is_empty() {
                line(&mut text, one, None, one.checked_in_at.iter(), now);
            }
            let mut check_ins = one.checked_in_at.as_slice();
            for (index, stay) in one.stays.iter().enumerate() {
                let next = one.stays.get(index + 1).map_or(UnixMillis::MAX, |next| next.from);
                let before_next = check_ins.partition_point(|&at| at < next);
                let (of_this, rest) = check_ins.split_at(before_next);
                line(&mut text, one, Some(stay), of_this.iter(), now);
                check_ins = rest;
            }
        }
        text
    }

    /// One object: the meeting, and participants with their stays.
    #[must_use]
    pub fn json(&self, meeting: &Meeting, now: UnixMillis) -> String {
        let participants: Vec<_> = self.attendances().map(|one| json_of(one, now)).collect();
        let report = serde_json::json!({
            "meeting_id": meeting.id.to_string(),
            "organisation": meeting.organisation.to_string(),
            "subject": meeting.subject.as_str(),
            "created_at": time(meeting.created_at),
            "ended_at": meeting.ended_at.map(time),
            "written_at": time(now),
            "participants": participants,
        });
        format!("{report:#}\n")
    }
}

fn json_of(one: &Attendance, now: UnixMillis) -> serde_json::Value {
    let stays: Vec<_> = one
        .stays
        .iter()
        .map(|stay| {
            serde_json::json!({
                "from": time(stay.from),
                "to": stay.to.map(time),
                "relay_id": stay.relay_id.to_string(),
                "relay_name": stay.relay_name.as_str(),
                "end_inferred": stay.inferred,
            })
        })
        .collect();
    serde_json::json!({
        "participant_id": one.participant.0,
        "user_id": one.user_id.to_string(),
        "display_name": one.display_name.as_str(),
        "guest": one.guest,
        "present_ms": one.present_ms(now),
        "checked_in_at": one.checked_in_at.iter().copied().map(time).collect::<Vec<_>>(),
        "stays": stays,
    })
}

fn line<'a>(
    text: &mut String,
    one: &Attendance,
    stay: Option<&Stay>,
    check_ins: impl Iterator<Item = &'a UnixMillis>,
    now: UnixMillis,
) {
    let check_ins: Vec<_> = check_ins.copied().map(time).collect();
    let cells = [
        one.participant.to_string(),
        one.user_id.to_string(),
        one.display_name.to_string(),
        one.guest.to_string(),
        stay.map(|stay| stay.relay_id.to_string()).unwrap_or_default(),
        stay.map(|stay| stay.relay_name.to_string()).unwrap_or_default(),
        stay.map(|stay| time(stay.from)).unwrap_or_default(),
        stay.and_then(|stay| stay.to).map(time).unwrap_or_default(),
        stay.map_or(0, |stay| stay.length_ms(now)).to_string(),
        stay.is_some_and(|stay| stay.inferred).to_string(),
        check_ins.join(" "),
    ];
    let cells: Vec<_> = cells.iter().map(|text| cell(text)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// A cell of a CSV line.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A point in time as RFC 3339 says it, in UTC with milliseconds.
fn time(at: UnixMillis) -> String {
    let (seconds, millis) = (at / 1000, at % 1000);
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T");
    // Writing to a String can't fail.
    let _ = write!(text, "{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
    text
}

/// The date so many days after 1970-01-01. Years are counted from March, so that the leap day is
/// the last of its year.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (at, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(time(at), expected);
        }
    }

    #[test]
    fn no_cell_is_a_formula_or_breaks_its_line() {
        for (text, expected) in [
            ("Ann", "Ann"),
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-x", "'-x"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=a,\"b\"", "\"'=a,\"\"b\"\"\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
