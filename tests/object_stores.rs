//! URLs as arguments: what is read is fetched, what fails is told by its URL, nothing is left behind. The server is a
//! thread of the test; buckets with signatures are `tests/clients/run stores`.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sluice_testkit::datasets::repository;

use crate::support::{Outcome, Place, files, outcome};

/// How a server answers the request of this number for this path.
#[derive(Clone, Copy)]
enum Mood {
    Well,
    /// With this status.
    Status(&'static str),
    /// With the first half of the body.
    Half,
    /// Not at all.
    Silent,
}

/// A server of the files below a folder.
struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn new(root: PathBuf, mood: impl Fn(usize, &str) -> Mood + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, mood) = (Arc::clone(&requests), Arc::new(mood));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (counted, mood, root) = (Arc::clone(&counted), Arc::clone(&mood), root.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Some((method, path, range)) = request(&mut reader) {
                        let mood = mood(counted.fetch_add(1, Ordering::SeqCst), &path);
                        if !answer(&mut stream, &root.join(&path), &method, range, mood) {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }
}

/// First byte and the one after the last.
type Span = (usize, usize);

/// Method, path and range of a request.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Option<Span>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let (method, path) = (line.split(' ').next()?.to_owned(), line.split(' ').nth(1)?.to_owned());
    let mut range = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some((start, end)) = header.strip_prefix("range: bytes=").and_then(|it| it.split_once('-')) {
            range = start.parse().ok().zip(end.parse::<usize>().ok().map(|last| last + 1));
        }
    }
    let path = path.trim_start_matches('/').split('?').next()?.to_owned();
    Some((method, path, range))
}

/// Answers; false closes the connection.
fn answer(stream: &mut TcpStream, path: &Path, method: &str, range: Option<Span>, mood: Mood) -> bool {
    let plain = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let content = match (mood, fs_err::read(path)) {
        (Mood::Silent, _) => {
            std::thread::sleep(Duration::from_secs(30));
            return false;
        }
        (Mood::Status(status), _) => return stream.write_all(plain(status).as_bytes()).is_ok(),
        (Mood::Well | Mood::Half, Err(_)) => {
            return stream.write_all(plain("404 Not Found").as_bytes()).is_ok();
        }
        (Mood::Well | Mood::Half, Ok(content)) => content,
    };
    let (start, end) = range.map_or((0, content.len()), |(start, end)| (start, end.min(content.len())));
    let mut head = match range {
        Some(_) => format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{}\r\n",
            end - 1,
            content.len()
        ),
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    head += &format!("Content-Length: {}\r\nETag: \"{}\"\r\n\r\n", end - start, content.len());
    let body = if method == "HEAD" { &[] } else { &content[start..end] };
    let is_cut = matches!(mood, Mood::Half) && body.len() > 1;
    let sent = if is_cut { &body[..body.len() / 2] } else { body };
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent)).is_ok() && !is_cut
}

/// A place with a run of the diabetes data, and a folder for temporary files that is looked at afterwards.
fn place() -> Place {
    let place = Place::new();
    fs_err::create_dir(place.path("tmp")).unwrap();
    let pipeline = repository().join("datasets/diabetes/pipeline.yaml");
    let _ = place.sluice(&["run", pipeline.to_str().unwrap(), "--out", "made"]).exits(0);
    place
}

