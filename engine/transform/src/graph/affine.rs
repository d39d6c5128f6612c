//! A transform taken apart: what comes before the affine maps that its numbers end in, and these maps. The constants of
//! centring and scaling change with every window of the data; what comes before them mostly does not.

use std::collections::BTreeSet;

use sluice_core::affine::AffineMap;

use super::program::{Node, Program};
use super::{StoredFeature, Transform};

impl Transform {
    /// The transform without the affine maps at the end of its numbers, and those of each feature, the first applied
    /// first.
    #[must_use]
    pub fn split_affine(&self) -> (Self, Vec<Vec<AffineMap>>) {
        let (features, maps): (Vec<_>, Vec<_>) =
            self.features.iter().map(|feature| self.without_affine(feature)).unzip();
        let program = self.program.leading_to(features.iter().map(|feature| feature.value.as_str()));
        let (slots, places) = program.slots();
        let feature_slots =
            features.iter().filter_map(|feature| places.get(feature.value.as_str()).copied()).collect();
        let identity = self.identity.clone().filter(|_| program.leaves_out_folds());
        // Features keep names, kinds and sources: an affine map reads one number and leaves one.
        let space = self.space.clone();
        (Self { program, features, identity, space, slots, feature_slots }, maps)
    }

    fn without_affine(&self, feature: &StoredFeature) -> (StoredFeature, Vec<AffineMap>) {
        let (mut value, mut maps) = (feature.value.as_str(), Vec::new());
        while let Some((node, map)) = self.affine_to(value) {
            maps.push(map);
            value = &node.inputs[0];
        }
        maps.reverse();
        (StoredFeature { name: feature.name.clone(), value: value.to_owned() }, maps)
    }

    /// The node that makes a value, if it is affine, with its map.
    fn affine_to(&self, value: &str) -> Option<(&Node, AffineMap)> {
        let node = self.nodes().iter().find(|node| node.outputs.iter().any(|output| output == value))?;
        let map = node.mapper.as_map().affine()?;
        (node.inputs.len() == 1).then_some((node, map))
    }
}

impl Program {
    /// The nodes and source columns that some values depend on.
    fn leading_to<'a>(&'a self, values: impl Iterator<Item = &'a str>) -> Self {
        let mut needed: BTreeSet<&str> = values.collect();
        for node in self.nodes.iter().rev() {
            if node.outputs.iter().any(|output| needed.contains(output.as_str())) {
                needed.extend(node.inputs.iter().map(String::as_str));
            }
        }
        let is_needed = |name: &String| needed.contains(name.as_str());
        Self {
            inputs: self.inputs.iter().filter(|column| is_needed(&column.name)).cloned().collect(),
            nodes: self.nodes.iter().filter(|node| node.outputs.iter().any(is_needed)).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, StringArray};
    use serde_json::json;

    use sluice_core::seam::BatchTransform as _;

    use crate::testing::{features, fitted, table};

    #[test]
    fn what_comes_before_and_the_maps_make_the_features() {
        let numbers = |values: [f64; 5]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        let rows = table(vec![
            ("a", numbers([1.0, 2.5, 4.0, -3.0, 8.0])),
            ("b", numbers([7.0, 7.0, 7.0, 7.0, 7.0])),
            ("c", numbers([0.5, 9.0, 2.0, 2.0, 1.0])),
            ("d", Arc::new(StringArray::from(vec!["x", "y", "x", "z", "x"]))),
        ]);
        let operations = json!([
            { "scale_to_range": { "columns": ["a"], "range": [-1, 3] } },
            { "robust_scale": ["a"] },
            { "standardize": ["b"] },
            { "max_abs_scale": ["c"] },
            { "math": { "columns": ["c"], "function": "square", "as": ["c squared"] } },
            { "standardize": ["c squared"] },
            { "scale_to_range": { "columns": ["c"], "clip": true, "as": ["clipped"] } },
            { "one_hot": ["d"] },
        ]);
        let transform = fitted(&rows, &operations).unwrap();
        let (before, maps) = transform.split_affine();
        assert_eq!(before.space(), transform.space());
        assert_eq!(maps.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1, 1, 0, 0]);
        assert_eq!(before.nodes().len(), 4);
        let (made, expected) = (features(&before, &rows), features(&transform, &rows));
        for (((name, found), (_, expected)), maps) in made.iter().zip(&expected).zip(&maps) {
            for (found, expected) in found.iter().zip(expected) {
                let mapped = found.map(|value| maps.iter().fold(value, |value, map| map.of(value)));
                assert_eq!(mapped, *expected, "{name}");
            }
        }
        // The constants of the last maps are not among what comes before them.
        let other = table(vec![
            ("a", numbers([1.0, 2.5, 4.0, -3.0, 90.0])),
            ("b", numbers([7.0, 7.0, 7.0, 7.0, 9.0])),
            ("c", numbers([0.5, 9.0, 2.0, 4.0, 3.0])),
            ("d", Arc::new(StringArray::from(vec!["x", "y", "x", "z", "x"]))),
        ]);
        let (other, _) = fitted(&other, &operations).unwrap().split_affine();
        let text = |transform| serde_json::to_string(transform).unwrap();
        assert_eq!(text(&other), text(&before));
        // And what is written is read again.
        let read: super::Transform = serde_json::from_str(&text(&before)).unwrap();
        assert_eq!(features(&read, &rows), made);
    }
}
