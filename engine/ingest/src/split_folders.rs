//! Folders `Split-NAME`, in which TFX keeps the subsets of what it calls Examples.

use std::path::Path;

/// What stands before the name of the subset.
pub const SPLIT_PREFIX: &str = "Split-";

/// Whether a location is a folder with such folders in it.
#[must_use]
pub fn has_split_folders(location: &Path) -> bool {
    let Ok(entries) = fs_err::read_dir(location) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(SPLIT_PREFIX) && entry.path().is_dir()
    })
}

/// Whether there are such folders among those of files, which are named relative to the location.
pub fn are_split_folders<'a>(mut files: impl Iterator<Item = &'a str>) -> bool {
    files.any(|file| file.starts_with(SPLIT_PREFIX) && file.contains('/'))
}

/// The subset that the folder of a file names.
pub(crate) fn subset_of_file(path: &str) -> Option<&str> {
    let (folders, _) = path.rsplit_once('/')?;
    folders.split('/').find_map(|folder| folder.strip_prefix(SPLIT_PREFIX)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_subsets() {
        for (path, subset) in [
            ("Split-train/data_tfrecord-00000-of-00001.gz", Some("train")),
            ("span 3/Split-eval/part.parquet", Some("eval")),
            ("Split-train", None),
            ("Split-/a.csv", None),
            ("train/a.csv", None),
        ] {
            assert_eq!(subset_of_file(path), subset, "{path}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_split_folders(folder.path()));
        fs_err::write(folder.path().join("Split-a"), "").unwrap();
        assert!(!has_split_folders(folder.path()));
        fs_err::create_dir(folder.path().join("Split-train")).unwrap();
        assert!(has_split_folders(folder.path()));
        assert!(!has_split_folders(&folder.path().join("absent")));
        assert!(are_split_folders(["a.csv", "Split-train/a.csv"].into_iter()));
        assert!(!are_split_folders(["Split-a", "a/Split-b/a.csv"].into_iter()));
    }
}
