//! A compiled condition.

use crate::check::{self, Checked, Type};
use crate::error::{CompileError, EvalError};
use crate::eval::{self, Work};
use crate::facts::{self, Facts};
use crate::parse;
use crate::syntax::Expr;
use crate::value::Value;

/// The kind of a result, which decides what a condition may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// No data.
    Nil,
    /// A boolean.
    Bool,
    /// A whole number.
    Int,
    /// A float, such as a Prometheus scalar.
    Float,
    /// Text.
    Str,
    /// A list, such as a Prometheus vector.
    List,
    /// A map, such as a JSON object from a web provider.
    Map,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 7] =
        [Shape::Nil, Shape::Bool, Shape::Int, Shape::Float, Shape::Str, Shape::List, Shape::Map];

    /// The shape of `value`.
    pub fn of(value: &Value) -> Shape {
        match value {
            Value::Nil => Shape::Nil,
            Value::Bool(_) => Shape::Bool,
            Value::Int(_) => Shape::Int,
            Value::Float(_) => Shape::Float,
            Value::Str(_) => Shape::Str,
            Value::List(_) => Shape::List,
            Value::Map(_) => Shape::Map,
        }
    }

    fn kind(self) -> Type {
        match self {
            Shape::Nil => Type::Nil,
            Shape::Bool => Type::Bool,
            Shape::Int => Type::Int,
            Shape::Float => Type::Float,
            Shape::Str => Type::Str,
            Shape::List => Type::List(Box::new(Type::Any)),
            Shape::Map => Type::Map { any_key: false, element: Box::new(Type::Any) },
        }
    }
}

/// How much work one evaluation may do.
///
/// One unit is one step of the evaluation, or one element, one key or 16 bytes of text that it makes or looks
/// through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u64);

impl Budget {
    /// A budget of `units`.
    pub const fn new(units: u64) -> Self {
        Budget(units)
    }

    pub(crate) fn units(self) -> u64 {
        self.0
    }
}

impl Default for Budget {
    /// A million units, some tens of milliseconds: the number of values that the original lets a condition make.
    fn default() -> Self {
        Budget(1_000_000)
    }
}

/// A success or failure condition, ready to judge results.
///
/// ```
/// use serin_expr::{Budget, Program, Value};
///
/// let program = Program::compile("len(result) > 0 && result[0] < 0.05")?;
/// let result = Value::from(vec![0.03]);
/// assert!(program.eval(&result, Budget::default())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    source: String,
    expr: Expr,
    checked: [Result<Checked, EvalError>; 7],
}

impl Program {
    /// Compiles `source`.
    ///
    /// # Errors
    /// When the condition is wrong for every result: a syntax error, an unknown name, operands that never fit, an
    /// outcome that is never a boolean, or a part of the original language that is not supported here.
    //= compat: 3.10-1
    pub fn compile(source: &str) -> Result<Program, CompileError> {
        let expr = parse::parse(source)?;
        let open = check::check(&expr, Type::Unknown).map_err(|error| CompileError::new(error.span, error.message))?;
        if open.outcome != Type::Bool && !open.outcome.is_open() {
            return Err(CompileError::new(expr.span, format!("expected a boolean, but this is {}", open.outcome))
                .with_hint("compare it with something, for example result[0] < 0.05"));
        }
        let checked = Shape::ALL.map(|shape| check::check(&expr, shape.kind()));
        Ok(Program { source: source.to_owned(), expr, checked })
    }

    /// The text that was compiled.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Judges `result`.
    ///
    /// # Errors
    /// When the condition has no boolean answer for this result, or needs more than `budget`.
    //= compat: 3.10-2, 3.10-3
    pub fn eval(&self, result: &Value, budget: Budget) -> Result<bool, EvalError> {
        let checked = self.checked[Shape::of(result) as usize].as_ref().map_err(Clone::clone)?;
        match eval::eval(&self.expr, result, &checked.exact, &mut Work::new(budget))? {
            Value::Bool(answer) => Ok(answer),
            other => Err(EvalError::new(self.expr.span, format!("expected a boolean, but got {}", other.kind()))),
        }
    }

    /// Whether the condition can be evaluated at all on results of `shape`; for a linter that knows what a provider
    /// returns.
    ///
    /// # Errors
    /// The error that every evaluation on such a result gives.
    pub fn check(&self, shape: Shape) -> Result<(), EvalError> {
        let checked = self.checked[shape as usize].as_ref().map_err(Clone::clone)?;
        if checked.outcome == Type::Bool || checked.outcome.is_open() {
            return Ok(());
        }
        Err(EvalError::new(self.expr.span, format!("expected a boolean, but got {}", checked.outcome)))
    }

    /// What can be said about the condition without a result.
    pub fn facts(&self) -> Facts {
        facts::of(&self.expr, &self.source)
    }
}
