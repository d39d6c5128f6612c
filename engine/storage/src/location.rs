//! What the user wrote where a file, a folder or an artifact is asked for: a path, or a URL.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Service, StorageError};

/// The schemes there are, as messages name them.
pub(crate) const SCHEMES: &str = "`s3://`, `gs://`, `az://`, `http://`, `https://`";

/// A place on this machine or elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A path of this machine.
    Local(PathBuf),
    /// An object, or the beginning of the names of several.
    Remote(Remote),
}

/// A place in a bucket or on a web server. Shown without what grants access: neither user and password nor query.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    service: Service,
    /// As shown, such as `s3://bucket`.
    shown: String,
    /// The bucket or container; of a web server its root as a URL with everything that grants access.
    root: String,
    /// Of Azure, where the URL names it.
    account: Option<String>,
    key: String,
    query: Option<String>,
}

impl Location {
    /// Reads a path or a URL. A bucket's key is taken as it stands, a web address is a URL (`%20` is a blank).
    ///
    /// # Errors
    /// Fails where the scheme is not known, where bucket or account are missing, and where a name cannot be one.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        let Some((scheme, rest)) = split_scheme(text) else { return Ok(Self::Local(PathBuf::from(text))) };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => Ok(Self::Local(PathBuf::from(rest.strip_prefix("localhost").unwrap_or(rest)))),
            "s3" | "s3a" => bucket(Service::S3, "s3", text, rest),
            "gs" => bucket(Service::Google, "gs", text, rest),
            "az" | "azure" | "abfs" | "abfss" | "adl" => azure(text, rest),
            "http" | "https" => web(text),
            _ => Err(StorageError::UnknownScheme { scheme: scheme.to_owned() }),
        }
        .map_err(|error| error.about(text))
    }

    /// Whether a text is a URL of another machine (or of a scheme that is not known, which [`Location::parse`] says).
    #[must_use]
    pub fn is_remote(text: &str) -> bool {
        split_scheme(text).is_some_and(|(scheme, _)| !scheme.eq_ignore_ascii_case("file"))
    }

    /// The path, if it is one of this machine.
    #[must_use]
    pub fn as_local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Remote(_) => None,
        }
    }

    /// The remote place, if it is one.
    #[must_use]
    pub fn as_remote(&self) -> Option<&Remote> {
        match self {
            Self::Local(_) => None,
            Self::Remote(remote) => Some(remote),
        }
    }

    /// The object's key in its bucket, without slashes at the ends; empty of a local path.
    #[must_use]
    pub fn key(&self) -> &str {
        self.as_remote().map_or("", Remote::key)
    }

    /// The last part of the name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Local(path) => path.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
            Self::Remote(remote) => remote.key.rsplit('/').next().unwrap_or_default(),
        }
    }

    /// A place below this one.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.join(relative)),
            Self::Remote(remote) => {
                let relative = relative.trim_matches('/');
                let key = match (remote.key.as_str(), relative) {
                    (key, "") => key.to_owned(),
                    ("", relative) => relative.to_owned(),
                    (key, relative) => format!("{key}/{relative}"),
                };
                Self::Remote(Remote { key, ..remote.clone() })
            }
        }
    }

    /// A text that is parsed to this place again, with what grants access: not to be shown.
    #[must_use]
    pub fn as_text(&self) -> String {
        match self {
            Self::Remote(remote) if remote.service == Service::Web => remote.to_url(),
            Self::Remote(remote) => remote.to_string(),
            Self::Local(path) => path.display().to_string(),
        }
    }

    /// The folder that it lies in; a bucket lies in itself.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.parent().map(Path::to_path_buf).unwrap_or_default()),
            Self::Remote(remote) => {
                let key =
                    remote.key.rsplit_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default();
                Self::Remote(Remote { key, ..remote.clone() })
            }
        }
    }
}

