//! What lets a request change something over HTTP: a secret in the state folder that only its owner can read.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::LocalError;

/// The file inside a state folder.
pub(crate) const FILE: &str = "token";

/// Random bytes of a token, which is twice as many hexadecimal digits.
const BYTES: usize = 32;

/// Shortest token that is taken: one that somebody wrote there by hand has to be hard to guess, too.
const LENGTH_MIN: usize = 16;

/// The secret. It has no `Debug` that shows it and is written nowhere but to its file.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// The token of a state folder, which is made if there is none.
    ///
    /// # Errors
    /// When it cannot be read or made, or is too short.
    pub(crate) fn of(folder: &Path) -> Result<Self, LocalError> {
        let path = folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().len() < LENGTH_MIN => {
                let message = format!("the token in {} has fewer than {LENGTH_MIN} characters", path.display());
                Err(LocalError::refused_with(message, "remove the file: another one is made at the next start"))
            }
            Ok(text) => {
                // Whoever could read it before had it; nobody else gets it.
                let private = std::fs::Permissions::from_mode(0o600);
                std::fs::set_permissions(&path, private)
                    .map_err(|source| LocalError::Write { path: path.clone(), source })?;
                Ok(Self(text.trim().to_owned()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Self::make(&path).map_err(|source| LocalError::Write { path, source })
            }
            Err(source) => Err(LocalError::Read { path, source }),
        }
    }

    /// Writes it beside its place first: a process that is killed meanwhile leaves no half of one.
    fn make(path: &Path) -> std::io::Result<Self> {
        let mut bytes = [0; BYTES];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let beside = path.with_extension("new");
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
        file.write_all(token.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        Ok(Self(token))
    }

    /// Whether somebody knows it. Takes as long for a guess that is nearly right as for one that is not.
    pub(crate) fn is(&self, said: &str) -> bool {
        let (own, said) = (self.0.as_bytes(), said.as_bytes());
        let differ = own.iter().zip(said).fold(0, |differ, (a, b)| std::hint::black_box(differ | (a ^ b)));
        own.len() == said.len() && differ == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::of(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.len(), 2 * BYTES);
        assert!(token.is(&written));
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Token::of(folder.path()).unwrap().is(&written));
        assert_eq!(mode(), 0o600);
        assert!(!format!("{token:?}").contains(&written));
        let other = Token::of(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(!other.is(&written));
    }

    #[test]
    fn only_the_whole_token_will_do() {
        let token = Token("0123456789abcdef".to_owned());
        assert!(token.is("0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0", "1123456789abcdef"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "short\n").unwrap();
        assert!(Token::of(folder.path()).unwrap_err().to_string().contains("fewer than 16 characters"));
        std::fs::write(folder.path().join(FILE), "made by somebody else\n").unwrap();
        assert!(Token::of(folder.path()).unwrap().is("made by somebody else"));
    }
}
