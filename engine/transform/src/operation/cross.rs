//! Cross: the combination of the values of several columns is one level (TensorFlow's `crossed_column`). With
//! `buckets`, the level is the bucket of its hash: Fingerprint64 of the parts, each as its length in bytes, a colon and
//! its text, modulo n; there is nothing to learn. Otherwise the levels are the combinations seen in the training rows,
//! sorted. A row with null or NaN in any column has no level, nor has a combination not seen in training. Numbers are
//! best put into buckets first, by `bucketize` with `output: number`.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::{OptionsError, quoted};

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, KeyCounts, Wanted};
use crate::operation::bucketize::LevelOutput;
use crate::operation::hash_buckets::{bucket, bucket_labels, check_buckets, codes};
use crate::operation::keys::KeyTable;
use crate::operation::one_hot::MAX_LEVELS;
use crate::operation::texts::map_keys;
use crate::operation::{Fitted, Fitting, Inputs, Known, Map, Mapper, Plan};
use crate::value::Value;

/// The options of `cross`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cross {
    /// The columns, two or more.
    pub columns: Vec<String>,
    /// How many buckets combinations are hashed into, instead of learning them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<u32>,
    /// More combinations than this in the training rows are an error; 1,000 without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_levels: Option<usize>,
    /// What comes out.
    #[serde(default)]
    pub output: LevelOutput,
    /// What the result is called; the names of the columns joined by ` & ` without.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Plan for Cross {
    fn check(&self) -> Result<(), OptionsError> {
        let conflict = |problem: &str, hint: &str| {
            Err(OptionsError::Conflict {
                name: "cross".into(),
                problem: problem.into(),
                hint: Some(hint.into()),
            })
        };
        if self.columns.len() < 2 {
            return conflict("names fewer than two columns", "name the columns to combine, or use `one_hot`");
        }
        match (self.buckets, self.max_levels) {
            (Some(_), Some(_)) => {
                conflict("has both `buckets` and `max_levels`", "hash combinations or learn them")
            }
            (Some(buckets), None) => check_buckets("cross.buckets", buckets, self.output),
            (None, Some(0)) => conflict("has `max_levels` 0", "allow at least 1 level"),
            (None, _) => Ok(()),
        }
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        let inputs = graph.scalars(&self.columns)?;
        let joined = self.columns.join(" & ");
        let name = self.name.as_deref().unwrap_or(&joined);
        let outputs = [(name, self.output.kind())];
        match self.buckets {
            Some(buckets) => {
                let combinations = Combinations { by: CombinedBy::Hash(buckets), output: self.output };
                let known = Known(Mapper::Cross(Box::new(combinations)));
                graph.step(&inputs, outputs, known)?;
            }
            None => {
                let limit = self.max_levels.unwrap_or(MAX_LEVELS);
                let column = quoted(self.columns.iter().map(String::as_str));
                let count = inputs.len();
                let fitting = CrossFitting { column, count, limit, output: self.output };
                graph.step(&inputs, outputs, fitting)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct CrossFitting {
    column: String,
    count: usize,
    limit: usize,
    output: LevelOutput,
}

impl Fitting for CrossFitting {
    fn wanted(&self) -> Vec<Wanted> {
        let analyzer = KeyCounts::new(self.limit).into();
        vec![Wanted { inputs: (0..self.count).collect(), analyzer }]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let counts = answers.into_iter().find_map(Analyzer::into_key_counts);
        let column = self.column;
        let keys = match counts.map(KeyCounts::into_keys).transpose()? {
            Some(Err(limit)) => {
                return Err(TransformError::TooManyCombinations { columns: column, limit }.into());
            }
            Some(Ok(keys)) => keys,
            None => Vec::new(),
        };
        if keys.is_empty() {
            return Err(TransformError::NoValues { operation: "cross", column }.into());
        }
        let combinations = Combinations { by: CombinedBy::Levels(KeyTable::from(keys)), output: self.output };
        Ok(Fitted::Done(Mapper::Cross(Box::new(combinations))))
    }
}

/// Combinations of values with their codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Combinations {
    /// How a combination has its code.
    pub by: CombinedBy,
    /// What comes out.
    pub output: LevelOutput,
}

/// How combinations have their codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CombinedBy {
    /// Those seen in training.
    Levels(KeyTable),
    /// So many buckets.
    Hash(u32),
}

impl Map for Combinations {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let columns = inputs.key(0)?;
        let found = match &self.by {
            // No key with null was learnt.
            CombinedBy::Levels(table) => table.find(&columns, inputs.rows),
            CombinedBy::Hash(buckets) => {
                let mut found = map_keys(&columns, inputs.rows, |key| Some(bucket(key, *buckets)));
                for column in &columns {
                    let is_known = column.map(|text| text.is_some());
                    found
                        .iter_mut()
                        .zip(is_known)
                        .filter(|(_, known)| !known)
                        .for_each(|(code, _)| *code = None);
                }
                found
            }
        };
        Ok(vec![codes(found, self.output)])
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        if self.output == LevelOutput::Number {
            return None;
        }
        Some(match &self.by {
            CombinedBy::Hash(buckets) => bucket_labels(*buckets),
            CombinedBy::Levels(table) => {
                let label = |key: &Vec<Option<String>>| {
                    key.iter().map(|part| part.as_deref().unwrap_or("")).collect::<Vec<_>>().join(" & ")
                };
                table.keys().iter().map(label).collect()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{check_laws, check_paths, columns_of, features, fitted, refusal};

    #[test]
    fn combinations_are_levels() {
        let rows = columns_of(&json!({
            "company": ["b", "a", "b", null, "b"],
            "hour": [7, 8, 7, 7, null],
        }));
        let fit = json!([{ "cross": { "columns": ["company", "hour"] } }]);
        let transform = fitted(&rows, &fit).unwrap();
        let later = columns_of(&json!({ "company": ["b", "b", null], "hour": [7, 8, 7] }));
        let found = features(&transform, &later);
        assert_eq!(found[0], ("company & hour=a & 8".to_owned(), vec![Some(0.0); 3]));
        assert_eq!(found[1], ("company & hour=b & 7".to_owned(), vec![Some(1.0), Some(0.0), Some(0.0)]));
        assert_eq!(found.len(), 2);
        check_paths(&transform, &later);
        check_laws(&rows, &fit);
        let enough = json!([{ "cross": { "columns": ["company", "hour"], "max_levels": 2 } }]);
        assert_eq!(features(&fitted(&rows, &enough).unwrap(), &later), found, "no key with null is held");
        let few = json!([{ "cross": { "columns": ["company", "hour"], "max_levels": 1 } }]);
        assert!(refusal(&rows, &few).contains("more than 1 combinations"), "{}", refusal(&rows, &few));
    }

    #[test]
    fn combinations_are_hashed() {
        let rows = columns_of(&json!({ "a": ["x", "xy", null], "b": ["yz", "z", "z"] }));
        let fit =
            json!([{ "cross": { "columns": ["a", "b"], "buckets": 1000, "output": "number", "as": "ab" } }]);
        let transform = fitted(&rows, &fit).unwrap();
        let found = features(&transform, &rows);
        let bucket = |text: &[u8]| Some((farmhash::fingerprint64(text) % 1000) as f64);
        assert_eq!(found, [("ab".to_owned(), vec![bucket(b"1:x2:yz"), bucket(b"2:xy1:z"), None])]);
        check_paths(&transform, &rows);
        assert!(refusal(&rows, &json!([{ "cross": { "columns": ["a"] } }])).contains("fewer than two"));
    }
}