fn sluice(place: &Place, arguments: &[&str]) -> Outcome {
    let mut command = place.command(arguments);
    command.env("TMPDIR", place.path("tmp")).env("SLUICE_STORAGE_TIMEOUT", "20");
    let outcome = outcome(&command.output().unwrap());
    let left: Vec<_> = fs_err::read_dir(place.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(
        !outcome.stdout.contains("/tmp/sluice-") && !outcome.stderr.contains("tmp/sluice-"),
        "{outcome:#?}"
    );
    outcome
}

#[test]
fn artifacts_are_read_from_a_web_server_with_the_same_result() {
    let place = place();
    let server = Server::new(place.path("made/runs/0001"), |_, _| Mood::Well);
    let [dataset, model] = ["dataset", "model"].map(|name| server.url(name));
    let require = ["--require", "{metric: rmse, at_most: 60}", "--slice", "sex"];
    let local = ["evaluate", "made/runs/0001/dataset", "--model", "made/runs/0001/model", "--out", "local"];
    let remote = ["evaluate", &dataset, "--model", &model, "--out", "remote"];
    let one = sluice(&place, &[&local[..], &require].concat()).exits(0);
    let other = sluice(&place, &[&remote[..], &require].concat()).exits(0);
    assert_eq!(one.stdout, other.stdout);
    assert_eq!(files(&place.path("local")), files(&place.path("remote")));
    let schema = server.url("schema/schema.pbtxt");
    let _ = sluice(&place, &["schema", "check", &schema]).exits(0).says(&["feature"]);
    let folder = server.url("schema");
    let _ = sluice(&place, &["schema", "check", &folder]).exits(0).says(&["feature"]);
}

/// The command line is said again with paths in place of URLs; a debug build checks its table of places then.
#[test]
fn options_of_every_kind_mean_the_same_beside_a_url() {
    let place = place();
    let server = Server::new(place.path("made/runs/0001"), |_, _| Mood::Well);
    let remote = server.url("dataset");
    let lines: [&[&str]; 4] = [
        &[
            "--json",
            "statistics",
            "DATASET",
            "--columns",
            "age,sex",
            "--slice",
            "age > 0",
            "--slice",
            "sex > 0",
        ],
        &["statistics", "--subset=train", "--threads", "2", "-q", "--exclude", "s1", "--", "DATASET"],
        &["--quiet", "statistics", "DATASET", "--cross", "age,bmi", "--label=target", "--max-slices", "7"],
        &[
            "explain",
            "MODEL",
            "DATASET",
            "--permutation",
            "--repeats",
            "2",
            "--partial-dependence",
            "age,bmi",
        ],
    ];
    for line in lines {
        let with = |dataset: &str, model: &str| -> Vec<String> {
            let word = |word: &str| match word {
                "DATASET" => dataset.to_owned(),
                "MODEL" => model.to_owned(),
                _ => word.to_owned(),
            };
            line.iter().map(|it| word(it)).collect()
        };
        let run = |words: &[String]| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            sluice(&place, &words).exits(0).stdout
        };
        let here = run(&with("made/runs/0001/dataset", "made/runs/0001/model"));
        assert!(here.len() > 100, "{here}");
        assert_eq!(here, run(&with(&remote, &server.url("model"))), "{line:?}");
    }
}

#[test]
fn what_a_pipeline_file_names_is_fetched_and_so_is_the_file() {
    let place = place();
    let data = repository().join("datasets/diabetes/diabetes.csv");
    let text = fs_err::read_to_string(repository().join("datasets/diabetes/pipeline.yaml")).unwrap();
    let text = text.replace("diabetes.csv", data.to_str().unwrap());
    place.write("made/runs/0001/pipeline.yaml", &format!("{text}schema: schema/schema.pbtxt\n"));
    let server = Server::new(place.path("made/runs/0001"), |_, _| Mood::Well);
    let pipeline = server.url("pipeline.yaml");
    let _ = sluice(&place, &["check", &pipeline]).exits(0).says(&["`diabetes` is sound"]);
    let _ = sluice(&place, &["run", &pipeline, "--out", "again"]).exits(0);
    // Where a copy lies changes no key: only the gate sees something new, the first model.
    let again = sluice(&place, &["run", &pipeline, "--out", "again"]).exits(0);
    for step in ["ingest", "statistics", "schema", "validate", "transform", "train"] {
        let line = again.stderr.lines().find(|line| line.trim().starts_with(step)).unwrap();
        assert!(line.contains("cached"), "{again:#?}");
    }
    assert!(again.stderr.contains("read from `schema/schema.pbtxt`"), "{again:#?}");
    place.write("local.yaml", &format!("{text}schema: {}\n", server.url("schema/no.pbtxt")));
    let missing = sluice(&place, &["check", "local.yaml"]);
    assert_eq!(missing.code, Some(3), "{missing:#?}");
    assert!(missing.stderr.contains(&server.url("schema/no.pbtxt")), "{missing:#?}");
}

