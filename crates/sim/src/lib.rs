//! A deterministic world around the decisions: pools whose members take time to come, a router that carries what it is
//! told, runs that measure what a version is said to be worth, and people. One virtual clock, no sleeping.
//!
//! [`story::run`] plays a text script and writes a transcript; the scripts and transcripts beside the crate are the tests
//! that a reviewer reads first.

pub mod cluster;
pub mod script;
pub mod story;
