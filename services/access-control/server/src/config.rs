//! The service's section of the configuration, `[access_control]`.

use std::{ops::RangeInclusive, time::Duration};

use serde::{Deserialize, Serialize};
use tributary_access_control_core::{Counting, SecretPolicy};
use tributary_identifiers::OrganisationId;
use tributary_mailer::MailConfig;
use tributary_share_link::{InvalidPublicUrl, PublicUrl};

const HOUR_SECONDS: u64 = 3600;
const DAY_SECONDS: u64 = 24 * HOUR_SECONDS;

/// `[access_control]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long facts are believed, in milliseconds, if nobody says that they have changed; so long
    /// are cached allows honoured while a database is down.
    pub facts_life_ms: u64,
    /// How many facts each cache keeps at most; each has some hundred bytes.
    pub facts_max: u64,
    /// Accesses that an outsider's client may make in `access_window_hours`.
    pub access_limit: u32,
    /// The window of all budgets but that of passwords, in hours.
    pub access_window_hours: u64,
    /// Counts the accesses of members too.
    pub count_members: bool,
    /// Different meetings that one client may be refused at in the window.
    pub miss_limit: u32,
    /// Different meetings that may be refused to one IPv4 address or IPv6 /64 in the window.
    pub prefix_miss_limit: u32,
    /// Accesses that guests behind one IPv4 address or IPv6 /64 may make in the window.
    pub prefix_guest_access_limit: u32,
    /// Wrong passwords at one meeting in `wrong_password_window_minutes`, over all clients; then
    /// even the right one is refused. As many again for each client that comes back to a meeting.
    pub wrong_password_limit: u32,
    /// The window of wrong passwords, in minutes.
    pub wrong_password_window_minutes: u64,
    /// Outsiders of every organisation must show the secret of a share, or be named by one.
    pub require_share_secret: bool,
    /// Organisations whose outsiders must show the secret of a share, or be named by one.
    pub require_share_secret_of: Vec<String>,
    /// How long outsiders may read about a meeting that has ended, in days.
    pub ended_read_days: u64,
    /// Refusals of outsiders are answered at a multiple of this after the question came, in
    /// milliseconds. It must be longer than the slowest usual decision.
    pub refusal_grid_ms: u64,
    /// Refusals of outsiders, everywhere and in `miss_alarm_window_minutes`, from which on the alarm
    /// is raised; 0: never.
    pub miss_alarm: u64,
    /// The window of the alarm, in minutes.
    pub miss_alarm_window_minutes: u64,
    /// The address of the web client, as people reach it; links of shares begin with it.
    pub public_url: String,
    /// The mail server for shares by e-mail.
    pub mail: MailConfig,
    /// E-mails that one organiser may send in a day.
    pub mail_limit: u32,
    /// How long decisions are kept, in days.
    pub audit_days: u64,
    /// How many decisions may wait to be written; when so many do, nothing is decided.
    pub audit_queue: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            facts_life_ms: 10_000,
            facts_max: 200_000,
            access_limit: 50,
            access_window_hours: 24,
            count_members: false,
            miss_limit: 10,
            prefix_miss_limit: 200,
            prefix_guest_access_limit: 2000,
            wrong_password_limit: 20,
            wrong_password_window_minutes: 60,
            require_share_secret: false,
            require_share_secret_of: Vec::new(),
            ended_read_days: 7,
            refusal_grid_ms: 50,
            miss_alarm: 1000,
            miss_alarm_window_minutes: 10,
            public_url: "http://127.0.0.1:8080/".to_owned(),
            mail: MailConfig::default(),
            mail_limit: 200,
            audit_days: 90,
            audit_queue: 65_536,
        }
    }
}

/// The section holds what can't work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// Out of bounds.
    #[error("access_control.{key} must be {least} to {most}")]
    Bounds {
        /// Which.
        key: &'static str,
        /// The least value that works.
        least: u64,
        /// The greatest value that works.
        most: u64,
    },
    /// Not an organisation.
    #[error("access_control.require_share_secret_of: {0:?} is no organisation id")]
    Organisation(String),
    /// Not the address of a web client.
    #[error("access_control.public_url: {0}")]
    PublicUrl(InvalidPublicUrl),
}

