//! Statistics that lie beside artifacts: files of TFDV or TFX, in binary, as TFRecord or as text, whole or in
//! shards, and TFX's folders with one `Split-NAME` per subset.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use sluice_core::artifact::hex_digest;
use sluice_core::error::{CommonError, Result};
use sluice_core::statistics::DatasetStatistics;
use sluice_ingest::SPLIT_PREFIX;
use sluice_quality::tfdv::{StatisticsFileError, begins_statistics, begins_statistics_records, read_shards};
use sluice_source::Format;

use crate::step::file_names;
use crate::step::tfx::STATISTICS_FILE;

/// What TFX calls the file in a `Split-NAME` folder: now, and up to version 0.27.
const TFX_FILES: [&str; 2] = [STATISTICS_FILE, "stats_tfrecord"];
/// The name of a subset that no file or folder names.
const WHOLE: &str = "all";

/// The subsets that a path leads to, in byte order of their names, and the digest of what was read.
///
/// # Errors
/// Unavailable where it cannot be read, [`StatisticsFileError`] where it holds something else.
pub(crate) fn read(path: &Path) -> Result<(Vec<DatasetStatistics>, String)> {
    let mut subsets = Vec::new();
    let mut digests = String::new();
    for (name, files) in sources(path)? {
        let mut contents = Vec::new();
        for file in &files {
            let bytes = content(file)?;
            digests.push_str(&hex_digest(&bytes));
            digests.push('\n');
            contents.push((file.display().to_string(), bytes));
        }
        let shards: Vec<(&str, &[u8])> =
            contents.iter().map(|(file, bytes)| (file.as_str(), bytes.as_slice())).collect();
        let read = read_shards(&shards)?;
        let is_alone = read.len() == 1;
        subsets.extend(read.into_iter().map(|mut subset| {
            // The whole has no name of its own in TFDV's format: an empty one, or `All Examples`.
            if is_alone
                && (subset.name.is_empty() || !subset.slices.is_empty() || subset.name == "All Examples")
            {
                subset.name.clone_from(&name);
            }
            subset
        }));
    }
    subsets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((subsets, hex_digest(digests.as_bytes())))
}

/// Whether there is something other than an artifact: a file, shards under this name, a folder laid out as
/// TFX does it (itself a `Split-NAME`, or with such folders in it).
pub(crate) fn is_foreign(path: &Path) -> bool {
    if path.is_dir() {
        return inside_split(path).is_some() || splits(path).is_ok_and(|splits| !splits.is_empty());
    }
    path.exists() || !numbered(path).is_empty()
}

/// Bytes by which statistics are told from rows.
pub const STATISTICS_HEAD_BYTES: u64 = 1 << 12;

/// Whether a path, at which there may be rows as well, leads to statistics that others left: a folder as TFX lays
/// statistics out, a file with an ending that no rows have, TFRecord of statistics, or, of a name that tells no format of
/// rows, what begins as statistics do.
pub(crate) fn is_statistics(path: &Path) -> bool {
    if path.is_dir() {
        return is_foreign(path);
    }
    if let Some(is_statistics) = statistics_by_name(&name_of(path)) {
        return is_statistics;
    }
    let first = if path.is_file() { Some(path.to_owned()) } else { numbered(path).into_iter().next() };
    let Some(file) = first.and_then(|first| fs_err::File::open(first).ok()) else { return false };
    let mut head = Vec::new();
    file.take(STATISTICS_HEAD_BYTES).read_to_end(&mut head).is_ok()
        && statistics_by_content(&name_of(path), &head)
}

/// Whether the name of a file tells that it holds statistics, or that it does not; none where only its content does.
#[must_use]
pub fn statistics_by_name(name: &str) -> Option<bool> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "pb" | "binpb" | "pbtxt" => Some(true),
        "gz" | "zst" => Some(false),
        // Statistics of TFDV and rows may both be TFRecord.
        _ => Format::of_extension(extension).filter(|format| *format != Format::Tfrecord).map(|_| false),
    }
}

/// Whether a file of a name that does not tell, and which begins with these bytes ([`STATISTICS_HEAD_BYTES`] if there are
/// as many), holds statistics.
#[must_use]
pub fn statistics_by_content(name: &str, head: &[u8]) -> bool {
    let is_tfrecord = name.rsplit_once('.').is_some_and(|(_, it)| Format::of_extension(it).is_some());
    begins_statistics_records(head) || (!is_tfrecord && begins_statistics(head))
}

/// Whether files below a folder, by their names relative to it, are laid out as TFX lays out statistics.
pub fn holds_statistics<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|name| {
        let (folder, file) = name.split_once('/').map_or(("", name), |(folder, file)| (folder, file));
        let file = shard(file).map_or(file, |(prefix, ..)| prefix);
        (folder.is_empty() || folder.starts_with(SPLIT_PREFIX)) && TFX_FILES.contains(&file)
    })
}

/// The files of each subset, with its name.
fn sources(path: &Path) -> Result<Vec<(String, Vec<PathBuf>)>> {
    if !path.is_dir() {
        return Ok(vec![(subset_of(path), shards(path)?)]);
    }
    if let Some(file) = inside_split(path) {
        return Ok(vec![(subset_of(&file), shards(&file)?)]);
    }
    splits(path)?.into_iter().map(|file| Ok((subset_of(&file), shards(&file)?))).collect()
}

