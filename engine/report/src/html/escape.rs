//! Text of the data in a page: never markup, never a direction of writing that spills over, never endless.
//!
//! `&`, `<`, `>`, `"` and `'` become references, which holds in content and in quoted attributes. Control characters,
//! marks that turn the direction of writing, and characters that have no width are shown as `\u{202e}`; line ends and
//! tabs as `\n`, `\r`, `\t`. Text over the limit is cut between characters and ends in an ellipsis.

/// Characters of a column's name that are shown.
pub(crate) const NAME: usize = 80;
/// Characters of a value that are shown.
pub(crate) const VALUE: usize = 60;
/// Characters of a sentence that are shown: messages, expectations, patches.
pub(crate) const SENTENCE: usize = 2000;

/// Whether a character must be shown by its number: it steers the layout or is not seen.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text for content or a quoted attribute, cut after `limit` characters.
pub(crate) fn escape(raw: &str, limit: usize) -> String {
    let mut text = String::with_capacity(raw.len().min(limit + 16));
    for (index, character) in raw.chars().enumerate() {
        if index >= limit {
            text.push('…');
            break;
        }
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            hidden if is_hidden(hidden) => text.push_str(&hidden.escape_unicode().to_string()),
            other => text.push(other),
        }
    }
    text
}

/// A patch or another text of several lines: as [`escape`], but its line ends stay.
pub(crate) fn escape_lines(raw: &str, limit: usize) -> String {
    let lines: Vec<String> = raw.lines().map(|line| escape(line, limit)).collect();
    lines.join("\n")
}

/// A column's name, kept apart from the writing direction around it; a line may end after its `_`, `.` and `/`.
pub(crate) fn name(raw: &str) -> String {
    if raw.is_empty() {
        return nothing("no name");
    }
    let mut text = escape(raw, NAME);
    for joint in ["_", ".", "/"] {
        text = text.replace(joint, &format!("{joint}<wbr>"));
    }
    format!("<bdi>{text}</bdi>")
}

/// A value of the data, kept apart from the writing direction around it.
pub(crate) fn value(raw: &str) -> String {
    if raw.is_empty() { nothing("empty text") } else { format!("<bdi>{}</bdi>", escape(raw, VALUE)) }
}

/// Words that stand where there is no text, set apart from the text of the data.
pub(crate) fn nothing(words: &str) -> String {
    format!("<i class=\"nil\">{words}</i>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_direction_are_shown_not_followed() {
        assert_eq!(
            escape("</script><b a='1' c=\"2\">&", 99),
            "&lt;/script&gt;&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;"
        );
        assert_eq!(escape("a\u{202e}b\u{0}c\nd\u{feff}", 99), "a\\u{202e}b\\u{0}c\\nd\\u{feff}");
        assert_eq!(escape(&"é".repeat(100), 3), "ééé…");
        assert_eq!(escape("abc", 3), "abc");
        assert_eq!(value(""), "<i class=\"nil\">empty text</i>");
        assert_eq!(escape_lines("a <\nb", 9), "a &lt;\nb");
    }
}
