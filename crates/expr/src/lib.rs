//! The condition language of Argo analysis and its `{{args.x}}` templates.
//!
//! A success or failure condition such as `result[0] < 0.05` is compiled once ([`Program::compile`]) and then judges
//! results ([`Program::eval`]). The language is the part of Go's `expr` 1.17 that makes sense on metric results, with
//! the six functions that Argo adds. An evaluation is a function of the result alone: there is no clock, no
//! environment and no I/O, and both the depth of an expression and the work of an evaluation are bounded.
//!
//! Not supported, and refused when compiling: `now`, `date`, `duration`, `timezone`, `toBase64`, `fromBase64`, byte
//! strings, `$env` and methods.

mod check;
mod error;
mod eval;
mod facts;
mod function;
pub mod go;
mod json;
mod literal;
mod number;
mod parse;
mod pattern;
mod program;
mod syntax;
pub mod template;
mod token;
mod value;

pub use error::{CompileError, EvalError, Span};
pub use facts::{Facts, Field, Threshold};
pub use program::{Budget, Program, Shape};
pub use syntax::Comparison;
pub use value::{Key, Value};
