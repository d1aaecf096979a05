//! `tributary relay`: an edge relay, and what can be asked of one that runs.

mod ask;
pub mod participant;
mod roster;

use std::{fs, path::PathBuf};

use tributary_service_runtime::config::ConfigArgs;
use tributary_terminal::Target;

pub use ask::Question;

/// What `relay` is to do.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    question: Option<Question>,
    #[command(flatten)]
    config: ConfigArgs,
    /// The parent relay, as https://relay.example; several are tried in turn
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
    /// The file with the one-time token, for the first start; may be deleted afterwards
    #[arg(long, value_name = "FILE")]
    enrolment_token_file: Option<PathBuf>,
    /// The folder for the relay's key
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Be in this meeting too, as a room's device: the status page shows it, /status#room on a whole
    /// screen. A link, or @FILE with a link in it, so that it does not stand in the list of processes
    #[arg(long, value_name = "LINK", value_parser = meeting)]
    join: Option<Target>,
}

/// The meeting of a link, or of one in a file.
fn meeting(text: &str) -> Result<Target, String> {
    let link = match text.strip_prefix('@') {
        Some(file) => fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?,
        None => text.to_owned(),
    };
    Target::link(link.trim()).map_err(|error| error.to_string())
}

/// What was asked for.
pub enum Asked {
    /// To be an edge relay, with this configuration, and in this meeting itself.
    Run(Box<ConfigArgs>, Option<Target>),
    /// Something of one that runs.
    Question(Question),
}

impl Args {
    /// Flags are settings that win over all others.
    pub fn asked(self) -> Asked {
        if let Some(question) = self.question {
            return Asked::Question(question);
        }
        let mut config = self.config;
        if !self.upstream.is_empty() {
            config.set.push(format!("edge.upstream={}", self.upstream.join(",")));
        }
        let paths = [
            ("edge.enrolment_token_file", self.enrolment_token_file),
            ("edge.data_dir", self.data_dir),
        ];
        for (key, path) in paths {
            config.set.extend(path.map(|path| format!("{key}={}", path.display())));
        }
        Asked::Run(Box::new(config), self.join)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_stand_in_a_file() {
        let link = "https://meet.example/#/m/1152921504606846977/AAECAwQFBgcICQoLDA0ODw";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("link");
        fs::write(&file, format!("{link}\n")).unwrap();
        let from_file = meeting(&format!("@{}", file.display())).unwrap();
        assert_eq!(from_file, meeting(link).unwrap());
        assert_eq!(from_file.share_secret, "AAECAwQFBgcICQoLDA0ODw");
        assert!(meeting("@/nowhere/link").unwrap_err().starts_with("/nowhere/link: "));
        assert!(meeting("https://meet.example/").unwrap_err().contains("#/m/<meeting id>"));
    }
}
