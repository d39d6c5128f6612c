//! Where `OpenLineage`'s events go: a file, or a server, as the command line or the variables of its clients say.

use std::path::{Path, PathBuf};

use sluice_core::error::{Diagnostic, ErrorKind};

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
    /// Posted, with a token if there is one.
    Server { url: String, token: Option<String> },
}

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
            Self::Server { url, .. } => place(url, Path::new("")),
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
}

impl Diagnostic for OpenLineageError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("give a file, or the URL of a server: `http://` or `https://`".into())
    }
}

impl OpenLineageTarget {
    /// Of what was asked for on the command line, else of the variables `OPENLINEAGE_URL`, `OPENLINEAGE_ENDPOINT`,
    /// `OPENLINEAGE_API_KEY`, `OPENLINEAGE_NAMESPACE` and `OPENLINEAGE_DISABLED` that `of` looks up. Nothing where neither
    /// names a place.
    ///
    /// # Errors
    /// [`OpenLineageError::Scheme`].
    pub fn choose(
        given: Option<&str>,
        of: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, OpenLineageError> {
        let variable = |name: &str| of(name).filter(|value| !value.trim().is_empty());
        let is_disabled =
            variable("OPENLINEAGE_DISABLED").is_some_and(|it| it.trim().eq_ignore_ascii_case("true"));
        let place = match given {
            Some(given) => given.to_owned(),
            None if is_disabled => return Ok(None),
            None => match variable("OPENLINEAGE_URL") {
                Some(url) => url,
                None => return Ok(None),
            },
        };
        let namespace = variable("OPENLINEAGE_NAMESPACE").unwrap_or_else(|| NAMESPACE.into());
        let place = match place.split_once("://") {
            Some(("http" | "https", _)) => {
                let endpoint = variable("OPENLINEAGE_ENDPOINT").unwrap_or_else(|| ENDPOINT.into());
                let url = format!("{}/{}", place.trim_end_matches('/'), endpoint.trim_start_matches('/'));
                Place::Server { url, token: variable("OPENLINEAGE_API_KEY") }
            }
            Some(("file", path)) => Place::File(path.into()),
            Some((scheme, _)) => return Err(OpenLineageError::Scheme { scheme: scheme.into() }),
            None => Place::File(place.into()),
        };
        Ok(Some(Self { place, namespace }))
    }
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
        let expected = Place::Server {
            url: "http://user:secret@lineage:5000/api/v1/lineage".into(),
            token: Some("key".into()),
        };
        assert!(server.place == expected && server.namespace == "prod");
        let shown = format!("{server:?}");
        assert!(shown.contains("http://lineage:5000/api/v1/lineage") && !shown.contains("secret"), "{shown}");
        assert_eq!(choose(None, &[url, ("OPENLINEAGE_DISABLED", "True")]), None);
        let file = choose(Some("events.jsonl"), &[url, ("OPENLINEAGE_DISABLED", "true")]).unwrap();
        assert!(file.place == Place::File("events.jsonl".into()) && file.namespace == "sluice");
        assert!(OpenLineageTarget::choose(Some("kafka://broker"), |_| None).is_err());
    }
}
