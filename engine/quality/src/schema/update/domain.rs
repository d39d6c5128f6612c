//! The domain of a column, relaxed until the data of the statistics fulfil it.

use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, Feature};

use crate::schema::infer::{DOMAIN_INFO, lower_bound, semantic_domain, upper_bound};
use crate::schema::view::View;

/// Relaxes the domain; true where a list of strings is to go, for all that share it: values that are not text, or
/// more values than are known, which a list can never hold.
pub(super) fn relax(feature: &mut Feature, view: View<'_>) -> bool {
    if *view.kind() == ColumnKind::Binary
        && feature.domain.as_ref().is_some_and(|domain| !is_for_bytes(domain))
    {
        return clear(feature);
    }
    match &mut feature.domain {
        None => {
            feature.domain = view.custom_text(DOMAIN_INFO).and_then(semantic_domain);
            false
        }
        Some(Domain::Strings { values, .. }) => {
            if strings(values, feature.min_domain_mass, view) {
                return false;
            }
            clear(feature)
        }
        Some(Domain::Boolean { .. }) => {
            boolean(feature, view);
            false
        }
        Some(Domain::Int { min, max, .. }) => {
            match integers_of(view) {
                Ok(Some((low, high))) => {
                    *min = min.map(|bound| bound.min(low));
                    *max = max.map(|bound| bound.max(high));
                }
                Ok(None) => {}
                Err(NotNumbers) => feature.domain = None,
            }
            false
        }
        Some(Domain::Float { .. }) => {
            floats(feature, view);
            false
        }
        Some(Domain::Time { .. } | Domain::Semantic(_)) => false,
    }
}

/// What TFDV allows for values that were never meant to be text.
fn is_for_bytes(domain: &Domain) -> bool {
    matches!(domain, Domain::Semantic(name)
        if ["natural_language_domain", "image_domain", "url_domain"].contains(&name.as_str()))
}

fn clear(feature: &mut Feature) -> bool {
    matches!(feature.domain.take(), Some(Domain::Strings { .. }))
}

/// Adds the values that the list lacks, if they weigh more than is allowed; false where no list will do.
fn strings(values: &mut Vec<String>, min_mass: f64, view: View<'_>) -> bool {
    if view.is_opaque() {
        return false;
    }
    let labels = view.labels();
    let known: std::collections::BTreeSet<&str> = values.iter().map(String::as_str).collect();
    let lacking: Vec<(&str, f64)> = labels.into_iter().filter(|(value, _)| !known.contains(value)).collect();
    let outside: f64 = lacking.iter().map(|(_, count)| count).sum();
    let total = view.num_values();
    let is_broken =
        (total > 0.0 && outside / total > 1.0 - min_mass) || (min_mass >= 1.0 && !lacking.is_empty());
    if is_broken && !view.knows_all_labels() {
        return false;
    }
    if is_broken {
        values.extend(lacking.into_iter().map(|(value, _)| value.to_owned()));
    }
    true
}

/// Numbers beyond 0 and 1 make it a range; other words, no domain at all: most likely they are an error.
fn boolean(feature: &mut Feature, view: View<'_>) {
    let Some(Domain::Boolean { true_value, false_value }) = &feature.domain else { return };
    match view.kind() {
        ColumnKind::Integer | ColumnKind::Unsigned => {
            if let Some((min, max)) = view.integers().filter(|(min, max)| *min < 0 || *max > 1) {
                feature.domain = Some(Domain::Int { min: Some(min), max: Some(max), is_categorical: false });
            }
        }
        ColumnKind::Float | ColumnKind::Decimal { .. } => {
            let Some((min, max)) = view.floats() else { return };
            if !is_zero_or_one(view, min, max) {
                feature.domain = Some(Domain::Float {
                    min: Some(lower_bound(min)),
                    max: Some(upper_bound(max)),
                    disallow_nan: false,
                    disallow_inf: false,
                    is_categorical: false,
                });
            }
        }
        ColumnKind::Text => {
            let words = [true_value.as_deref(), false_value.as_deref()];
            if view.labels().iter().any(|(value, _)| !words.contains(&Some(value))) {
                feature.domain = None;
            }
        }
        _ => {}
    }
}

/// As far as extremes, NaN and the histogram tell.
fn is_zero_or_one(view: View<'_>, min: f64, max: f64) -> bool {
    // -0 is 0.
    let is_either = |value: f64| value == 0.0 || value.to_bits() == 1.0_f64.to_bits();
    let histograms = view.column.numeric.as_ref().and_then(|numeric| numeric.histograms.as_ref());
    let has_between = histograms.is_some_and(|histograms| {
        let buckets = &histograms.equal_depth.buckets;
        buckets.iter().any(|bucket| bucket.count > 0.0 && bucket.low > 0.0 && bucket.high < 1.0)
    });
    view.column.presence.num_nan == 0 && is_either(min) && is_either(max) && !has_between
}

/// Text that should hold numbers and does not.
struct NotNumbers;

/// The least and greatest integer, of text by its values; none where nothing is known.
fn integers_of(view: View<'_>) -> Result<Option<(i64, i64)>, NotNumbers> {
    if !view.is_text() {
        return Ok(view.integers());
    }
    let parse = |(value, _): (&str, f64)| value.parse::<i64>().map_err(|_| NotNumbers);
    let numbers: Vec<i64> = view.labels().into_iter().map(parse).collect::<Result<_, _>>()?;
    Ok(numbers.iter().min().zip(numbers.iter().max()).map(|(min, max)| (*min, *max)))
}

/// Bounds become the observed ones, of infinities none; what was forbidden and is there is allowed.
fn floats(feature: &mut Feature, view: View<'_>) {
    let Some(Domain::Float { min, max, disallow_nan, disallow_inf, .. }) = &mut feature.domain else {
        return;
    };
    let observed = if view.is_text() {
        let labels = view.labels();
        let Ok(numbers) =
            labels.iter().map(|(value, _)| value.trim().parse::<f64>()).collect::<Result<Vec<f64>, _>>()
        else {
            feature.domain = None;
            return;
        };
        Observed::of(&numbers)
    } else {
        let presence = &view.column.presence;
        let finite = view.floats();
        Observed {
            finite,
            has_nan: presence.num_nan > 0,
            has_low_infinity: presence.num_negative_infinity > 0,
            has_high_infinity: presence.num_positive_infinity > 0,
        }
    };
    if let Some((low, high)) = observed.finite {
        *min = min.map(|bound| if low < bound { lower_bound(low) } else { bound });
        *max = max.map(|bound| if high > bound { upper_bound(high) } else { bound });
    }
    *min = min.filter(|_| !observed.has_low_infinity);
    *max = max.filter(|_| !observed.has_high_infinity);
    *disallow_nan &= !observed.has_nan;
    *disallow_inf &= !(observed.has_low_infinity || observed.has_high_infinity);
}

struct Observed {
    finite: Option<(f64, f64)>,
    has_nan: bool,
    has_low_infinity: bool,
    has_high_infinity: bool,
}

impl Observed {
    fn of(numbers: &[f64]) -> Self {
        let finite = numbers.iter().copied().filter(|number| number.is_finite());
        let low = finite.clone().min_by(f64::total_cmp);
        Self {
            finite: low.zip(finite.max_by(f64::total_cmp)),
            has_nan: numbers.iter().any(|number| number.is_nan()),
            has_low_infinity: numbers.contains(&f64::NEG_INFINITY),
            has_high_infinity: numbers.contains(&f64::INFINITY),
        }
    }
}
