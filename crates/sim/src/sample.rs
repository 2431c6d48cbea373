//! Drawing numbers of events: exact samplers of the binomial, Poisson and multinomial distributions, whose cost does not
//! grow with the numbers drawn, so that a minute of traffic costs as much as a second.
//!
//! All logarithms and exponentials come from `libm`, which gives the same bits on every machine; those of the system's
//! own library may not.

mod continuous;
mod discrete;

pub use continuous::{LogNormal, exponential, normal, normal_cdf};
pub use discrete::{binomial, multinomial, poisson};
