//! `crds`: the published definitions, written anew from the wire types. A test of `serin-spec` holds them current.

use crate::repository::{cargo, root};
use crate::{TaskError, test};

/// Writes every file of `deploy/crds`.
pub(crate) fn run() -> Result<(), TaskError> {
    let folder = root().join("deploy/crds");
    let example = ["run", "--quiet", "--package", "serin-spec", "--example", "crds", "--"];
    test::call(cargo().args(example).arg(folder))
}
