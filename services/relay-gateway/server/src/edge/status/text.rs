//! A report as text, for a command line.

use std::fmt::{self, Display, Formatter, Write as _};

use super::{
    super::state::Status,
    meeting::{Group, OwnMeeting, Someone, Standing},
    report::{AttachedTo, Hop, Report, Second},
};

/// People of one group that are named.
const NAMED_MAX: usize = 40;
/// Of what the core has not said yet.
const NOT_KNOWN: &str = "not known before the relay is attached";

/// What the relay has saved, in a sentence.
pub(super) fn saved(direct: u64, down: u64) -> String {
    let (took, would) = (Bytes(down), Bytes(direct));
    if direct > down {
        let share = percent(direct - down, direct);
        let saved = Bytes(direct - down);
        return format!(
            "Connections of their own would have taken {would}; the uplink took {took}: {saved} saved \
             ({share} %)."
        );
    }
    format!(
        "Nothing saved yet: the uplink took {took}, connections of their own would have taken {would}."
    )
}

/// The same of the way up.
pub(super) fn saved_up(heard: u64, up: u64) -> String {
    let (took, would) = (Bytes(up), Bytes(heard));
    if heard > up {
        let share = percent(heard - up, heard);
        let saved = Bytes(heard - up);
        return format!(
            "Upward, connections of their own would have taken {would}; the uplink took {took}: {saved} \
             saved ({share} %)."
        );
    }
    format!(
        "Upward nothing is saved yet: the uplink took {took}, connections of their own would have taken \
         {would}."
    )
}

/// What to do about a relay that is not attached.
pub(super) fn advice(status: &Status) -> &'static str {
    if status.revoked {
        "Ask the administrator whether this relay is still wanted. With a new one-time token \
         (--enrolment-token-file) it enrols anew."
    } else if status.relay_id.is_empty() {
        "It has never been attached. Check the parent's address (--upstream), that this machine may reach \
         it, and the one-time token; `tributary relay diag` tries the way and writes down what answers. \
         The relay goes on trying by itself."
    } else {
        "The relay goes on trying by itself. If that lasts: check that this machine reaches its parent \
         (`tributary relay diag` tries it) and, with the administrator, that the parent runs."
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100)
}

/// Bytes as people read them (IEC 80000-13).
struct Bytes(u64);

impl Display for Bytes {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        let mut unit = "B";
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 {
                break;
            }
            (value, unit) = (value / 1024.0, larger);
        }
        if unit == "B" {
            return write!(formatter, "{} B", self.0);
        }
        write!(formatter, "{value:.1} {unit}")
    }
}

/// A span of time as people read it.
struct Ago(u64);

impl Display for Ago {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000;
        match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
            (0, 0, 0, seconds) => write!(formatter, "{seconds} s"),
            (0, 0, minutes, seconds) => write!(formatter, "{minutes} min {seconds} s"),
            (0, hours, minutes, _) => write!(formatter, "{hours} h {minutes} min"),
            (days, hours, _, _) => write!(formatter, "{days} d {hours} h"),
        }
    }
}

impl Display for Hop {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", shown(&self.relay_name), shown(&self.relay_id))
    }
}

/// Without what would take hold of the terminal that it is printed on.
fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: &dyn Display| {
            let text = format!("{name:<14}{value}");
            formatter.write_str(text.trim_end())?;
            formatter.write_char('\n')
        };
        let name = match self.relay_id.as_str() {
            "" => "not enrolled".to_owned(),
            id => format!("{} ({})", shown(&self.relay_name), shown(id)),
        };
        line("relay", &format!("{name}, version {}", shown(&self.version)))?;
        match &self.attached_to {
            Some(attached) => attached_lines(attached, self.now_ms, &mut line)?,
            None if self.revoked => line("attached", &"no: the core has revoked this relay")?,
            None => line("attached", &"no")?,
        }
        if self.resumed > 0 {
            line("resumed", &format!("{} times", self.resumed))?;
        }
        line("people", &people(self))?;
        let second = self.history.last().copied().unwrap_or_default();
        let Second { up, down, .. } = second;
        line("up", &format!("{}, now {}/s", Bytes(self.bytes_up), Bytes(up)))?;
        line("down", &format!("{}, now {}/s", Bytes(self.bytes_down), Bytes(down)))?;
        match self.limit_kbit {
            None => line("limit", &NOT_KNOWN)?,
            Some(0) => line("limit", &"none")?,
            Some(limit) => line("limit", &format!("{limit} kbit/s each way"))?,
        }
        line("saved", &self.saved)?;
        if !self.saved_up.is_empty() {
            line("", &self.saved_up)?;
        }
        if let Some(meeting) = &self.meeting {
            meeting_lines(meeting, &mut line)?;
        }
        match (&self.last_error, self.last_error_at_ms) {
            (Some(error), Some(at)) => {
                let ago = Ago(self.now_ms.saturating_sub(at));
                line("last error", &format!("{} ({ago} ago)", shown(error)))?;
            }
            _ => line("last error", &"none")?,
        }
        match &self.advice {
            Some(advice) => line("to do", &shown(advice)),
            None => Ok(()),
        }
    }
}

