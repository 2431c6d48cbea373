//! What a command uses to talk to the control process of a state folder.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::protocol::{Answer, Refusal, Request};
use crate::{Class, LocalError, control};

/// A conversation with a control process.
#[derive(Debug)]
pub struct Client {
    folder: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the control process of a state folder.
    ///
    /// # Errors
    /// When none is running there.
    pub async fn connect(folder: &Path) -> Result<Self, LocalError> {
        let path = control::path(folder)?;
        let stream =
            UnixStream::connect(&path).await.map_err(|_| LocalError::NotRunning { folder: folder.to_owned() })?;
        Ok(Self { folder: folder.to_owned(), stream: BufReader::new(stream) })
    }

    /// Asks and reads the answer.
    ///
    /// # Errors
    /// What the control process refused, or that it is gone.
    pub async fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, LocalError> {
        let mut line = serde_json::to_string(request).map_err(|e| LocalError::Bug(e.to_string()))?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).await.map_err(LocalError::Talk)?;
        let mut answer = String::new();
        let length = self.stream.read_line(&mut answer).await.map_err(LocalError::Talk)?;
        if length == 0 {
            return Err(LocalError::NotRunning { folder: self.folder.clone() });
        }
        let odd = |e: serde_json::Error| LocalError::Bug(format!("the answer is not understood: {e}"));
        match serde_json::from_str::<Answer>(&answer).map_err(odd)? {
            Answer::Ok(value) => serde_json::from_value(value).map_err(odd),
            Answer::Error(Refusal { message, hint, class }) => Err(match class {
                Class::User => LocalError::Refused { message, hint },
                Class::Retry | Class::Conflict => LocalError::NotNow { message, hint },
                Class::Bug => LocalError::Bug(message),
            }),
        }
    }
}
