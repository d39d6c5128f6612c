//! The shared files of Amazon's tools, `~/.aws/config` and `~/.aws/credentials`: sections of keys and values, and of
//! one service's settings indented below it.

use std::collections::BTreeMap;

/// Section → key → value; a key indented below `s3 =` is `s3.key`.
pub(crate) type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// Reads a file's text. Lines that mean nothing are passed over, as Amazon's tools do.
pub(crate) fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut section: Option<String> = None;
    let mut group: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = Some(name.0.split_whitespace().collect::<Vec<_>>().join(" "));
            group = None;
            continue;
        }
        let (Some(section), Some((key, value))) = (&section, trimmed.split_once('=')) else { continue };
        let key = key.trim().to_ascii_lowercase();
        let value = without_remark(value.trim());
        let indented = line.starts_with([' ', '\t']);
        if !indented {
            group = value.is_empty().then(|| key.clone());
        }
        let key = match &group {
            Some(group) if indented => format!("{group}.{key}"),
            _ => key,
        };
        if !value.is_empty() {
            sections.entry(section.clone()).or_default().insert(key, value.to_owned());
        }
    }
    sections
}

/// A remark after a blank ends the value.
fn without_remark(value: &str) -> &str {
    let at = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| value.find(mark)).min();
    value[..at.unwrap_or(value.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keys_remarks_and_nested_settings() {
        let text = "# remark\n[default]\nregion = eu-west-1 ; near\n\n[profile  dev]\naws_access_key_id=AKIA=\n\
                    s3 =\n  endpoint_url = http://127.0.0.1:9\n  addressing_style=path\noutput = json\nnonsense\n";
        let sections = parse(text);
        assert_eq!(sections["default"]["region"], "eu-west-1");
        let dev = &sections["profile dev"];
        assert_eq!(dev["aws_access_key_id"], "AKIA=");
        assert_eq!(dev["s3.endpoint_url"], "http://127.0.0.1:9");
        assert_eq!(dev["s3.addressing_style"], "path");
        assert_eq!(dev["output"], "json");
        assert_eq!(dev.len(), 4);
    }
}
