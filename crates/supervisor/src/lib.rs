//! Processes on one machine. It knows commands, ports and probes, and nothing of rollouts.
//!
//! [`machine`] is a pure state machine per member: an event and a time in, effects out. [`system`] is the one file that
//! touches processes, [`probe`] asks them how they are, [`logs`] keeps what they print within bounds, and
//! [`Supervisor`] connects the four.

pub mod logs;
pub mod machine;
pub mod probe;
mod supervisor;
pub mod system;

pub use machine::{Health, MemberSpec, State};
pub use probe::{Check, Probe};
pub use supervisor::{MemberView, Supervisor};

/// What can go wrong with processes.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// A folder or file of the supervisor cannot be used.
    #[error("failed to write {path}: {source}")]
    Write {
        /// Which one.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A process cannot be started.
    #[error("failed to start '{command}': {source}")]
    Start {
        /// The program.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// No port is free.
    #[error("failed to find a free port: {0}")]
    Port(std::io::Error),
}
