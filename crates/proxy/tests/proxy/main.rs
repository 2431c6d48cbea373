//! The proxy on real sockets: one binary for all of it, so that it links once.

mod control;
mod drain;
mod hostile;
mod messages;
mod mirrors;
mod reports;
mod rig;
mod routing;
mod upstreams;
