//! Features whose numbers are ids: places in a vocabulary, buckets of hashes. A network looks vectors up by them, for
//! which it must know how many there are.

use crate::operation::Mapper;
use crate::operation::bucketize::LevelOutput;
use crate::operation::cross::CombinedBy;

use super::Transform;

/// The ids of a feature of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// They are below this, from 0.
    pub count: u64,
    /// Whether their order means something, so that they are as good as numbers: ordinals and buckets of numbers.
    pub is_ordered: bool,
}

impl Transform {
    /// The ids of a feature; none where it is no column of numbers, or its numbers are no ids.
    #[must_use]
    pub fn ids(&self, feature: &str) -> Option<Ids> {
        let stored = self.features.iter().find(|stored| stored.name == feature)?;
        let makes_it = |outputs: &[String]| outputs.contains(&stored.value);
        let node = self.nodes().iter().find(|node| makes_it(&node.outputs))?;
        let ids = |count: usize, is_ordered| Some(Ids { count: count as u64, is_ordered });
        match &node.mapper {
            Mapper::Vocabulary(tokens) => {
                let stored = tokens.stored();
                let is_number = stored.output == LevelOutput::Number && !stored.is_list;
                // What stands for unknown tokens is an id too; a negative one is none.
                let default = stored.default.and_then(|id| usize::try_from(id).ok()).map_or(0, |id| id + 1);
                let known = stored.tokens.len() + stored.oov_buckets as usize;
                if is_number { ids(std::cmp::max(known, default), false) } else { None }
            }
            Mapper::HashBuckets(hashing) if hashing.output == LevelOutput::Number => {
                ids(hashing.buckets as usize, false)
            }
            Mapper::Cross(combinations) if combinations.output == LevelOutput::Number => {
                let count = match &combinations.by {
                    CombinedBy::Levels(table) => table.keys().len(),
                    CombinedBy::Hash(buckets) => *buckets as usize,
                };
                ids(count, false)
            }
            Mapper::Ordinal(ordinals) => ids(ordinals.levels.levels().len(), true),
            Mapper::Bucketize(buckets) if buckets.output == LevelOutput::Number => {
                ids(buckets.edges.len() + 1, true)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Ids;
    use crate::testing::{columns_of, fitted};

    #[test]
    fn ids_are_counted_with_what_stands_for_unknown_ones() {
        let rows = columns_of(&json!({ "c": ["a", "b", "a", "c"], "x": [1.0, 2.0, 3.0, 4.0] }));
        let transform = fitted(
            &rows,
            &json!([
                { "vocabulary": { "columns": ["c"], "output": "number", "oov_buckets": 5, "as": ["tokens"] } },
                { "vocabulary": { "columns": ["c"], "output": "number", "default": 7, "as": ["with default"] } },
                { "vocabulary": { "columns": ["c"], "output": "number", "default": -1, "as": ["without"] } },
                { "vocabulary": { "columns": ["c"], "as": ["levels"] } },
                { "hash_buckets": { "columns": ["c"], "buckets": 11, "output": "number", "as": ["hashed"] } },
                { "ordinal": { "columns": ["c"], "as": ["place"] } },
                { "bucketize": { "columns": ["x"], "edges": [2, 3], "output": "number", "as": ["bucket"] } },
                { "standardize": ["x"] },
            ]),
        )
        .unwrap();
        let ids = |count| Some(Ids { count, is_ordered: false });
        let ordered = |count| Some(Ids { count, is_ordered: true });
        for (feature, expected) in [
            ("tokens", ids(8)),
            ("with default", ids(8)),
            ("without", ids(3)),
            ("levels", None),
            ("hashed", ids(11)),
            ("place", ordered(3)),
            ("bucket", ordered(3)),
            ("x", None),
            ("no such", None),
        ] {
            assert_eq!(transform.ids(feature), expected, "{feature}");
        }
    }
}
