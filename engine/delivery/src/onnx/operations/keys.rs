//! What knows values by their text: vocabularies, crosses, means of the label, keys. Texts of numbers become numbers
//! again, so that nothing is written as text in the graph.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::error::Result;
use sluice_onnx::{Edge, ElementType, Operator};
use sluice_transform::constants::{
    Combinations, CombinedBy, Key, LevelOutput, Levels, StoredTokens, TargetMeans,
};

use super::Step;
use super::levels::place;
use crate::onnx::nulls::chain;
use crate::onnx::value::Value;

/// The largest table of combinations, by its entries.
const MAX_ENTRIES: usize = 1 << 20;

impl Step<'_> {
    pub(super) fn vocabulary(&mut self, tokens: &StoredTokens) -> Result<Value> {
        if tokens.is_list {
            return Err(self.refused("of lists has no form in ONNX"));
        }
        if tokens.oov_buckets > 0 {
            return Err(self.refused("with `oov_buckets` hashes text, which has no form in ONNX"));
        }
        let known: Vec<Option<&str>> = tokens.tokens.iter().map(|token| Some(token.as_str())).collect();
        let code = self.part(0, &known)?;
        Ok(self.coded(&code, tokens.tokens.len(), tokens.output, tokens.default.map_or(f64::NAN, f64::from)))
    }

    pub(super) fn cross(&mut self, combinations: &Combinations) -> Result<Value> {
        let CombinedBy::Levels(table) = &combinations.by else {
            return Err(self.refused("with `buckets` hashes text, which has no form in ONNX"));
        };
        let code = self.key(0, table.keys())?;
        Ok(self.coded(&code, table.keys().len(), combinations.output, f64::NAN))
    }

    pub(super) fn target_mean(&mut self, means: &TargetMeans) -> Result<Value> {
        let code = self.key(0, means.levels.keys())?;
        let numbers = means.all.levels.iter().copied().chain([means.all.overall]);
        Ok(Value::exact(self.entry(&code, numbers.collect())))
    }

    /// A code as a number, or as one indicator for each.
    fn coded(&mut self, code: &Edge, levels: usize, output: LevelOutput, otherwise: f64) -> Value {
        match output {
            LevelOutput::Levels => self.indicators(code, levels),
            LevelOutput::Number => {
                let numbers = (0..levels).map(|level| level as f64).chain([otherwise]);
                Value::exact(self.entry(code, numbers.collect()))
            }
        }
    }

    /// The number of the key that the inputs from one on are: −1 for one that is not among them.
    pub(super) fn key(&mut self, first: usize, keys: &[Key]) -> Result<Edge> {
        // What the parts so far are, by the number of the key; and in the graph.
        let mut prefixes = vec![0; keys.len()];
        let mut count = 1;
        let mut code: Option<Edge> = None;
        for part in 0..self.inputs.len().saturating_sub(first) {
            let of_key = |key: &Key| key.get(part).cloned().flatten();
            let values: BTreeSet<Option<String>> = keys.iter().map(of_key).collect();
            let values: Vec<Option<String>> = values.into_iter().collect();
            let known: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            let found = self.part(first + part, &known)?;
            if count * known.len() > MAX_ENTRIES {
                return Err(
                    self.refused(format!("has {count} x {} combinations, too many for a table", known.len()))
                );
            }
            let combined: Vec<usize> = keys
                .iter()
                .zip(&prefixes)
                .map(|(key, prefix)| prefix * known.len() + values.binary_search(&of_key(key)).unwrap_or(0))
                .collect();
            let seen: BTreeMap<usize, usize> = {
                let distinct: BTreeSet<usize> = combined.iter().copied().collect();
                distinct.into_iter().zip(0..).collect()
            };
            prefixes = combined.iter().map(|place| seen[place]).collect();
            code = Some(match code {
                None => found,
                Some(so_far) => self.pair((&so_far, &found), (count, known.len()), &seen),
            });
            count = seen.len();
        }
        let Some(code) = code else { return Err(self.refused("has a key of no column")) };
        let mut numbers = vec![-1; count];
        for (number, prefix) in prefixes.iter().enumerate() {
            numbers[*prefix] = place(number);
        }
        Ok(self.recoded(&code, numbers))
    }

    /// The number of a pair of codes among those that were seen.
    fn pair(
        &mut self,
        (left, right): (&Edge, &Edge),
        (lefts, rights): (usize, usize),
        seen: &BTreeMap<usize, usize>,
    ) -> Edge {
        let by = self.integer(place(rights));
        let row = self.node(&Operator::Mul, &[left, &by]);
        let cell = self.node(&Operator::Add, &[&row, right]);
        let unknown = [self.is_no_code(left), self.is_no_code(right)];
        let unknown = chain(&unknown, &Operator::Or, self.graph).unwrap_or_else(|| cell.clone());
        let none = self.integer(-1);
        let cell = self.node(&Operator::Where, &[&unknown, &none, &cell]);
        let number = |cell: usize| seen.get(&cell).map_or(-1, |number| place(*number));
        self.recoded(&cell, (0..lefts * rights).map(number).collect())
    }

    /// The place of the text of an input among some; `None` is null and NaN.
    fn part(&mut self, input: usize, known: &[Option<&str>]) -> Result<Edge> {
        let value = self.input(input)?.clone();
        let (levels, places) = self.levels_of(&value, known)?;
        let mut code = self.code(value, &levels)?;
        // Where every text is a level, the places are theirs.
        if places.len() < known.len() {
            code = self.recoded(&code, places.into_iter().map(place).collect());
        }
        if let Some(none) = known.iter().position(Option::is_none) {
            let missing = self.missing(input)?;
            let none = self.integer(place(none));
            code = self.node(&Operator::Where, &[&missing, &none, &code]);
        }
        Ok(code)
    }

    /// Texts as the values of an input that have them, with their places; a text that none has is left out.
    fn levels_of(&self, value: &Value, known: &[Option<&str>]) -> Result<(Levels, Vec<usize>)> {
        let texts = || known.iter().enumerate().filter_map(|(place, text)| Some((place, (*text)?)));
        let split = |pairs: Vec<(usize, f64)>| {
            let (places, levels): (Vec<usize>, Vec<f64>) = pairs.into_iter().unzip();
            (Levels::Float(levels), places)
        };
        Ok(match value {
            Value::Text { .. } | Value::Choice { .. } => {
                let (places, levels) = texts().map(|(place, text)| (place, text.to_owned())).unzip();
                (Levels::Text(levels), places)
            }
            Value::Raw { elements: ElementType::Boolean, .. } => {
                let value =
                    |text| [("false", 0.0), ("true", 1.0)].into_iter().find(|(name, _)| *name == text);
                split(texts().filter_map(|(place, text)| Some((place, value(text)?.1))).collect())
            }
            Value::Raw { elements: ElementType::Unsigned, .. } => {
                let parsed = texts().filter_map(|(place, text)| Some((place, whole_of::<u64>(text)?)));
                let parsed: Vec<(usize, u64)> = parsed.collect();
                if parsed.iter().any(|(_, value)| *value >= 1 << 53) {
                    let problem = "has levels past 2^53 in an unsigned column, which has no form in ONNX";
                    return Err(self.refused(problem));
                }
                split(parsed.into_iter().map(|(place, value)| (place, value as f64)).collect())
            }
            Value::Raw { .. } => {
                let parsed = texts().filter_map(|(place, text)| Some((place, whole_of::<i64>(text)?)));
                let (places, levels) = parsed.unzip();
                (Levels::Integer(levels), places)
            }
            Value::Number(_) => {
                split(texts().filter_map(|(place, text)| Some((place, float_of(text)?))).collect())
            }
            Value::Instant { .. } | Value::Indicators { .. } => {
                return Err(self.refused("reads a column that has no text in ONNX"));
            }
        })
    }
}

/// The number that has this text and no other.
fn whole_of<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|value: &T| value.to_string() == text)
}

fn float_of(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.to_string() == text)
}
