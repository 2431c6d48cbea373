//! The controller against an API server on loopback that keeps objects as the real one does, runs nothing, and names every call.

mod calls;
mod install;
mod lists;
mod network;
mod process;
mod prometheus;
mod scope;
mod sequential;
mod server;
mod stage;
mod troubles;
mod works;
