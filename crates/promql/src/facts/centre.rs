//! Shares that are compared with a fixed number.

use super::each;
use super::quantity::{self, Quantity};
use crate::syntax::{Expr, Node, Operator};

/// A distance of a share from a fixed number.
#[derive(Debug, Clone, PartialEq)]
pub struct Centred {
    /// The number, as a share from 0 to 1.
    pub centre: f64,
    /// What one is in the query's unit: 1 for shares, 100 for percent.
    pub whole: f64,
    /// First byte of the distance in the query.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// The distances of shares from fixed numbers between 0 and 1: `abs(share - 0.5)`.
pub(super) fn of(root: &Expr) -> Vec<Centred> {
    let mut found = Vec::new();
    each(root, &mut |expr| {
        let Node::Call { function, args } = &expr.node else { return };
        let ("abs", [Expr { node: Node::Binary(binary), .. }]) = (function.name, args.as_slice()) else { return };
        if binary.operator != Operator::Sub {
            return;
        }
        let (share, number) = match (&binary.left.node, &binary.right.node) {
            (_, Node::Number(number)) => (&binary.left, *number),
            (Node::Number(number), _) => (&binary.right, *number),
            _ => return,
        };
        let whole = match quantity::of(share) {
            Quantity::Share => 1.0,
            Quantity::Percent => 100.0,
            _ => return,
        };
        if number > 0.0 && number < whole {
            found.push(Centred { centre: number / whole, whole, start: expr.span.start, end: expr.span.end });
        }
    });
    found
}
