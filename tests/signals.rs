//! Ctrl-C and a termination in any step: the documented code, no half artifact, the registry as it was.

use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Pipeline, Place, files, outcome};
use crate::tables::noise;

const ROWS: u64 = 400_000;
const FEATURES: u64 = 10;

/// A table of 400,000 rows and 12 columns.
fn large(place: &Place) {
    let mut text = String::from("x0,x1,x2,x3,x4,x5,x6,x7,x8,x9,y,subset\n");
    // Numbers repeat after some rows; parsing them costs the same.
    let cells: Vec<String> = (0..9973).map(|number| format!("{:.9}", noise(number))).collect();
    for row in 0..ROWS {
        for column in 0..=FEATURES {
            text.push_str(&cells[usize::try_from(row * 31 + column * 977).unwrap() % cells.len()]);
            text.push(',');
        }
        writeln!(text, "{}", if row % 5 == 0 { "eval" } else { "train" }).unwrap();
    }
    place.write("rows.csv", &text);
}

fn pipeline() -> Pipeline<'static> {
    Pipeline {
        transform: "[ { standardize: [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9] } ]",
        ..Pipeline::default()
    }
}

fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    // A program that has ended since cannot be signalled; that is no failure.
    let _ = status.success();
}

/// Starts a run into `out`, signals it after `delay`, and waits for its end.
fn interrupted(place: &Place, signal: &str, delay: Duration) -> (Output, Duration) {
    let child = place.command(&["run", "pipeline.yaml", "--out", "out", "--threads", "2"]).spawn().unwrap();
    std::thread::sleep(delay);
    send(&child, signal);
    let signalled = Instant::now();
    let output = child.wait_with_output().unwrap();
    (output, signalled.elapsed())
}

#[test]
fn a_signal_in_any_step_leaves_nothing_half_written() {
    let place = Place::new();
    large(&place);
    let started = Instant::now();
    let _ = pipeline().run(&place).exits(0);
    let whole = started.elapsed();
    let registry = files(&place.path("out/registry"));
    // From before the first line of `main` to the last step.
    let delays = [0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];
    let mut stopped = 0;
    for (number, part) in delays.into_iter().enumerate() {
        let (signal, code, raw) = if number % 2 == 0 { ("-INT", 130, 2) } else { ("-TERM", 143, 15) };
        // Nothing to go on from, so that every step runs again; the registry stays.
        for folder in ["out/artifacts", "out/runs"] {
            let _ = fs_err::remove_dir_all(place.path(folder));
        }
        let (output, took) = interrupted(&place, signal, whole.mul_f64(part));
        let done = outcome(&output);
        // Before the handler stands, the signal itself ends the process, which a shell shows as the same code.
        let ended = done.code == Some(code) || output.status.signal() == Some(raw);
        assert!(ended || done.code == Some(0), "{signal} after {part}: {done:#?}");
        if done.code == Some(code) {
            assert!(done.stderr.contains("error: interrupted; nothing was left half written"), "{done:#?}");
            assert_eq!(done.stdout, "");
            stopped += 1;
        }
        assert!(!done.stderr.contains("panicked"), "{done:#?}");
        assert!(took < Duration::from_secs(5), "it went on for {took:?} after {signal}");
        place.is_tidy();
        assert_eq!(files(&place.path("out/registry")), registry, "the registry is not what it was");
    }
    assert!(stopped >= 5, "only {stopped} of {} runs were interrupted", delays.len());
    let _ = pipeline().run(&place).exits(0).says(&["PASS  compared", "already registered"]);
    place.is_tidy();
}

#[test]
fn the_record_says_that_the_run_was_interrupted_and_an_earlier_artifact_stays() {
    let place = Place::new();
    large(&place);
    pipeline().write(&place);
    let ingest = ["ingest", "rows.csv", "--subset-column", "subset", "--out", "dataset"];
    let started = Instant::now();
    let _ = place.sluice(&ingest).exits(0);
    let whole = started.elapsed();
    let before = files(&place.path("dataset"));
    for part in [0.3, 0.7] {
        let child = place.command(&ingest).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(part));
        send(&child, "-INT");
        let done = outcome(&child.wait_with_output().unwrap());
        assert!(matches!(done.code, Some(130 | 0)), "{done:#?}");
        assert_eq!(files(&place.path("dataset")), before);
        place.is_tidy();
    }
    let (output, _) = interrupted(&place, "-TERM", whole.mul_f64(0.5));
    if output.status.code() == Some(143) {
        let record = place.json("out/runs/0001/run.json");
        assert!(record["error"].as_str().unwrap().starts_with("interrupted"), "{record:#}");
        assert!(!place.path("out/registry").exists());
    }
}
