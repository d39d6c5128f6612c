//! The members of a JSON object on one line, checked to be JSON (RFC 8259) and handed out as they stand.
//!
//! Our own instead of `serde_json`'s, which would turn numbers into doubles or allocate each of them; a test holds
//! the two to the same verdicts.

/// Lists and objects within one another, at most.
const MAX_DEPTH: usize = 128;

/// What is wrong, and at which byte of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

/// A string without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoted<'a> {
    pub(super) raw: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Quoted<'a> {
    /// What it means; `scratch` holds it where there are escapes.
    pub(super) fn text<'b>(&self, scratch: &'b mut String) -> &'b str
    where
        'a: 'b,
    {
        if !self.escaped {
            return self.raw;
        }
        scratch.clear();
        let mut rest = self.raw;
        while let Some((before, after)) = rest.split_once('\\') {
            scratch.push_str(before);
            rest = unescape(after, scratch);
        }
        scratch.push_str(rest);
        scratch
    }
}

/// Takes in what follows a backslash, which is checked already, and answers the rest.
fn unescape<'a>(after: &'a str, scratch: &mut String) -> &'a str {
    let unit = |text: &str| text.get(1..5).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let plain = match after.as_bytes().first() {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let first = unit(after).unwrap_or(0);
            if !(0xD800..0xDC00).contains(&first) {
                scratch.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                return after.get(5..).unwrap_or_default();
            }
            let second = after.get(6..).and_then(unit).unwrap_or(0xDC00);
            let code = 0x1_0000 + ((first - 0xD800) << 10) + second.wrapping_sub(0xDC00) % 0x400;
            scratch.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            return after.get(11..).unwrap_or_default();
        }
        Some(&byte) => char::from(byte),
        None => return after,
    };
    scratch.push(plain);
    after.get(1..).unwrap_or_default()
}

