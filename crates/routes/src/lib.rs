//! The traffic routers of a cluster. [`routers`] reads which ones a Rollout configures, [`wants`] names the objects that they
//! need, [`observe`] makes a split of these objects, and [`render`] makes the changes that let them carry a split. All of it
//! is a function of values: no client, no clock, nothing is remembered in between.
//!
//! A router takes the whole split and renders the whole state; a second rendering after the first was applied is empty. What
//! a router carries is never taken on trust: it is what rendering it again would leave unchanged.

mod backend;
mod change;
mod gateway;
mod nginx;
mod object;
mod problem;
mod router;

pub use backend::{Context, Service};
pub use change::{Change, Event, Verb};
pub use gateway::Gateway;
pub use nginx::Nginx;
pub use object::{ObjectRef, Pick};
pub use problem::{Class, Problem};
pub use router::{Router, observe, render, routers, wants};
