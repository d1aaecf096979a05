//! The settings of each layer: a known key, its value, and where it stands.

use std::{collections::BTreeMap, fs, path::PathBuf};

use config::{FileFormat, Map, Source as _, Value, ValueKind};

use super::{
    Fault, OTHER_PREFIXES, VARIABLE_PREFIX,
    schema::{FILE_SUFFIX, Node, Schema},
};

/// More than any secret has, so that a wrong path does not fill the memory. Bytes.
const SECRET_FILE_MAX: u64 = 64 * 1024;

/// One value that somebody has set.
pub(super) struct Setting {
    pub(super) path: String,
    pub(super) value: Value,
    pub(super) origin: String,
}

impl Setting {
    pub(super) fn invalid(&self, message: String) -> Fault {
        Fault::Invalid { origin: self.origin.clone(), path: self.path.clone(), message }
    }
}

/// The settings in the files, later files over earlier ones.
pub(super) fn of_files(
    files: &[PathBuf],
    schema: &Schema,
    faults: &mut Vec<Fault>,
) -> Vec<Setting> {
    let mut settings = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let root = fs::read_to_string(file).map_err(|error| error.to_string()).and_then(|text| {
            config::File::from_str(&text, FileFormat::Toml)
                .collect()
                .map_err(|error| parse_error(&error))
        });
        match root {
            Ok(root) => {
                Walk { origin: &name, schema, faults, settings: &mut settings }.keys("", root)
            }
            Err(message) => faults.push(Fault::File { file: name, message }),
        }
    }
    settings
}

fn parse_error(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string().trim_end().to_owned(),
        other => other.to_string(),
    }
}

/// A walk through the tables of a file.
struct Walk<'a> {
    origin: &'a str,
    schema: &'a Schema,
    faults: &'a mut Vec<Fault>,
    settings: &'a mut Vec<Setting>,
}

impl Walk<'_> {
    fn keys(&mut self, prefix: &str, table: Map<String, Value>) {
        let sorted: BTreeMap<_, _> = table.into_iter().collect();
        for (key, value) in sorted {
            let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            match (self.schema.node(&path), value.kind) {
                (None, _) => self.faults.push(Fault::Unknown {
                    origin: self.origin.to_owned(),
                    suggestion: self.schema.nearest(&path),
                    path,
                }),
                (Some(Node::Section), ValueKind::Table(table)) => self.keys(&path, table),
                (Some(_), kind) => {
                    let origin = self.origin.to_owned();
                    self.settings.push(Setting {
                        value: Value::new(Some(&origin), kind),
                        path,
                        origin,
                    });
                }
            }
        }
    }
}

/// The settings among the variables, in the order of their names.
pub(super) fn of_environment(
    env: impl IntoIterator<Item = (String, String)>,
    schema: &Schema,
    faults: &mut Vec<Fault>,
) -> Vec<Setting> {
    let variables: BTreeMap<_, _> = env
        .into_iter()
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
        .filter(|(name, _)| !OTHER_PREFIXES.iter().any(|other| name.starts_with(other)))
        .collect();
    let mut settings = Vec::new();
    for (name, text) in variables {
        let path = name.strip_prefix(VARIABLE_PREFIX).unwrap_or(&name);
        let path = path.to_lowercase().replace("__", ".");
        match of_text(format!("variable {name}"), path, &text, schema) {
            Ok(setting) => settings.push(setting),
            Err(Fault::Unknown { origin, path, suggestion }) => faults.push(Fault::Unknown {
                origin,
                path,
                suggestion: suggestion.map(|known| variable_of(&known)),
            }),
            Err(fault) => faults.push(fault),
        }
    }
    settings
}

/// The variable that sets the key at `path`.
fn variable_of(path: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

/// The settings in `--set key=value` flags.
pub(super) fn of_flags(flags: &[String], schema: &Schema, faults: &mut Vec<Fault>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for flag in flags {
        let Some((path, text)) = flag.split_once('=') else {
            let text = flag.split_whitespace().next().unwrap_or_default().to_owned();
            faults.push(Fault::Flag { text });
            continue;
        };
        match of_text(format!("--set {path}"), path.trim().to_owned(), text, schema) {
            Ok(setting) => settings.push(setting),
            Err(fault) => faults.push(fault),
        }
    }
    settings
}

/// A setting out of a text; lists are separated by commas.
fn of_text(origin: String, path: String, text: &str, schema: &Schema) -> Result<Setting, Fault> {
    let kind = match schema.node(&path) {
        None => {
            let suggestion = schema.nearest(&path);
            return Err(Fault::Unknown { origin, path, suggestion });
        }
        Some(Node::Section) => {
            let message = "this is a section: set one of its keys".to_owned();
            return Err(Fault::Invalid { origin, path, message });
        }
        Some(Node::List) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let items = items.map(|item| Value::new(Some(&origin), item.to_owned())).collect();
            ValueKind::Array(items)
        }
        Some(Node::Leaf | Node::Secret | Node::SecretFile) => ValueKind::String(text.to_owned()),
    };
    Ok(Setting { path, value: Value::new(Some(&origin), kind), origin })
}

/// Puts what the files of secrets hold in the place of their names.
pub(super) fn read_secret_files(
    settings: &mut BTreeMap<String, Setting>,
    schema: &Schema,
    faults: &mut Vec<Fault>,
) {
    let is_file = |path: &String| schema.node(path) == Some(Node::SecretFile);
    let named: Vec<_> = settings.keys().filter(|path| is_file(path)).cloned().collect();
    for named in named {
        let Some(setting) = settings.remove(&named) else { continue };
        let path = named.strip_suffix(FILE_SUFFIX).unwrap_or(&named).to_owned();
        if let Some(value) = settings.get(&path) {
            let value = value.origin.clone();
            faults.push(Fault::SecretTwice { path, value, file: setting.origin });
            continue;
        }
        match secret_in(&setting, &path) {
            Ok(secret) => {
                settings.insert(path, secret);
            }
            Err(fault) => faults.push(fault),
        }
    }
}

fn secret_in(setting: &Setting, path: &str) -> Result<Setting, Fault> {
    let file = setting
        .value
        .clone()
        .into_string()
        .map_err(|error| setting.invalid(super::fault::plain(&error)))?;
    let fault = |message: String| Fault::SecretFile {
        origin: setting.origin.clone(),
        path: path.to_owned(),
        file: file.clone(),
        message,
    };
    let size = fs::metadata(&file).map_err(|error| fault(error.to_string()))?.len();
    if size > SECRET_FILE_MAX {
        return Err(fault(format!("{size} bytes are too many for a secret")));
    }
    let text = fs::read_to_string(&file).map_err(|error| fault(error.to_string()))?;
    if text.trim().is_empty() {
        return Err(fault("the file is empty".into()));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text).to_owned();
    let origin = setting.origin.clone();
    Ok(Setting { path: path.to_owned(), value: Value::new(Some(&origin), text), origin })
}