fn people(report: &Report) -> String {
    let terminals = report.terminals;
    let mut people = match report.participants {
        None => NOT_KNOWN.to_owned(),
        Some(people) if report.attached => format!("{people} in meetings, {terminals} terminals"),
        Some(people) => {
            format!("{people} in meetings when the connection was lost, {terminals} terminals")
        }
    };
    if report.relays > 0 {
        let _ = write!(people, ", {} relays attached here", report.relays);
    }
    people
}

fn meeting_lines(
    meeting: &OwnMeeting,
    line: &mut dyn FnMut(&str, &dyn Display) -> fmt::Result,
) -> fmt::Result {
    if !matches!(meeting.standing, Standing::In | Standing::Lost) {
        return line("meeting", &shown(&meeting.words));
    }
    let people = match meeting.people {
        0 => "nobody is there but relays".to_owned(),
        1 => "1 person".to_owned(),
        people => format!("{people} people"),
    };
    line("meeting", &format!("{}: {people}", shown(&meeting.subject)))?;
    if meeting.standing == Standing::Lost {
        line("", &shown(&meeting.words))?;
    }
    let all = || meeting.groups.iter().flat_map(|group| &group.people);
    let speaking: Vec<_> = all().filter(|who| who.speaking).map(|who| shown(&who.name)).collect();
    if !speaking.is_empty() {
        line("  speaking", &speaking.join(", "))?;
    }
    let mut hands: Vec<_> = all().filter(|who| who.hand > 0).collect();
    hands.sort_by_key(|who| who.hand);
    if !hands.is_empty() {
        let hands: Vec<_> =
            hands.iter().map(|who| format!("{}. {}", who.hand, shown(&who.name))).collect();
        line("  hands", &hands.join(", "))?;
    }
    for group in &meeting.groups {
        line("  behind", &group)?;
    }
    match meeting.not_shown {
        0 => Ok(()),
        more => line("", &format!("and {more} more")),
    }
}

impl Display for Group {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let own = if self.own { " (this relay)" } else { "" };
        write!(formatter, "{}{own}: ", shown(&self.relay_name))?;
        let names: Vec<_> = self.people.iter().take(NAMED_MAX).map(Someone::to_string).collect();
        formatter.write_str(&names.join(", "))?;
        match self.people.len().saturating_sub(NAMED_MAX) {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}

impl Display for Someone {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&shown(&self.name))?;
        let marks = [
            (self.itself, "the relay itself"),
            (self.host, "host"),
            (self.muted && !self.itself, "muted"),
            (self.away, "away"),
        ];
        let marks: Vec<_> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        if marks.is_empty() { Ok(()) } else { write!(formatter, " ({})", marks.join(", ")) }
    }
}

