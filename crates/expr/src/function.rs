//! The functions of the language: names and signatures.

/// A function that evaluates its arguments once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    AsInt,
    AsFloat,
    IsNaN,
    IsInf,
    IsNil,
    Default,
    Len,
    Type,
    Abs,
    Ceil,
    Floor,
    Round,
    Int,
    Float,
    String,
    Trim,
    TrimPrefix,
    TrimSuffix,
    Upper,
    Lower,
    Split,
    SplitAfter,
    Replace,
    Repeat,
    Join,
    IndexOf,
    LastIndexOf,
    HasPrefix,
    HasSuffix,
    Max,
    Min,
    Mean,
    Median,
    ToJson,
    FromJson,
    First,
    Last,
    Get,
    Take,
    Keys,
    Values,
    ToPairs,
    FromPairs,
    Reverse,
    Uniq,
    Concat,
    Flatten,
    Sort,
    BitAnd,
    BitOr,
    BitXor,
    BitNand,
    BitShl,
    BitShr,
    BitUshr,
    BitNot,
}

/// A function that evaluates its body once for each element of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loop {
    All,
    None,
    Any,
    One,
    Filter,
    Map,
    Count,
    Sum,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    GroupBy,
    SortBy,
    Reduce,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Any,
    Str,
    Int,
    Float,
    Number,
    NumberOrStr,
    List,
    /// A list or a number.
    Sample,
    Map,
    /// Something that has a length.
    Sized,
}

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Give {
    Any,
    /// Any, and unlike `Any` without a static type.
    Unknown,
    Bool,
    Int,
    Float,
    Str,
    List,
    Texts,
    /// A map with keys of any kind.
    Map,
    /// The type of the first argument.
    Same,
    /// The element type of the first argument, for lists of text.
    Element,
}

/// Name, fewest and most arguments, parameters, outcome.
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) arity_min: usize,
    pub(crate) take: &'static [Take],
    /// The last parameter may be repeated.
    pub(crate) variadic: bool,
    pub(crate) give: Give,
}

const fn signature(
    name: &'static str,
    function: Function,
    arity_min: usize,
    take: &'static [Take],
    give: Give,
) -> Signature {
    Signature { name, function, arity_min, take, variadic: false, give }
}

const fn variadic(name: &'static str, function: Function, take: &'static [Take], give: Give) -> Signature {
    Signature { name, function, arity_min: 1, take, variadic: true, give }
}

use Function as F;
use Take::{Any, Float, Int, List, Map, Number, NumberOrStr, Sample, Sized, Str};

/// Every function, Argo's own six first.
//= compat: 3.10-1
pub(crate) static SIGNATURES: [Signature; 56] = [
    signature("asInt", F::AsInt, 1, &[Any], Give::Int),
    signature("asFloat", F::AsFloat, 1, &[Any], Give::Float),
    signature("isNaN", F::IsNaN, 1, &[Float], Give::Bool),
    signature("isInf", F::IsInf, 1, &[Float], Give::Bool),
    signature("isNil", F::IsNil, 1, &[Any], Give::Bool),
    signature("default", F::Default, 2, &[Any, Any], Give::Any),
    signature("len", F::Len, 1, &[Sized], Give::Int),
    signature("type", F::Type, 1, &[Any], Give::Str),
    signature("abs", F::Abs, 1, &[Number], Give::Same),
    signature("ceil", F::Ceil, 1, &[Number], Give::Float),
    signature("floor", F::Floor, 1, &[Number], Give::Float),
    signature("round", F::Round, 1, &[Number], Give::Float),
    signature("int", F::Int, 1, &[NumberOrStr], Give::Int),
    signature("float", F::Float, 1, &[NumberOrStr], Give::Float),
    signature("string", F::String, 1, &[Any], Give::Str),
    signature("trim", F::Trim, 1, &[Str, Str], Give::Str),
    signature("trimPrefix", F::TrimPrefix, 1, &[Str, Str], Give::Str),
    signature("trimSuffix", F::TrimSuffix, 1, &[Str, Str], Give::Str),
    signature("upper", F::Upper, 1, &[Str], Give::Str),
    signature("lower", F::Lower, 1, &[Str], Give::Str),
    signature("split", F::Split, 2, &[Str, Str, Int], Give::Texts),
    signature("splitAfter", F::SplitAfter, 2, &[Str, Str, Int], Give::Texts),
    signature("replace", F::Replace, 3, &[Str, Str, Str, Int], Give::Str),
    signature("repeat", F::Repeat, 2, &[Str, Int], Give::Str),
    signature("join", F::Join, 1, &[List, Str], Give::Str),
    signature("indexOf", F::IndexOf, 2, &[Str, Str], Give::Int),
    signature("lastIndexOf", F::LastIndexOf, 2, &[Str, Str], Give::Int),
    signature("hasPrefix", F::HasPrefix, 2, &[Str, Str], Give::Bool),
    signature("hasSuffix", F::HasSuffix, 2, &[Str, Str], Give::Bool),
    variadic("max", F::Max, &[Sample], Give::Same),
    variadic("min", F::Min, &[Sample], Give::Same),
    variadic("mean", F::Mean, &[Sample], Give::Same),
    variadic("median", F::Median, &[Sample], Give::Same),
    signature("toJSON", F::ToJson, 1, &[Any], Give::Str),
    signature("fromJSON", F::FromJson, 1, &[Str], Give::Any),
    signature("first", F::First, 1, &[List], Give::Element),
    signature("last", F::Last, 1, &[List], Give::Element),
    signature("get", F::Get, 2, &[Any, Any], Give::Unknown),
    signature("take", F::Take, 2, &[List, Int], Give::Same),
    signature("keys", F::Keys, 1, &[Map], Give::List),
    signature("values", F::Values, 1, &[Map], Give::List),
    signature("toPairs", F::ToPairs, 1, &[Map], Give::List),
    signature("fromPairs", F::FromPairs, 1, &[List], Give::Map),
    signature("reverse", F::Reverse, 1, &[List], Give::List),
    signature("uniq", F::Uniq, 1, &[List], Give::List),
    variadic("concat", F::Concat, &[List], Give::List),
    signature("flatten", F::Flatten, 1, &[List], Give::List),
    signature("sort", F::Sort, 1, &[List, Str], Give::List),
    signature("bitand", F::BitAnd, 2, &[Int, Int], Give::Int),
    signature("bitor", F::BitOr, 2, &[Int, Int], Give::Int),
    signature("bitxor", F::BitXor, 2, &[Int, Int], Give::Int),
    signature("bitnand", F::BitNand, 2, &[Int, Int], Give::Int),
    signature("bitshl", F::BitShl, 2, &[Int, Int], Give::Int),
    signature("bitshr", F::BitShr, 2, &[Int, Int], Give::Int),
    signature("bitushr", F::BitUshr, 2, &[Int, Int], Give::Int),
    signature("bitnot", F::BitNot, 1, &[Int], Give::Int),
];

