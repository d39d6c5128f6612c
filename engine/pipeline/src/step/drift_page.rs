//! What the page of a comparison with earlier data shows of it.

use sluice_quality::drift::{
    AlignedBin, ColumnDrift, ColumnRole, DomainClassifier, DriftReport, Signal, TellingColumn,
};
use sluice_report::html::{
    DriftPage, PageDriftBin, PageDriftColumn, PageDriftSubset, PageSignal, PageTelling, PageVerdict,
    drift_page,
};

use crate::step::drift::DriftRecord;

/// The page. One file, self-contained.
pub(super) fn page(record: &DriftRecord) -> String {
    let shown = DriftPage {
        verdict: if record.accepted { PageVerdict::Accepted } else { PageVerdict::Rejected },
        level: record.options.level,
        subsets: record.subsets.iter().map(subset).collect(),
    };
    drift_page("Drift", &shown)
}

fn subset(report: &DriftReport) -> PageDriftSubset {
    PageDriftSubset {
        name: report.subset.clone(),
        num_rows: report.num_rows,
        num_reference_rows: report.num_reference_rows,
        columns: report.columns.iter().map(column).collect(),
        telling: report.domain_classifier.as_ref().map(telling),
    }
}

fn column(column: &ColumnDrift) -> PageDriftColumn {
    let totals = column.bins.iter().fold((0.0, 0.0), |(n, m), bin| (n + bin.current, m + bin.reference));
    let share = |count: f64, total: f64| if total > 0.0 { count / total } else { 0.0 };
    let bin = |bin: &AlignedBin| PageDriftBin {
        bin: bin.bin.clone(),
        current: share(bin.current, totals.0),
        reference: share(bin.reference, totals.1),
    };
    PageDriftColumn {
        column: column.column.clone(),
        role: (column.role != ColumnRole::Feature).then(|| column.role.to_string()),
        signals: column.signals.iter().map(signal).collect(),
        bins: column.bins.iter().map(bin).collect(),
        notes: column.notes.clone(),
    }
}

fn signal(signal: &Signal) -> PageSignal {
    PageSignal {
        measure: signal.measure.to_string(),
        value: signal.value,
        threshold: signal.threshold,
        noise_floor: signal.noise_floor,
        q: signal.q,
        alarm: signal.alarm,
        detail: signal.detail.clone(),
    }
}

fn telling(found: &DomainClassifier) -> PageTelling {
    let column = |one: &TellingColumn| (one.column.clone(), one.alone, one.drop);
    PageTelling {
        signal: signal(&found.signal),
        interval: [found.signal.at_least, found.signal.at_most],
        columns: found.columns.iter().map(column).collect(),
        notes: found.notes.clone(),
    }
}
