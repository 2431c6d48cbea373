//! PromQL over an in-memory series store that is fed by scraping.
//!
//! [`text::parse`] reads what a `/metrics` page says, [`Store`] keeps it, [`Query`] answers questions about it. Numbers,
//! labels and the order of results follow Prometheus 3; staleness, lookback and the left-open ranges do too.
//!
//! A query is checked completely when it is parsed: whatever this crate cannot answer as Prometheus does is refused
//! there, with its place in the text, and never answered differently. Not supported: native histograms, `info`,
//! `limit_ratio`, start timestamps, `anchored` and `smoothed` ranges, `fill` modifiers and arithmetic on durations.
//!
//! There is no clock, no I/O and no hash map: the same store, query and time give the same answer.

mod dialect;
mod eval;
mod labels;
mod matcher;
mod number;
mod query;
mod store;
mod syntax;
pub mod text;
mod value;

pub use dialect::supported;
pub use labels::{Labels, LabelsBuilder};
pub use number::format_value;
pub use query::{EvalError, Options, Query, QueryError};
pub use store::{AppendError, Limits, Scrape, Store};
pub use value::{Point, Series, Value, is_stale, stale_marker};
