//! How long a ledger of many runs takes to answer, and what it costs a run: `cargo run --release --example ledger -- OUT
//! [RUNS]`, `… --example ledger -- --cost PIPELINE [ROUNDS]`.
//!
//! `OUT` is a folder with the ledger of one run, which is copied as often as it takes (10,000 runs unless given), each copy
//! with artifacts of its own. Prints the best of five of each question, opening included.
//!
//! `--cost` runs a pipeline with and without the ledger by turns, each time in a fresh folder and once more in that, where
//! nothing is to be done; prints the medians of all rounds (10 unless given).

use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::Connection;
use sluicegate::core::Result;
use sluicegate::pipeline::ledger::{LEDGER_FILE, Ledger, RunFilter};
use sluicegate::pipeline::{PipelineFile, RunOptions};

/// Rows of the copies of run 1: `n.k` counts them, ids of the first run are below 1000.
const COPIES: [&str; 9] = [
    "INSERT INTO Context SELECT c.id + k * 1000, c.type_id, printf('%s%04d', substr(c.name, 1, length(c.name) - 4), k + 1), \
     NULL, c.create_time_since_epoch + k, c.last_update_time_since_epoch + k FROM one AS o JOIN Context AS c ON c.id = o.id, n",
    "INSERT INTO ContextProperty SELECT p.context_id + k * 1000, p.name, p.is_custom_property, \
     CASE WHEN p.name = 'number' THEN k + 1 ELSE p.int_value END, p.double_value, p.string_value, NULL, NULL, p.bool_value \
     FROM one AS o JOIN ContextProperty AS p ON p.context_id = o.id, n",
    "INSERT INTO Execution SELECT x.id + k * 1000, x.type_id, x.last_known_state, \
     replace(x.name, '.0001.', printf('.%04d.', k + 1)), NULL, x.create_time_since_epoch + k, x.last_update_time_since_epoch + k \
     FROM Execution AS x, n WHERE x.id < 1000",
    "INSERT INTO ExecutionProperty SELECT execution_id + k * 1000, name, is_custom_property, \
     CASE WHEN name = 'run' THEN k + 1 ELSE int_value END, double_value, string_value, NULL, NULL, bool_value \
     FROM ExecutionProperty, n WHERE execution_id < 1000",
    "INSERT INTO Artifact SELECT id + k * 1000, type_id, uri, state, printf('%08x', k) || substr(name, 9), NULL, \
     create_time_since_epoch + k, last_update_time_since_epoch + k FROM Artifact, n WHERE id < 1000",
    "INSERT INTO ArtifactProperty SELECT artifact_id + k * 1000, name, is_custom_property, int_value, double_value, \
     CASE WHEN name = 'digest' THEN printf('%08x', k) || substr(string_value, 9) ELSE string_value END, NULL, NULL, bool_value \
     FROM ArtifactProperty, n WHERE artifact_id < 1000",
    "INSERT INTO Event SELECT id + k * 1000, artifact_id + k * 1000, execution_id + k * 1000, type, milliseconds_since_epoch \
     FROM Event, n WHERE id < 1000",
    "INSERT INTO EventPath SELECT event_id + k * 1000, is_index_step, step_index, step_key FROM EventPath, n WHERE event_id < 1000",
    "INSERT INTO Association (context_id, execution_id) SELECT context_id + (context_id IN (SELECT id FROM one)) * k * 1000, \
     execution_id + k * 1000 FROM Association, n WHERE execution_id < 1000",
];

