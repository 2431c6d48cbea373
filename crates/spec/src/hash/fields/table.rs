//! What a table of fields says: the name, when the field is written, and what it holds.

/// One field of a Go struct.
pub(in crate::hash) struct Field {
    /// Its name in JSON.
    pub(in crate::hash) name: &'static str,
    /// When it is written.
    pub(in crate::hash) presence: Presence,
    /// What it holds.
    pub(in crate::hash) kind: Kind,
}

/// When a field is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::hash) enum Presence {
    /// Always; with the zero of its kind when it is absent.
    Always,
    /// When it is not the zero of its kind: `omitempty` on a value.
    Full,
    /// When it is there, even with a zero: `omitempty` on a pointer.
    Set,
    /// Always; `null` when it is absent: a pointer.
    Null,
    /// When it is not zero by the newer types, `null` then by the older ones: `creationTimestamp`.
    Zero,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(in crate::hash) enum Kind {
    /// A string.
    Text,
    /// An integer.
    Int,
    /// A truth value.
    Bool,
    /// A port, a pause: an integer or a string.
    IntOrText,
    /// A resource quantity.
    Amount,
    /// A point in time.
    Time,
    /// Anything, with sorted keys.
    Raw,
    /// Strings.
    Texts,
    /// Integers.
    Ints,
    /// Strings by name.
    TextMap,
    /// Resource quantities by name.
    AmountMap,
    /// A struct.
    Object(&'static &'static [Field]),
    /// Structs.
    Objects(&'static &'static [Field]),
    /// Structs by name.
    ObjectMap(&'static &'static [Field]),
}

pub(super) const TEXT: Kind = Kind::Text;
pub(super) const INT: Kind = Kind::Int;
pub(super) const BOOL: Kind = Kind::Bool;
pub(super) const INT_OR_TEXT: Kind = Kind::IntOrText;
pub(super) const AMOUNT: Kind = Kind::Amount;
pub(super) const TIME: Kind = Kind::Time;
pub(super) const RAW: Kind = Kind::Raw;
pub(super) const STRINGS: Kind = Kind::Texts;
pub(super) const INTS: Kind = Kind::Ints;
pub(super) const LABELS: Kind = Kind::TextMap;
pub(super) const AMOUNTS: Kind = Kind::AmountMap;

pub(super) const fn object(fields: &'static &'static [Field]) -> Kind {
    Kind::Object(fields)
}

pub(super) const fn list(fields: &'static &'static [Field]) -> Kind {
    Kind::Objects(fields)
}

pub(super) const fn map(fields: &'static &'static [Field]) -> Kind {
    Kind::ObjectMap(fields)
}

/// `table!(NAME: "field" Presence KIND, …)`.
macro_rules! table {
    ($table:ident: $($name:literal $presence:ident $kind:expr),+ $(,)?) => {
        pub(in crate::hash) static $table: &[Field] =
            &[$(Field { name: $name, presence: Presence::$presence, kind: $kind }),+];
    };
}
pub(super) use table;
