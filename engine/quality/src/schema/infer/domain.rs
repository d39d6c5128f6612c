//! Which values a column may have, by the first rule that fits.

use sluice_core::column::ColumnKind;
use sluice_core::schema::Domain;

use super::{DOMAIN_INFO, InferOptions, semantic_domain};
use crate::protobuf::shortest;
use crate::schema::view::View;

const TRUE: [&str; 6] = ["TRUE", "true", "SET", "set", "1", ""];
const FALSE: [&str; 5] = ["FALSE", "false", "CLEAR", "clear", "0"];

/// The domain; the name of a list of strings is still to be found.
pub(super) fn infer(view: View<'_>, options: &InferOptions) -> Option<Domain> {
    if view.num_present() > 0.0
        && let Some(domain) = view.custom_text(DOMAIN_INFO).and_then(semantic_domain)
    {
        return Some(domain);
    }
    if view.is_opaque() {
        return None;
    }
    match view.kind() {
        ColumnKind::Boolean => Some(Domain::Boolean { true_value: None, false_value: None }),
        ColumnKind::Integer | ColumnKind::Unsigned => {
            boolean_of_integers(view).or_else(|| integers(view, options))
        }
        ColumnKind::Float | ColumnKind::Decimal { .. } => floats(view).filter(|_| options.ranges),
        ColumnKind::Text => text(view, options),
        ColumnKind::Null
        | ColumnKind::Binary
        | ColumnKind::Date
        | ColumnKind::Timestamp { .. }
        | ColumnKind::List(_)
        | ColumnKind::Struct(_)
        | ColumnKind::Other(_) => None,
    }
}

/// Only if a 1 was seen: a column of zeros may count something.
fn boolean_of_integers(view: View<'_>) -> Option<Domain> {
    let (min, max) = view.floats()?;
    let is_boolean = min >= 0.0 && max.to_bits() == 1.0_f64.to_bits();
    is_boolean.then_some(Domain::Boolean { true_value: None, false_value: None })
}

fn integers(view: View<'_>, options: &InferOptions) -> Option<Domain> {
    let is_few = |count: u64| (1..=options.max_categorical_integers).contains(&count);
    let is_categorical =
        view.column.distinct.is_some_and(|distinct| distinct.relative_error <= 0.0 && is_few(distinct.count));
    // A bound beyond 64 bits cannot be said.
    let fits = view.floats().is_some_and(|(_, max)| max < i64::MAX as f64);
    let bounds = view.integers().filter(|_| options.ranges && fits);
    let (min, max) = (bounds.map(|(min, _)| min), bounds.map(|(_, max)| max));
    (is_categorical || bounds.is_some()).then_some(Domain::Int { min, max, is_categorical })
}

/// Infinities have no bound on their side.
fn floats(view: View<'_>) -> Option<Domain> {
    let (min, max) = view.floats()?;
    let presence = &view.column.presence;
    let min = (presence.num_negative_infinity == 0).then(|| lower_bound(min));
    let max = (presence.num_positive_infinity == 0).then(|| upper_bound(max));
    (min.is_some() || max.is_some()).then_some(Domain::Float {
        min,
        max,
        disallow_nan: false,
        disallow_inf: false,
        is_categorical: false,
    })
}

/// The greatest bound of single precision that does not exclude the value. The format holds no more.
pub(crate) fn lower_bound(value: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "the rounding is what is looked for")]
    let mut bound = value as f32;
    while shortest(bound) > value {
        bound = bound.next_down();
    }
    shortest(bound)
}

/// The least bound of single precision that does not exclude the value.
pub(crate) fn upper_bound(value: f64) -> f64 {
    -lower_bound(-value)
}

fn text(view: View<'_>, options: &InferOptions) -> Option<Domain> {
    let labels = view.labels();
    let values: Vec<&str> = labels.iter().map(|(value, _)| *value).collect();
    if values.is_empty() {
        return None;
    }
    // As in TFDV, the most frequent values decide.
    if values.iter().all(|value| value.parse::<i64>().is_ok()) && boolean_of_text(&values).is_none() {
        return Some(Domain::Int { min: None, max: None, is_categorical: false });
    }
    if !view.knows_all_labels() {
        return None;
    }
    boolean_of_text(&values).or_else(|| {
        (values.len() <= options.max_string_domain_size).then(|| Domain::Strings {
            name: String::new(),
            values: values.into_iter().map(str::to_owned).collect(),
            is_categorical: None,
        })
    })
}

/// One spelling of true, one of false, or one of both.
fn boolean_of_text(values: &[&str]) -> Option<Domain> {
    let (mut true_value, mut false_value) = (None, None);
    for value in values {
        let side = if TRUE.contains(value) {
            &mut true_value
        } else if FALSE.contains(value) {
            &mut false_value
        } else {
            return None;
        };
        if side.replace((*value).to_owned()).is_some() {
            return None;
        }
    }
    (!values.is_empty()).then_some(Domain::Boolean { true_value, false_value })
}
