//! Numbers, texts, parentheses, function calls and aggregations.

use std::sync::Arc;

use super::{Parser, above, leaf};
use crate::dialect::{self, Function};
use crate::labels;
use crate::matcher;
use crate::query::QueryError;
use crate::syntax::token::Token;
use crate::syntax::{Aggregate, Aggregator, Expr, Kind, Node, Span};

/// By which labels an aggregation tells groups apart.
#[derive(Debug, Default)]
struct Grouping {
    without: bool,
    names: Vec<Arc<str>>,
}

impl Parser<'_> {
    /// What operators and modifiers apply to.
    pub(super) fn primary(&mut self) -> Result<Expr, QueryError> {
        let lexeme = self.peek().clone();
        match &lexeme.token {
            Token::Number(value) => {
                self.at += 1;
                Ok(leaf(Node::Number(*value), lexeme.span))
            }
            Token::Duration(ms) => {
                self.at += 1;
                Ok(leaf(Node::Number(*ms as f64 / 1000.0), lexeme.span))
            }
            Token::Text(text) => {
                self.at += 1;
                Ok(leaf(Node::Text(text.clone()), lexeme.span))
            }
            Token::Sign if self.text_of(&lexeme) == "(" => {
                self.at += 1;
                let inner = self.expression(0)?;
                let end = self.expect(")")?;
                Ok(Expr { span: lexeme.span.to(end), in_parentheses: true, ..inner })
            }
            Token::Sign if self.text_of(&lexeme) == "{" => self.selector(None),
            Token::Word => self.word(),
            _ => Err(self.unexpected("an expression")),
        }
    }

    /// A word is an aggregation, a call, a number or the name of a metric, by what follows it.
    fn word(&mut self) -> Result<Expr, QueryError> {
        let lexeme = self.peek().clone();
        let text = self.text_of(&lexeme);
        let lower = text.to_ascii_lowercase();
        let next = self.peek_second().clone();
        let called = self.is_sign(&next, "(");
        let grouped =
            next.token == Token::Word && ["by", "without"].contains(&self.text_of(&next).to_ascii_lowercase().as_str());
        if let Some(operator) = dialect::aggregator(&lower).filter(|_| called || grouped) {
            self.at += 1;
            return self.aggregate(operator, lexeme.span);
        }
        if called {
            self.at += 1;
            let found = dialect::function(text).ok_or_else(|| dialect::refuse(text, lexeme.span));
            return self.call(found?, lexeme.span);
        }
        match lower.as_str() {
            "inf" => Ok(leaf(Node::Number(f64::INFINITY), self.advance().span)),
            "nan" => Ok(leaf(Node::Number(f64::NAN), self.advance().span)),
            "bool" | "on" | "ignoring" | "group_left" | "group_right" | "atan2" => {
                Err(self.unexpected("an expression"))
            }
            _ => self.selector(Some(lexeme)),
        }
    }

    /// Arguments in parentheses.
    fn arguments(&mut self) -> Result<(Vec<Expr>, Span), QueryError> {
        let mut args = Vec::new();
        let open = self.expect("(")?;
        if self.is_sign(self.peek(), ")") {
            return Ok((args, open.to(self.advance().span)));
        }
        loop {
            args.push(self.expression(0)?);
            if self.is_sign(self.peek(), ")") {
                return Ok((args, open.to(self.advance().span)));
            }
            if !self.accept(",") {
                return Err(self.unexpected(", or )"));
            }
        }
    }

    fn aggregate(&mut self, operator: Aggregator, name: Span) -> Result<Expr, QueryError> {
        let mut grouping = self.grouping()?;
        let (mut args, mut span) = self.arguments()?;
        span = name.to(span);
        if grouping.is_none() {
            grouping = self.grouping()?;
            span.end = self.lexemes[self.at - 1].span.end;
        }
        let parameter = operator.parameter();
        let wanted = if parameter.is_some() { 2 } else { 1 };
        if args.len() != wanted {
            let message = format!("expected {wanted} argument(s) in the aggregation, got {}", args.len());
            return Err(QueryError::new(span, message));
        }
        let Some(inner) = args.pop() else {
            return Err(QueryError::new(span, "the aggregation has no argument"));
        };
        expect_kind(&inner, Kind::Vector, "the aggregation")?;
        let parameter_expr = args.pop();
        if let (Some(kind), Some(expr)) = (parameter, &parameter_expr) {
            expect_kind(expr, kind, "the aggregation")?;
            if let Node::Text(label) = &expr.node
                && label.is_empty()
            {
                return Err(QueryError::new(expr.span, "the name of a label is empty"));
            }
        }
        let depth = parameter_expr.as_ref().map_or(0, |expr| expr.depth).max(inner.depth);
        let Grouping { without, names } = grouping.unwrap_or_default();
        let node = Aggregate { operator, inner, parameter: parameter_expr, without, names };
        above(Node::Aggregate(Box::new(node)), span, depth)
    }

    /// `by (…)` or `without (…)`, if it is there.
    fn grouping(&mut self) -> Result<Option<Grouping>, QueryError> {
        let without = self.accept_keyword("without");
        if !without && !self.accept_keyword("by") {
            return Ok(None);
        }
        Ok(Some(Grouping { without, names: self.label_names()? }))
    }

    fn call(&mut self, function: &'static Function, name: Span) -> Result<Expr, QueryError> {
        let (args, span) = self.arguments()?;
        let span = name.to(span);
        let (least, most) = (function.params.len() - function.optional, function.params.len());
        let wanted = match (function.optional, function.repeats) {
            _ if args.len() >= least && (args.len() <= most || function.repeats) => None,
            (0, false) => Some(format!("{most}")),
            (_, true) => Some(format!("at least {least}")),
            (_, false) => Some(format!("{least} to {most}")),
        };
        if let Some(wanted) = wanted {
            let message = format!("expected {wanted} argument(s) in the call of {}, got {}", function.name, args.len());
            return Err(QueryError::new(span, message));
        }
        for (index, arg) in args.iter().enumerate() {
            let kind = function.params[index.min(most.saturating_sub(1))];
            expect_kind(arg, kind, &format!("the call of {}", function.name))?;
        }
        check_texts(function, &args)?;
        let depth = args.iter().map(|arg| arg.depth).max().unwrap_or(0);
        above(Node::Call { function, args }, span, depth)
    }
}

