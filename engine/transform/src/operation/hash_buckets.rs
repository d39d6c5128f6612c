//! Hash buckets: a value becomes the bucket Fingerprint64(text) mod n, where the text of an integer is decimal, of a
//! float the shortest that reads back, of a boolean `true` or `false`. Fingerprint64 is Google's `FarmHash`, which never
//! changes: the buckets are those of TFT's `hash_strings` and of `tf.strings.to_hash_bucket_fast`, and
//! `FARM_FINGERPRINT` of `BigQuery` is the same number. There is nothing to learn, so that no value is unseen. Null and NaN
//! have no bucket; the two infinities are values.

use arrow::array::{Float64Array, UInt32Array};
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::fit::Builder;
use crate::graph::{Cell, CellInputs};
use crate::operation::bucketize::LevelOutput;
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::Value;

/// More buckets than this are refused where each is a column.
const MAX_LEVELS: u32 = 1 << 20;

/// The options of `hash_buckets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashBuckets {
    /// The columns.
    pub columns: Vec<String>,
    /// How many buckets there are.
    pub buckets: u32,
    /// What comes out.
    #[serde(default)]
    pub output: LevelOutput,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// That there is a number of buckets that can be.
pub(crate) fn check_buckets(name: &str, buckets: u32, output: LevelOutput) -> Result<(), OptionsError> {
    let most = if output == LevelOutput::Levels { MAX_LEVELS } else { u32::MAX };
    if (1..=most).contains(&buckets) {
        return Ok(());
    }
    Err(OptionsError::OutOfRange {
        name: name.into(),
        value: buckets.to_string(),
        range: format!("from 1 to {most}"),
    })
}

impl Plan for HashBuckets {
    fn check(&self) -> Result<(), OptionsError> {
        check_buckets("hash_buckets.buckets", self.buckets, self.output)
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.scalar(column)?;
            let hashing = Hashing { buckets: self.buckets, output: self.output };
            graph.step(&[input], [(name, self.output.kind())], Known(Mapper::HashBuckets(hashing)))?;
        }
        Ok(())
    }
}

/// The bucket of a text.
#[allow(clippy::cast_possible_truncation, reason = "a remainder is below its divisor")]
pub(crate) fn bucket(text: &str, buckets: u32) -> u32 {
    (farmhash::fingerprint64(text.as_bytes()) % u64::from(buckets)) as u32
}

/// What the levels of buckets are called.
pub(crate) fn bucket_labels(buckets: u32) -> Vec<String> {
    (0..buckets).map(|bucket| format!("bucket {bucket}")).collect()
}

/// Codes as levels or as numbers.
pub(crate) fn codes(codes: Vec<Option<u32>>, output: LevelOutput) -> Value {
    match output {
        LevelOutput::Levels => Value::Codes(UInt32Array::from(codes)),
        LevelOutput::Number => {
            Value::floats(codes.into_iter().map(|code| code.map(f64::from)).collect::<Float64Array>())
        }
    }
}

/// The same for one row.
pub(crate) fn code_cell<'a>(code: Option<u32>, output: LevelOutput) -> Cell<'a> {
    match output {
        LevelOutput::Levels => Cell::Code(code),
        LevelOutput::Number => code.map_or(Cell::Null, |code| Cell::Float(f64::from(code))),
    }
}

/// Buckets of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashing {
    /// How many.
    pub buckets: u32,
    /// What comes out.
    pub output: LevelOutput,
}

impl Map for Hashing {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let buckets = inputs.texts(0)?.map(|text| text.map(|text| bucket(text, self.buckets)));
        Ok(vec![codes(buckets, self.output)])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let mut scratch = String::new();
        let bucket = inputs.text(0, &mut scratch)?.map(|text| bucket(text, self.buckets));
        outputs.push(code_cell(bucket, self.output));
        Ok(())
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        (self.output == LevelOutput::Levels).then(|| bucket_labels(self.buckets))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{check_paths, columns_of, features, fitted, reference, refusal};

    #[test]
    fn fingerprints_are_those_of_farmhash() {
        for case in reference("categories.json")["fingerprint64"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let expected: u64 = case["fingerprint"].as_str().unwrap().parse().unwrap();
            assert_eq!(farmhash::fingerprint64(text.as_bytes()), expected, "{text:?}");
        }
        // BigQuery's documentation of FARM_FINGERPRINT, as signed numbers.
        let signed = |text: &str| farmhash::fingerprint64(text.as_bytes()).cast_signed();
        assert_eq!(signed("1footrue"), -1_541_654_101_129_638_711);
        assert_eq!(signed("2applefalse"), 2_794_438_866_806_483_259);
        assert_eq!(signed("3true"), -4_880_158_226_897_771_312);
    }

    #[test]
    fn a_value_has_the_bucket_of_its_text() {
        let case = &reference("categories.json")["hash_buckets"];
        let rows = columns_of(&case["input"]);
        let buckets = &case["buckets"];
        let fit = json!([{ "hash_buckets": { "columns": ["text", "number"], "buckets": buckets, "output": "number" } }]);
        let transform = fitted(&rows, &fit).unwrap();
        for (name, values) in features(&transform, &rows) {
            let expected: Vec<Option<f64>> =
                case["output"][&name].as_array().unwrap().iter().map(serde_json::Value::as_f64).collect();
            assert_eq!(values, expected, "{name}");
        }
        check_paths(&transform, &rows);
        let levels = json!([{ "hash_buckets": { "columns": ["text"], "buckets": 3, "as": ["t"] } }]);
        let transform = fitted(&rows, &levels).unwrap();
        check_paths(&transform, &rows);
        let names: Vec<String> = features(&transform, &rows).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["t=bucket 0", "t=bucket 1", "t=bucket 2"]);
        let none = json!([{ "hash_buckets": { "columns": ["text"], "buckets": 0 } }]);
        assert!(refusal(&rows, &none).contains("hash_buckets.buckets"));
    }
}
