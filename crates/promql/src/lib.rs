//! PromQL over an in-memory series store that is fed by scraping.
//!
//! [`text::parse`] reads what a `/metrics` page says, [`Store`] keeps it, [`Query`] answers questions about it. Numbers,
//! labels and the order of results follow Prometheus 3; staleness, lookback and the left-open ranges do too.
//!
//! A query is checked completely when it is parsed: whatever this crate cannot answer as Prometheus does is refused
//! there, with its place in the text, and never answered differently. Not supported: native histograms, `info`,
//! `limit_ratio`, start timestamps, `anchored` and `smoothed` ranges, `fill` modifiers and arithmetic on durations.
//!
//! ```
//! use serin_promql::{Labels, Query, Store, Value, text};
//!
//! let mut store = Store::default();
//! let target = Labels::from_pairs([("job", "model")]);
//! for (t_ms, page) in [(0, "requests_total 10\n"), (15_000, "requests_total 40\n")] {
//!     store.append_scrape(&target, &text::parse(page)?, t_ms);
//! }
//! let query = Query::parse("sum by (job) (requests_total) / 4")?;
//! let Value::Vector(elements) = query.eval(&store, 15_000)? else { unreachable!() };
//! assert_eq!(elements[0].0.to_string(), r#"{job="model"}"#);
//! assert_eq!(elements[0].1, 10.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There is no clock, no I/O and no hash map: the same store, query and time give the same answer.

mod dialect;
mod eval;
mod facts;
mod labels;
mod matcher;
mod number;
mod query;
mod store;
mod syntax;
pub mod text;
mod value;

pub use dialect::supported;
pub use facts::{Buckets, Centred, Condition, Facts, Oddity, OddityKind, Quantity, Range, Ratio, Reads, Window};
pub use labels::{Labels, LabelsBuilder};
pub use number::format_value;
pub use query::{EvalError, Options, Query, QueryError};
pub use store::{AppendError, Limits, Scrape, Store};
pub use value::{Point, Series, Value, is_stale, stale_marker};