fn attached_lines(
    attached: &AttachedTo,
    now_ms: u64,
    line: &mut dyn FnMut(&str, &dyn Display) -> fmt::Result,
) -> fmt::Result {
    let since = Ago(now_ms.saturating_sub(attached.since_ms));
    let (parent, upstream) = (&attached.parent, shown(&attached.upstream));
    line("attached", &format!("to {parent} at {upstream}, for {since}"))?;
    let path: Vec<_> = attached.path.iter().map(Hop::to_string).collect();
    line("path", &path.join(" > "))?;
    match attached.rtt_ms {
        Some(rtt) => line("round trip", &format!("{rtt:.1} ms")),
        None => line("round trip", &"not measured yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_said_and_so_is_what_is_not() {
        let words = saved(5 << 30, 512 << 20);
        assert_eq!(
            words,
            "Connections of their own would have taken 5.0 GiB; the uplink took 512.0 MiB: 4.5 GiB \
             saved (90 %)."
        );
        assert!(saved(10, 2_000).starts_with("Nothing saved yet: the uplink took 2.0 KiB"));
        assert!(saved_up(4_096, 1_024).ends_with("the uplink took 1.0 KiB: 3.0 KiB saved (75 %)."));
        assert!(saved_up(1, 2).starts_with("Upward nothing is saved yet"));
    }

    #[test]
    fn what_is_not_known_is_not_shown_as_zero_and_there_is_advice() {
        let status = Status { relay_id: "office".into(), ..Status::default() };
        let mut report = Report { advice: Some(advice(&status).into()), ..Report::default() };
        let text = report.to_string();
        assert!(text.contains("people        not known before the relay is attached\n"), "{text}");
        assert!(text.contains("limit         not known before the relay is attached\n"), "{text}");
        assert!(text.contains("to do         The relay goes on trying by itself."), "{text}");
        (report.participants, report.limit_kbit) = (Some(7), Some(0));
        let text = report.to_string();
        assert!(
            text.contains("people        7 in meetings when the connection was lost"),
            "{text}"
        );
        assert!(text.contains("limit         none\n"), "{text}");
        assert!(advice(&Status::default()).contains("one-time token"));
        assert!(advice(&Status { revoked: true, ..status }).contains("administrator"));
    }

    #[test]
    fn a_meeting_is_shown_with_its_people_by_their_relays() {
        let someone = |name: &str| Someone { name: name.into(), ..Someone::default() };
        let own = Group {
            relay_name: "Berlin\u{7}".into(),
            own: true,
            people: vec![
                Someone { itself: true, muted: true, ..someone("Berlin") },
                Someone { speaking: true, host: true, ..someone("Ada\u{1b}[2J") },
            ],
            ..Group::default()
        };
        let hands =
            [Someone { hand: 2, ..someone("Alan") }, Someone { hand: 1, ..someone("Grace") }];
        let away = Someone { away: true, muted: true, ..someone("Linus") };
        let people = hands.into_iter().chain([away]).collect();
        let other = Group { relay_name: "Cloud".into(), people, ..Group::default() };
        let meeting = OwnMeeting {
            subject: "Weekly".into(),
            people: 4,
            groups: vec![own, other],
            not_shown: 2,
            ..OwnMeeting::at(Standing::In)
        };
        let mut report = Report { meeting: Some(meeting), ..Report::default() };
        let text = report.to_string();
        for line in [
            "meeting       Weekly: 4 people\n",
            "  speaking    Ada[2J\n",
            "  hands       1. Grace, 2. Alan\n",
            "  behind      Berlin (this relay): Berlin (the relay itself), Ada[2J (host)\n",
            "  behind      Cloud: Alan, Grace, Linus (muted, away)\n",
            "              and 2 more\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        report.meeting = Some(OwnMeeting::at(Standing::Lobby));
        assert!(report.to_string().contains("meeting       The relay waits in the lobby"));
    }

    #[test]
    fn a_report_reads_well_and_takes_no_hold_of_the_screen() {
        let mut report = Report {
            relay_id: "office".into(),
            relay_name: "Berlin\u{1b}[2J".into(),
            version: "1".into(),
            now_ms: 100_000_000,
            last_error: Some("it broke".into()),
            last_error_at_ms: Some(100_000_000 - 65_000),
            saved: saved(0, 0),
            ..Report::default()
        };
        let text = report.to_string();
        assert!(text.contains("attached      no\n") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("last error    it broke (1 min 5 s ago)\n"), "{text}");
        let hop = |id: &str| Hop { relay_id: id.into(), relay_name: id.to_uppercase() };
        report.attached_to = Some(AttachedTo {
            upstream: "https://hub.example:443".into(),
            parent: hop("hub"),
            path: vec![hop("core"), hop("hub")],
            since_ms: 100_000_000 - 90_061_000,
            rtt_ms: Some(12.34),
            ..AttachedTo::default()
        });
        let text = report.to_string();
        let line = "attached      to HUB (hub) at https://hub.example:443, for 1 d 1 h\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("path          CORE (core) > HUB (hub)\nround trip    12.3 ms\n"));
    }
}
