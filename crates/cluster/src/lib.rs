//! The controller on a cluster, the part that waits: client, watches, writes and the loop around the decisions.

pub mod calls;
pub mod client;
pub mod error;
pub mod overrides;
pub mod resource;

pub use client::{Client, Options, Told};
pub use error::{Class, Error};
pub use overrides::Overrides;
pub use resource::Resource;
