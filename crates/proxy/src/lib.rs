//! The data plane: a weighted HTTP reverse proxy with statistics per version. It knows a table and no rollouts.
//!
//! The proxy is a process of its own ([`serve`]) that is told what to do over a Unix socket ([`Client`]), so that a dead or
//! restarting control process moves no traffic. [`table`] is what it is told, [`report`] what it answers.
//!
//! Inside, [`framing`] and [`prediction`] are pure: bytes in, values out. `split` and `routing` choose who answers, `mirror` who gets a copy, `slice` what is
//! counted apart, `stats` counts, `worker`, `connection` and `exchange` move the bytes, `control` listens on the socket.

mod answer;
mod client;
mod config;
mod connection;
mod control;
mod exchange;
pub mod framing;
mod history;
mod intake;
mod metrics;
mod mirror;
pub mod prediction;
mod refusal;
pub mod report;
mod routing;
mod serve;
mod shared;
mod slice;
mod split;
mod stats;
mod stream;
pub mod table;
mod tunnel;
mod upstream;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use client::Client;
pub use config::{Config, Limits};
pub use report::{
    Batch, ByClass, Counts, EndpointView, Info, MirrorCounts, Numbers, PairCounts, Recorded, SliceCounts, Snapshot,
    Units,
};
pub use serin_stats::{ratio, sketch};
pub use serve::serve;
pub use table::Table;

/// What can go wrong with the proxy itself or while talking to it.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// An address cannot be listened on.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The control socket cannot be made.
    #[error("failed to make the control socket {path}: {source}")]
    Socket {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another proxy answers on the control socket.
    #[error("failed to take the control socket {path}: another proxy answers on it")]
    Busy {
        /// Which one.
        path: PathBuf,
    },
    /// No proxy answers on the control socket.
    #[error("failed to reach the proxy at {path}: {source}")]
    Reach {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The conversation with the proxy broke.
    #[error("failed to talk to the proxy: {0}")]
    Talk(std::io::Error),
    /// The proxy answered something that is not an answer.
    #[error("failed to read the proxy's answer: {0}")]
    Answer(String),
    /// The proxy refused the table: everything that is wrong with it.
    #[error("failed to set the table: {}", .0.join("; "))]
    Table(Vec<String>),
    /// The proxy has a newer table.
    #[error("failed to set the table: version {given} is below the current version {current}")]
    Stale {
        /// Version of the table that was refused.
        given: u64,
        /// Version of the table in force.
        current: u64,
    },
    /// The proxy refused a request for another reason.
    #[error("failed to get an answer from the proxy: {0}")]
    Refused(String),
    /// A thread or a signal handler cannot be set up.
    #[error("failed to start the proxy: {0}")]
    Start(std::io::Error),
}
