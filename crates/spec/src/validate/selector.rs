//! Label selectors.

use super::FieldError;
use crate::wire::meta::LabelSelector;

const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// A selector must be well formed and select something in particular.
pub(super) fn errors(selector: &LabelSelector) -> Vec<FieldError> {
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        return vec![FieldError::invalid("spec.selector", "empty selector is invalid for deployment")];
    }
    let mut errors = Vec::new();
    for (i, requirement) in selector.match_expressions.iter().enumerate() {
        let path = format!("spec.selector.matchExpressions[{i}]");
        let values = requirement.values.len();
        match requirement.operator.as_str() {
            "In" | "NotIn" if values == 0 => errors.push(FieldError::required(
                &format!("{path}.values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            )),
            "Exists" | "DoesNotExist" if values > 0 => errors.push(FieldError::new(
                super::ErrorType::Forbidden,
                &format!("{path}.values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            _ => {}
        }
        if !is_well_formed(&requirement.operator) {
            errors.push(FieldError::invalid(&format!("{path}.operator"), "not a valid selector operator"));
        }
    }
    if selector.match_expressions.iter().any(|requirement| !is_well_formed(&requirement.operator)) {
        errors.push(FieldError::invalid("spec.selector", "invalid label selector"));
    }
    errors
}

/// Whether the operators of a selector are known, so that it can be asked at all.
pub(super) fn can_match(selector: &LabelSelector) -> bool {
    selector.match_expressions.iter().all(|requirement| is_well_formed(&requirement.operator))
}

fn is_well_formed(operator: &str) -> bool {
    OPERATORS.contains(&operator)
}