impl Remote {
    /// Whose bucket it is.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service
    }

    /// The bucket as shown, such as `s3://bucket`.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.shown
    }

    /// The key in the bucket, without slashes at the ends.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    fn to_url(&self) -> String {
        let Ok(mut url) = url::Url::parse(&self.root) else { return self.to_string() };
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(self.key.split('/'));
        }
        url.set_query(self.query.as_deref());
        url.into()
    }

    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    pub(crate) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(formatter),
            Self::Remote(remote) => remote.fmt(formatter),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service: _, shown, root: _, account: _, key, query } = self;
        formatter.write_str(shown)?;
        if !key.is_empty() {
            write!(formatter, "/{key}")?;
        }
        // That there is one may explain a refusal; what it says may be a signature.
        if query.is_some() { formatter.write_str("?…") } else { Ok(()) }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// `scheme://rest`, if that is what it is; the letters of RFC 3986.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let first = scheme.bytes().next()?;
    (first.is_ascii_alphabetic() && scheme.bytes().all(letter)).then_some((scheme, rest))
}

fn bad(reason: impl Into<String>) -> StorageError {
    StorageError::BadLocation { text: String::new(), reason: reason.into() }
}

/// A key that every store takes, without slashes at the ends.
fn checked_key(key: &str) -> Result<String, StorageError> {
    let key = key.trim_matches('/');
    let part = |part: &str| match part {
        "" => Some("it holds two slashes in a row"),
        "." | ".." => Some("it holds `.` or `..` between slashes, which in a bucket lead nowhere"),
        part if part.chars().any(|c| c.is_ascii_control()) => Some("it holds a control character"),
        _ => None,
    };
    match key.split('/').find_map(part) {
        Some(reason) if !key.is_empty() => Err(bad(reason)),
        _ => Ok(key.to_owned()),
    }
}

fn bucket(service: Service, scheme: &str, _text: &str, rest: &str) -> Result<Location, StorageError> {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(bad(format!("the bucket is missing; it is `{scheme}://BUCKET/KEY`")));
    }
    if bucket.contains('@') {
        return Err(bad("it holds an `@`; credentials come from the environment, not from the URL"));
    }
    if !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
        return Err(bad(format!("`{bucket}` cannot be the name of a bucket")));
    }
    Ok(Location::Remote(Remote {
        service,
        shown: format!("{scheme}://{bucket}"),
        root: bucket.to_owned(),
        account: None,
        key: checked_key(key)?,
        query: None,
    }))
}

/// `az://container/key`, or with the account `abfs://container@account.dfs.core.windows.net/key`.
fn azure(_text: &str, rest: &str) -> Result<Location, StorageError> {
    let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
    let (container, host) = match authority.split_once('@') {
        Some((container, host)) => (container, Some(host)),
        None => (authority, None),
    };
    if container.contains(':') {
        return Err(bad("it holds a password; credentials come from the environment, not from the URL"));
    }
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'$');
    if container.is_empty() || !container.bytes().all(named) {
        return Err(bad("the container is missing or cannot be one; it is `az://CONTAINER/KEY`"));
    }
    let account = host.map(|host| host.split('.').next().unwrap_or(host).to_owned());
    if account.as_deref().is_some_and(str::is_empty) {
        return Err(bad("the account after `@` is missing"));
    }
    let shown = match &account {
        Some(account) => format!("az://{container}@{account}"),
        None => format!("az://{container}"),
    };
    let root = container.to_owned();
    Ok(Location::Remote(Remote {
        service: Service::Azure,
        shown,
        root,
        account,
        key: checked_key(key)?,
        query: None,
    }))
}

