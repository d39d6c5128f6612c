//! Data in buckets and on web servers through the binary, from a server on loopback: the bytes that the same files on
//! disk give, and clear errors where the server or the data do not hold still.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Outcome, Place, files, outcome};

/// How the server answers beyond what is asked of it.
#[derive(Clone, Copy, Default)]
struct Manners {
    /// From this request for bytes on, all objects are others.
    changes_at: Option<usize>,
    /// Each so many requests for bytes are answered by half of them, and a closed connection.
    cuts_each: Option<usize>,
}

/// Objects over HTTP, by ranges, and below `/bucket` as a bucket that does not look at signatures.
struct Server {
    address: String,
    /// Bytes that were sent.
    sent: Arc<AtomicUsize>,
}

impl Server {
    fn new(objects: BTreeMap<String, Vec<u8>>, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sent, counted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (objects, total) = (Arc::new(objects), Arc::clone(&sent));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (objects, sent, counted) =
                    (Arc::clone(&objects), Arc::clone(&total), Arc::clone(&counted));
                std::thread::spawn(move || serve(&stream.unwrap(), &objects, manners, &sent, &counted));
            }
        });
        Self { address, sent }
    }

    /// Of the files below a folder.
    fn of(place: &Place, folder: &str, manners: Manners) -> Self {
        Self::new(files(&place.path(folder)), manners)
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// The program, to which the server is S3.
    fn sluice(&self, place: &Place, arguments: &[&str]) -> Outcome {
        let mut command = place.command(arguments);
        self.is_bucket_of(&mut command);
        outcome(&command.output().unwrap())
    }

    fn is_bucket_of(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "hunter2")
            .env("AWS_REGION", "us-east-1")
            .env_remove("AWS_PROFILE");
    }
}

/// Method, key, query and headers of a request; nothing at the end of the connection.
struct Request {
    method: String,
    key: String,
    query: String,
    headers: BTreeMap<String, String>,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut words = line.split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let key = path.trim_start_matches('/');
        let key = key.strip_prefix("bucket/").unwrap_or(key).to_owned();
        Some(Self { method, key, query: query.to_owned(), headers })
    }

    /// The bytes that are asked for, and the status of an answer that holds them.
    fn range(&self, length: usize) -> (&'static str, std::ops::Range<usize>) {
        let range = self.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((start, last)) = range else { return ("200 OK", 0..length) };
        let end = std::cmp::min(last.parse::<usize>().unwrap() + 1, length);
        ("206 Partial Content", start.parse().unwrap()..end)
    }
}

fn serve(
    stream: &TcpStream,
    objects: &BTreeMap<String, Vec<u8>>,
    manners: Manners,
    sent: &AtomicUsize,
    counted: &AtomicUsize,
) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(request) = Request::read(&mut reader) {
        let is_get = request.method == "GET";
        let mut plain = |status: &str, body: &str| {
            let body = if is_get { body } else { "" };
            write!(writer, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        };
        if request.query.contains("list-type=2") {
            plain("200 OK", &listing(objects, &request.query));
            continue;
        }
        let Some(object) = objects.get(&request.key) else {
            plain("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>");
            continue;
        };
        let number = if is_get { counted.fetch_add(1, Ordering::SeqCst) } else { 0 };
        let etag = format!("\"{}\"", manners.changes_at.is_some_and(|at| number >= at));
        if request.headers.get("if-match").is_some_and(|wanted| *wanted != etag) {
            plain("412 Precondition Failed", "");
            continue;
        }
        let (status, range) = request.range(object.len());
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\nETag: {etag}\r\n\
             Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nAccept-Ranges: bytes\r\n\r\n",
            range.len(),
            range.start,
            range.end - 1,
            object.len()
        );
        writer.write_all(head.as_bytes()).unwrap();
        if !is_get {
            continue;
        }
        sent.fetch_add(range.len(), Ordering::SeqCst);
        let is_cut = manners.cuts_each.is_some_and(|each| number % each == each - 1);
        let end = if is_cut { range.start + range.len() / 2 } else { range.end };
        if writer.write_all(&object[range.start..end]).is_err() || is_cut {
            return;
        }
    }
}

fn listing(objects: &BTreeMap<String, Vec<u8>>, query: &str) -> String {
    let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or("");
    let prefix = prefix.replace("%2F", "/");
    let mut body = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
    for (key, object) in objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        write!(
            body,
            "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
             <ETag>&quot;false&quot;</ETag><Size>{}</Size></Contents>",
            object.len()
        )
        .unwrap();
    }
    body + "</ListBucketResult>"
}

