//! URLs as arguments: what a command reads is fetched before it runs, what it writes is sent when it has run.
//!
//! Commands know paths only. [`places`] says which arguments are places and what is done with a URL there; messages and
//! results show the URL ([`crate::shown`]). Rows of files and registries are used where they are.

mod area;
mod pipeline;
mod places;
mod words;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};
use sluice_core::artifact::{MANIFEST_FILE, Manifest};
use sluice_core::error::{CommonError, ErrorKind, Result};
use sluice_pipeline::step::statistics::{
    STATISTICS_HEAD_BYTES, STATISTICS_KIND, holds_statistics, statistics_by_content, statistics_by_name,
};
use sluice_storage::folder::{self, Found};
use sluice_storage::{Failure, Location, Operation, StorageError, Store};

pub(crate) use pipeline::{Fetching, fetch_files, read_pipeline};

use crate::answer::Answer;
use crate::arguments::Arguments;
use crate::failure::ArgumentError;
use crate::printer;
use crate::session::Session;
use area::Area;
use places::{BESIDE, Place};

/// Runs a command with paths in place of URLs.
pub(crate) fn run(
    words: &[OsString],
    arguments: &Arguments,
    session: &Session,
    work: impl FnOnce(&Arguments) -> Result<Answer>,
) -> Result<Answer> {
    let _area = Area::open(&session.execution.cancel);
    if !words.iter().any(|word| word.to_string_lossy().contains("://")) {
        return work(arguments);
    }
    let mut command = Arguments::command();
    command.build();
    debug_assert_eq!(places::problems(&command), Vec::<String>::new(), "the table of places");
    let internal = |error: clap::Error| CommonError::Internal(error.to_string());
    let matches = command.clone().try_get_matches_from(words).map_err(internal)?;
    let mut staging = Staging { session, outputs: Vec::new() };
    let mut replace =
        |path: &str, argument: &Arg, value: &OsStr| staging.staged((path, &matches), argument, value);
    let staged = words::said_again(&command, &matches, &mut replace)?;
    let matches = command.try_get_matches_from(staged).map_err(internal)?;
    let arguments = Arguments::from_arg_matches(&matches).map_err(internal)?;
    if !staging.outputs.is_empty() {
        printer::hold_results();
    }
    staging.end(work(&arguments))
}

/// Where a command's outputs go.
struct Staging<'a> {
    session: &'a Session,
    outputs: Vec<Output>,
}

struct Output {
    path: PathBuf,
    location: Location,
    store: Store,
    /// What of it was fetched.
    fetched: BTreeSet<String>,
}

