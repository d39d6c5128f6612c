//! Stores in memory, and a web server on loopback that misbehaves as told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sluice_core::error::{Error, ErrorKind};
use sluice_core::execution::Cancel;

use crate::http::Endpoint;
use crate::{Creation, Failure, Location, Replacement, StorageError, Store};

/// What is known of a request.
struct Request {
    line: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn range(&self) -> Option<(usize, usize)> {
        let (start, end) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((start.parse().ok()?, end.parse::<usize>().ok()? + 1))
    }
}

/// Reads one request with its body; nothing at the end of the connection.
fn request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((key, value)) = header.trim().split_once(':') else { break };
        headers.push((key.to_owned(), value.trim().to_owned()));
    }
    let request = Request { line, headers };
    let length: usize = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    std::io::Read::read_exact(reader, &mut body).ok()?;
    Some(request)
}

/// A server; `answer` gets the number of the request and writes what it likes. `false` closes the connection.
fn server(
    answer: impl Fn(usize, &Request, &mut TcpStream) -> bool + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let (counted, answer) = (Arc::clone(&count), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (counted, answer) = (Arc::clone(&counted), Arc::clone(&answer));
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while let Some(request) = request(&mut reader) {
                    if !answer(counted.fetch_add(1, Ordering::SeqCst), &request, &mut stream) {
                        return;
                    }
                }
            });
        }
    });
    (format!("http://{address}"), count)
}