fn multiply(path: &Path, runs: u32) -> rusqlite::Result<i64> {
    let ledger = Connection::open(path)?;
    let count =
        "SELECT COUNT(*) FROM Context AS c JOIN Type AS t ON t.id = c.type_id WHERE t.name = 'pipeline_run'";
    if ledger.query_row(count, [], |row| row.get::<_, i64>(0))? == 1 {
        ledger.execute_batch(&format!(
            "PRAGMA synchronous = OFF; BEGIN; CREATE TEMP TABLE n (k INTEGER PRIMARY KEY); \
             WITH RECURSIVE c(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM c WHERE k < {runs} - 1) INSERT INTO n SELECT k FROM c; \
             CREATE TEMP TABLE one AS SELECT c.id FROM Context AS c JOIN Type AS t ON t.id = c.type_id \
             WHERE t.name = 'pipeline_run'; {}; COMMIT",
            COPIES.join("; ")
        ))?;
    }
    ledger.query_row(count, [], |row| row.get(0))
}

fn best(what: &str, mut ask: impl FnMut() -> Result<usize>) -> Result<()> {
    let mut shortest = f64::INFINITY;
    let mut found = 0;
    for _ in 0..5 {
        let started = Instant::now();
        found = ask()?;
        let seconds = started.elapsed().as_secs_f64();
        if seconds < shortest {
            shortest = seconds;
        }
    }
    report(&format!("{what:<44} {:>8.2} ms  {found} found", 1e3 * shortest));
    Ok(())
}

/// What the ledger costs a run: milliseconds of a first run and of one that has nothing to do, without and with it.
fn cost(pipeline: &Path, rounds: usize) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let file = PipelineFile::read(pipeline)?;
    let mut taken: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..rounds {
        for (with, of_kind) in taken.iter_mut().enumerate() {
            let out = tempfile::tempdir()?;
            for of_run in of_kind {
                let mut options = RunOptions::new(out.path());
                options.ledger = with == 1;
                let started = Instant::now();
                let _ = sluicegate::pipeline::run(&file, &options, &mut |_| {})?;
                of_run.push(1e3 * started.elapsed().as_secs_f64());
            }
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let [without, with] = &mut taken;
    for (what, (without, with)) in
        ["first run", "nothing to do"].iter().zip(without.iter_mut().zip(with.iter_mut()))
    {
        let (without, with) = (median(without), median(with));
        report(&format!(
            "{what:<16} {without:>8.1} ms without, {with:>8.1} ms with the ledger: {:+.1} ms",
            with - without
        ));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench prints what it measured")]
fn report(line: &str) {
    println!("{line}");
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().ok_or("which folder?")?;
    if first == "--cost" {
        let pipeline = PathBuf::from(arguments.next().ok_or("which pipeline?")?);
        return cost(&pipeline, arguments.next().map_or(Ok(10), |rounds| rounds.parse())?);
    }
    let out = PathBuf::from(first);
    let runs = arguments.next().map_or(Ok(10_000), |runs| runs.parse())?;
    let there = multiply(&out.join(LEDGER_FILE), runs)?;
    let size = fs_err::metadata(out.join(LEDGER_FILE))?.len();
    report(&format!("{there} runs, {} MB", size / 1_000_000));
    let middle = (there / 2).to_string();
    let of = |limit, state: Option<&str>| RunFilter {
        limit,
        state: state.map(str::to_owned),
        ..RunFilter::default()
    };
    best("list, the newest 20", || Ok(Ledger::open(&out)?.runs(&of(Some(20), None))?.len()))?;
    best("list, all of them", || Ok(Ledger::open(&out)?.runs(&of(None, None))?.len()))?;
    best("list, a state that none has", || {
        Ok(Ledger::open(&out)?.runs(&of(Some(20), Some("failed")))?.len())
    })?;
    best("show, in the middle", || Ok(Ledger::open(&out)?.detail(&middle)?.steps.len()))?;
    best("lineage of a run", || Ok(Ledger::open(&out)?.lineage_of_run(&middle)?.edges.len()))?;
    let detail = Ledger::open(&out)?.detail(&middle)?;
    let pushed = detail.steps.last().and_then(|step| step.outputs.first()).ok_or("nothing was pushed")?;
    let digest = pushed.digest.clone();
    best("lineage of a registered version", || {
        Ok(Ledger::open(&out)?.lineage_of_artifact(&digest[..20])?.executions.len())
    })?;
    Ok(())
}