#[test]
fn failures_that_pass_are_waited_out() {
    let place = place();
    let server = Server::new(place.path("made/runs/0001"), |number, _| match number % 7 {
        0 => Mood::Status("500 Internal Server Error"),
        2 => Mood::Half,
        4 => Mood::Status("429 Too Many Requests"),
        _ => Mood::Well,
    });
    let statistics = server.url("statistics");
    let _ = sluice(&place, &["schema", "infer", &statistics, "--out", "remote"]).exits(0);
    let _ = sluice(&place, &["schema", "infer", "made/runs/0001/statistics", "--out", "local"]).exits(0);
    assert_eq!(files(&place.path("local")), files(&place.path("remote")));
    assert!(server.requests.load(Ordering::SeqCst) > 7);
}

#[test]
fn failures_that_stay_are_told() {
    let place = place();
    let out = ["--out", "schema"];
    let fails = |arguments: &[&str], code: i32, parts: &[&str]| {
        let outcome = sluice(&place, &[&["schema", "infer"], arguments, &out].concat());
        place.assert_failure(&outcome, code, parts);
        assert!(!outcome.stderr.contains("hunter2"), "{outcome:#?}");
    };
    let good = Server::new(place.path("made/runs/0001"), |_, _| Mood::Well);
    fails(&[&good.url("nothing")], 3, &[&good.url("nothing"), "it is not there", "hint:"]);
    let closed = Server::new(place.path("made/runs/0001"), |_, _| Mood::Status("403 Forbidden"));
    let secret = closed.url("statistics?sig=hunter2").replace("http://", "http://me:hunter2@");
    fails(&[&secret], 3, &["permission denied", "hint:"]);
    fails(&["ftp://host/statistics"], 2, &["`ftp://` is not a known kind of place", "`s3://`"]);
    fails(&["s3:///statistics"], 2, &["the bucket is missing"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = place.command(&["schema", "check", &format!("http://{nobody}/s")]);
    let outcome = outcome(&command.env("SLUICE_STORAGE_TIMEOUT", "1").output().unwrap());
    place.assert_failure(&outcome, 3, &["cannot be reached", "hint:"]);
    let outcome =
        sluice(&place, &["schema", "infer", "made/runs/0001/statistics", "--out", &good.url("schema")]);
    place.assert_failure(&outcome, 2, &["this kind of place cannot do that", "read only"]);
}

#[test]
fn a_run_keeps_its_folder_on_this_machine() {
    let place = place();
    let pipeline = repository().join("datasets/diabetes/pipeline.yaml");
    let outcome = sluice(&place, &["run", pipeline.to_str().unwrap(), "--out", "s3://bucket/runs"]);
    let parts = ["`--out` of `sluice run` must be a folder of this machine", "registry", "hint:"];
    place.assert_failure(&outcome, 2, &parts);
    let resumed =
        ["predict", "made/runs/0001/model", "x.csv", "--resume", "--out", "s3://bucket/predictions"];
    place.assert_failure(&sluice(&place, &resumed), 2, &["`--resume` keeps files beside `--out`"]);
}

#[test]
fn a_signal_ends_the_waiting_within_a_second() {
    let place = place();
    let server = Server::new(place.path("made/runs/0001"), |number, _| match number {
        0 => Mood::Well,
        _ => Mood::Silent,
    });
    let mut command = place.command(&["schema", "check", &server.url("schema/schema.pbtxt")]);
    let child = command.env("TMPDIR", place.path("tmp")).spawn().unwrap();
    while server.requests.load(Ordering::SeqCst) < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (began, pid) = (Instant::now(), child.id().to_string());
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let outcome = outcome(&child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(143), "{outcome:#?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(fs_err::read_dir(place.path("tmp")).unwrap().count(), 0);
}
