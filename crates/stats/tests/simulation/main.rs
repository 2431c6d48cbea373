//! What the tests do to many simulated canaries: error probabilities, power, requests needed. All seeds are fixed.

mod chance;
mod difference;
mod needed;
mod shift;
mod validity;
