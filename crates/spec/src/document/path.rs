//! Finding values by paths such as `spec.template.metadata.labels[app.kubernetes.io/name]`.

use super::{Kind, Node, Spot};

/// The parts of a path: `a.b[2][x/y]` has `a`, `b`, `2` and `x/y`.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            return None;
        }
        let (part, after) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        rest = after;
        Some(part)
    })
}

impl Node {
    /// The value at a path.
    pub(crate) fn at(&self, path: &str) -> Option<&Node> {
        parts(path).try_fold(self, |node, part| node.child(part).map(|(_, child)| child))
    }

    /// Where a path stands: a scalar's own place, and the place of the key for lists and mappings, whose own place
    /// is already that of their first content.
    pub(crate) fn spot_of(&self, path: &str) -> Option<Spot> {
        let start = (self.spot, self);
        parts(path).try_fold(start, |(_, node), part| node.child(part)).map(|(spot, _)| spot)
    }

    /// Where the deepest part of a path that exists stands.
    pub(crate) fn nearest_spot(&self, path: &str) -> Spot {
        let mut here = (self.spot, self);
        for part in parts(path) {
            match here.1.child(part) {
                Some(next) => here = next,
                None => break,
            }
        }
        here.0
    }

    fn child(&self, part: &str) -> Option<(Spot, &Node)> {
        match &self.kind {
            Kind::Map(_) => self.field(part).map(|field| match &field.node.kind {
                Kind::List(_) | Kind::Map(_) | Kind::Null => (field.spot, &field.node),
                _ => (field.node.spot, &field.node),
            }),
            Kind::List(items) => part.parse::<usize>().ok().and_then(|at| items.get(at)).map(|node| (node.spot, node)),
            _ => None,
        }
    }
}

/// `path` with a key behind it, in brackets when it is no plain name.
pub(crate) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == '$');
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key}]"),
    }
}
