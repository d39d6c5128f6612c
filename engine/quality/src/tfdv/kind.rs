//! Kinds of columns as words, for what TFDV's types do not tell apart.

use sluice_core::column::ColumnKind;

use super::message::feature_type;

/// TFDV's type of a kind: times and what has no values of its own are text, decimals are floats.
pub(crate) fn type_of(kind: &ColumnKind) -> u64 {
    match kind.innermost() {
        ColumnKind::Boolean | ColumnKind::Integer | ColumnKind::Unsigned => feature_type::INT,
        ColumnKind::Float | ColumnKind::Decimal { .. } => feature_type::FLOAT,
        ColumnKind::Struct(_) => feature_type::STRUCT,
        ColumnKind::Null
        | ColumnKind::Text
        | ColumnKind::Binary
        | ColumnKind::Date
        | ColumnKind::Timestamp { .. }
        | ColumnKind::List(_)
        | ColumnKind::Other(_) => feature_type::STRING,
    }
}

/// The kind that a type stands for where nothing else is said.
pub(crate) fn kind_of(number: u64) -> ColumnKind {
    match number {
        feature_type::INT => ColumnKind::Integer,
        feature_type::FLOAT => ColumnKind::Float,
        feature_type::STRING => ColumnKind::Text,
        feature_type::BYTES => ColumnKind::Binary,
        feature_type::STRUCT => ColumnKind::Struct(Vec::new()),
        other => ColumnKind::Other(format!("type {other}")),
    }
}

/// The word for a kind, where its type does not say it already.
pub(crate) fn word(kind: &ColumnKind) -> Option<String> {
    Some(match kind.innermost() {
        ColumnKind::Integer
        | ColumnKind::Float
        | ColumnKind::Text
        | ColumnKind::Struct(_)
        | ColumnKind::List(_) => return None,
        ColumnKind::Null => "null".into(),
        ColumnKind::Boolean => "boolean".into(),
        ColumnKind::Unsigned => "unsigned".into(),
        ColumnKind::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        ColumnKind::Binary => "binary".into(),
        ColumnKind::Date => "date".into(),
        ColumnKind::Timestamp { zone, nanoseconds } => {
            let unit = if *nanoseconds { "ns" } else { "us" };
            zone.as_ref()
                .map_or_else(|| format!("timestamp({unit})"), |zone| format!("timestamp({unit},{zone})"))
        }
        ColumnKind::Other(name) => format!("other({name})"),
    })
}

/// The kind of a word; `None` of one that is none.
pub(crate) fn of_word(word: &str) -> Option<ColumnKind> {
    let (name, inside) = match word.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')')?)),
        None => (word, None),
    };
    Some(match (name, inside) {
        ("null", None) => ColumnKind::Null,
        ("boolean", None) => ColumnKind::Boolean,
        ("unsigned", None) => ColumnKind::Unsigned,
        ("binary", None) => ColumnKind::Binary,
        ("date", None) => ColumnKind::Date,
        ("decimal", Some(inside)) => {
            let (precision, scale) = inside.split_once(',')?;
            ColumnKind::Decimal { precision: precision.parse().ok()?, scale: scale.parse().ok()? }
        }
        ("timestamp", Some(inside)) => {
            let (unit, zone) =
                inside.split_once(',').map_or((inside, None), |(unit, zone)| (unit, Some(zone.to_owned())));
            let nanoseconds = ["us", "ns"].iter().position(|name| *name == unit)? == 1;
            ColumnKind::Timestamp { zone, nanoseconds }
        }
        ("other", Some(inside)) => ColumnKind::Other(inside.into()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        let zone = Some("Europe/Berlin".to_owned());
        for kind in [
            ColumnKind::Null,
            ColumnKind::Boolean,
            ColumnKind::Unsigned,
            ColumnKind::Decimal { precision: 38, scale: -2 },
            ColumnKind::Binary,
            ColumnKind::Date,
            ColumnKind::Timestamp { zone: None, nanoseconds: true },
            ColumnKind::Timestamp { zone, nanoseconds: false },
            ColumnKind::Other("Map(Utf8, Int64)".into()),
        ] {
            assert_eq!(of_word(&word(&kind).unwrap()), Some(kind));
        }
        for kind in [ColumnKind::Integer, ColumnKind::Float, ColumnKind::Text, ColumnKind::Struct(Vec::new())]
        {
            assert_eq!(word(&kind), None);
            assert_eq!(kind_of(type_of(&kind)), kind);
        }
        for wrong in
            ["", "dates", "date()", "decimal(5)", "decimal(a,1)", "timestamp(s)", "timestamp(us", "other"]
        {
            assert_eq!(of_word(wrong), None, "{wrong}");
        }
    }
}
