//! Metric sources. Each provider is a pure file: from a metric to a request, and from its answer to a value.
//!
//! [`prometheus`] and [`web`] make a [`Request`] and read a [`Response`]; [`embedded`] answers PromQL from the store of
//! this process; [`counters`] reads counters from either for comparisons. [`http::send`] is the only function here that sends, [`sequential::log::folder`] the only place that writes. Whatever is not a value is an error: an answer
//! that cannot be read never counts as a measurement.

pub mod counters;
pub mod embedded;
mod error;
pub mod http;
mod json;
pub mod jsonpath;
pub mod lint;
mod measured;
pub mod plan;
pub mod prometheus;
mod request;
pub mod sequential;
mod time_range;
mod url;
pub mod web;

pub use error::{Class, ProviderError};
pub use measured::{Measured, measurement};
pub use request::{Method, Request, Response};