fn splits(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(CommonError::on("read", folder))? {
        let path = entry.map_err(CommonError::on("read", folder))?.path();
        if name_of(&path).starts_with(SPLIT_PREFIX) {
            found.extend(inside_split(&path));
        }
    }
    found.sort();
    Ok(found)
}

fn inside_split(folder: &Path) -> Option<PathBuf> {
    let files = TFX_FILES.iter().map(|name| folder.join(name));
    files.into_iter().find(|file| file.is_file() || !numbered(file).is_empty())
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// `train` of `Split-train/FeatureStats.pb` and of `statistics-train.binpb`; else `all`.
fn subset_of(file: &Path) -> String {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().map(name_of).unwrap_or_default();
    let name = name_of(&file);
    let ours = name.strip_prefix("statistics-").and_then(|rest| rest.strip_suffix(".binpb"));
    let found = folder.strip_prefix(SPLIT_PREFIX).or(ours).map(file_names::subset);
    found.filter(|name| !name.is_empty()).map_or_else(|| WHOLE.to_owned(), Cow::into_owned)
}

/// The number and count of a shard: `stats-00001-of-00004` is (`stats`, 1, 4, nothing behind).
fn shard(name: &str) -> Option<(&str, usize, usize, &str)> {
    let (before, after) = name.rsplit_once("-of-")?;
    let (prefix, number) = before.rsplit_once('-')?;
    let digits = after.len() - after.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (count, suffix) = after.split_at(digits);
    let is_padded = number.len() == 5 && count.len() == 5;
    is_padded.then_some(())?;
    Some((prefix, number.parse().ok()?, count.parse().ok()?, suffix))
}

/// Files beside the path that are shards under its name, in byte order.
fn numbered(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = name_of(path);
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| shard(&name_of(path)).is_some_and(|(prefix, ..)| prefix == wanted))
        .collect();
    found.sort();
    found
}

/// The file, or all shards of which it is one, or which begin with its name.
fn shards(path: &Path) -> Result<Vec<PathBuf>> {
    let name = name_of(path);
    let Some((prefix, _, count, suffix)) = shard(&name) else {
        let numbered = if path.exists() { Vec::new() } else { numbered(path) };
        return match numbered.first() {
            Some(first) => shards(first),
            None => Ok(vec![path.to_owned()]),
        };
    };
    let files =
        (0..count).map(|number| path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}{suffix}")));
    Ok(if count == 0 { vec![path.to_owned()] } else { files.collect() })
}

fn content(file: &Path) -> Result<Vec<u8>> {
    let bytes = fs_err::metadata(file).map_err(CommonError::on("read", file))?.len();
    if i32::try_from(bytes).is_err() {
        return Err(StatisticsFileError::TooLarge { file: file.display().to_string(), bytes }.into());
    }
    Ok(fs_err::read(file).map_err(CommonError::on("read", file))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_told_from_other_names() {
        assert_eq!(shard("stats-00001-of-00004"), Some(("stats", 1, 4, "")));
        assert_eq!(shard("a-b-00000-of-00001.tfrecord"), Some(("a-b", 0, 1, ".tfrecord")));
        for other in ["stats", "stats-1-of-4", "stats-00001-of-", "best-of-00001", "-of-"] {
            assert_eq!(shard(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_name_tells_and_what_only_the_content_does() {
        for (name, told) in [
            ("FeatureStats.pb", Some(true)),
            ("stats.pbtxt", Some(true)),
            ("trips.csv", Some(false)),
            ("trips.tfrecord.gz", Some(false)),
            ("stats.tfrecord", None),
            ("stats", None),
            ("stats-00000-of-00002", None),
        ] {
            assert_eq!(statistics_by_name(name), told, "{name}");
        }
        let message = sluice_quality::tfdv::write_statistics(&[DatasetStatistics {
            num_rows: 3,
            ..Default::default()
        }]);
        for (name, head, is) in [
            ("stats", message.as_slice(), true),
            ("stats.tfrecord", message.as_slice(), false),
            ("stats", b"# made by TFDV\ndatasets {\n  num_examples: 3\n}\n", true),
            ("rows", b"datasets,rows\n1,2\n", false),
            ("rows", b"\n1,2\n", false),
            ("rows", b"PAR1", false),
            ("rows", b"", false),
        ] {
            assert_eq!(statistics_by_content(name, head), is, "{name} {head:?}");
        }
        for (names, is) in [
            (["a/x.csv", "Split-train/FeatureStats.pb"], true),
            (["stats_tfrecord-00000-of-00001", "x"], true),
            (["Split-train/data.parquet", "a/FeatureStats.pb"], false),
        ] {
            assert_eq!(holds_statistics(names.into_iter()), is, "{names:?}");
        }
    }

    #[test]
    fn names_of_subsets_come_from_folder_and_file() {
        for (file, name) in [
            ("a/Split-eval/FeatureStats.pb", "eval"),
            ("statistics-train.binpb", "train"),
            ("statistics-a%2Fb.binpb", "a/b"),
            ("statistics.binpb", "all"),
            ("statistics-.binpb", "all"),
            ("Split-/stats", "all"),
        ] {
            assert_eq!(subset_of(Path::new(file)), name, "{file}");
        }
    }
}
