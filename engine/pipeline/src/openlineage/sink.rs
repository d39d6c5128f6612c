//! Where events go: to files or stderr at once, or to a server from a thread of its own, so that a slow one keeps no step
//! waiting.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use sluice_core::error::{CommonError, Error, Result};
use sluice_core::execution::Cancel;
use sluice_report::timestamp;
use sluice_storage::http::Endpoint;

use super::target::{OpenLineageTarget, PER_EVENT, Place, Server};

/// How long a run that is over waits for what is still to be delivered.
const AT_THE_END: Duration = Duration::from_secs(10);

/// The number of the signal that asks to end.
const TERMINATION: i32 = 15;

/// Takes events.
#[derive(Debug)]
pub(super) struct Sink {
    shown: String,
    way: Way,
    /// Why the first event was not delivered, and how many were not.
    lost: Lost,
}

#[derive(Debug, Default)]
struct Lost {
    count: usize,
    why: Option<String>,
}

#[derive(Debug)]
enum Way {
    File(PathBuf),
    Files(PathBuf),
    Console,
    Server(Post),
    /// No thread could be had.
    Nowhere,
}

#[derive(Debug)]
struct Post {
    events: Sender<Value>,
    done: Receiver<Lost>,
    worker: JoinHandle<()>,
    cancel: Cancel,
}

impl Lost {
    fn note(&mut self, error: &Error) {
        self.count += 1;
        if self.why.is_none() {
            let why: Vec<String> = std::iter::once(error.to_string()).chain(error.causes()).collect();
            self.why = Some(why.join(": "));
        }
    }
}

impl Sink {
    pub(super) fn new(target: &OpenLineageTarget) -> Self {
        let way = match &target.place {
            Place::File(path) => Way::File(path.clone()),
            Place::Files(path) => Way::Files(path.clone()),
            Place::Console => Way::Console,
            Place::Server(server) => Post::begin(server.clone()).map_or(Way::Nowhere, Way::Server),
        };
        Self { shown: target.place.shown(), way, lost: Lost::default() }
    }

    pub(super) fn send(&mut self, event: Value) {
        let written = match &self.way {
            Way::File(path) => append(path, &event),
            Way::Files(path) => write_alone(path, &event),
            Way::Console => {
                let line = format!("{event}\n");
                let written = std::io::stderr().lock().write_all(line.as_bytes());
                written.map_err(CommonError::on("write", "stderr")).map_err(Error::from)
            }
            Way::Server(post) => {
                // The thread takes events as long as there is a sender.
                let _ = post.events.send(event);
                Ok(())
            }
            Way::Nowhere => {
                self.lost.count += 1;
                Ok(())
            }
        };
        if let Err(error) = written {
            self.lost.note(&error);
        }
    }

    /// Waits for what is under way; what was not delivered is told in words.
    pub(super) fn close(self) -> Option<String> {
        let lost = match self.way {
            Way::Server(post) => post.end(),
            Way::File(_) | Way::Files(_) | Way::Console | Way::Nowhere => self.lost,
        };
        let why = lost.why.unwrap_or_else(|| "no thread could be started".into());
        (lost.count > 0).then(|| {
            let events = if lost.count == 1 { "event" } else { "events" };
            format!("OpenLineage: {} {events} did not reach `{}`: {why}", lost.count, self.shown)
        })
    }
}

impl Post {
    fn begin(server: Server) -> Option<Self> {
        let (events, received) = channel::<Value>();
        let (tell, done) = channel();
        let cancel = Cancel::default();
        let stop = cancel.clone();
        let work = move || {
            let mut lost = Lost::default();
            let headers = server.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let headers: Vec<_> = [("Content-Type", "application/json")].into_iter().chain(headers).collect();
            let endpoint = Endpoint::new(&server.url, &headers, server.timeout);
            for event in received {
                // After the first failure the others would only make the run wait.
                if lost.count > 0 || stop.check().is_err() {
                    lost.count += 1;
                    continue;
                }
                match &endpoint {
                    Ok(endpoint) => {
                        if let Err(error) = endpoint.post(event.to_string(), &stop) {
                            lost.note(&error);
                        }
                    }
                    Err(error) => lost.note(error),
                }
            }
            let _ = tell.send(lost);
        };
        let worker = std::thread::Builder::new().name("openlineage".into()).spawn(work).ok()?;
        Some(Self { events, done, worker, cancel })
    }

    fn end(self) -> Lost {
        let Self { events, done, worker, cancel } = self;
        drop(events);
        let mut lost = done.recv_timeout(AT_THE_END);
        if matches!(lost, Err(RecvTimeoutError::Timeout)) {
            // It stops what is under way.
            cancel.cancel(TERMINATION);
            lost = done.recv_timeout(PER_EVENT);
        }
        if lost.is_ok() {
            let _ = worker.join();
        }
        lost.unwrap_or_else(|_| Lost { count: 1, why: Some("it does not answer".into()) })
    }
}

/// Adds an event to the end of a file, as one line and in one write, so that runs may share the file.
fn append(path: &Path, event: &Value) -> Result<()> {
    make_folder(path)?;
    let mut file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(CommonError::on("open", path))?;
    file.write_all(format!("{event}\n").as_bytes()).map_err(CommonError::on("write", path))?;
    Ok(())
}

/// Writes an event to a file of its own, whose name ends as those of Python's client: `-20261122-101530.123456.json`, here
/// in UTC.
fn write_alone(path: &Path, event: &Value) -> Result<()> {
    make_folder(path)?;
    let mut moment = SystemTime::now();
    loop {
        let microsecond = moment.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_micros() % 1000;
        let stamp = timestamp(moment).replace(['-', ':', 'Z'], "").replace('T', "-");
        let mut name = path.as_os_str().to_owned();
        name.push(format!("-{stamp}{microsecond:03}.json"));
        let alone = PathBuf::from(name);
        match fs_err::OpenOptions::new().create_new(true).write(true).open(&alone) {
            Ok(mut file) => {
                let written = file.write_all(format!("{event}\n").as_bytes());
                return Ok(written.map_err(CommonError::on("write", &alone))?);
            }
            // Another event of this microsecond.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                moment += Duration::from_micros(1);
            }
            Err(error) => return Err(CommonError::file("create", &alone, error).into()),
        }
    }
}

fn make_folder(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs_err::create_dir_all(folder).map_err(CommonError::on("create", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_have_files_of_their_own() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("deep/events");
        for number in 0..20 {
            write_alone(&path, &json!({"number": number})).unwrap();
        }
        let mut names: Vec<String> = fs_err::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names.len(), 20);
        // events-20261122-101530.123456.json
        let (stamp, end) = names[0].strip_prefix("events-").unwrap().split_at(22);
        assert_eq!(end, ".json");
        let is_right = |(at, letter): (usize, char)| match at {
            8 => letter == '-',
            15 => letter == '.',
            _ => letter.is_ascii_digit(),
        };
        assert!(stamp.chars().enumerate().all(is_right), "{stamp}");
        let first = fs_err::read_to_string(path.with_file_name(&names[0])).unwrap();
        assert_eq!(first, "{\"number\":0}\n");
    }
}