/// Serves `content` as a well-behaved server does; at most `cut` bytes of each body if there is a limit.
fn serve(
    request: &Request,
    stream: &mut TcpStream,
    content: &[u8],
    etag: Option<&str>,
    cut: Option<usize>,
) -> bool {
    let (status, start, end) = match request.range() {
        Some((start, end)) => ("206 Partial Content", start, end.min(content.len())),
        None => ("200 OK", 0, content.len()),
    };
    let mut head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLast-Modified: Sun, 22 Nov 2026 07:00:00 GMT\r\n",
        end - start
    );
    if let Some(etag) = etag {
        head += &format!("ETag: {etag}\r\n");
    }
    if status.starts_with("206") {
        head += &format!("Content-Range: bytes {start}-{}/{}\r\n", end - 1, content.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    if request.line.starts_with("HEAD") {
        return true;
    }
    let body = &content[start..end];
    let sent = cut.map_or(body.len(), |cut| cut.min(body.len()));
    stream.write_all(&body[..sent]).unwrap();
    sent == body.len()
}

fn status(stream: &mut TcpStream, line: &str, body: &str) -> bool {
    let text = format!("HTTP/1.1 {line}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).unwrap();
    true
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

fn open(root: &str, key: &str) -> Store {
    Store::open(&Location::parse(&format!("{root}/{key}")).unwrap()).unwrap()
}

fn failure(error: &Error) -> Failure {
    error.downcast_ref::<StorageError>().and_then(StorageError::failure).unwrap().clone()
}

#[test]
fn objects_are_written_listed_read_and_deleted() {
    let store = Store::in_memory();
    for key in ["b/2", "a", "b/10", "bb/1"] {
        store.write(key, Bytes::from(key.to_owned())).unwrap();
    }
    let listed: Vec<String> = store.list("b").unwrap().into_iter().map(|meta| meta.key).collect();
    assert_eq!(listed, ["b/10", "b/2"]);
    assert_eq!(store.list("").unwrap().len(), 4);
    assert_eq!(store.read("b/10", 2..4, None).unwrap(), "10");
    assert_eq!(store.head("b/10").unwrap().size_bytes, 4);
    store.delete("b/10").unwrap();
    store.delete("b/10").unwrap();
    assert_eq!(store.find("b/10").unwrap(), None);
    let error = store.head("b/10").unwrap_err();
    assert_eq!((failure(&error), error.kind()), (Failure::NotFound, ErrorKind::Unavailable));
}

#[test]
fn a_changed_object_is_not_read() {
    let store = Store::in_memory();
    store.write("k", Bytes::from_static(b"first")).unwrap();
    let etag = store.head("k").unwrap().etag;
    assert_eq!(store.read("k", 1..3, etag.as_deref()).unwrap(), "ir");
    store.write("k", Bytes::from_static(b"other")).unwrap();
    let error = store.read("k", 1..3, etag.as_deref()).unwrap_err();
    assert_eq!(failure(&error), Failure::Changed);
}

#[test]
fn a_range_past_the_end_is_an_error() {
    let store = Store::in_memory();
    store.write("k", Bytes::from_static(b"short")).unwrap();
    assert_eq!(failure(&store.read("k", 2..10, None).unwrap_err()), Failure::Truncated);
}

#[test]
fn of_two_writers_one_wins() {
    let store = Store::in_memory();
    let Creation::Created { etag } = store.create("k", Bytes::from_static(b"one")).unwrap() else { panic!() };
    assert_eq!(store.create("k", Bytes::from_static(b"two")).unwrap(), Creation::Exists);
    assert_eq!(store.create("k", Bytes::from_static(b"one")).unwrap(), Creation::Exists);
    let etag = etag.unwrap();
    let replaced = store.replace("k", Bytes::from_static(b"three"), &etag).unwrap();
    assert!(matches!(replaced, Replacement::Replaced { .. }));
    assert_eq!(store.replace("k", Bytes::from_static(b"four"), &etag).unwrap(), Replacement::Changed);
    assert_eq!(store.read_all("k").unwrap().0, "three");
}

#[test]
fn files_go_up_in_parts_and_come_down_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_memory();
    for length in [0, 5, 20 * 1024 * 1024 + 7] {
        let (up, down) = (folder.path().join("up"), folder.path().join("down"));
        let content = content(length);
        fs_err::write(&up, &content).unwrap();
        store.upload("k", &up).unwrap();
        store.download("k", &down).unwrap();
        assert!(fs_err::read(&down).unwrap() == content, "{length}");
    }
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn a_web_server_is_read_in_ranges() {
    let (root, _) = server(|_, request, stream| serve(request, stream, &content(1000), Some("\"x\""), None));
    let store = open(&root, "a.bin");
    assert_eq!(store.head("a.bin").unwrap().size_bytes, 1000);
    let parts = store.read_many("a.bin", &[990..1000, 0..10], Some("\"x\"")).unwrap();
    assert_eq!(parts, vec![Bytes::from(content(1000)[990..].to_vec()), Bytes::from(content(10))]);
    assert_eq!(failure(&store.read("a.bin", 0..10, Some("\"y\"")).unwrap_err()), Failure::Changed);
    for error in [store.write("a", Bytes::new()).unwrap_err(), store.list("").unwrap_err()] {
        assert_eq!((failure(&error), error.kind()), (Failure::Unsupported, ErrorKind::Usage));
    }
}

#[test]
fn a_query_is_sent_and_not_shown() {
    let seen = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&seen);
    let (root, _) = server(move |_, request, stream| {
        *noted.lock().unwrap() = request.line.clone();
        status(stream, "403 Forbidden", "no")
    });
    let location = Location::parse(&format!("{root}/a%20b?sig=hunter2")).unwrap();
    let error = Store::open(&location).unwrap().head(location.key()).unwrap_err();
    assert!(seen.lock().unwrap().contains("/a%20b?sig=hunter2"), "{seen:?}");
    assert_eq!(failure(&error), Failure::Permission);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn a_body_that_breaks_off_is_continued() {
    for etag in [Some("\"x\""), None] {
        let (root, count) = server(move |number, request, stream| {
            serve(request, stream, &content(1000), etag, (number < 2).then_some(300))
        });
        let read = open(&root, "k").read("k", 100..900, etag).unwrap();
        assert_eq!(read, content(1000)[100..900]);
        assert!(count.load(Ordering::SeqCst) >= 3);
    }
}

#[test]
fn a_failing_server_is_asked_again() {
    let (root, count) = server(|number, request, stream| match number {
        0 => status(stream, "500 Internal Server Error", ""),
        1 => status(stream, "429 Too Many Requests", ""),
        2 => status(stream, "503 Service Unavailable", ""),
        _ => serve(request, stream, &content(10), None, None),
    });
    assert_eq!(open(&root, "k").read("k", 0..10, None).unwrap(), content(10));
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[test]
fn a_server_without_ranges_is_told_and_downloaded_whole() {
    let (root, _) = server(|_, request, stream| {
        let whole = Request { line: request.line.clone(), headers: Vec::new() };
        serve(&whole, stream, &content(1000), None, None)
    });
    let store = open(&root, "k");
    assert_eq!(failure(&store.read("k", 0..10, None).unwrap_err()), Failure::RangesUnsupported);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    store.download("k", &path).unwrap();
    assert_eq!(fs_err::read(path).unwrap(), content(1000));
}

#[test]
fn a_missing_file_and_a_dead_server_differ() {
    let (root, count) = server(|_, _, stream| status(stream, "404 Not Found", ""));
    assert_eq!(failure(&open(&root, "k").read("k", 0..1, None).unwrap_err()), Failure::NotFound);
    assert_eq!(count.load(Ordering::SeqCst), 1, "asked once");
}

#[test]
fn waiting_ends_when_it_is_cancelled() {
    let (root, _) = server(|_, _, _| {
        std::thread::sleep(Duration::from_secs(20));
        false
    });
    let cancel = Cancel::default();
    let store = open(&root, "k").cancelled_by(&cancel);
    let later = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        later.cancel(15);
    });
    let began = Instant::now();
    let error = store.read("k", 0..1, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted(15));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_message_is_sent_again_until_it_is_taken() {
    let (root, count) = server(|number, request, stream| {
        assert_eq!(request.header("authorization"), Some("Bearer t"));
        match number {
            0 => status(stream, "503 Service Unavailable", ""),
            1 => false,
            _ => status(stream, "201 Created", ""),
        }
    });
    let headers = [("Authorization", "Bearer t")];
    let (url, cancel) = (format!("{root}/api?key=hunter2"), Cancel::default());
    Endpoint::new(&url, &headers, Duration::from_secs(10)).unwrap().post("{}", &cancel).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let (root, _) = server(|_, _, stream| status(stream, "400 Bad Request", ""));
    let url = format!("{root}/api?key=hunter2");
    let endpoint = Endpoint::new(&url, &[], Duration::from_secs(2)).unwrap();
    assert!(!format!("{endpoint:?}").contains("hunter2"));
    let error = endpoint.post("{}", &cancel).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
