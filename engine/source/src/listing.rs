//! Which files a location stands for: one file, a glob or a folder.
//!
//! The listing is in byte order of the paths relative to the location's fixed prefix, so that it does not
//! depend on the file system. In a folder, names that begin with `.` or `_` are passed over, as Spark and
//! Hive mark their own files (`_SUCCESS`); a glob says itself what it wants, but `*` matches no leading dot.
//! Objects in buckets are listed by the same rules.

use std::path::Path;

use sluice_core::Result;
use sluice_core::error::CommonError;
use sluice_core::execution::Cancel;
use sluice_storage::Location;

use crate::bucket_listing::{list_objects, located};
use crate::error::{SourceError, unreadable};
use crate::input::{Input, Place};
use crate::options::{Format, format_of_name, is_shard};
use crate::tfrecord::holds_records;

/// A file of a source.
#[derive(Clone, Debug)]
pub(crate) struct ListedFile {
    /// Where it is.
    pub(crate) place: Place,
    /// Relative to the fixed prefix, with `/`; this is what a plan holds.
    pub(crate) relative: String,
    /// As the user would write it; this is what messages hold.
    pub(crate) shown: String,
}

impl ListedFile {
    /// Its length, if the system says it.
    pub(crate) fn size_bytes(&self) -> Option<u64> {
        self.place.size_bytes().ok()
    }

    pub(crate) fn open(&self) -> Result<Input> {
        self.place.open().map_err(|error| unreadable(&self.shown, error))
    }
}

/// The files of a location, and their one format.
pub(crate) fn list(
    location: &str,
    base: &Path,
    format: Option<Format>,
    cancel: &Cancel,
) -> Result<(Vec<ListedFile>, Format)> {
    let (files, hint) = match located(location, base)? {
        remote @ Location::Remote(_) => (list_objects(&remote, location, format, cancel)?, REMOTE_HINT),
        Location::Local(path) => {
            // As a path, where it is written as a URL.
            let given = Location::parse(location)?;
            let given = given.as_local().and_then(Path::to_str).unwrap_or(location);
            (list_on_disk(given, base, &path, format)?, LOCAL_HINT)
        }
    };
    one_format(location, hint, files, format)
}

const LOCAL_HINT: &str =
    "check the path; a folder needs files that end in `.csv`, `.jsonl`, `.parquet`, `.arrow` or `.tfrecord`";
const REMOTE_HINT: &str =
    "check the URL; a folder needs objects that end in `.csv`, `.jsonl`, `.parquet`, `.arrow` or `.tfrecord`";

fn list_on_disk(location: &str, base: &Path, path: &Path, format: Option<Format>) -> Result<Vec<ListedFile>> {
    let files = match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_dir() => in_folder(location, path, format)?,
        Ok(_) => vec![one_file(location, path)],
        Err(_) if is_wild(location) => matching(location, base)?,
        Err(error) => return Err(CommonError::file("read", location, error).into()),
    };
    for file in &files {
        let Place::Local(path) = &file.place else { continue };
        if !fs_err::metadata(path).map_err(|error| CommonError::file("read", &file.shown, error))?.is_file() {
            return Err(SourceError::NotAFile { file: file.shown.clone() }.into());
        }
    }
    Ok(files)
}

/// The files in order, with the format of all of them.
pub(crate) fn one_format(
    location: &str,
    hint: &'static str,
    mut files: Vec<ListedFile>,
    format: Option<Format>,
) -> Result<(Vec<ListedFile>, Format)> {
    files.sort_by(|left, right| left.relative.as_bytes().cmp(right.relative.as_bytes()));
    let mut found: Option<(Format, &ListedFile)> = None;
    for file in &files {
        let this = format.map_or_else(|| format_of(file), Ok)?;
        match found {
            None => found = Some((this, file)),
            Some((first_format, first)) if first_format != this => {
                return Err(SourceError::SeveralFormats {
                    location: location.into(),
                    first: first.relative.clone(),
                    first_format,
                    other: file.relative.clone(),
                    other_format: this,
                }
                .into());
            }
            Some(_) => {}
        }
    }
    let Some((format, _)) = found else {
        return Err(SourceError::NothingFound { location: location.into(), hint }.into());
    };
    Ok((files, format))
}

fn one_file(location: &str, path: &Path) -> ListedFile {
    let relative =
        path.file_name().map_or_else(|| location.into(), |name| name.to_string_lossy().into_owned());
    ListedFile { place: Place::Local(path.to_owned()), relative, shown: location.into() }
}