fn expect_kind(expr: &Expr, wanted: Kind, place: &str) -> Result<(), QueryError> {
    let found = expr.kind();
    if found == wanted {
        return Ok(());
    }
    let message = format!("expected {} in {place}, got {}", wanted.name(), found.name());
    let error = QueryError::new(expr.span, message);
    let is_name = matches!(expr.node, Node::Selector(_));
    Err(if wanted == Kind::Range && is_name { error.with_hint("add a range such as [5m]") } else { error })
}

/// Patterns and names of labels in the texts of a call. They are literals, so that they can be judged before any data.
fn check_texts(function: &Function, args: &[Expr]) -> Result<(), QueryError> {
    let text = |at: usize| match args.get(at).map(|arg| (&arg.node, arg.span)) {
        Some((Node::Text(text), span)) => Some((text.as_str(), span)),
        _ => None,
    };
    let names = match function.name {
        "label_replace" => 1..2,
        "label_join" => 1..args.len(),
        "sort_by_label" | "sort_by_label_desc" => 1..args.len(),
        "histogram_quantiles" => 1..2,
        _ => 0..0,
    };
    // The second text of label_join is its separator.
    for (name, span) in names.filter(|&at| function.name != "label_join" || at != 2).filter_map(text) {
        if name.is_empty() {
            return Err(QueryError::new(span, "the name of a label is empty"));
        }
    }
    if function.name == "label_replace"
        && let Some((pattern, span)) = text(4)
        && let Err(problem) = matcher::whole(pattern)
    {
        return Err(QueryError::new(span, format!("bad pattern {}: {problem}", labels::quoted(pattern))));
    }
    Ok(())
}
