//! Functions that work on labels and not on values.

use std::sync::Arc;

use super::order::natural;
use super::{Element, unique};
use crate::labels::NAME;
use crate::matcher;
use crate::query::EvalError;
use crate::syntax::Span;

/// `label_replace`: sets a label where a pattern matches another one.
pub(super) fn replace(mut elements: Vec<Element>, texts: &[&str], span: Span) -> Result<Vec<Element>, EvalError> {
    let [target, replacement, source, pattern] = texts else {
        return Err(EvalError::data(span, "label_replace needs four strings"));
    };
    let pattern = matcher::whole(pattern).map_err(|problem| EvalError::data(span, problem))?;
    for element in &mut elements {
        let value = element.labels.get(source).unwrap_or_default();
        let Some(captures) = pattern.captures(value) else { continue };
        let mut text = String::new();
        captures.expand(replacement, &mut text);
        set(element, target, text);
    }
    unique(&elements, span)?;
    Ok(elements)
}

/// `label_join`: sets a label to others with a separator between them.
pub(super) fn join(mut elements: Vec<Element>, texts: &[&str], span: Span) -> Result<Vec<Element>, EvalError> {
    let [target, separator, sources @ ..] = texts else {
        return Err(EvalError::data(span, "label_join needs a label and a separator"));
    };
    for element in &mut elements {
        let values: Vec<&str> = sources.iter().map(|name| element.labels.get(name).unwrap_or_default()).collect();
        let text = values.join(separator);
        set(element, target, text);
    }
    unique(&elements, span)?;
    Ok(elements)
}

fn set(element: &mut Element, name: &str, value: String) {
    element.labels = element.labels.edit().set(name, Arc::<str>::from(value)).build();
    if name == NAME {
        // Whoever sets a name wants to see it.
        element.unnamed = false;
    }
}

/// `sort_by_label`: by the given labels as people read them, then by all labels.
pub(super) fn sort(elements: &mut [Element], names: &[&str], descending: bool) {
    elements.sort_by(|a, b| {
        let value = |element: &Element, name: &str| element.labels.value(name).cloned().unwrap_or_default();
        let by_names = names.iter().map(|name| natural(&value(a, name), &value(b, name)));
        let order = by_names.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then);
        let order = order.then_with(|| a.labels.cmp(&b.labels));
        if descending { order.reverse() } else { order }
    });
}
