//! Where the rollouts are: with the control process of one machine, or on a cluster. Commands ask both the same.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serin_local::LocalError;
use serin_local::client::Client;
use serin_local::protocol::Request;

use crate::cluster::Cluster;
use crate::error::CliError;

/// Who answers.
pub(crate) enum Place {
    /// The control process of a state folder, with the conversation that is open.
    Machine {
        /// The state folder.
        folder: PathBuf,
        /// The conversation.
        open: Option<Client>,
    },
    /// A namespace of a cluster.
    Cluster(Box<Cluster>),
}

impl Place {
    /// The control process of a state folder; it is asked when there is something to ask.
    pub(crate) fn machine(folder: impl Into<PathBuf>) -> Self {
        Self::Machine { folder: folder.into(), open: None }
    }

    /// Asks and reads the answer. A conversation that broke off is begun anew with the next question.
    ///
    /// # Errors
    /// What was refused, or that nobody is reached.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, CliError> {
        match self {
            Self::Machine { folder, open } => {
                let mut client = match open.take() {
                    Some(client) => client,
                    None => Client::connect(folder).await?,
                };
                let answer = client.ask(request).await;
                if !matches!(answer, Err(LocalError::NotRunning { .. } | LocalError::Talk(_))) {
                    *open = Some(client);
                }
                Ok(answer?)
            }
            Self::Cluster(cluster) => {
                let answer = cluster.answer(request).await?;
                serde_json::from_value(answer).map_err(|error| CliError::Bug(error.to_string()))
            }
        }
    }

    /// Whether it is a cluster.
    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Time between two looks: a cluster is asked over the network, and several things at once.
    pub(crate) const fn look_every(&self) -> Duration {
        match self {
            Self::Machine { .. } => Duration::from_millis(250),
            Self::Cluster(_) => Duration::from_secs(1),
        }
    }
}