fn web(text: &str) -> Result<Location, StorageError> {
    let url = url::Url::parse(text).map_err(|error| bad(error.to_string()))?;
    let Some(host) = url.host_str() else { return Err(bad("the host is missing")) };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let scheme = url.scheme();
    let key = object_store::path::Path::from_url_path(url.path().trim_matches('/'))
        .map_err(|_invalid| bad("its path holds two slashes in a row or what is no text"))?;
    let mut root = url.clone();
    root.set_path("/");
    root.set_fragment(None);
    root.set_query(None);
    Ok(Location::Remote(Remote {
        service: Service::Web,
        shown: format!("{scheme}://{host}{port}"),
        root: root.to_string(),
        account: None,
        key: key.to_string(),
        query: url.query().filter(|query| !query.is_empty()).map(str::to_owned),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Location::parse(text).unwrap().to_string()
    }

    #[test]
    fn paths_and_urls_are_told_apart() {
        for local in ["data/trips.csv", "/data/a b.parquet", "C:", "a:b", "x/://y", "://x"] {
            assert!(!Location::is_remote(local), "{local}");
            assert_eq!(Location::parse(local).unwrap(), Location::Local(PathBuf::from(local)));
        }
        assert_eq!(Location::parse("file:///a/b").unwrap(), Location::Local(PathBuf::from("/a/b")));
        assert!(!Location::is_remote("file:///a/b"));
        for remote in ["s3://b/k", "S3A://b/k", "gs://b", "az://c/k", "https://h/k", "ftp://h/k"] {
            assert!(Location::is_remote(remote), "{remote}");
        }
    }

    #[test]
    fn the_schemes_of_azure_name_the_same_place() {
        assert_eq!(shown("az://c/a/b"), "az://c/a/b");
        assert_eq!(shown("abfs://c/a/b"), "az://c/a/b");
        assert_eq!(shown("abfss://c@acc.dfs.core.windows.net/a"), "az://c@acc/a");
        let location = Location::parse("abfss://c@acc.dfs.core.windows.net/a").unwrap();
        assert_eq!(location.as_remote().unwrap().account(), Some("acc"));
    }

    #[test]
    fn a_bucket_takes_its_key_as_it_stands_and_a_web_server_a_url() {
        let location = Location::parse("s3://b/a b/%20*.parquet/").unwrap();
        assert_eq!(location.key(), "a b/%20*.parquet");
        let location = Location::parse("http://h:81/a%20b/c.csv?token=secret#x").unwrap();
        assert_eq!(location.key(), "a b/c.csv");
        assert_eq!(location.to_string(), "http://h:81/a b/c.csv?…");
        assert_eq!(location.name(), "c.csv");
    }

    #[test]
    fn what_grants_access_is_never_shown() {
        let location = Location::parse("https://user:hunter2@h/x?sig=hunter2").unwrap();
        assert!(!format!("{location} {location:?}").contains("hunter2"));
        for text in ["s3://key:hunter2@b/k", "az://c:hunter2@acc/k", "http://user:hunter2@/k?hunter2"] {
            let error = Location::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn an_unknown_scheme_names_those_there_are() {
        let error = sluice_core::error::Error::from(Location::parse("hdfs://n/x").unwrap_err());
        assert_eq!(error.kind(), sluice_core::error::ErrorKind::Usage);
        assert!(error.to_string().contains("hdfs"), "{error}");
        assert!(error.hint().unwrap().contains("s3://"), "{error:?}");
    }

    #[test]
    fn the_text_of_a_place_is_that_place() {
        for text in [
            "s3://b/a b/%20?",
            "az://c@acc/k",
            "gs://b",
            "x/y",
            "https://u:p@h:9/a%20b/c%25?sig=1",
            "http://h",
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(Location::parse(&location.as_text()).unwrap(), location, "{text}");
        }
        let joined = Location::parse("https://u:p@h/a/pipeline.yaml").unwrap().parent().join("b.csv");
        assert_eq!(joined.as_text(), "https://u:p@h/a/b.csv");
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for text in
            ["s3://", "s3:///k", "s3://b/a//c", "s3://b/a/../c", "az://", "az://c@/k", "http://h//x/y"]
        {
            assert!(Location::parse(text).is_err() || text == "http://h//x/y", "{text}");
        }
    }

    #[test]
    fn places_are_joined_and_have_a_parent() {
        let root = Location::parse("s3://b").unwrap();
        assert_eq!(root.join("a").join("b/c").to_string(), "s3://b/a/b/c");
        assert_eq!(root.join("a/b").parent().to_string(), "s3://b/a");
        assert_eq!(root.join("a").parent(), root);
        assert_eq!(Location::parse("x/y").unwrap().join("z").to_string(), "x/y/z");
    }
}
