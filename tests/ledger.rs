//! What runs leave in the ledger, and `sluice runs` over it: runs that were accepted, turned down, failed, killed.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Pipeline, Place, diabetes, diabetes_changed, files, outcome};

fn run(place: &Place, pipeline: &str, code: i32) {
    let _ = place.sluice(&["run", pipeline, "--out", "out", "--quiet"]).exits(code);
}

fn runs(place: &Place, options: &[&str]) -> Vec<Value> {
    let words = [&["runs", "list", "--out", "out", "--json"], options].concat();
    place.sluice(&words).exits(0).json().as_array().unwrap().clone()
}

fn show(place: &Place, run: &str) -> Value {
    place.sluice(&["runs", "show", run, "--out", "out", "--json"]).exits(0).json()
}

fn states(run: &Value) -> Vec<(&str, &str)> {
    run["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["step"].as_str().unwrap(), step["state"].as_str().unwrap()))
        .collect()
}

#[test]
fn runs_are_remembered_with_what_they_read_made_and_decided() {
    let place = Place::new();
    run(&place, &diabetes("pipeline.yaml"), 0);
    run(&place, &diabetes("pipeline.yaml"), 0);
    let other = diabetes_changed(&place, "other.yaml", "alpha: 0.4", "alpha: 0.5");
    run(&place, &other, 0);
    let strict = diabetes_changed(&place, "strict.yaml", "at_most: 60.0", "at_most: 50.0");
    run(&place, &strict, 1);

    let listed = runs(&place, &[]);
    let names: Vec<&str> = listed.iter().map(|run| run["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["diabetes.0004", "diabetes.0003", "diabetes.0002", "diabetes.0001"]);
    assert_eq!(
        (&listed[0]["state"], &listed[0]["properties"]["rejected_by"]),
        (&"rejected".into(), &"evaluate".into())
    );
    assert_eq!((&listed[1]["state"], &listed[1]["properties"]["version"]), (&"accepted".into(), &2.into()));
    assert_eq!(runs(&place, &["--state", "rejected"]).len(), 1);
    assert_eq!(runs(&place, &["--limit", "2"]).len(), 2);
    assert_eq!(runs(&place, &["--pipeline", "none"]).len(), 0);
    let table = place.sluice(&["runs", "list", "--out", "out"]).exits(0);
    let _ = table.says(&["diabetes.0004", "rejected by evaluate", "started (UTC)"]);

    let first = show(&place, "1");
    assert!(
        states(&first).iter().all(|(_, state)| *state == "complete") && states(&first).len() == 8,
        "{first:#}"
    );
    for field in ["user", "host", "engine_version", "pipeline_digest", "pipeline_file", "threads"] {
        assert!(!first["properties"][field].is_null(), "no `{field}` in {first:#}");
    }
    let second = show(&place, "diabetes.0002");
    let cached = states(&second).iter().filter(|(_, state)| *state == "cached").count();
    assert_eq!(cached, 6, "{second:#}");
    // The same artifact is the same row.
    assert_eq!(first["steps"][5]["outputs"][0]["id"], second["steps"][5]["outputs"][0]["id"]);
    let train = &first["steps"][5];
    assert_eq!((&train["step"], &train["parameters"]["model.ridge.alpha"]), (&"train".into(), &0.4.into()));
    let evaluation = &first["steps"][6]["outputs"][0];
    let mse = evaluation["properties"]["metric.mse"].as_f64().unwrap();
    assert!((mse - 3_295.714_938_563_237).abs() < 1e-6, "{evaluation:#}");
    let version = &first["steps"][7]["outputs"][0];
    assert_eq!(
        (&version["type"], &version["properties"]["pushed_version"]),
        (&"PushedModel".into(), &1.into())
    );
    let text = place.sluice(&["runs", "show", "latest", "--out", "out"]).exits(0);
    let _ = text.says(&[
        "run `diabetes.0004`: rejected by evaluate",
        "ModelBlessing",
        "train.model.ridge.alpha",
        "mse",
    ]);
}

#[test]
fn runs_are_compared_and_walked_back_to_the_data() {
    let place = Place::new();
    run(&place, &diabetes("pipeline.yaml"), 0);
    run(&place, &diabetes_changed(&place, "other.yaml", "alpha: 0.4", "alpha: 0.5"), 0);
    let compared = place.sluice(&["runs", "compare", "1", "2", "--out", "out", "--json"]).exits(0).json();
    let alpha =
        compared["parameters"].as_array().unwrap().iter().find(|it| it["name"] == "train.model.ridge.alpha");
    assert_eq!((&alpha.unwrap()["first"], &alpha.unwrap()["second"]), (&0.4.into(), &0.5.into()));
    let mse = compared["metrics"].as_array().unwrap().iter().find(|it| it["metric"] == "mse").unwrap();
    assert!(mse["difference"].as_f64().unwrap() > 0.0, "{mse}");
    let of_step = |step: &str| {
        let found = compared["artifacts"].as_array().unwrap().iter().find(|it| it["step"] == step).cloned();
        found.unwrap()["same"].clone()
    };
    assert_eq!((of_step("transform"), of_step("train")), (true.into(), false.into()));
    let _ =
        place.sluice(&["runs", "compare", "1", "2", "--out", "out"]).exits(0).says(&["0.4", "0.5", "other"]);

    let lineage =
        |words: &[&str]| place.sluice(&[&["runs", "lineage", "--out", "out"], words].concat()).exits(0);
    let tree = lineage(&["2"]).says(&[
        "PushedModel version 2",
        "push  run 2",
        "diabetes.csv",
        "PushedModel version 1 as baseline_model",
    ]);
    assert!(tree.stdout.contains("made by run 1"), "{tree:#?}");
    let model = show(&place, "1")["steps"][5]["outputs"][0]["digest"].as_str().unwrap().to_owned();
    let _ = lineage(&[&model[..12]]).says(&["PushedModel version 1", "diabetes.csv"]);
    let _ = lineage(&["out/runs/0001/transform"]).says(&["TransformGraph", "Examples", "diabetes.csv"]);
    let _ = lineage(&["2", "--format", "mermaid"]).says(&["flowchart LR", "-- \"examples\" --> e"]);
    let _ = lineage(&["2", "--format", "graphviz"]).says(&["digraph lineage {", "shape = box"]);
    let page = lineage(&["2", "--format", "html"]).says(&["<svg ", "PushedModel version 2"]);
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.stdout.contains(outside), "`{outside}` in the page");
    }
    let graph = lineage(&["2", "--format", "json"]).json();
    assert_eq!(graph["executions"].as_array().unwrap().len(), 8);
    assert_eq!(graph, lineage(&["2", "--json"]).json());
}

#[test]
fn failures_and_what_is_not_there_are_told() {
    let place = Place::new();
    let nothing = place.sluice(&["runs", "list"]).exits(0);
    assert!(nothing.stdout.contains("no run is recorded yet"), "{nothing:#?}");
    let absent = place.sluice(&["runs", "list", "--out", "out"]).exits(3);
    assert!(absent.stderr.contains("there is no ledger at `out/ledger.sqlite`"), "{absent:#?}");
    place.write("rows.csv", "x,z,y,subset\n1,2,3,train\n2,3,5,train\n3,5,8,eval\n4,6,10,eval\n");
    let failed = Pipeline { label: "nowhere", ..Pipeline::default() }.run(&place);
    assert_eq!(failed.code, Some(2), "{failed:#?}");
    let shown = show(&place, "latest");
    assert_eq!((&shown["state"], &shown["properties"]["exit_code"]), (&"failed".into(), &2.into()));
    assert_eq!(states(&shown), [("ingest", "failed")]);
    assert!(shown["steps"][0]["properties"]["error"].as_str().unwrap().contains("nowhere"), "{shown:#}");
    let unknown = place.sluice(&["runs", "show", "7", "--out", "out"]).exits(2);
    assert!(
        unknown.stderr.contains("there is no run `7`") && unknown.stderr.contains("hostile.0001"),
        "{unknown:#?}"
    );
    let unknown = place.sluice(&["runs", "lineage", "abcdef123", "--out", "out"]).exits(2);
    assert!(unknown.stderr.contains("begins with `abcdef123`"), "{unknown:#?}");
    // Nothing runs that cannot be recorded, and no number is lost.
    fs_err::write(place.path("out/ledger.sqlite"), "not a database, whatever its name says").unwrap();
    for words in [&["runs", "list", "--out", "out"][..], &["run", "pipeline.yaml", "--out", "out"]] {
        let damaged = place.sluice(words).exits(4);
        assert!(
            damaged.stderr.contains("is damaged") && damaged.stderr.contains("move it away"),
            "{damaged:#?}"
        );
    }
    assert!(!place.path("out/runs/0002").exists());
}

#[test]
fn a_locked_ledger_is_waited_for_and_a_newer_one_refused() {
    let place = Place::new();
    run(&place, &diabetes("pipeline.yaml"), 0);
    let ledger = Connection::open(place.path("out/ledger.sqlite")).unwrap();
    ledger.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let started = Instant::now();
    let locked = place.sluice(&["runs", "list", "--out", "out"]).exits(3);
    assert!(locked.stderr.contains("another process has locked the ledger"), "{locked:#?}");
    assert!(started.elapsed() >= Duration::from_secs(4), "it did not wait");
    let child = place.command(&["run", &diabetes("pipeline.yaml"), "--out", "out"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    ledger.execute_batch("COMMIT").unwrap();
    let waited = outcome(&child.wait_with_output().unwrap()).exits(0);
    assert!(!waited.stderr.contains("lacks"), "{waited:#?}");
    assert_eq!(runs(&place, &[]).len(), 2);
    ledger.execute_batch("UPDATE MLMDEnv SET schema_version = 11").unwrap();
    for words in [&["runs", "list", "--out", "out"][..], &["run", &diabetes("pipeline.yaml"), "--out", "out"]]
    {
        let newer = place.sluice(words).exits(2);
        assert!(newer.stderr.contains("11") && newer.stderr.contains("use a newer sluice"), "{newer:#?}");
    }
}

#[test]
fn a_run_that_is_killed_leaves_a_ledger_that_reads_and_goes_on() {
    let place = Place::new();
    let pipeline = diabetes("pipeline.yaml");
    let started = Instant::now();
    run(&place, &pipeline, 0);
    let whole = started.elapsed();
    for attempt in 0_u32..24 {
        let mut child = place
            .command(&["run", &pipeline, "--out", "out", "--from", "ingest", "--quiet"])
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(attempt) / 20.0));
        child.kill().unwrap();
        child.wait().unwrap();
        for run in runs(&place, &["--limit", "100"]) {
            let state = run["state"].as_str().unwrap();
            assert!(["accepted", "stopped"].contains(&state), "{run:#}");
        }
        let latest = show(&place, "latest");
        let open: Vec<&str> = states(&latest)
            .into_iter()
            .filter(|(_, state)| *state == "stopped")
            .map(|(step, _)| step)
            .collect();
        assert!(open.len() <= 1, "{latest:#}");
        let _ = place.sluice(&["runs", "lineage", "latest", "--out", "out"]).exits(0);
    }
    run(&place, &pipeline, 0);
    let running = Connection::open(place.path("out/ledger.sqlite")).unwrap();
    let sound: String = running.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let open: i64 = running
        .query_row("SELECT COUNT(*) FROM Execution WHERE last_known_state = 2", [], |row| row.get(0))
        .unwrap();
    assert_eq!((sound.as_str(), open), ("ok", 0));
    place.is_tidy();
}

#[test]
fn runs_side_by_side_are_all_recorded() {
    let place = Place::new();
    let pipeline = diabetes("pipeline.yaml");
    let children: Vec<_> =
        (0..4).map(|_| place.command(&["run", &pipeline, "--out", "out"]).spawn().unwrap()).collect();
    for child in children {
        let done = outcome(&child.wait_with_output().unwrap()).exits(0);
        assert!(!done.stderr.contains("ledger"), "{done:#?}");
    }
    let listed = runs(&place, &[]);
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|run| run["state"] == "accepted"), "{listed:#?}");
}

