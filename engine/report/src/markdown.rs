//! Text in Markdown, as comments on pull requests and pages of orchestrators show it.

/// The text, so that nothing of it is markup: no element, no emphasis, no link, no person or issue that is told, no second
/// line. Code between backticks stays code.
///
/// # Examples
/// ```
/// use sluice_report::markdown::inline;
///
/// assert_eq!(inline("in city=<b>@all</b>"), "in city=&lt;b&gt;&#64;all&lt;/b&gt;");
/// ```
#[must_use]
pub fn inline(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '@' => shown.push_str("&#64;"),
            '#' => shown.push_str("&#35;"),
            '\\' | '*' | '[' | ']' | '!' | '~' => {
                shown.push('\\');
                shown.push(character);
            }
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let hostile = "**x** ![a](b) <img src=x> #12 @team\n# title\u{1b}[0m ~~y~~";
        assert_eq!(
            inline(hostile),
            "\\*\\*x\\*\\* \\!\\[a\\](b) &lt;img src=x&gt; &#35;12 &#64;team\\n&#35; title\\u{1b}\\[0m \\~\\~y\\~\\~"
        );
        assert_eq!(inline("`rmse` is 57.4 overall"), "`rmse` is 57.4 overall");
    }
}
