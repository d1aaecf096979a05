//! Secrets in lists of tables, which stand in the configuration or in a file that it names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tributary_service_runtime::Secret;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretSourceError {
    /// Given twice, or not at all.
    #[error("give either {key} or {key}_file")]
    NotOne {
        /// The key.
        key: &'static str,
    },
    /// The file can't be read.
    #[error("can't read {key}_file {path}: {source}")]
    Unreadable {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

/// The secret, wherever it is given. One line break at the end of a file does not count.
///
/// # Errors
/// It is given twice or not at all, or its file can't be read.
pub fn read(
    key: &'static str,
    secret: &Secret,
    file: Option<&Path>,
) -> Result<Secret, SecretSourceError> {
    match (secret.is_empty(), file) {
        (false, None) => Ok(secret.clone()),
        (true, Some(path)) => read_file(key, path),
        _ => Err(SecretSourceError::NotOne { key }),
    }
}

fn read_file(key: &'static str, path: &Path) -> Result<Secret, SecretSourceError> {
    let content = fs::read_to_string(path).map_err(|source| SecretSourceError::Unreadable {
        key,
        path: path.to_owned(),
        source,
    })?;
    let line = content.strip_suffix('\n').unwrap_or(&content);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_stands_in_the_configuration_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "correct horse\r\n").unwrap();
        let (none, plain) = (Secret::default(), Secret::new("battery staple"));
        let read = |secret, file| read("password", secret, file);
        assert_eq!(read(&none, Some(&path)).unwrap().expose(), "correct horse");
        assert_eq!(read(&plain, None).unwrap().expose(), "battery staple");
        for (secret, file) in [(&none, None), (&plain, Some(path.as_path()))] {
            let error = read(secret, file).unwrap_err();
            assert_eq!(error.to_string(), "give either password or password_file");
        }
        let missing = read(&none, Some(Path::new("/nonexistent/password")));
        assert!(matches!(missing, Err(SecretSourceError::Unreadable { .. })));
    }
}
