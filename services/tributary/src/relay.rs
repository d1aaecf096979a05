//! `tributary relay`: an edge relay, and what can be asked of one that runs.

mod ask;
pub mod participant;

use std::path::PathBuf;

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
    /// Be in this meeting too, as a room's device that only listens
    #[arg(long, value_name = "LINK", value_parser = Target::link)]
    join: Option<Target>,
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
