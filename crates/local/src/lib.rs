//! The single-machine adapter: observe, decide, apply and verify on this machine, with Argo's own manifests.
//!
//! [`Engine`] is the control process: it keeps the [`model`] durable in a [`store`], decides with `serin-core`, and brings
//! processes ([`staff`]) and the router ([`route`], [`link`]) to what was decided. A decision is one transaction: nothing is
//! started, stopped or routed before it is on disk. Commands talk to it with a [`client`] over a socket in the state folder.
//!
//! This crate knows nothing of Kubernetes' API, and the other adapter knows nothing of it.

pub mod apply;
pub mod client;
pub mod clock;
mod control;
mod engine;
mod error;
mod evidence;
pub mod experiment;
pub mod journal;
pub mod labels;
pub mod link;
pub mod merge;
pub mod model;
pub mod observe;
mod plugin;
pub mod protocol;
pub mod record;
pub mod request;
pub mod route;
pub mod side;
pub mod staff;
mod status;
pub mod store;
mod token;
mod validity;
pub mod view;

pub use engine::{Engine, Options, blue_green_stages, canary_steps, check, check_for_cluster, lint};
pub use error::{Class, LocalError};
pub use evidence::FOLDER as EVIDENCE;
pub use store::EventRecord;
