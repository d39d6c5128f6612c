//! Where events go: to the end of a file at once, or to a server from a thread of its own, so that a slow one keeps no
//! step waiting.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use sluice_core::error::{CommonError, Error, Result};
use sluice_core::execution::Cancel;
use sluice_storage::http;

use super::target::{OpenLineageTarget, Place};

/// How long one tries to deliver an event.
const PER_EVENT: Duration = Duration::from_secs(5);
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
            Place::Server { url, token } => {
                Post::begin(url.clone(), token.clone()).map_or(Way::Nowhere, Way::Server)
            }
        };
        Self { shown: target.place.shown(), way, lost: Lost::default() }
    }

    pub(super) fn send(&mut self, event: Value) {
        match &self.way {
            Way::File(path) => {
                if let Err(error) = append(path, &event) {
                    self.lost.note(&error);
                }
            }
            // The thread takes events as long as there is a sender.
            Way::Server(post) => {
                let _ = post.events.send(event);
            }
            Way::Nowhere => self.lost.count += 1,
        }
    }

    /// Waits for what is under way; what was not delivered is told in words.
    pub(super) fn close(self) -> Option<String> {
        let lost = match self.way {
            Way::Server(post) => post.end(),
            Way::File(_) | Way::Nowhere => self.lost,
        };
        let why = lost.why.unwrap_or_else(|| "no thread could be started".into());
        (lost.count > 0).then(|| {
            let events = if lost.count == 1 { "event" } else { "events" };
            format!("OpenLineage: {} {events} did not reach `{}`: {why}", lost.count, self.shown)
        })
    }
}

impl Post {
    fn begin(url: String, token: Option<String>) -> Option<Self> {
        let (events, received) = channel::<Value>();
        let (tell, done) = channel();
        let cancel = Cancel::default();
        let stop = cancel.clone();
        let work = move || {
            let mut lost = Lost::default();
            for event in received {
                // After the first failure the others would only make the run wait.
                if lost.count > 0 || stop.check().is_err() {
                    lost.count += 1;
                    continue;
                }
                if let Err(error) = deliver(&url, token.as_deref(), &event, &stop) {
                    lost.note(&error);
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

fn deliver(url: &str, token: Option<&str>, event: &Value, cancel: &Cancel) -> Result<()> {
    let authorization = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(authorization.as_deref().map(|value| ("Authorization", value)));
    http::post(url, &headers, event.to_string(), PER_EVENT, cancel)
}

/// Adds an event to the end of a file, as one line and in one write, so that runs may share the file.
fn append(path: &Path, event: &Value) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs_err::create_dir_all(folder).map_err(CommonError::on("create", folder))?;
    }
    let mut file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(CommonError::on("open", path))?;
    file.write_all(format!("{event}\n").as_bytes()).map_err(CommonError::on("write", path))?;
    Ok(())
}