impl Config {
    /// Checks the bounds. The settings of `mail` are checked by the mailer.
    ///
    /// # Errors
    /// A value is out of its bounds.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let bounds: [(&'static str, u64, RangeInclusive<u64>); 16] = [
            ("facts_life_ms", self.facts_life_ms, 1..=60_000),
            ("facts_max", self.facts_max, 100..=100_000_000),
            ("access_limit", self.access_limit.into(), 1..=1_000_000),
            ("access_window_hours", self.access_window_hours, 1..=24 * 31),
            ("miss_limit", self.miss_limit.into(), 1..=100_000),
            ("prefix_miss_limit", self.prefix_miss_limit.into(), 1..=100_000),
            ("prefix_guest_access_limit", self.prefix_guest_access_limit.into(), 1..=10_000_000),
            ("wrong_password_limit", self.wrong_password_limit.into(), 1..=10_000),
            ("wrong_password_window_minutes", self.wrong_password_window_minutes, 1..=24 * 60),
            ("ended_read_days", self.ended_read_days, 0..=3650),
            ("refusal_grid_ms", self.refusal_grid_ms, 1..=5_000),
            ("miss_alarm", self.miss_alarm, 0..=1_000_000_000),
            ("miss_alarm_window_minutes", self.miss_alarm_window_minutes, 1..=24 * 60),
            ("mail_limit", self.mail_limit.into(), 0..=100_000),
            ("audit_days", self.audit_days, 1..=3650),
            ("audit_queue", self.audit_queue as u64, 1..=1_000_000),
        ];
        for (key, value, allowed) in bounds {
            if !allowed.contains(&value) {
                let (least, most) = (*allowed.start(), *allowed.end());
                return Err(InvalidConfig::Bounds { key, least, most });
            }
        }
        self.public_url()?;
        self.strict_organisations().map(drop)
    }

    /// The address of the web client.
    ///
    /// # Errors
    /// It can't be one.
    pub fn public_url(&self) -> Result<PublicUrl, InvalidConfig> {
        self.public_url.parse().map_err(InvalidConfig::PublicUrl)
    }

    /// How long facts are believed.
    #[must_use]
    pub const fn facts_life(&self) -> Duration {
        Duration::from_millis(self.facts_life_ms)
    }

    /// The window of accesses and misses, in seconds.
    #[must_use]
    pub const fn access_window(&self) -> u64 {
        self.access_window_hours * HOUR_SECONDS
    }

    /// The window of wrong passwords, in seconds.
    #[must_use]
    pub const fn password_window(&self) -> u64 {
        self.wrong_password_window_minutes * 60
    }

    /// The longest window of any budget, in milliseconds: what is older counts nowhere.
    #[must_use]
    pub fn longest_window_ms(&self) -> u64 {
        self.access_window().max(self.password_window()).max(DAY_SECONDS) * 1000
    }

    /// How long outsiders may read about an ended meeting, in milliseconds.
    #[must_use]
    pub const fn ended_read_ms(&self) -> u64 {
        self.ended_read_days * DAY_SECONDS * 1000
    }

    /// How long decisions are kept, in milliseconds.
    #[must_use]
    pub const fn audit_ms(&self) -> u64 {
        self.audit_days * DAY_SECONDS * 1000
    }

    /// When refusals are answered.
    #[must_use]
    pub const fn refusal_grid(&self) -> Duration {
        Duration::from_millis(self.refusal_grid_ms)
    }

    /// Whose accesses are counted.
    #[must_use]
    pub const fn counting(&self) -> Counting {
        if self.count_members { Counting::Everybody } else { Counting::Outsiders }
    }

    /// What is wanted of outsiders where the organisation is not named.
    #[must_use]
    pub const fn secret_policy(&self) -> SecretPolicy {
        if self.require_share_secret { SecretPolicy::Required } else { SecretPolicy::Optional }
    }

    /// The organisations that are named.
    ///
    /// # Errors
    /// One of the names can't be one.
    pub fn strict_organisations(&self) -> Result<Vec<OrganisationId>, InvalidConfig> {
        let names = self.require_share_secret_of.iter();
        names
            .map(|name| name.parse().map_err(|_| InvalidConfig::Organisation(name.clone())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_in_its_bounds() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let check = |key: &str, change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        };
        check("facts_life_ms", |config| config.facts_life_ms = 0);
        check("facts_life_ms", |config| config.facts_life_ms = 60_001);
        check("access_limit", |config| config.access_limit = 0);
        check("access_window_hours", |config| config.access_window_hours = 0);
        check("refusal_grid_ms", |config| config.refusal_grid_ms = 0);
        check("audit_queue", |config| config.audit_queue = 0);
        check("public_url", |config| config.public_url = "ftp://host/".to_owned());
        check("require_share_secret_of", |config| {
            config.require_share_secret_of = vec!["a.b".to_owned()];
        });
    }

    #[test]
    fn an_organisation_can_be_named_that_wants_secrets() {
        let require_share_secret_of = vec!["acme".to_owned()];
        let config = Config { require_share_secret_of, ..Config::default() };
        assert_eq!(config.strict_organisations(), Ok(vec!["acme".parse().unwrap()]));
    }
}