impl Staging<'_> {
    /// The value that the command is given.
    fn staged(
        &mut self,
        (command, matches): (&str, &ArgMatches),
        argument: &Arg,
        value: &OsStr,
    ) -> Result<OsString> {
        let id = argument.get_id().as_str();
        let (Some(place), Some(text)) = (places::place(command, id), value.to_str()) else {
            return Ok(value.to_owned());
        };
        if place == Place::NamedInput {
            return self.named_input(text);
        }
        if text.starts_with("file://") && place != Place::NamedData {
            return Ok(Location::parse(text)?.as_local().map_or_else(|| value.to_owned(), OsString::from));
        }
        if !Location::is_remote(text) || matches!(place, Place::NamedData | Place::Pipeline | Place::Registry)
        {
            return Ok(value.to_owned());
        }
        let location = Location::parse(text)?;
        let path = match place {
            Place::NamedInput | Place::Input => Some(self.fetched(&location)?.0),
            Place::Output => {
                stays_local(command, id, matches, &location)?;
                Some(self.output(location, BTreeSet::new())?)
            }
            Place::Both => Some(self.both(location)?),
            Place::Data => self.data_set(&location)?,
            Place::Local => return Err(must_be_local(command, argument, &location)),
            Place::NamedData | Place::Pipeline | Place::Registry => None,
        };
        Ok(path.map_or_else(|| value.to_owned(), PathBuf::into_os_string))
    }

    /// `NAME=URL` with the path of a copy in place of the URL.
    fn named_input(&self, text: &str) -> Result<OsString> {
        let Some((name, place)) = text.split_once('=') else { return Ok(text.into()) };
        let path = if place.starts_with("file://") {
            Location::parse(place)?.as_local().map(PathBuf::from)
        } else if Location::is_remote(place) {
            Some(self.fetched(&Location::parse(place)?)?.0)
        } else {
            None
        };
        let Some(path) = path else { return Ok(text.into()) };
        let mut value = OsString::from(format!("{name}="));
        value.push(path);
        Ok(value)
    }

    fn fetched(&self, location: &Location) -> Result<(PathBuf, Found)> {
        let progress = &self.session.execution.progress;
        progress.begin(&format!("fetching {location}"), sluice_core::execution::Extent::default());
        let fetched = area::fetch(location);
        progress.end();
        fetched
    }

    /// A path for what will be sent to `location`; that nothing can be written there should not be found out at the end.
    fn output(&mut self, location: Location, fetched: BTreeSet<String>) -> Result<PathBuf> {
        let store = area::store(&location)?;
        if !store.is_bucket() {
            return Err(StorageError::Failed {
                operation: Operation::Write,
                object: location.to_string(),
                service: sluice_storage::Service::Web,
                failure: Failure::Unsupported,
                cause: None,
            }
            .into());
        }
        match store.read_all(&manifest_key(&location)) {
            Err(error) if !folder::is_nothing(&error) => return Err(error),
            _ => {}
        }
        let path = area::path_for(&location)?;
        self.outputs.push(Output { path: path.clone(), location, store, fetched });
        Ok(path)
    }

    /// Fetches what is there, and sends what will be there.
    fn both(&mut self, location: Location) -> Result<PathBuf> {
        let path = self.output(location.clone(), BTreeSet::new())?;
        let Some(output) = self.outputs.last_mut() else { return Ok(path) };
        match folder::fetch(&output.store, location.key(), &path) {
            Ok(Found::Folder(names)) => output.fetched = names,
            Ok(Found::File | Found::Artifact) => {}
            Err(error) if StorageError::is(&error, &Failure::NotFound) => {}
            Err(error) => return Err(error),
        }
        Ok(path)
    }

    /// A copy of a data set that `ingest` wrote, or of statistics, whoever wrote them; files are read where they are.
    fn data_set(&self, location: &Location) -> Result<Option<PathBuf>> {
        let store = match by_name(location) {
            ByName::Rows => return Ok(None),
            ByName::Statistics => return Ok(Some(self.fetched(location)?.0)),
            ByName::Unknown => area::store(location)?,
        };
        let is_wanted = match store.read_all(&manifest_key(location)) {
            Ok((bytes, _)) => {
                let is_ours = |manifest: Manifest| {
                    [sluice_ingest::DATASET_KIND, STATISTICS_KIND].contains(&manifest.kind.as_str())
                };
                serde_json::from_slice(&bytes).is_ok_and(is_ours)
                    || holds_others_statistics(&store, location)?
            }
            Err(error) if folder::is_nothing(&error) => {
                begins_as_statistics(&store, location)? || holds_others_statistics(&store, location)?
            }
            Err(error) => return Err(error),
        };
        if is_wanted { Ok(Some(self.fetched(location)?.0)) } else { Ok(None) }
    }

    /// Sends what was written: all of it is complete, also where the command then failed, unless it was stopped.
    fn end(self, answer: Result<Answer>) -> Result<Answer> {
        if let Err(error) = &answer
            && matches!(error.kind(), ErrorKind::Interrupted(_) | ErrorKind::Internal)
        {
            return answer;
        }
        let sent = self.outputs.iter().try_for_each(|output| self.send(output));
        printer::release_results(sent.is_ok());
        // The first error is the one to report.
        answer.and_then(|answer| sent.map(|()| answer))
    }

    fn send(&self, output: &Output) -> Result<()> {
        let Output { path, location, store, fetched } = output;
        let progress = &self.session.execution.progress;
        progress.begin(&format!("sending {location}"), sluice_core::execution::Extent::default());
        let sent = match () {
            () if path.is_dir() => folder::publish(store, location.key(), path, fetched),
            () if path.is_file() => store.upload(location.key(), path),
            () => Ok(()),
        };
        progress.end();
        sent
    }
}

