//! The commands on a cluster: the real binary under each of its names, an API server in memory on loopback, and every call named.

mod commands;
mod person;
#[path = "../shared/ran.rs"]
mod ran;
mod screens;
mod server;
mod shop;
mod verbs;
