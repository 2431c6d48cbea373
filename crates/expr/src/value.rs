//! The values that conditions work on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::number;

/// A metric result, or any value met while a condition is evaluated.
///
/// Whole numbers and floats are different kinds, because `result % 2` works on the one and not on the other.
/// Copies are cheap: texts, lists and maps are shared. `==` is exact (`Int(1)` is not `Float(1.0)`); the `==` of
/// the language compares numbers by value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value: an absent field, or a provider that found no data.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number. Arithmetic wraps around at 64 bits, as in Go.
    Int(i64),
    /// A number with a fraction, NaN and the infinities included.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map. Results have text keys only; `groupBy` and `fromPairs` make others.
    Map(Arc<BTreeMap<Key, Value>>),
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Nil as a key.
    Nil,
    /// A boolean as a key.
    Bool(bool),
    /// A whole number as a key.
    Int(i64),
    /// A float as a key, by its bits, so that keys have an order.
    Float(u64),
    /// Text.
    Str(Arc<str>),
}

impl Key {
    /// The key that `value` makes; none for lists and maps.
    pub(crate) fn of(value: &Value) -> Option<Key> {
        match value {
            Value::Nil => Some(Key::Nil),
            Value::Bool(b) => Some(Key::Bool(*b)),
            Value::Int(i) => Some(Key::Int(*i)),
            // Both zeros are one key.
            Value::Float(f) => Some(Key::Float(if *f == 0.0 { 0 } else { f.to_bits() })),
            Value::Str(s) => Some(Key::Str(s.clone())),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The value that this key was made from.
    pub(crate) fn value(&self) -> Value {
        match self {
            Key::Nil => Value::Nil,
            Key::Bool(b) => Value::Bool(*b),
            Key::Int(i) => Value::Int(*i),
            Key::Float(bits) => Value::Float(f64::from_bits(*bits)),
            Key::Str(s) => Value::Str(s.clone()),
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Key::Str(text.into())
    }
}

impl Value {
    /// The kind of the value in the words of the language's `type()`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "string",
            Value::List(_) => "array",
            Value::Map(_) => "map",
        }
    }

    /// The number as a float; none for anything but a number.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Int(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Str(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Str(value.into())
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Value::List(Arc::new(values.into_iter().map(Into::into).collect()))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Nil, Into::into)
    }
}

impl From<BTreeMap<Key, Value>> for Value {
    fn from(map: BTreeMap<Key, Value>) -> Self {
        Value::Map(Arc::new(map))
    }
}

impl From<BTreeMap<String, Value>> for Value {
    fn from(map: BTreeMap<String, Value>) -> Self {
        Value::Map(Arc::new(map.into_iter().map(|(k, v)| (Key::Str(k.into()), v)).collect()))
    }
}

/// Prints as Go's `%v` does (`[0.1 0.2]`, `map[a:1]`, `<nil>`): the text that Argo writes into a measurement.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("<nil>"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(i) => write!(f, "{i}"),
            Value::Float(x) => f.write_str(&number::go_text(*x)),
            Value::Str(s) => f.write_str(s),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Value::Map(map) => {
                f.write_str("map[")?;
                for (i, (key, value)) in map.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    write!(f, "{}:{value}", key.value())?;
                }
                f.write_str("]")
            }
        }
    }
}
