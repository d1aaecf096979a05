//! One layered configuration for a process: defaults < files < environment < flags.
//!
//! Everything that is wrong is found at once and said with the file, variable or flag it stands in.
//! The known keys come from the defaults: what `C::default()` serialises to is what can be set, so
//! every structure in `C` needs `#[serde(default, deny_unknown_fields)]`, and an optional value is
//! an `Option` that serialises to null, or a type with an "off" spelling.
//!
//! Two rules go by a name: a [`Secret`](crate::Secret) `x` can also be given as `x_file`, and every
//! key `listen` or `*_listen` is an address that this process opens.
//!
//! **Invariant:** [`load`] is a function of its arguments and of the files they name.

mod fault;
mod schema;
mod setting;

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};

pub use fault::{Fault, Faults};
use schema::Schema;
use setting::Setting;

/// What begins the name of every variable that configures a process.
pub const VARIABLE_PREFIX: &str = "TRIBUTARY_";
/// What begins the names of variables that configure no service: those of the tests, and the
/// defaults of the headless terminal's flags.
const OTHER_PREFIXES: [&str; 2] = ["TRIBUTARY_TEST_", "TRIBUTARY_TERMINAL_"];

/// The flags that choose and change the configuration.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConfigArgs {
    /// Read settings from this TOML file; may be repeated, later ones win.
    #[arg(long = "config", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Change one setting, as in `--set log.format=json`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Check the configuration and end.
    #[arg(long)]
    pub check_config: bool,
    /// Print the configuration as it applies, without its secrets, and end.
    #[arg(long)]
    pub print_config: bool,
}

impl ConfigArgs {
    /// What to print instead of starting, if the flags ask for that.
    ///
    /// # Errors
    /// If the configuration can't be written as TOML.
    pub fn report<C: Serialize>(&self, config: &C) -> Result<Option<String>, Faults> {
        if self.print_config {
            return toml::to_string_pretty(config)
                .map(Some)
                .map_err(|error| Fault::Whole { message: error.to_string() }.into());
        }
        Ok(self.check_config.then(|| "the configuration is valid\n".to_owned()))
    }
}

/// Reads the configuration from `args` and from the variables among `env` that begin with
/// [`VARIABLE_PREFIX`]: `TRIBUTARY_<SECTION>__<KEY>`, two underscores between the levels.
///
/// # Errors
/// All faults that were found.
pub fn load<C>(
    args: &ConfigArgs,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<C, crate::Error>
where
    C: Default + Serialize + DeserializeOwned,
{
    Ok(load_faults(args, env)?)
}

/// As [`load`], for a process that neither shows nor takes any of the configured secrets: it may listen
/// anywhere without having secrets of its own.
///
/// # Errors
/// As [`load`].
pub fn load_without_peers<C>(
    args: &ConfigArgs,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<C, crate::Error>
where
    C: Default + Serialize + DeserializeOwned,
{
    Ok(load_settings(args, env)?)
}

fn load_faults<C>(
    args: &ConfigArgs,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<C, Faults>
where
    C: Default + Serialize + DeserializeOwned,
{
    let config = load_settings(args, env)?;
    refuse_development_secrets_in_public(&Schema::of(&config)?)?;
    Ok(config)
}

fn load_settings<C>(
    args: &ConfigArgs,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<C, Faults>
where
    C: Default + Serialize + DeserializeOwned,
{
    let schema = Schema::of(&C::default())?;
    let mut faults = Vec::new();
    let mut settings = BTreeMap::new();
    for layer in [
        setting::of_files(&args.files, &schema, &mut faults),
        setting::of_environment(env, &schema, &mut faults),
        setting::of_flags(&args.set, &schema, &mut faults),
    ] {
        settings.extend(layer.into_iter().map(|setting| (setting.path.clone(), setting)));
    }
    setting::read_secret_files(&mut settings, &schema, &mut faults);
    for setting in settings.values() {
        if let Err(message) = deserialise::<C>([setting]) {
            faults.push(setting.invalid(message));
        }
    }
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    deserialise(settings.values()).map_err(|message| Faults::from(Fault::Whole { message }))
}

/// Builds the configuration out of these settings and the defaults.
fn deserialise<'a, C: DeserializeOwned>(
    settings: impl IntoIterator<Item = &'a Setting>,
) -> Result<C, String> {
    let mut builder = config::Config::builder();
    for setting in settings {
        builder = builder
            .set_override(&setting.path, setting.value.clone())
            .map_err(|error| fault::plain(&error))?;
    }
    builder.build().and_then(config::Config::try_deserialize).map_err(|error| fault::plain(&error))
}

/// Secrets that stand in the source protect nothing, so they are for loopback only.
fn refuse_development_secrets_in_public(effective: &Schema) -> Result<(), Faults> {
    let listeners = effective.listeners_beyond_loopback();
    let secrets = effective.development_secrets();
    if listeners.is_empty() || secrets.is_empty() {
        return Ok(());
    }
    Err(Fault::DevelopmentSecrets { secrets, listeners }.into())
}

#[cfg(test)]
mod tests;
