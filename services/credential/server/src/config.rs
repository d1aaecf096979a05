//! The service's section of the configuration, `[credential]`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tributary_service_runtime::Secret;

/// `[credential]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Accounts that are created at the start unless they are there. One that is there stays as
    /// it is.
    pub users: Vec<BootstrapUser>,
}

/// `[[credential.users]]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapUser {
    /// The organisation; empty means `default`.
    pub organisation: String,
    /// The log-in name.
    pub user_name: String,
    /// The name shown to others; empty: the log-in name.
    pub display_name: String,
    /// The password; this or `password_file`.
    pub password: Secret,
    /// A file with the password; one line break at its end does not count.
    pub password_file: Option<PathBuf>,
}

/// Why a bootstrap user has no usable password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordSourceError {
    /// Given twice, or not at all.
    #[error("give either password or password_file")]
    NotOne,
    /// The file can't be read.
    #[error("can't read password_file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl BootstrapUser {
    /// The password, wherever it is given.
    ///
    /// # Errors
    /// It is given twice or not at all, or its file can't be read.
    pub fn read_password(&self) -> Result<Secret, PasswordSourceError> {
        match (self.password.is_empty(), &self.password_file) {
            (false, None) => Ok(self.password.clone()),
            (true, Some(path)) => read_file(path),
            _ => Err(PasswordSourceError::NotOne),
        }
    }

    /// The name shown to others.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        if self.display_name.is_empty() { &self.user_name } else { &self.display_name }
    }
}

fn read_file(path: &Path) -> Result<Secret, PasswordSourceError> {
    let content = fs::read_to_string(path)
        .map_err(|source| PasswordSourceError::Unreadable { path: path.to_owned(), source })?;
    let line = content.strip_suffix('\n').unwrap_or(&content);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use tributary_service_runtime::config::ConfigArgs;

    use super::*;

    fn user(toml: &str) -> BootstrapUser {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn a_password_stands_in_the_configuration_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "correct horse\r\n").unwrap();
        let file = format!("password_file = {:?}", path.display().to_string());
        assert_eq!(user(&file).read_password().unwrap().expose(), "correct horse");
        let plain = user("password = 'battery staple'");
        assert_eq!(plain.read_password().unwrap().expose(), "battery staple");
        for wrong in [String::new(), format!("password = 'x'\n{file}")] {
            let error = user(&wrong).read_password().unwrap_err();
            assert!(matches!(error, PasswordSourceError::NotOne), "{error}");
        }
        let missing = user("password_file = '/nonexistent/password'").read_password();
        assert!(matches!(missing, Err(PasswordSourceError::Unreadable { .. })));
    }

    /// The section as it stands in the one configuration of a process.
    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Process {
        credential: Config,
    }

    fn load(text: &str) -> Result<Process, tributary_service_runtime::Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tributary.toml");
        fs::write(&path, text).unwrap();
        let args = ConfigArgs { files: vec![path], ..ConfigArgs::default() };
        tributary_service_runtime::config::load(&args, [])
    }

    #[test]
    fn configured_users_are_tables_of_the_file() {
        let text = "[[credential.users]]\nuser_name = 'zoe'\npassword = 'battery staple'\n\
                    [[credential.users]]\nuser_name = 'adam'\ndisplay_name = 'Adam'\n\
                    password_file = '/run/secrets/adam'\n";
        let users = load(text).unwrap().credential.users;
        let names: Vec<_> = users.iter().map(|u| (u.user_name.as_str(), u.shown_name())).collect();
        assert_eq!(names, [("zoe", "zoe"), ("adam", "Adam")]);
        assert_eq!(users[0].password.expose(), "battery staple");
        assert_eq!(users[1].password_file.as_deref(), Some(Path::new("/run/secrets/adam")));
        let printed = toml::to_string(&Config { users }).unwrap();
        assert!(!printed.contains("staple"), "{printed}");
        assert!(load("[[credential.users]]\nuser_nam = 'zoe'\n").is_err());
    }

    #[test]
    fn unknown_keys_are_refused_and_passwords_do_not_show() {
        assert!(toml::from_str::<Config>("[[users]]\nname = 'x'").is_err());
        let shown = format!("{:?}", user("password = 'battery staple'"));
        assert!(!shown.contains("staple"), "{shown}");
    }
}