/// What the name of a place tells of what lies there.
enum ByName {
    Rows,
    Statistics,
    Unknown,
}

fn by_name(location: &Location) -> ByName {
    if location.key().contains(['*', '?', '[', '{']) {
        return ByName::Rows;
    }
    match statistics_by_name(location.name()) {
        Some(true) => ByName::Statistics,
        Some(false) => ByName::Rows,
        None => ByName::Unknown,
    }
}

/// Whether an object is statistics by its first bytes.
fn begins_as_statistics(store: &Store, location: &Location) -> Result<bool> {
    // Web servers answer anything, and of other names with a page.
    if location.key().is_empty() || (!store.is_bucket() && !location.name().contains('.')) {
        return Ok(false);
    }
    let found = match store.find(location.key()) {
        Err(error) if folder::is_nothing(&error) => None,
        found => found?,
    };
    let Some(found) = found.filter(|found| found.size_bytes > 0) else { return Ok(false) };
    let end = std::cmp::min(found.size_bytes, STATISTICS_HEAD_BYTES);
    Ok(statistics_by_content(location.name(), &store.read(location.key(), 0..end, None)?))
}

/// Whether a folder of a bucket holds statistics as TFX lays them out.
fn holds_others_statistics(store: &Store, location: &Location) -> Result<bool> {
    // A name with an ending is an object's: nothing is below it.
    if !store.is_bucket() || location.name().contains('.') {
        return Ok(false);
    }
    let key = location.key();
    let listed = match store.list(key) {
        Err(error) if folder::is_nothing(&error) => return Ok(false),
        listed => listed?,
    };
    let below = |meta: &str| meta.strip_prefix(key).unwrap_or(meta).trim_start_matches('/').to_owned();
    let names: Vec<String> = listed.iter().map(|meta| below(&meta.key)).collect();
    Ok(holds_statistics(names.iter().map(String::as_str)))
}

fn manifest_key(location: &Location) -> String {
    location.join(MANIFEST_FILE).key().to_owned()
}

fn must_be_local(command: &str, argument: &Arg, location: &Location) -> sluice_core::Error {
    let option =
        argument.get_long().map_or_else(|| argument.get_id().to_string(), |long| format!("--{long}"));
    let message =
        format!("`{option}` of `sluice {command}` must be a folder of this machine, but is `{location}`");
    let hint = "steps are linked and taken up again there; name a folder, and put the registry into the bucket \
                (`push: {registry: …}` in the pipeline file)";
    ArgumentError::new(message, hint).into()
}

/// Refuses a URL where files beside the place should outlive the command.
fn stays_local(command: &str, id: &str, matches: &ArgMatches, location: &Location) -> Result<()> {
    let mut inner = matches;
    while let Some((_, deeper)) = inner.subcommand() {
        inner = deeper;
    }
    let flag = BESIDE.iter().find(|(owner, output, _)| *owner == command && *output == id);
    match flag {
        Some((_, _, flag)) if inner.get_flag(flag) => {
            let message =
                format!("`--{flag}` keeps files beside `--{id}`, which cannot be `{location}` then");
            Err(ArgumentError::new(
                message,
                format!("give a folder of this machine, or leave `--{flag}` out"),
            )
            .into())
        }
        _ => Ok(()),
    }
}
