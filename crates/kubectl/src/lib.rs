//! Argo's kubectl plugin (section 7 of the Argo reference) as functions of objects: a verb becomes writes, objects become a
//! screen. No client, no clock: whoever calls reads the objects, says what time it is, and sends what comes out.

pub mod age;
pub mod create;
pub mod info;
pub mod lint;
pub mod list;
pub mod paint;
pub mod phase;
pub mod screen;
pub mod table;
pub mod verb;

pub use info::Family;
pub use paint::Paint;
pub use verb::{Change, VerbError};