fn in_folder(location: &str, folder: &Path, format: Option<Format>) -> Result<Vec<ListedFile>> {
    let mut files = Vec::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = open.pop() {
        let unreadable = |error| CommonError::file("list", &path, error);
        for entry in fs_err::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(['.', '_']) {
                continue;
            }
            let relative = format!("{prefix}{name}");
            // Symbolic links to files are followed, to folders not: they may lead in a circle.
            if entry.file_type().map_err(unreadable)?.is_dir() {
                open.push((entry.path(), format!("{relative}/")));
                continue;
            }
            let shown = Path::new(location).join(&relative).display().to_string();
            let file = ListedFile { place: Place::Local(entry.path()), relative, shown };
            if known_format(&file).is_some_and(|known| format.is_none_or(|wanted| wanted == known)) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// Whether a location, or a part of one, is a pattern.
pub(crate) fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// How patterns are meant.
pub(crate) const GLOB: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

pub(crate) fn nothing_in_glob(location: &str) -> SourceError {
    let hint = "check the folder and the pattern; `**` between slashes matches any depth";
    SourceError::NothingFound { location: location.into(), hint }
}

fn matching(location: &str, base: &Path) -> Result<Vec<ListedFile>> {
    let fixed: Vec<&str> = location.split('/').take_while(|part| !is_wild(part)).collect();
    let fixed = if fixed == [""] { "/".to_owned() } else { fixed.join("/") };
    let prefix = base.join(&fixed);
    let escaped = glob::Pattern::escape(&base.to_string_lossy());
    let pattern = if location.starts_with('/') || escaped.is_empty() {
        location.into()
    } else {
        format!("{escaped}/{location}")
    };
    let paths = glob::glob_with(&pattern, GLOB)
        .map_err(|source| SourceError::Pattern { location: location.into(), source })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let place = error.path().to_owned();
            CommonError::file("list", place, error.into())
        })?;
        if fs_err::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            continue;
        }
        let relative = path.strip_prefix(&prefix).unwrap_or(&path);
        let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let relative = parts.join("/");
        let shown = Path::new(&fixed).join(&relative).display().to_string();
        files.push(ListedFile { place: Place::Local(path), relative, shown });
    }
    if files.is_empty() { Err(nothing_in_glob(location).into()) } else { Ok(files) }
}

/// By the name; one of several files without an extension, as TFX's transform writes them, by its first bytes.
pub(crate) fn known_format(file: &ListedFile) -> Option<Format> {
    format_of_name(&file.relative)
        .or_else(|| (is_shard(&file.relative) && holds_records(file, true)).then_some(Format::Tfrecord))
}

/// By the name, then by the first bytes; what has no marks of Parquet, Arrow or TFRecord is taken for CSV.
fn format_of(file: &ListedFile) -> Result<Format> {
    if let Some(format) = known_format(file) {
        return Ok(format);
    }
    let magic = file.open()?.magic(6).map_err(|error| unreadable(&file.shown, error))?;
    Ok(match &magic[..] {
        [b'P', b'A', b'R', b'1' | b'E', ..] => Format::Parquet,
        b"ARROW1" | [0xFF, 0xFF, 0xFF, 0xFF, ..] => Format::Arrow,
        _ if holds_records(file, false) => Format::Tfrecord,
        _ => Format::Csv,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in ["b.csv", "a/2.csv", "a/10.csv", "a/_x.csv", ".h.csv", "_tmp/y.csv", "notes.txt"] {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "x\n1\n").unwrap();
        }
        folder
    }

    fn relative(location: &str, base: &Path) -> Vec<String> {
        list(location, base, None, &Cancel::default())
            .unwrap()
            .0
            .into_iter()
            .map(|file| file.relative)
            .collect()
    }

    #[test]
    fn folders_globs_and_files_are_listed_in_byte_order() {
        let folder = tree();
        let base = folder.path();
        assert_eq!(relative(".", base), ["a/10.csv", "a/2.csv", "b.csv"]);
        assert_eq!(relative("a/*.csv", base), ["10.csv", "2.csv", "_x.csv"]);
        assert_eq!(relative("*.csv", base), ["b.csv"]);
        assert_eq!(relative("**/[0-9].csv", base), ["a/2.csv"]);
        assert_eq!(relative("a/?.csv", base), ["2.csv"]);
        assert_eq!(relative("a/2.csv", base), ["2.csv"]);
        let absolute = base.join("a").join("1*.csv").display().to_string();
        assert_eq!(relative(&absolute, Path::new("elsewhere")), ["10.csv"]);
        assert_eq!(relative(&format!("file://{absolute}"), Path::new("elsewhere")), ["10.csv"]);
        assert_eq!(list("a/*.csv", base, None, &Cancel::default()).unwrap().0[0].shown, "a/10.csv");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = tree();
        let message = |location: &str| {
            format!("{:?}", list(location, folder.path(), None, &Cancel::default()).unwrap_err())
        };
        assert!(message("c.csv").contains("cannot read `c.csv`"), "{}", message("c.csv"));
        assert!(message("c*.csv").contains("no file to read in `c*.csv`"));
        assert!(message("a**b/*.csv").contains("not a valid glob"));
        fs_err::write(folder.path().join("a/z.parquet"), "PAR1").unwrap();
        assert!(message("a").contains("several formats: CSV (`10.csv`) and Parquet (`z.parquet`)"));
        assert_eq!(list("a", folder.path(), Some(Format::Parquet), &Cancel::default()).unwrap().0.len(), 1);
    }

    #[test]
    fn names_with_brackets_are_names_first() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("[x]");
        fs_err::create_dir_all(&base).unwrap();
        fs_err::write(base.join("a[1].csv"), "x\n").unwrap();
        assert_eq!(relative("a[1].csv", &base), ["a[1].csv"]);
        assert_eq!(relative("*.csv", &base), ["a[1].csv"]);
    }
}