/// Trips in spans as Parquet, and as text of several formats.
fn place() -> Place {
    let place = Place::new();
    let taxi = ["datasets", "taxi", "--rows", "3000", "--spans", "2", "--out", "d/trips"];
    let _ = place.sluice(&taxi).exits(0);
    let mut csv = String::from("id,name,fare\n");
    let mut json = String::new();
    for row in 0..40_000_u32 {
        let noise = row.wrapping_mul(2_654_435_761) >> 16;
        writeln!(csv, "{row},\"n {}\",{}.5", noise % 7, noise % 90).unwrap();
        writeln!(json, "{{\"id\":{row},\"name\":\"n {}\",\"fare\":{}.5}}", noise % 7, noise % 90).unwrap();
    }
    let _ = place.write("d/a.csv", &csv);
    let _ = place.write("d/a.jsonl", &json);
    place
}

/// What a folder of results holds, apart from where the data came from.
fn results(place: &Place, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(&place.path(folder));
    files.remove("manifest.json");
    assert!(!files.is_empty());
    files
}

#[test]
fn statistics_of_a_url_are_those_of_the_file() {
    let place = place();
    let server = Server::of(&place, "d", Manners::default());
    let mut names: Vec<String> = files(&place.path("d")).into_keys().collect();
    names.retain(|name| name.ends_with(".parquet") || name.ends_with(".csv") || name.ends_with(".jsonl"));
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let here = format!("d/{name}");
        let _ = place.sluice(&["statistics", &here, "--out", "here"]).exits(0);
        for threads in ["1", "3"] {
            let arguments = ["statistics", &server.url(&name), "--threads", threads, "--out", "there"];
            let _ = place.sluice(&arguments).exits(0);
            assert_eq!(results(&place, "there"), results(&place, "here"), "{name}");
            fs_err::remove_dir_all(place.path("there")).unwrap();
        }
        fs_err::remove_dir_all(place.path("here")).unwrap();
    }
}

#[test]
fn shards_of_the_disk_and_of_a_bucket_are_of_one_plan() {
    let place = place();
    let mut csv = String::from("id,fare\n");
    (0..600_000_u32).for_each(|row| writeln!(csv, "{row},{}.25", row % 89).unwrap());
    let _ = place.write("d/long.csv", &csv);
    let server = Server::of(&place, "d", Manners::default());
    let _ = place.sluice(&["statistics", "d/long.csv", "--out", "whole"]).exits(0);
    for (index, location) in [("1/2", "d/long.csv"), ("2/2", "s3://bucket/long.csv")] {
        let out = format!("part-{}", &index[..1]);
        let arguments = ["statistics", location, "--shard", index, "--partial", "--out", &out];
        let _ = server.sluice(&place, &arguments).exits(0);
    }
    let _ = place.sluice(&["statistics", "merge", "part-1", "part-2", "--out", "merged"]).exits(0);
    assert_eq!(results(&place, "merged"), results(&place, "whole"));
}

#[test]
fn a_query_over_spans_and_text_of_a_bucket_gives_the_same_data_set() {
    let place = place();
    let server = Server::of(&place, "d", Manners::default());
    let ingest = |root: &str, out: &str| {
        let trips = format!("t={root}/trips/span-{{SPAN}}/*.parquet");
        let names = format!("n={root}/*.csv");
        let query = "SELECT t.trip_id, t.fare, n.name FROM t JOIN n ON t.trip_seconds = n.id";
        let arguments = [
            "ingest",
            "--input",
            &trips,
            "--input",
            &names,
            "--spans",
            "last 2",
            "--query",
            query,
            "--key",
            "trip_id",
            "--share",
            "train=0.5",
            "--share",
            "eval=0.5",
            "--out",
            out,
        ];
        let _ = server.sluice(&place, &arguments).exits(0);
        let mut files = files(&place.path(out));
        files.retain(|name, _| name.ends_with(".parquet"));
        files
    };
    assert_eq!(ingest("s3://bucket", "there"), ingest("d", "here"));
    let plain = |input: &str, out: &str| {
        let arguments = ["ingest", input, "--spans", "1..2", "--subset-column", "subset", "--out", out];
        let _ = server.sluice(&place, &arguments).exits(0);
        let mut files = files(&place.path(out));
        files.retain(|name, _| name.ends_with(".parquet"));
        files
    };
    let pattern = "trips/span-{SPAN}/*.parquet";
    assert_eq!(plain(&format!("s3://bucket/{pattern}"), "t"), plain(&format!("d/{pattern}"), "h"));
}

