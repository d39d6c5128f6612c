//! Writes the page of statistics or of a validation, to look at: `cargo run -p sluice-report --example pages
//! TITLE OUT FILE…`. A file is a `statistics.json` (several subsets, or files, stand beside one another) or
//! one `validation.json`.
#![expect(clippy::unwrap_used, reason = "a tool for those who work on the pages")]

use serde_json::Value;
use sluice_core::statistics::DatasetStatistics;
use sluice_report::html::{
    PageExample, PageFinding, PageSeverity, PageSubset, PageVerdict, StatisticsPageOptions, ValidationPage,
    statistics_page, validation_page,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (title, out) = (arguments.next().unwrap(), arguments.next().unwrap());
    let files: Vec<Value> =
        arguments.map(|file| serde_json::from_slice(&fs_err::read(file).unwrap()).unwrap()).collect();
    let page = if let [validation] = files.as_slice()
        && validation["accepted"].is_boolean()
    {
        validation_page(&title, &of_validation(validation))
    } else {
        let subsets = files.iter().flat_map(|file| file["subsets"].as_array().unwrap());
        let sets: Vec<DatasetStatistics> =
            subsets.map(|subset| serde_json::from_value(subset.clone()).unwrap()).collect();
        let sets: Vec<&DatasetStatistics> = sets.iter().collect();
        statistics_page(&title, &sets, &StatisticsPageOptions::default())
    };
    fs_err::write(out, page).unwrap();
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn of_validation(record: &Value) -> ValidationPage {
    let subsets = record["subsets"].as_array().unwrap();
    ValidationPage {
        verdict: if record["accepted"] == true { PageVerdict::Accepted } else { PageVerdict::Rejected },
        schema: if record["schema_inferred"] == true {
            "The schema was inferred.".into()
        } else {
            String::new()
        },
        subsets: subsets
            .iter()
            .map(|it| PageSubset { name: text(&it["subset"]), num_rows: it["num_rows"].as_u64().unwrap() })
            .collect(),
        findings: subsets
            .iter()
            .flat_map(|it| {
                it["findings"].as_array().unwrap().iter().map(|one| of_finding(&text(&it["subset"]), one))
            })
            .collect(),
    }
}

fn of_finding(subset: &str, finding: &Value) -> PageFinding {
    let examples = finding["examples"].as_array().cloned().unwrap_or_default();
    PageFinding {
        subset: subset.into(),
        severity: if finding["severity"] == "error" { PageSeverity::Error } else { PageSeverity::Warning },
        code: text(&finding["code"]),
        column: finding["column"].as_str().map(str::to_owned),
        rule: text(&finding["rule"]),
        expected: text(&finding["expected"]),
        observed: text(&finding["observed"]),
        message: text(&finding["message"]),
        suggestion: text(&finding["suggestion"]),
        num_violations: finding["num_violations"].as_u64(),
        examples: examples
            .iter()
            .map(|it| PageExample {
                file: text(&it["file"]),
                row_group: it["row_group"].as_u64(),
                row: it["row"].as_u64().unwrap(),
                key: serde_json::from_value(it["key"].clone()).unwrap_or_default(),
                value: it["value"].as_str().map(str::to_owned),
            })
            .collect(),
    }
}