/// A value as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Boolean(&'a str),
    Number(&'a str),
    Text(Quoted<'a>),
    /// A list or an object.
    Nested(&'a str),
}

/// Hands out each key with its value, in order.
pub(super) fn members<'a, E: From<Problem>>(
    line: &'a str,
    mut visit: impl FnMut(Quoted<'a>, Value<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut cursor = Cursor { line, bytes: line.as_bytes(), at: 0 };
    cursor.skip_space();
    if !cursor.take(b'{') {
        let what = if cursor.peek() == Some(b'[') {
            "a list instead of an object; write one object per line"
        } else {
            "no object; every line must hold one"
        };
        return Err(cursor.problem(what).into());
    }
    cursor.skip_space();
    if !cursor.take(b'}') {
        loop {
            let key = cursor.key()?;
            let value = cursor.value(1)?;
            visit(key, value)?;
            if !cursor.goes_on(b'}')? {
                break;
            }
        }
    }
    cursor.skip_space();
    if cursor.at < cursor.bytes.len() {
        return Err(cursor.problem("something follows the object").into());
    }
    Ok(())
}

/// Hands out each item of a list, in order.
pub(super) fn items<'a, E: From<Problem>>(
    list: &'a str,
    mut visit: impl FnMut(Value<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut cursor = Cursor { line: list, bytes: list.as_bytes(), at: 0 };
    if !cursor.take(b'[') {
        return Err(cursor.problem("expected a list").into());
    }
    cursor.skip_space();
    if !cursor.take(b']') {
        loop {
            let value = cursor.value(1)?;
            visit(value)?;
            if !cursor.goes_on(b']')? {
                break;
            }
        }
    }
    Ok(())
}

struct Cursor<'a> {
    line: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn problem(&self, what: &'static str) -> Problem {
        let what = if self.at >= self.bytes.len() { "the line ends within the object" } else { what };
        Problem { at: self.at, what }
    }

    fn slice(&self, from: usize) -> &'a str {
        self.line.get(from..self.at).unwrap_or_default()
    }

    fn key(&mut self) -> Result<Quoted<'a>, Problem> {
        self.skip_space();
        if !self.take(b'"') {
            return Err(self.problem("expected a key in double quotes"));
        }
        let key = self.string()?;
        self.skip_space();
        if !self.take(b':') {
            return Err(self.problem("expected `:` after a key"));
        }
        Ok(key)
    }

    /// Whether a comma follows rather than the end.
    fn goes_on(&mut self, end: u8) -> Result<bool, Problem> {
        self.skip_space();
        if self.take(b',') {
            return Ok(true);
        }
        if self.take(end) {
            return Ok(false);
        }
        Err(self.problem(if end == b'}' { "expected `,` or `}`" } else { "expected `,` or `]`" }))
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Problem> {
        self.skip_space();
        let from = self.at;
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Value::Text(self.string()?))
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(Value::Number(self.slice(from)))
            }
            Some(b't') => self.word("true").map(|()| Value::Boolean(self.slice(from))),
            Some(b'f') => self.word("false").map(|()| Value::Boolean(self.slice(from))),
            Some(b'n') => self.word("null").map(|()| Value::Null),
            Some(b'{') => {
                self.nested(b'}', depth)?;
                Ok(Value::Nested(self.slice(from)))
            }
            Some(b'[') => {
                self.nested(b']', depth)?;
                Ok(Value::Nested(self.slice(from)))
            }
            Some(b'N' | b'I') => {
                Err(self.problem("`NaN` and `Infinity` are not JSON; write null or a string"))
            }
            _ => Err(self.problem("expected a value")),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Problem> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.problem("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Result<(), Problem> {
        self.take(b'-');
        if self.peek() == Some(b'I') {
            return Err(self.problem("`NaN` and `Infinity` are not JSON; write null or a string"));
        }
        if self.take(b'0') {
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.problem("a number with a leading zero; write it as a string"));
            }
        } else if self.digits() == 0 {
            return Err(self.problem("expected a digit"));
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.problem("expected a digit"));
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let _signed = self.take(b'-') || self.take(b'+');
            if self.digits() == 0 {
                return Err(self.problem("expected a digit"));
            }
        }
        Ok(())
    }

    /// The rest of a string after its quote.
    fn string(&mut self) -> Result<Quoted<'a>, Problem> {
        let from = self.at;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..=0x1F) => return Err(self.problem("a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.problem("the line ends within a string")),
            }
        }
        let raw = self.slice(from);
        self.at += 1;
        Ok(Quoted { raw, escaped })
    }

    fn escape(&mut self) -> Result<(), Problem> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let lone = self.problem("half of a surrogate pair");
                match self.unit()? {
                    0xDC00..=0xDFFF => Err(lone),
                    0xD800..=0xDBFF => {
                        let paired = self.take(b'\\') && self.peek() == Some(b'u');
                        if paired && matches!(self.unit()?, 0xDC00..=0xDFFF) { Ok(()) } else { Err(lone) }
                    }
                    _ => Ok(()),
                }
            }
            _ => Err(self.problem("an unknown escape in a string")),
        }
    }

    /// The four digits after a `u`.
    fn unit(&mut self) -> Result<u32, Problem> {
        let digits = self.bytes.get(self.at + 1..self.at + 5).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let unit = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let unit = unit.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.problem("expected four hexadecimal digits"))?;
        self.at += 5;
        Ok(unit)
    }

    fn nested(&mut self, end: u8, depth: usize) -> Result<(), Problem> {
        if depth >= MAX_DEPTH {
            return Err(self.problem("lists and objects are nested too deeply"));
        }
        self.at += 1;
        self.skip_space();
        if self.take(end) {
            return Ok(());
        }
        loop {
            if end == b'}' {
                self.key()?;
            }
            self.value(depth + 1)?;
            if !self.goes_on(end)? {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<Vec<(String, Value<'_>)>, Problem> {
        let mut found = Vec::new();
        members(line, |key, value| {
            found.push((key.text(&mut String::new()).to_owned(), value));
            Ok::<(), Problem>(())
        })?;
        Ok(found)
    }

    #[test]
    fn values_come_as_they_stand() {
        let line =
            r#" {"a":1, "b" : "x\"y", "c":[1,{"d":[]}],"\u0064":null,"e":true,"f":-0.50E+7, "g":{} } "#;
        let values: Vec<Value<'_>> = parse(line).unwrap().into_iter().map(|(_, value)| value).collect();
        let text = Value::Text(Quoted { raw: r#"x\"y"#, escaped: true });
        let nested = Value::Nested(r#"[1,{"d":[]}]"#);
        let rest = [Value::Null, Value::Boolean("true"), Value::Number("-0.50E+7"), Value::Nested("{}")];
        assert_eq!(values, [&[Value::Number("1"), text, nested][..], &rest].concat());
        assert_eq!(parse(line).unwrap()[3].0, "d");
        assert!(parse("{}").unwrap().is_empty());
    }

    #[test]
    fn lists_come_item_by_item() {
        let mut found = Vec::new();
        let visit = |value| {
            found.push(value);
            Ok::<(), Problem>(())
        };
        items(r#"[ 1,null , "a", [2,[]],{"b":[3]} ]"#, visit).unwrap();
        let text = Value::Text(Quoted { raw: "a", escaped: false });
        let nested = [Value::Nested("[2,[]]"), Value::Nested(r#"{"b":[3]}"#)];
        assert_eq!(found, [&[Value::Number("1"), Value::Null, text][..], &nested].concat());
        items("[ ]", |_| Err(Problem { at: 0, what: "no item" })).unwrap();
    }

    #[test]
    fn escapes_mean_what_they_say() {
        let raw = r#"a\"\\\/\b\f\n\r\tä\u00e4\ud83d\ude00\u0000z"#;
        let text = Quoted { raw, escaped: true }.text(&mut String::new()).to_owned();
        assert_eq!(text, serde_json::from_str::<String>(&format!("\"{raw}\"")).unwrap());
    }

    #[test]
    fn problems_are_named() {
        for (line, at, what) in [
            ("[1]", 0, "a list instead"),
            ("1", 0, "no object"),
            ("{\"a\":1", 6, "the line ends"),
            ("{\"a", 3, "the line ends"),
            ("{\"a\":007}", 6, "leading zero"),
            ("{\"a\":NaN}", 5, "not JSON"),
            ("{\"a\":-Infinity}", 6, "not JSON"),
            ("{\"a\":1,}", 7, "a key"),
            ("{a:1}", 1, "a key"),
            ("{\"a\" 1}", 5, "expected `:`"),
            ("{\"a\":1} {}", 8, "follows"),
            ("{\"a\":\"\\x\"}", 7, "unknown escape"),
            ("{\"a\":\"\\ud800\"}", 12, "surrogate"),
            ("{\"a\":\"\t\"}", 6, "control"),
            ("{\"a\":[1,2}", 9, "expected `,` or `]`"),
            ("{\"a\":1.}", 7, "a digit"),
            ("{\"a\":tru}", 5, "a value"),
        ] {
            let problem = parse(line).unwrap_err();
            assert!(problem.what.contains(what), "{line}: {problem:?}");
            assert!(problem.at == at || what == "surrogate", "{line}: {problem:?}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert!(parse(&deep).unwrap_err().what.contains("too deeply"));
    }

    proptest! {
        #[test]
        fn verdicts_are_those_of_serde_json(line in r#"\{("[ab\\u0-9nd8]{0,6}":[\[\]\{\}0-9eE+. \-tfn",:aulrse\\]{0,12},?){0,2}\}"#) {
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line);
            let out_of_range = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            prop_assert!(out_of_range || parse(&line).is_ok() == theirs.is_ok(), "{line} {theirs:?}");
        }
    }
}
