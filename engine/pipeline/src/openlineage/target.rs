//! Where `OpenLineage`'s events go: a file, or a server, as the command line says, or the variables and the file of its
//! clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sluice_core::error::{Diagnostic, ErrorKind, Result};

use super::config;
use crate::run::place;

/// Where events go, and the namespace of their jobs.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenLineageTarget {
    pub(super) place: Place,
    pub(super) namespace: String,
}

/// Where events go.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// One event a line, added to the end.
    File(PathBuf),
    /// One file per event: this path, when, `.json`.
    Files(PathBuf),
    /// One event a line, to stderr: stdout holds results only.
    Console,
    /// Posted.
    Server(Server),
}

/// A server, and what it wants to see.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) url: String,
    /// Beside the type of the content; their values may be secret.
    pub(super) headers: Vec<(String, String)>,
    /// For one event, all tries together.
    pub(super) timeout: Duration,
}

impl Server {
    /// The endpoint of a server, `api/v1/lineage` unless given; the token is that of a bearer.
    pub(super) fn new(
        url: &str,
        endpoint: Option<&str>,
        token: Option<String>,
        mut headers: Vec<(String, String)>,
        timeout: Duration,
    ) -> Self {
        let endpoint = endpoint.unwrap_or(ENDPOINT).trim_start_matches('/');
        if let Some(token) = token {
            headers.insert(0, ("Authorization".into(), format!("Bearer {token}")));
        }
        Self { url: format!("{}/{endpoint}", url.trim_end_matches('/')), headers, timeout }
    }
}

/// How long one tries to deliver an event, unless the configuration says something else.
pub(super) const PER_EVENT: Duration = Duration::from_secs(5);

/// The namespace of jobs unless `OPENLINEAGE_NAMESPACE` names one.
const NAMESPACE: &str = "sluice";
/// The path on a server unless `OPENLINEAGE_ENDPOINT` names one.
const ENDPOINT: &str = "api/v1/lineage";

impl std::fmt::Debug for OpenLineageTarget {
    /// Without what may be secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("OpenLineageTarget").field(&self.place.shown()).finish()
    }
}

impl Place {
    /// For messages: without user, token or query.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Files(path) => format!("{}-*.json", path.display()),
            Self::Console => "stderr".into(),
            Self::Server(server) => place(&server.url, Path::new("")),
        }
    }
}

/// A place that events cannot go to.
#[derive(Debug, thiserror::Error)]
pub enum OpenLineageError {
    /// Neither a file nor a server.
    #[error("events of OpenLineage cannot go to `{scheme}://`")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// A key of the configuration file.
    #[error("`{key}` {problem} (`{file}`, which `OPENLINEAGE_CONFIG` names)")]
    Config {
        /// The file.
        file: String,
        /// The key, from the top.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Diagnostic for OpenLineageError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Scheme { .. } => "give a file, or the URL of a server: `http://` or `https://`".into(),
            Self::Config { .. } => {
                "correct the file, or say where events go with `--openlineage FILE|URL`, or that they go \
                                    nowhere with `OPENLINEAGE_DISABLED=true`"
                    .into()
            }
        })
    }
}

impl OpenLineageTarget {
    /// Of what was asked for on the command line, else of the file that `OPENLINEAGE_CONFIG` names, else of the variables
    /// `OPENLINEAGE_URL`, `OPENLINEAGE_ENDPOINT` and `OPENLINEAGE_API_KEY`; `of` looks up these, `OPENLINEAGE_NAMESPACE`
    /// and `OPENLINEAGE_DISABLED`. Nothing where none names a place. The order is that of the clients.
    ///
    /// # Errors
    /// [`OpenLineageError`], and what reading the file meets.
    pub fn choose(given: Option<&str>, of: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let variable = |name: &str| of(name).filter(|value| !value.trim().is_empty());
        let is_disabled =
            variable("OPENLINEAGE_DISABLED").is_some_and(|it| it.trim().eq_ignore_ascii_case("true"));
        if given.is_none() && is_disabled {
            return Ok(None);
        }
        let configured = match variable("OPENLINEAGE_CONFIG") {
            Some(path) if given.is_none() => config::place_of(&path)?,
            _ => None,
        };
        let named = given.map(str::to_owned).or_else(|| variable("OPENLINEAGE_URL"));
        let place = match (configured, named) {
            (Some(place), _) => place,
            (None, Some(text)) => parsed(&text, variable)?,
            (None, None) => return Ok(None),
        };
        let namespace = variable("OPENLINEAGE_NAMESPACE").unwrap_or_else(|| NAMESPACE.into());
        Ok(Some(Self { place, namespace }))
    }
}

/// A file, or a server with what the variables say of it.
fn parsed(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Place, OpenLineageError> {
    Ok(match text.split_once("://") {
        Some(("http" | "https", _)) => {
            let (endpoint, token) = (variable("OPENLINEAGE_ENDPOINT"), variable("OPENLINEAGE_API_KEY"));
            Place::Server(Server::new(text, endpoint.as_deref(), token, Vec::new(), PER_EVENT))
        }
        Some(("file", path)) => Place::File(path.into()),
        Some((scheme, _)) => return Err(OpenLineageError::Scheme { scheme: scheme.into() }),
        None => Place::File(text.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(given: Option<&str>, variables: &[(&str, &str)]) -> Option<OpenLineageTarget> {
        let of = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        OpenLineageTarget::choose(given, of).unwrap()
    }

    #[test]
    fn the_option_is_stronger_than_the_variables() {
        assert_eq!(choose(None, &[]), None);
        assert_eq!(choose(None, &[("OPENLINEAGE_URL", "")]), None);
        let url = ("OPENLINEAGE_URL", "http://user:secret@lineage:5000/");
        let server =
            choose(None, &[url, ("OPENLINEAGE_API_KEY", "key"), ("OPENLINEAGE_NAMESPACE", "prod")]).unwrap();
        let (address, token) = ("http://user:secret@lineage:5000", Some("key".to_owned()));
        let expected =
            Place::Server(Server::new(address, Some("api/v1/lineage"), token, Vec::new(), PER_EVENT));
        assert!(server.place == expected && server.namespace == "prod");
        let shown = format!("{server:?}");
        assert!(shown.contains("http://lineage:5000/api/v1/lineage") && !shown.contains("secret"), "{shown}");
        assert_eq!(choose(None, &[url, ("OPENLINEAGE_DISABLED", "True")]), None);
        let file = choose(Some("events.jsonl"), &[url, ("OPENLINEAGE_DISABLED", "true")]).unwrap();
        assert!(file.place == Place::File("events.jsonl".into()) && file.namespace == "sluice");
        assert!(OpenLineageTarget::choose(Some("kafka://broker"), |_| None).is_err());
    }

    #[test]
    fn the_file_is_stronger_than_the_url() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("openlineage.yml");
        fs_err::write(&path, "transport: {type: console}").unwrap();
        let config = ("OPENLINEAGE_CONFIG", path.to_str().unwrap());
        let url = ("OPENLINEAGE_URL", "http://lineage:5000");
        let of = |given, variables: &[(&str, &str)]| choose(given, variables).map(|target| target.place);
        assert!(of(None, &[config, url]) == Some(Place::Console));
        assert!(of(Some("a"), &[config]) == Some(Place::File("a".into())));
        assert!(of(None, &[config, url, ("OPENLINEAGE_DISABLED", "true")]).is_none());
        fs_err::write(&path, "facets: {}").unwrap();
        assert!(matches!(of(None, &[config, url]), Some(Place::Server(_))));
    }
}
