//! The static types.

use std::fmt;

/// What is known about a value before it is computed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    /// Nothing is known.
    Unknown,
    /// Declared to be of any kind, such as an element of a result. Unlike `Unknown` it takes the type of the other
    /// branch of a conditional, as in the original.
    Any,
    Nil,
    Bool,
    Int,
    Float,
    Str,
    List(Box<Type>),
    /// The list of texts that `split` gives.
    Texts,
    Map {
        /// Keys need not be text.
        any_key: bool,
        element: Box<Type>,
    },
}

impl Type {
    /// Whether the kind is only known when the value is.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Type::Unknown | Type::Any)
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Float)
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Type::List(_) | Type::Texts)
    }

    /// The type of the elements of a list.
    pub(crate) fn element(&self) -> Type {
        match self {
            Type::List(element) => (**element).clone(),
            Type::Texts => Type::Str,
            _ => Type::Unknown,
        }
    }

    /// Whether one side is open and the other open too or accepted by `accept`.
    pub(crate) fn may_fit(&self, other: &Type, accept: impl Fn(&Type) -> bool) -> bool {
        self.is_open() && other.is_open() || self.is_open() && accept(other) || other.is_open() && accept(self)
    }

    /// Whether `==` between the two makes sense.
    pub(crate) fn comparable(&self, other: &Type) -> bool {
        self.is_open()
            || other.is_open()
            || *self == Type::Nil
            || *other == Type::Nil
            || self.is_number() && other.is_number()
            || self.is_list() && other.is_list()
            || self.assignable_to(other)
    }

    /// Whether a value of this type could be stored where `target` is declared.
    pub(crate) fn assignable_to(&self, target: &Type) -> bool {
        match (self, target) {
            (Type::Unknown, _) | (_, Type::Unknown) => false,
            (Type::Nil, _) => *target == Type::Any || target.is_list() || matches!(target, Type::Map { .. }),
            (_, Type::Any) => true,
            // Lists of the original have no element type of their own; only those of `split` do.
            (Type::List(_), Type::List(_)) => true,
            _ => self == target,
        }
    }

    /// Whether two elements let a list literal keep its element type.
    pub(crate) fn same_kind(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::List(_) | Type::Texts, Type::List(_) | Type::Texts) => true,
            (Type::Map { .. }, Type::Map { .. }) => true,
            (Type::Nil | Type::Unknown, Type::Nil | Type::Unknown) => true,
            _ => self == other,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Unknown | Type::Any => "any value",
            Type::Nil => "nil",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Float => "float",
            Type::Str => "string",
            Type::List(_) | Type::Texts => "list",
            Type::Map { .. } => "map",
        })
    }
}
