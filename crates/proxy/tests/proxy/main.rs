//! The proxy on real sockets: one binary for all of it, so that it links once.

mod control;
mod drain;
mod hostile;
mod messages;
mod mirrors;
mod pairs;
mod recorded;
mod reports;
mod rig;
mod routing;
mod slices;
mod upstreams;
mod visitors;