/// What each looping function is called and how many arguments it takes besides the list: fewest and most.
static LOOPS: [(&str, Loop, usize, usize); 15] = [
    ("all", Loop::All, 1, 1),
    ("none", Loop::None, 1, 1),
    ("any", Loop::Any, 1, 1),
    ("one", Loop::One, 1, 1),
    ("filter", Loop::Filter, 1, 1),
    ("map", Loop::Map, 1, 1),
    ("count", Loop::Count, 0, 1),
    ("sum", Loop::Sum, 0, 1),
    ("find", Loop::Find, 1, 1),
    ("findIndex", Loop::FindIndex, 1, 1),
    ("findLast", Loop::FindLast, 1, 1),
    ("findLastIndex", Loop::FindLastIndex, 1, 1),
    ("groupBy", Loop::GroupBy, 1, 1),
    ("sortBy", Loop::SortBy, 1, 2),
    ("reduce", Loop::Reduce, 1, 2),
];

/// Functions of the original that we refuse, and why.
static REFUSED: [(&str, &str); 6] = [
    ("now", CLOCK),
    ("date", CLOCK),
    ("duration", CLOCK),
    ("timezone", CLOCK),
    ("toBase64", ENCODING),
    ("fromBase64", ENCODING),
];
const CLOCK: &str = "a condition judges one result and knows no time; let the query select the time range";
const ENCODING: &str = "compare the text as the provider returns it";

impl Function {
    /// The function called `name`.
    pub(crate) fn named(name: &str) -> Option<Function> {
        SIGNATURES.iter().find(|s| s.name == name).map(|s| s.function)
    }

    /// Its name, parameters and outcome. Every function is in the table; the test below holds that.
    pub(crate) fn signature(self) -> &'static Signature {
        SIGNATURES.iter().find(|s| s.function == self).unwrap_or(&SIGNATURES[0])
    }
}

impl Loop {
    /// The looping function called `name`.
    pub(crate) fn named(name: &str) -> Option<Loop> {
        LOOPS.iter().find(|l| l.0 == name).map(|l| l.1)
    }

    fn row(self) -> &'static (&'static str, Loop, usize, usize) {
        LOOPS.iter().find(|l| l.1 == self).unwrap_or(&LOOPS[0])
    }

    /// Its name in the language.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// Fewest and most arguments besides the list.
    pub(crate) fn arguments(self) -> (usize, usize) {
        (self.row().2, self.row().3)
    }
}

/// Why `name`, a function of the original, is refused.
pub(crate) fn refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|r| r.0 == name).map(|r| r.1)
}

/// Whether `name` is taken by a function, ours or the original's.
pub(crate) fn is_function_name(name: &str) -> bool {
    Function::named(name).is_some() || Loop::named(name).is_some() || refused(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_function() {
        for row in &SIGNATURES {
            assert_eq!(row.function.signature().name, row.name);
        }
        assert_eq!(SIGNATURES.len(), Function::BitNot as usize + 1);
        for row in &LOOPS {
            assert_eq!(row.1.name(), row.0);
        }
        assert_eq!(LOOPS.len(), Loop::Reduce as usize + 1);
    }
}
