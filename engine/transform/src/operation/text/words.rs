//! Words of a text and n-grams of words. A text is split at whitespace (Unicode), at what a pattern matches,
//! or into what a pattern matches (scikit-learn's `token_pattern`); nothing of length 0 is a word. Lower case
//! is Unicode's, before splitting. n-grams are words in a row, joined by a separator, in the order of TFT's
//! `ngrams`: by their first word, then by length.

use std::borrow::Cow;
use std::ops::Range;

use regex::Regex;
use serde::{Deserialize, Serialize};

use sluice_core::options::OptionsError;

/// Longer n-grams than this are refused.
const MAX_NGRAM: u32 = 100;

/// How a text falls into words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// At whitespace.
    #[default]
    Whitespace,
    /// At what this pattern matches.
    Separator(String),
    /// Into what this pattern matches.
    Token(String),
}

/// How the terms of a text are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordOptions {
    /// Where words end.
    pub split: Split,
    /// Whether upper case is lower case.
    pub lowercase: bool,
    /// The shortest and the longest n-gram, in words.
    pub ngrams: [u32; 2],
    /// What stands between the words of an n-gram.
    pub separator: String,
}

/// Finds the terms of texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "WordOptions", into = "WordOptions")]
pub struct Words {
    options: WordOptions,
    pattern: Option<Regex>,
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
    }
}

impl TryFrom<WordOptions> for Words {
    type Error = String;

    fn try_from(options: WordOptions) -> Result<Self, String> {
        Self::new("split", options).map_err(|error| error.to_string())
    }
}

impl From<Words> for WordOptions {
    fn from(words: Words) -> Self {
        words.options
    }
}

/// What finding terms needs room for; made once for many texts.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    words: Vec<Range<usize>>,
    term: String,
}

impl Words {
    /// Options of an operation, checked.
    ///
    /// # Errors
    /// [`OptionsError`] for a pattern that is none, and for n-grams of no words.
    pub(crate) fn new(operation: &str, options: WordOptions) -> Result<Self, OptionsError> {
        let [shortest, longest] = options.ngrams;
        if shortest < 1 || longest < shortest || longest > MAX_NGRAM {
            return Err(OptionsError::OutOfRange {
                name: format!("{operation}.ngrams"),
                value: format!("[{shortest}, {longest}]"),
                range: format!("the shortest and the longest, from 1 to {MAX_NGRAM}"),
            });
        }
        let pattern = match &options.split {
            Split::Whitespace => None,
            Split::Separator(pattern) | Split::Token(pattern) => {
                Some(Regex::new(pattern).map_err(|error| {
                    let problem = error.to_string();
                    let last = problem.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    OptionsError::OutOfRange {
                        name: format!("{operation}.split"),
                        value: pattern.clone(),
                        range: format!("a regular expression ({last})"),
                    }
                })?)
            }
        };
        Ok(Self { options, pattern })
    }

    fn prepared<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.options.lowercase { text.to_lowercase().into() } else { text.into() }
    }

    fn each_word(&self, text: &str, mut take: impl FnMut(Range<usize>)) {
        let start_of = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
        let mut take = |range: Range<usize>| {
            if !range.is_empty() {
                take(range);
            }
        };
        match (&self.options.split, &self.pattern) {
            (Split::Token(_), Some(pattern)) => pattern.find_iter(text).for_each(|found| take(found.range())),
            (_, Some(pattern)) => {
                let mut start = 0;
                for found in pattern.find_iter(text) {
                    take(start..found.start());
                    start = found.end();
                }
                take(start..text.len());
            }
            (_, None) => text.split_whitespace().for_each(|word| {
                let start = start_of(word);
                take(start..start + word.len());
            }),
        }
    }

    /// How many words a text has.
    pub(crate) fn count(&self, text: &str) -> u64 {
        let mut count = 0;
        self.each_word(&self.prepared(text), |_| count += 1);
        count
    }

    /// Every n-gram of a text, in order.
    pub(crate) fn each_term(&self, text: &str, scratch: &mut Scratch, mut take: impl FnMut(&str)) {
        let text = self.prepared(text);
        let [shortest, longest] = self.options.ngrams.map(|length| length as usize);
        if longest == 1 {
            self.each_word(&text, |word| take(&text[word]));
            return;
        }
        let Scratch { words, term } = scratch;
        words.clear();
        self.each_word(&text, |word| words.push(word));
        for first in 0..words.len() {
            term.clear();
            for (place, word) in words[first..].iter().take(longest).enumerate() {
                if place > 0 {
                    term.push_str(&self.options.separator);
                }
                term.push_str(&text[word.clone()]);
                if place + 1 >= shortest {
                    take(term);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str, split: Split, ngrams: [u32; 2], separator: &str) -> Vec<String> {
        let options = WordOptions { split, lowercase: false, ngrams, separator: separator.into() };
        let mut found = Vec::new();
        let words = Words::new("bag_of_words", options).unwrap();
        words.each_term(text, &mut Scratch::default(), |term| found.push(term.to_owned()));
        found
    }

    #[test]
    fn ngrams_come_in_the_order_of_tft() {
        // golden.json tft-029.
        let found = terms("abc", Split::Token(".".into()), [1, 5], "");
        assert_eq!(found, ["a", "ab", "abc", "b", "bc", "c"]);
        assert_eq!(terms("one two three", Split::Whitespace, [2, 2], " "), ["one two", "two three"]);
        assert!(terms("one", Split::Whitespace, [2, 3], " ").is_empty());
    }

    #[test]
    fn words_of_nothing_are_none() {
        assert_eq!(terms(" a\t b\u{a0}c ", Split::Whitespace, [1, 1], " "), ["a", "b", "c"]);
        assert_eq!(terms(",a,,b,", Split::Separator(",".into()), [1, 1], " "), ["a", "b"]);
        assert_eq!(terms("ab", Split::Separator("".into()), [1, 1], " "), ["a", "b"]);
        assert_eq!(terms("a1b22", Split::Token("[0-9]*".into()), [1, 1], " "), ["1", "22"]);
        assert!(terms("", Split::Whitespace, [1, 2], " ").is_empty());
    }

    #[test]
    fn a_broken_pattern_is_refused() {
        let options = |split, ngrams| WordOptions { split, lowercase: false, ngrams, separator: " ".into() };
        let error = Words::new("tf_idf", options(Split::Token("(".into()), [1, 1])).unwrap_err();
        assert!(error.to_string().starts_with("`tf_idf.split` is ("), "{error}");
        assert!(Words::new("tf_idf", options(Split::Whitespace, [0, 1])).is_err());
        assert!(Words::new("tf_idf", options(Split::Whitespace, [3, 2])).is_err());
    }
}
