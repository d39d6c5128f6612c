//! The configuration file of `OpenLineage`'s clients, which `OPENLINEAGE_CONFIG` names. Of it `transport` is read; the other
//! sections say what clients of other programs put into events.
//!
//! Keys are those of the clients in Python and in Java. One that is not known is refused, since events that were meant to
//! be packed, or sent past a proxy, would else go another way. Messages name keys, never values: these may be secret.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use sluice_core::error::{CommonError, Result};

use super::target::{OpenLineageError, PER_EVENT, Place, Server};
use crate::spec::from_yaml;

/// Where a transport may lead, as messages name it.
const TYPES: &str = "`http`, `async_http`, `file`, `console` or `noop`";

/// Longest that one event may take, in seconds.
const MAX_TIMEOUT: f64 = 3600.0;

/// Where the file at `path` says that events go; nothing where it has no transport, as for clients.
pub(super) fn place_of(path: &str) -> Result<Option<Place>> {
    let unreadable = |error| CommonError::file("read", Path::new(path), error);
    let text = fs_err::read_to_string(path)
        .map_err(|error| sluice_core::Error::from(unreadable(error)).in_place("`OPENLINEAGE_CONFIG`"))?;
    let file: Value = from_yaml(&text, path)?;
    let Some(transport) = file.get("transport").filter(|transport| !transport.is_null()) else {
        return Ok(None);
    };
    let section = Section::of(path, "transport", transport)?;
    let kind =
        section.text(&["type"])?.ok_or_else(|| section.wrong("type", format!("is missing: {TYPES}")))?;
    Ok(match kind {
        "http" | "async_http" => Some(Place::Server(section.server()?)),
        "file" => Some(section.file()?),
        "console" => {
            section.knows(&[])?;
            Some(Place::Console)
        }
        "noop" => None,
        _ => return Err(section.wrong("type", format!("must be {TYPES}")).into()),
    })
}

/// A section of the file.
struct Section<'a> {
    path: &'a str,
    name: &'a str,
    fields: &'a Map<String, Value>,
}

impl<'a> Section<'a> {
    fn of(path: &'a str, name: &'a str, value: &'a Value) -> Result<Self, OpenLineageError> {
        let problem = || OpenLineageError::Config {
            file: path.into(),
            key: name.into(),
            problem: "must be a section with keys of its own".into(),
        };
        Ok(Self { path, name, fields: value.as_object().ok_or_else(problem)? })
    }

    fn wrong(&self, key: &str, problem: impl Into<String>) -> OpenLineageError {
        OpenLineageError::Config {
            file: self.path.into(),
            key: format!("{}.{key}", self.name),
            problem: problem.into(),
        }
    }

