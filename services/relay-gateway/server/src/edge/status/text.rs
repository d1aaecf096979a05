//! A report as text, for a command line.

use std::fmt::{self, Display, Formatter, Write as _};

use super::report::{AttachedTo, Hop, Report, Second};

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
        let mut people = format!("{} in meetings, {} terminals", self.participants, self.terminals);
        if self.relays > 0 {
            let _ = write!(people, ", {} relays attached here", self.relays);
        }
        line("people", &people)?;
        let second = self.history.last().copied().unwrap_or_default();
        let Second { up, down, .. } = second;
        line("up", &format!("{}, now {}/s", Bytes(self.bytes_up), Bytes(up)))?;
        line("down", &format!("{}, now {}/s", Bytes(self.bytes_down), Bytes(down)))?;
        match self.limit_kbit {
            0 => line("limit", &"none")?,
            limit => line("limit", &format!("{limit} kbit/s each way"))?,
        }
        line("saved", &self.saved)?;
        match (&self.last_error, self.last_error_at_ms) {
            (Some(error), Some(at)) => {
                let ago = Ago(self.now_ms.saturating_sub(at));
                line("last error", &format!("{} ({ago} ago)", shown(error)))
            }
            _ => line("last error", &"none"),
        }
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