#[test]
fn what_changes_or_is_missing_is_told_and_what_breaks_off_is_read_again() {
    let place = place();
    let statistics = |server: &Server, location: &str| {
        let out = server.sluice(&place, &["statistics", location, "--out", "out"]);
        let _ = fs_err::remove_dir_all(place.path("out"));
        out
    };
    let names = files(&place.path("d"));
    let parquet = names.keys().find(|name| name.ends_with(".parquet")).unwrap();
    for name in ["a.csv", "a.jsonl", parquet] {
        let server = Server::of(&place, "d", Manners { changes_at: Some(1), ..Manners::default() });
        let changed = statistics(&server, &format!("s3://bucket/{name}"));
        place.assert_failure(&changed, 3, &[&format!("s3://bucket/{name}"), "changed"]);
        let server = Server::of(&place, "d", Manners { cuts_each: Some(2), ..Manners::default() });
        let _ = statistics(&server, &format!("s3://bucket/{name}")).exits(0);
    }
    let server = Server::of(&place, "d", Manners::default());
    for missing in ["s3://bucket/none.csv", "s3://bucket/none/*.csv", &server.url("none.csv")] {
        let missing = statistics(&server, missing);
        place.assert_failure(&missing, 3, &["none", "hint:"]);
    }
    let signed = statistics(&server, &format!("{}?sig=hunter2", server.url("none.csv")));
    place.assert_failure(&signed, 3, &["none.csv"]);
    assert!(!signed.stderr.contains("hunter2"), "{signed:#?}");
    let unknown = statistics(&server, "hdfs://host/x.csv");
    place.assert_failure(&unknown, 2, &["hdfs", "s3://"]);
}

#[test]
fn only_the_columns_that_are_asked_for_are_read() {
    let place = place();
    let name = files(&place.path("d")).into_keys().find(|name| name.ends_with(".parquet")).unwrap();
    let whole = fs_err::metadata(place.path(&format!("d/{name}"))).unwrap().len();
    let server = Server::of(&place, "d", Manners::default());
    let _ = place.sluice(&["statistics", &server.url(&name), "--out", "out"]).exits(0);
    let sent = server.sent.load(Ordering::SeqCst) as u64;
    assert!(sent < whole + (1 << 17), "{sent} bytes of {whole}, the footer twice");
}

#[test]
fn a_comparison_reads_the_columns_that_it_compares_only() {
    let place = place();
    let name = files(&place.path("d")).into_keys().find(|name| name.ends_with(".parquet")).unwrap();
    let drift = |more: &[&str]| {
        let server = Server::of(&place, "d", Manners::default());
        let url = server.url(&name);
        let result =
            place.sluice(&[&["drift", &url, "--against", &url, "--json"], more].concat()).exits(0).json();
        (server.sent.load(Ordering::SeqCst), result["subsets"][0]["columns"].clone())
    };
    let (all, columns) = drift(&[]);
    let (one, alone) = drift(&["--column", "fare"]);
    assert!(3 * one < 2 * all, "{one} bytes of {all}");
    let fare = columns.as_array().unwrap().iter().find(|column| column["column"] == "fare");
    let without_q = |column: &serde_json::Value| {
        let mut column = column.clone();
        // The columns that are compared are those that q corrects for.
        column["signals"].as_array_mut().unwrap().iter_mut().for_each(|signal| signal["q"] = 0.into());
        column
    };
    assert_eq!(alone.as_array().unwrap().len(), 1);
    assert_eq!(without_q(&alone[0]), without_q(fare.unwrap()));
    let names = columns.as_array().unwrap().iter().filter_map(|it| it["column"].as_str());
    let others: Vec<&str> =
        names.filter(|name| *name != "fare").flat_map(|name| ["--exclude", name]).collect();
    // What is left out is not read either, and is known all the same.
    let (left, _) = drift(&[&others[..], &["--categorical", "payment_type"]].concat());
    assert!(left <= one + 1024, "{left} bytes of {one}");
}

#[test]
fn statistics_in_a_bucket_are_statistics_whoever_wrote_them() {
    let place = place();
    for (name, text) in [("now", "d/a.csv"), ("then", "d/a.csv")] {
        let tfx = format!("d/{name}-tfx");
        let out = format!("d/{name}");
        let _ = place.sluice(&["statistics", text, "--out", &out, "--tfx-statistics", &tfx]).exits(0);
        let message = fs_err::read(place.path(&format!("d/{name}/statistics.binpb"))).unwrap();
        fs_err::write(place.path(&format!("d/{name}-bare")), message).unwrap();
    }
    // As TFX itself leaves them.
    fs_err::remove_file(place.path("d/then-tfx/manifest.json")).unwrap();
    let server = Server::of(&place, "d", Manners::default());
    let told = |now: &str, then: &str| {
        let outcome = server.sluice(&place, &["drift", now, "--against", then, "--json", "--exact"]);
        // Of statistics alone, which is how we see that they were not read as rows.
        assert!(outcome.stderr.contains("all sides are statistics"), "{now} {then}: {outcome:#?}");
        let _ = server
            .sluice(&place, &["drift", now, "--against", then])
            .exits(0)
            .says(&["40 000 rows against 40 000"]);
    };
    told("s3://bucket/now", "s3://bucket/then");
    told("s3://bucket/now/statistics.binpb", "s3://bucket/then/statistics.binpb");
    told("s3://bucket/now-tfx", "s3://bucket/then-tfx");
    told("s3://bucket/now-bare", "d/then-bare");
    told(&server.url("now/statistics.binpb"), "d/then");
    let told = server.sluice(&place, &["drift", "s3://bucket/none.binpb", "--against", "d/then"]);
    place.assert_failure(&told, 3, &["s3://bucket/none.binpb"]);
}