/// The fields that `OpenLineage` 2-0-2 requires, of an event and of each facet.
fn check_event(event: &Value) {
    for field in ["eventTime", "producer", "schemaURL"] {
        assert!(event[field].is_string(), "no `{field}` in {event:#}");
    }
    assert!(event["run"]["runId"].as_str().unwrap().len() == 36, "{event:#}");
    assert!(event["job"]["namespace"].is_string() && event["job"]["name"].is_string(), "{event:#}");
    let ports = ["inputs", "outputs"].iter().flat_map(|kind| event[kind].as_array().unwrap());
    let mut facets: Vec<&Value> = vec![&event["run"]["facets"], &event["job"]["facets"]];
    for port in ports {
        assert!(port["namespace"].is_string() && port["name"].is_string(), "{port:#}");
        facets.extend(["facets", "inputFacets", "outputFacets"].iter().filter_map(|kind| port.get(kind)));
    }
    for facet in facets.into_iter().flat_map(|facets| facets.as_object().unwrap().values()) {
        assert!(facet["_producer"].is_string() && facet["_schemaURL"].is_string(), "{facet:#}");
    }
}

#[test]
fn events_tell_of_steps_data_quality_and_the_gate() {
    let place = Place::new();
    let strict = diabetes_changed(&place, "strict.yaml", "at_most: 60.0", "at_most: 50.0");
    let words = ["run", &strict, "--out", "out", "--openlineage", "events.jsonl", "--prometheus", "out.prom"];
    let _ = place.sluice(&words).exits(1);
    let text = fs_err::read_to_string(place.path("events.jsonl")).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The run, and seven steps: nothing is pushed.
    assert_eq!(events.len(), 16);
    events.iter().for_each(check_event);
    let done = |step: &str| {
        let name = format!("diabetes.{step}");
        events.iter().find(|event| event["job"]["name"] == *name && event["eventType"] == "COMPLETE").unwrap()
    };
    let run = &events[0]["run"]["runId"];
    assert_eq!(&done("train")["run"]["facets"]["parent"]["run"]["runId"], run);
    let train = &done("ingest")["outputs"][1];
    assert!(train["name"].as_str().unwrap().ends_with("/train"), "{train:#}");
    assert_eq!(train["facets"]["schema"]["fields"].as_array().unwrap().len(), 11);
    let from = &train["facets"]["columnLineage"]["fields"]["bmi"]["inputFields"][0];
    assert!(from["name"].as_str().unwrap().ends_with("diabetes.csv") && from["field"] == "bmi", "{from:#}");
    let metrics = &done("statistics")["inputs"][1]["inputFacets"]["dataQualityMetrics"];
    assert_eq!(
        (&metrics["rowCount"], &metrics["columnMetrics"]["bmi"]["nullCount"]),
        (&353.into(), &0.into())
    );
    assert!(metrics["columnMetrics"]["bmi"]["quantiles"]["0.5"].is_f64(), "{metrics:#}");
    let validated = done("validate")["inputs"].as_array().unwrap();
    assert!(
        validated.iter().any(|input| input["inputFacets"]["dataQualityAssertions"]["assertions"].is_array())
    );
    let columns = &done("transform")["outputs"][0]["facets"]["columnLineage"]["fields"];
    assert_eq!(columns["bmi"]["inputFields"][0]["field"], "bmi");
    let tests = done("evaluate")["run"]["facets"]["test"]["tests"].as_array().unwrap();
    let failed: Vec<&Value> = tests.iter().filter(|test| test["status"] == "fail").collect();
    assert_eq!((failed.len(), &failed[0]["name"]), (1, &"rmse at_most".into()), "{tests:#?}");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["eventType"], &last["run"]["facets"]["sluice_verdict"]["rejectedBy"]),
        (&"COMPLETE".into(), &"evaluate".into())
    );

    let figures = fs_err::read_to_string(place.path("out.prom")).unwrap();
    let value =
        |name: &str| figures.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    assert_eq!(value("sluice_run_completed{pipeline=\"diabetes\"}"), Some(1.0));
    assert_eq!(value("sluice_run_accepted{pipeline=\"diabetes\"}"), Some(0.0));
    assert!(value("sluice_metric{pipeline=\"diabetes\",metric=\"rmse\"}").unwrap() > 57.0, "{figures}");
    assert_eq!(value("sluice_run_last_success_timestamp_seconds{pipeline=\"diabetes\"}"), None);
    // Each family once, with its head before its samples.
    let mut seen: Vec<&str> = Vec::new();
    for line in figures.lines().filter(|line| !line.starts_with("# HELP")) {
        let name = line.strip_prefix("# TYPE ").unwrap_or(line).split(['{', ' ']).next().unwrap();
        if line.starts_with('#') {
            assert!(!seen.contains(&name), "`{name}` twice");
            seen.push(name);
        }
        assert_eq!(seen.last(), Some(&name), "{line}");
    }
}

