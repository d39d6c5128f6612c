//! One list for columns whose lists of strings are nearly the same (pickup and drop-off zones): TFDV's grouping of
//! related enumerations.

use std::collections::BTreeSet;

use sluice_core::schema::{Domain, Feature, Schema};

/// Lists of at most this many values are shared only if they are the same.
const MIN_SIZE: usize = 10;
/// Above this share of common values among all values of both.
const MIN_SIMILARITY: f64 = 0.5;

/// Gives the columns of each group of similar lists all values of the group, under its shortest name. Each list
/// joins the first group whose first list it is similar to.
pub(super) fn share(schema: &mut Schema) {
    let mut groups: Vec<Group> = Vec::new();
    walk(&mut schema.features, &mut |name, values| {
        let values: BTreeSet<String> = values.iter().cloned().collect();
        match groups.iter_mut().find(|group| is_similar(&group.first, &values)) {
            Some(group) => {
                group.names.push(name.clone());
                group.all.extend(values);
            }
            None => groups.push(Group { names: vec![name.clone()], first: values.clone(), all: values }),
        }
    });
    let shared = |group: &&Group| group.names.len() > 1;
    walk(&mut schema.features, &mut |name, values| {
        if let Some(group) = groups.iter().filter(shared).find(|group| group.names.contains(name)) {
            *values = group.all.iter().cloned().collect();
            if let Some(shortest) = group.names.iter().min_by_key(|name| (name.len(), (*name).clone())) {
                name.clone_from(shortest);
            }
        }
    });
}

struct Group {
    names: Vec<String>,
    first: BTreeSet<String>,
    all: BTreeSet<String>,
}

fn walk(features: &mut [Feature], visit: &mut dyn FnMut(&mut String, &mut Vec<String>)) {
    for feature in features {
        if let Some(Domain::Strings { name, values, .. }) = &mut feature.domain {
            visit(name, values);
        }
        walk(&mut feature.fields, visit);
    }
}

fn is_similar(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    if one == other {
        return true;
    }
    let common = one.intersection(other).count() as f64;
    let similarity = common / (one.union(other).count() as f64);
    similarity > MIN_SIMILARITY && one.len() > MIN_SIZE && other.len() > MIN_SIZE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(lists: &[(&str, std::ops::Range<u32>)]) -> Schema {
        let feature = |(name, range): &(&str, std::ops::Range<u32>)| {
            let values = range.clone().map(|value| format!("{value:02}")).collect();
            let domain = Domain::Strings { name: (*name).into(), values, is_categorical: None };
            Feature { domain: Some(domain), ..Feature::new(*name) }
        };
        Schema { features: lists.iter().map(feature).collect(), ..Schema::default() }
    }

    fn shared(lists: &[(&str, std::ops::Range<u32>)]) -> Vec<(String, usize)> {
        let mut schema = schema(lists);
        share(&mut schema);
        let mut found = Vec::new();
        walk(&mut schema.features, &mut |name, values| found.push((name.clone(), values.len())));
        found
    }

    #[test]
    fn long_lists_are_shared_when_more_than_half_is_common() {
        assert_eq!(
            shared(&[("dropoff", 0..12), ("pickup", 2..14)]),
            [("pickup".into(), 14), ("pickup".into(), 14)]
        );
        assert_eq!(
            shared(&[("dropoff", 0..12), ("pickup", 6..18)]),
            [("dropoff".into(), 12), ("pickup".into(), 12)]
        );
    }

    #[test]
    fn short_lists_are_shared_only_when_they_are_the_same() {
        assert_eq!(
            shared(&[("b", 0..3), ("a", 0..3), ("c", 0..4)]),
            [("a".into(), 3), ("a".into(), 3), ("c".into(), 4)]
        );
    }
}
