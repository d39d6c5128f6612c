//! The shape of the repository: which crate may use which, heads and lengths of source files, no paths of one
//! machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;
use sluice_testkit::datasets::repository;

/// More lines than this in a file are several files.
const MAX_LINES: usize = 600;

/// What each crate may use, as `docs/architecture.md` draws it. `sluice-testkit` is everybody's in tests.
const ARROWS: [(&str, &[&str]); 18] = [
    ("sluice-core", &[]),
    ("sluice-expressions", &["core"]),
    ("sluice-summaries", &["core"]),
    ("sluice-storage", &["core"]),
    ("sluice-source", &["core", "storage"]),
    ("sluice-report", &["core"]),
    ("sluice-onnx", &["core"]),
    ("sluice-testkit", &["core"]),
    ("sluice-ingest", &["core", "summaries", "source", "report"]),
    ("sluice-quality", &["core", "expressions", "summaries", "report"]),
    ("sluice-transform", &["core", "expressions", "summaries", "report"]),
    ("sluice-training", &["core", "expressions", "summaries", "report"]),
    ("sluice-networks", &["core"]),
    ("sluice-evaluation", &["core", "expressions", "summaries", "report"]),
    (
        "sluice-delivery",
        &["core", "summaries", "storage", "report", "onnx", "transform", "training", "networks"],
    ),
    ("sluice-datasets", &["core", "ingest"]),
    ("sluice-pipeline", EVERYTHING_BELOW),
    ("sluicegate", EVERYTHING),
];

const EVERYTHING_BELOW: &[&str] = &[
    "core",
    "expressions",
    "summaries",
    "storage",
    "source",
    "report",
    "onnx",
    "ingest",
    "quality",
    "transform",
    "training",
    "networks",
    "evaluation",
    "delivery",
];
const EVERYTHING: &[&str] = &[
    "core",
    "expressions",
    "summaries",
    "storage",
    "source",
    "report",
    "onnx",
    "ingest",
    "quality",
    "transform",
    "training",
    "networks",
    "evaluation",
    "delivery",
    "pipeline",
    "datasets",
];

#[test]
fn crates_use_only_what_lies_below_them() {
    let metadata =
        MetadataCommand::new().manifest_path(repository().join("Cargo.toml")).no_deps().exec().unwrap();
    let members: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let known: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    assert_eq!(members, known.keys().copied().collect(), "a crate without a place in the drawing");
    for package in &metadata.packages {
        let allowed = known[package.name.as_str()];
        for dependency in package.dependencies.iter().filter(|used| members.contains(used.name.as_str())) {
            let short = dependency.name.trim_start_matches("sluice-");
            let for_tests = dependency.kind == cargo_metadata::DependencyKind::Development;
            assert!(
                allowed.contains(&short) || (for_tests && short == "testkit"),
                "`{}` must not use `{}`",
                package.name,
                dependency.name
            );
        }
    }
}

/// Every file below a folder of the repository, build output and hidden folders left out.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let left_out =
            (name.starts_with('.') && name != ".ci") || matches!(name.as_str(), "target" | "sluice-runs");
        match (left_out, path.is_dir()) {
            (true, _) => {}
            (false, true) => files(&path, found),
            (false, false) => found.push(path),
        }
    }
}

fn all_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&repository(), &mut found);
    found
}

#[test]
fn every_source_file_says_what_it_is_and_is_short() {
    let root = repository();
    let sources: Vec<PathBuf> =
        all_files().into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs")).collect();
    assert!(sources.len() > 100, "only {} source files were found", sources.len());
    for path in sources {
        let shown = path.strip_prefix(&root).unwrap().display();
        let text = fs_err::read_to_string(&path).unwrap();
        // A file that only a test module includes is introduced there.
        let of_tests = path.file_name().is_some_and(|name| name == "tests.rs");
        assert!(of_tests || text.starts_with("//!"), "`{shown}` has no head");
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "`{shown}` has {lines} lines");
    }
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    // Put together here, so that this file is not among the found.
    let needles = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    for path in all_files() {
        let Ok(text) = fs_err::read_to_string(&path) else { continue };
        for needle in &needles {
            let line = text.lines().find(|line| line.contains(needle.as_str()));
            assert!(line.is_none(), "{path:?} names {needle}: {line:?}");
        }
    }
}
