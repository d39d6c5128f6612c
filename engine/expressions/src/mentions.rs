//! What a text asks for, before its columns are known.

use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer};

/// The functions of an expression, and its operators on text and time, in lower case: what stands before a
/// parenthesis, `like`, `ilike`, `interval` and `||`. Nothing of a text that is no SQL, which binding refuses.
#[must_use]
pub fn mentions(text: &str) -> Vec<String> {
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize().unwrap_or_default();
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let next = |place: usize| tokens.get(place + 1).copied();
    let mention = |(place, token): (usize, &&Token)| match token {
        Token::Word(word) if word.quote_style.is_none() => {
            let is_asked = match word.keyword {
                Keyword::LIKE | Keyword::ILIKE => true,
                Keyword::INTERVAL => matches!(
                    next(place),
                    Some(Token::SingleQuotedString(_) | Token::Number(..) | Token::Minus)
                ),
                _ => next(place) == Some(&Token::LParen),
            };
            is_asked.then(|| word.value.to_lowercase())
        }
        Token::StringConcat => Some("||".to_owned()),
        _ => None,
    };
    tokens.iter().enumerate().filter_map(mention).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_operators_are_found_and_columns_and_texts_are_not() {
        let text = "CASE WHEN lower(a) LIKE 'trim(x)' THEN length + \"upper\" ELSE abs (b) END";
        assert_eq!(mentions(text), ["lower", "like", "abs"]);
        assert_eq!(mentions("began + INTERVAL '3 days' < x || 'y'"), ["interval", "||"]);
        assert_eq!(mentions("interval + 1"), Vec::<String>::new());
        assert_eq!(mentions("'not closed"), Vec::<String>::new());
    }
}