    /// The value of the first of these names that says something.
    fn find(&self, names: &[&'a str]) -> Option<(&'a str, &'a Value)> {
        let value = |name: &&'a str| Some((*name, self.fields.get(*name).filter(|value| !value.is_null())?));
        names.iter().find_map(value)
    }

    fn text(&self, names: &[&'a str]) -> Result<Option<&'a str>, OpenLineageError> {
        let Some((name, value)) = self.find(names) else { return Ok(None) };
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
        text.map(Some).ok_or_else(|| self.wrong(name, "must be a text"))
    }

    fn needed(&self, names: &[&'a str]) -> Result<&'a str, OpenLineageError> {
        let name = names.first().copied().unwrap_or_default();
        self.text(names)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    /// Refuses what is said beside `names`.
    fn knows(&self, names: &[&str]) -> Result<(), OpenLineageError> {
        let is_known = |name: &str| ["type", "name", "priority"].contains(&name) || names.contains(&name);
        match self.fields.iter().find(|(name, value)| !is_known(name) && !value.is_null()) {
            Some((name, _)) => {
                Err(self.wrong(name, "is not known here, and would change how events are sent"))
            }
            None => Ok(()),
        }
    }

    fn server(&self) -> Result<Server, OpenLineageError> {
        const HEADERS: [&str; 2] = ["custom_headers", "headers"];
        const TIMEOUTS: [&str; 2] = ["timeout", "timeoutInMillis"];
        self.knows(&[&["url", "endpoint", "auth"][..], &HEADERS, &TIMEOUTS].concat())?;
        let url = self.needed(&["url"])?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(self.wrong("url", "must begin with `http://` or `https://`"));
        }
        let mut headers = Vec::new();
        if let Some((name, given)) = self.find(&HEADERS) {
            let given = given.as_object().ok_or_else(|| self.wrong(name, "must be names with values"))?;
            for (header, value) in given {
                let value = value.as_str().ok_or_else(|| {
                    self.wrong(&format!("{name}.{header}"), "must be a text; put it between quotes")
                })?;
                headers.push((header.clone(), value.to_owned()));
            }
        }
        let timeout = match self.find(&TIMEOUTS) {
            None => PER_EVENT,
            Some((name, value)) => {
                let unit = if name == "timeout" { 1.0 } else { 1e-3 };
                let seconds = value.as_f64().map(|value| value * unit);
                let seconds = seconds.filter(|seconds| (1e-3..=MAX_TIMEOUT).contains(seconds));
                let range = || self.wrong(name, "must be a number above 0, an hour at most");
                Duration::from_secs_f64(seconds.ok_or_else(range)?)
            }
        };
        let token = self.token()?;
        Ok(Server::new(url, self.text(&["endpoint"])?, token, headers, timeout))
    }

    /// The key that the server wants to see.
    fn token(&self) -> Result<Option<String>, OpenLineageError> {
        let Some((_, auth)) = self.find(&["auth"]) else { return Ok(None) };
        let auth = Section::of(self.path, "transport.auth", auth)?;
        // What clients send nothing for.
        if auth.fields.is_empty() {
            return Ok(None);
        }
        const KEYS: [&str; 3] = ["apiKey", "api_key", "apikey"];
        match auth.needed(&["type"])? {
            "api_key" => {
                auth.knows(&KEYS)?;
                Ok(Some(auth.needed(&KEYS)?.to_owned()))
            }
            _ => Err(auth.wrong("type", "must be `api_key`")),
        }
    }

    fn file(&self) -> Result<Place, OpenLineageError> {
        self.knows(&["log_file_path", "location", "append"])?;
        let path = self.needed(&["log_file_path", "location"])?;
        let path = match path.split_once("://") {
            None => path,
            Some(("file", path)) => path.strip_prefix("localhost").unwrap_or(path),
            Some(_) => return Err(self.wrong("log_file_path", "must be a path of this machine")),
        };
        // Java's client knows no other way than to append.
        let appends = match self.find(&["append"]) {
            None => self.fields.contains_key("location"),
            Some((name, value)) => {
                value.as_bool().ok_or_else(|| self.wrong(name, "must be `true` or `false`"))?
            }
        };
        Ok(if appends { Place::File(path.into()) } else { Place::Files(path.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<Option<Place>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("openlineage.yml");
        fs_err::write(&path, text).unwrap();
        place_of(path.to_str().unwrap())
    }

    #[test]
    fn transports_are_those_of_the_clients() {
        let server = |url: &str, token: Option<&str>| {
            Server::new(url, None, token.map(str::to_owned), Vec::new(), PER_EVENT)
        };
        for (text, expected) in [
            ("transport: {type: console}", Some(Place::Console)),
            ("transport: {type: noop}", None),
            ("facets: {spark: {}}", None),
            ("transport:\n  type: file\n  log_file_path: a/b\n", Some(Place::Files("a/b".into()))),
            ("transport: {type: file, log_file_path: a, append: true}", Some(Place::File("a".into()))),
            ("transport: {type: file, location: /a}", Some(Place::File("/a".into()))),
            ("transport: {type: http, url: 'http://h:1/'}", Some(Place::Server(server("http://h:1", None)))),
            (
                "transport:\n  type: http\n  url: https://h\n  auth:\n    type: api_key\n    apiKey: k\n",
                Some(Place::Server(server("https://h", Some("k")))),
            ),
        ] {
            assert!(place(text).unwrap() == expected, "{text}");
        }
        let text = "transport: {type: http, url: 'http://h', endpoint: /x, timeout: 2.5, custom_headers: {A: b}, \
                    auth: {type: api_key, api_key: k}, retry: null}";
        let Some(Place::Server(server)) = place(text).unwrap() else { panic!("no server") };
        assert_eq!((server.url.as_str(), server.timeout), ("http://h/x", Duration::from_millis(2500)));
        let headers = [("Authorization", "Bearer k"), ("A", "b")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(server.headers, headers);
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_shown() {
        for (text, expected) in [
            ("transport: secret", "`transport` must be a section"),
            ("transport: {url: secret}", "`transport.type` is missing"),
            ("transport: {type: secret}", "`transport.type` must be `http`"),
            ("transport: {type: http}", "`transport.url` is missing"),
            ("transport: {type: http, url: secret}", "`transport.url` must begin with `http://`"),
            ("transport: {type: http, url: 'http://h', auth: secret}", "`transport.auth` must be a section"),
            ("transport: {type: http, url: 'http://h', auth: {type: jwt}}", "`transport.auth.type` must be"),
            (
                "transport: {type: http, url: 'http://h', auth: {type: api_key}}",
                "`transport.auth.apiKey` is missing",
            ),
            ("transport: {type: http, url: 'http://h', timeout: 0}", "`transport.timeout` must be a number"),
            (
                "transport: {type: http, url: 'http://h', compression: gzip}",
                "`transport.compression` is not known",
            ),
            ("transport: {type: file}", "`transport.log_file_path` is missing"),
            ("transport: {type: file, log_file_path: 's3://secret'}", "must be a path of this machine"),
            (
                "transport: {type: file, log_file_path: a, append: secret}",
                "`transport.append` must be `true`",
            ),
            ("a: [secret", "openlineage.yml"),
        ] {
            let error = place(text).err().unwrap();
            let shown = format!("{error:?}");
            assert!(shown.contains(expected) && !shown.contains("secret"), "{text}: {shown}");
            assert_eq!(error.kind(), sluice_core::error::ErrorKind::Usage, "{text}");
        }
        let absent = place_of("/nowhere/openlineage.yml").err().unwrap();
        assert!(format!("{absent:?}").contains("`OPENLINEAGE_CONFIG`"), "{absent:?}");
    }
}
