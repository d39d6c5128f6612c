//! A small reader of the HTML that the pages are made of. It is stricter than a browser: every element is closed in
//! order, every attribute is quoted and stands once, ids are unique, links within the page lead somewhere.

use std::collections::BTreeSet;

const VOID: [&str; 5] = ["meta", "input", "br", "hr", "wbr"];

/// What was found in a page.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) elements: Vec<(String, Vec<(String, String)>)>,
    /// Text outside of style and script.
    pub(super) text: String,
}

impl Found {
    pub(super) fn count(&self, name: &str) -> usize {
        self.elements.iter().filter(|(mine, _)| mine == name).count()
    }

    pub(super) fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.elements.iter().flat_map(|(_, attributes)| attributes);
        all.filter(move |(mine, _)| mine == name).map(|(_, value)| value.as_str())
    }
}

fn attributes(mut rest: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    while let Some(start) = rest.find(|c: char| !c.is_whitespace()) {
        rest = &rest[start..];
        if rest == "/" {
            break;
        }
        let end = rest.find(|c: char| c == '=' || c.is_whitespace() || c == '/').unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == ':'),
            "attribute `{name}`"
        );
        assert!(!name.starts_with("on"), "a handler in the markup: {rest}");
        assert!(found.iter().all(|(other, _)| *other != name), "attribute `{name}` twice");
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix('=') {
            let inner = quoted.strip_prefix('"').unwrap_or_else(|| panic!("`{name}` is not quoted: {rest}"));
            let close = inner.find('"').unwrap();
            value = inner[..close].to_owned();
            rest = &inner[close + 1..];
        }
        found.push((name, value));
    }
    found
}

/// Reads a page; panics where it is not as it should be.
pub(super) fn read(page: &str) -> Found {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let mut open: Vec<String> = Vec::new();
    let mut found = Found::default();
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(!text.contains('>'), "a bare `>` in {text:?}");
        found.text.push_str(text);
        rest = &rest[start + 1..];
        let end = rest.find('>').unwrap();
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed out of order near {rest:.80}");
            continue;
        }
        let name = tag.split([' ', '/', '\n']).next().unwrap().to_owned();
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "element `{tag}`");
        found.elements.push((name.clone(), attributes(&tag[name.len()..])));
        if name == "style" || name == "script" {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap() + name.len() + 3..];
        } else if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    check_links(&found);
    found
}

fn check_links(found: &Found) {
    let mut ids = BTreeSet::new();
    for id in found.attributes("id") {
        assert!(ids.insert(id), "id `{id}` twice");
    }
    for name in ["href", "for", "data-from", "aria-labelledby"] {
        for link in found.attributes(name) {
            assert!(ids.contains(link.trim_start_matches('#')), "`{name}` leads nowhere: {link}");
        }
    }
    for (name, attributes) in &found.elements {
        assert!(!["img", "link", "iframe", "object", "embed", "base"].contains(&name.as_str()), "{name}");
        assert!(attributes.iter().all(|(name, _)| name != "src" && name != "srcset"), "{attributes:?}");
    }
}

/// Holds a page to everything that holds for every page.
pub(super) fn check(page: &str) -> Found {
    let found = read(page);
    for word in ["http:", "https:", "@import", "url(", "//cdn", "localStorage", "eval("] {
        assert!(!page.contains(word), "`{word}` in the page");
    }
    assert_eq!(
        (found.count("html"), found.count("h1"), found.count("script"), found.count("main")),
        (1, 1, 1, 1)
    );
    // Coordinates and lengths are finite.
    for name in ["d", "x", "y", "width", "height", "viewBox", "style"] {
        for value in found.attributes(name) {
            assert!(!value.contains("NaN") && !value.contains("inf"), "{name}=\"{value}\"");
        }
    }
    // Every chart has words.
    assert_eq!(found.count("svg"), page.matches("role=\"img\"><title>").count());
    assert!(!found.text.chars().any(|c| c != '\n' && c.is_control()), "a control character");
    assert!(!found.text.contains(['\u{202e}', '\u{200b}', '\u{feff}']), "a hidden character");
    found
}
