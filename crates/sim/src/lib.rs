//! A deterministic world around the decisions: pools whose members take time to come, a router that carries what it is
//! told, runs that measure what a version is worth, people, and faults. One virtual clock, no sleeping.
//!
//! [`world`] is the world, [`control`] the adapter that observes, decides and applies (and what can go wrong there),
//! [`drive`] the passing of time. [`story::run`] plays a text script and writes a transcript; the scripts and transcripts
//! beside the crate are the tests that a reviewer reads first.

pub mod control;
pub mod description;
pub mod drive;
pub mod load;
pub mod measure;
pub mod plot;
pub mod random;
pub mod sample;
pub mod scenario;
pub mod script;
pub mod seeds;
pub mod simulate;
pub mod story;
pub mod summary;
pub mod transcript;
pub mod world;

pub use serin_core::Span;
