//! The figures of an evaluation as a table for SQL: a row per slice, metric and model.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};

use sluice_core::artifact::Draft;
use sluice_core::error::{CommonError, Result};
use sluice_evaluation::comparison::{Change, Interval};
use sluice_evaluation::{Evaluation, MetricName, SliceMetrics};
use sluice_ingest::ParquetWriter;

/// Its name in the artifact.
pub(super) const TABLE_FILE: &str = "metrics.parquet";
/// The slice of all rows.
const OVERALL: &str = "overall";

/// Writes the table to the artifact.
pub(super) fn write(evaluation: &Evaluation, draft: &mut Draft) -> Result<()> {
    let table = table(evaluation)?;
    let mut writer = ParquetWriter::new(draft, TABLE_FILE, &table.schema())?;
    writer.write(&table)?;
    writer.finish(draft).map(drop)
}

/// One value of one model, or its change against the baseline.
struct Line<'a> {
    slice: &'a SliceMetrics,
    metric: &'a MetricName,
    /// `candidate`, `baseline`, the name of a contender; of changes `change`, and `change of NAME`.
    model: String,
    value: Option<f64>,
    ends: Option<[f64; 2]>,
    bounds: Option<[f64; 2]>,
    standard_error: Option<f64>,
    method: Option<String>,
    p_worse: Option<f64>,
    p_not_worse: Option<f64>,
    note: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of_value(
        (slice, metric): (&'a SliceMetrics, &'a MetricName),
        model: impl Into<String>,
        value: Option<f64>,
        interval: Option<&Interval>,
    ) -> Self {
        let method = |interval: &Interval| match serde_json::to_value(interval.method) {
            Ok(serde_json::Value::String(name)) => Some(name),
            _ => None,
        };
        Self {
            slice,
            metric,
            model: model.into(),
            value,
            ends: interval.map(|interval| [interval.low, interval.high]),
            bounds: None,
            standard_error: interval.and_then(|interval| interval.standard_error),
            method: interval.and_then(method),
            p_worse: None,
            p_not_worse: None,
            note: slice.undefined.get(&metric.name).map(String::as_str),
        }
    }

    fn of_change(
        place: (&'a SliceMetrics, &'a MetricName),
        model: impl Into<String>,
        changes: Option<&'a BTreeMap<String, Change>>,
    ) -> Option<Self> {
        let change = changes?.get(&place.1.name)?;
        Some(Self {
            value: change.difference,
            ends: change.interval,
            standard_error: change.standard_error,
            p_worse: change.p_worse,
            p_not_worse: change.p_not_worse,
            note: change.note.as_deref(),
            ..Self::of_value(place, model, None, None)
        })
    }
}

fn lines(evaluation: &Evaluation) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for slice in &evaluation.slices {
        for metric in &evaluation.metrics {
            let (place, name) = ((slice, metric), &metric.name);
            let value = slice.candidate.get(name).copied().flatten();
            let bounds = slice.bounds.get(name).copied();
            let line = Line::of_value(place, "candidate", value, slice.intervals.get(name));
            lines.push(Line { bounds, ..line });
            if let Some(baseline) = &slice.baseline {
                let value = baseline.get(name).copied().flatten();
                let bounds = slice.baseline_bounds.get(name).copied();
                let line = Line::of_value(place, "baseline", value, slice.baseline_intervals.get(name));
                lines.push(Line { bounds, ..line });
            }
            lines.extend(Line::of_change(place, "change", slice.changes.as_ref()));
            for (model, figures) in &slice.contenders {
                let value = figures.values.get(name).copied().flatten();
                lines.push(Line {
                    note: figures.undefined.get(name).map(String::as_str),
                    ..Line::of_value(place, model, value, figures.intervals.get(name))
                });
                lines.extend(Line::of_change(place, format!("change of {model}"), figures.changes.as_ref()));
            }
        }
    }
    lines
}

/// The columns that slices are made of, in the order in which they appear.
fn slice_columns(evaluation: &Evaluation) -> Vec<&str> {
    let mut columns: Vec<&str> = Vec::new();
    for part in evaluation.slices.iter().flat_map(|slice| &slice.slice.parts) {
        if !columns.contains(&part.column.as_str()) {
            columns.push(&part.column);
        }
    }
    columns
}

/// The table; `by_COLUMN` holds the slice's value of a column, null where it is null or the slice is not by that column,
/// which `slice_columns` tells apart.
fn table(evaluation: &Evaluation) -> Result<RecordBatch> {
    let lines = lines(evaluation);
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    let mut texts = |name: &str, of: &dyn Fn(&Line<'_>) -> Option<String>| {
        columns.push((name.into(), Arc::new(lines.iter().map(of).collect::<StringArray>())));
    };
    texts("slice", &|line| {
        let key = &line.slice.slice;
        Some(if key.is_overall() { OVERALL.to_owned() } else { key.to_string() })
    });
    texts("slice_columns", &|line| {
        let names: Vec<&str> = line.slice.slice.parts.iter().map(|part| part.column.as_str()).collect();
        Some(names.join(", "))
    });
    for column in slice_columns(evaluation) {
        texts(&format!("by_{column}"), &|line| {
            let part = line.slice.slice.parts.iter().find(|part| part.column == column)?;
            part.value.clone()
        });
    }
    texts("metric", &|line| Some(line.metric.name.clone()));
    texts("direction", &|line| match serde_json::to_value(line.metric.direction) {
        Ok(serde_json::Value::String(name)) => Some(name),
        _ => None,
    });
    texts("model", &|line| Some(line.model.clone()));
    let mut numbers = |name: &str, of: &dyn Fn(&Line<'_>) -> Option<f64>| {
        columns.push((name.into(), Arc::new(lines.iter().map(of).collect::<Float64Array>())));
    };
    numbers("value", &|line| line.value);
    numbers("low", &|line| line.ends.map(|[low, _]| low));
    numbers("high", &|line| line.ends.map(|[_, high]| high));
    if !evaluation.order_statistics.is_exact() {
        numbers("bound_low", &|line| line.bounds.map(|[low, _]| low));
        numbers("bound_high", &|line| line.bounds.map(|[_, high]| high));
    }
    numbers("standard_error", &|line| line.standard_error);
    numbers("p_worse", &|line| line.p_worse);
    numbers("p_not_worse", &|line| line.p_not_worse);
    numbers("weight", &|line| line.slice.weight);
    let rows = lines.iter().map(|line| i64::try_from(line.slice.rows).ok());
    columns.push(("rows".into(), Arc::new(rows.collect::<Int64Array>())));
    let few = lines.iter().map(|line| Some(line.slice.few_rows));
    columns.push(("few_rows".into(), Arc::new(few.collect::<BooleanArray>())));
    let mut texts = |name: &str, of: &dyn Fn(&Line<'_>) -> Option<String>| {
        columns.push((name.into(), Arc::new(lines.iter().map(of).collect::<StringArray>())));
    };
    texts("method", &|line| line.method.clone());
    texts("note", &|line| line.note.map(str::to_owned));
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
    Ok(table.map_err(|error| CommonError::Internal(error.to_string()))?)
}
