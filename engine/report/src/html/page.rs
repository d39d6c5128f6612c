//! The shell of every page: head, style, script, foot.

use crate::html::escape::{NAME, escape};

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/script.js");

/// What a page may load: nothing. Style and script stand in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";

/// A whole document; `body` is markup.
pub(crate) fn document(title: &str, kind: &str, body: &str) -> String {
    let title = escape(title, NAME * 2);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\" class=\"{kind}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" \
         content=\"{POLICY}\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>\n{STYLE}\
         </style></head><body><a class=\"skip\" href=\"#main\">Skip to the content</a><main id=\"main\">{body}</main>\
         <footer>Written by Sluicegate. This file loads nothing and holds no rows but the values shown.</footer><script>\n\
         {SCRIPT}</script></body></html>\n"
    )
}