#[test]
fn a_server_that_is_down_and_a_file_that_cannot_be_written_are_notes() {
    let place = Place::new();
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://user:secret@127.0.0.1:{port}");
    place.write("file", "");
    let words = [
        "run",
        &diabetes("pipeline.yaml"),
        "--out",
        "out",
        "--openlineage",
        &url,
        "--prometheus",
        "file/out.prom",
    ];
    let done = place.sluice(&words).exits(0);
    assert!(done.stderr.contains("OpenLineage: 18 events did not reach"), "{done:#?}");
    assert!(done.stderr.contains("`file/out.prom` could not be written"), "{done:#?}");
    assert!(!done.stderr.contains("secret"), "{done:#?}");
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--openlineage", "kafka://broker"]).exits(2);
}

#[test]
fn events_go_where_the_file_of_the_clients_says() {
    let place = Place::new();
    let run = |words: &[&str]| {
        let pipeline = diabetes("pipeline.yaml");
        let mut command = place.command(&[&["run", &pipeline, "--out", "out"], words].concat());
        let config = place.path("openlineage.yml");
        outcome(
            &command.env("OPENLINEAGE_CONFIG", config).env("OPENLINEAGE_NAMESPACE", "prod").output().unwrap(),
        )
    };
    let missing = run(&[]).exits(3);
    assert!(missing.stderr.contains("openlineage.yml") && missing.stderr.contains("`OPENLINEAGE_CONFIG`"));
    place.write("openlineage.yml", "transport:\n  type: http\n  url: http://lineage\n  auth: {type: api_key, apiKey: hunter2, realm: x}\n");
    let wrong = run(&[]).exits(2);
    assert!(wrong.stderr.contains("`transport.auth.realm` is not known here"), "{wrong:#?}");
    assert!(!wrong.stderr.contains("hunter2") && !place.path("out").exists(), "{wrong:#?}");
    place.write("openlineage.yml", "transport: {type: console}\n");
    let told = run(&["--quiet"]).exits(0);
    let events: Vec<Value> = told.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    events.iter().for_each(check_event);
    assert_eq!((events.len(), &events[0]["job"]["namespace"]), (18, &"prod".into()));
    place.write("openlineage.yml", "transport: {type: file, log_file_path: events/run}\n");
    let _ = run(&[]).exits(0);
    let written = files(&place.path("events"));
    let mut kinds =
        written.values().map(|bytes| serde_json::from_slice::<Value>(bytes).unwrap()["eventType"].clone());
    // By name they are in the order of time.
    assert_eq!((written.len(), kinds.next_back()), (18, Some("COMPLETE".into())));
}
