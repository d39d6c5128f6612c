//! Figures as a page shows them: short, aligned, with units.

use sluice_core::column::ColumnKind;

use crate::number::{count, significant};

/// A narrow space that does not break, between groups of digits.
const THIN: &str = "\u{202f}";

/// A count: `1 048 576`, on one line.
pub(crate) fn counted(value: u64) -> String {
    count(value).replace(' ', THIN)
}

/// A count of rows: `1 row`, `2 000 rows`.
pub(crate) fn counted_rows(value: u64) -> String {
    format!("{} {}", counted(value), if value == 1 { "row" } else { "rows" })
}

/// A measured value in at most six digits, thousands grouped: `12 345.6`, `1.2e-9`.
pub(crate) fn figure(value: f64) -> String {
    let text = significant(value);
    if text.contains(['e', 'N', 'i']) {
        return text.replace("e", "\u{202f}e").replace('-', "\u{2212}");
    }
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("\u{2212}", rest));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let whole = match whole.parse::<u64>() {
        Ok(value) if value >= 10_000 => counted(value),
        _ => whole.to_owned(),
    };
    format!("{sign}{whole}{fraction}")
}

/// A measured value in about four digits, for where it is one of many: `14.57`, `17 031 223 823`.
pub(crate) fn brief(value: f64) -> String {
    let size = value.abs();
    if !(1e-3..1e12).contains(&size) {
        return figure(value);
    }
    let decimals = [1000.0, 100.0, 10.0, 1.0, 0.1, 0.01].iter().filter(|bound| size < **bound).count();
    // Written with these digits, then read: it is the rounded value.
    figure(format!("{value:.decimals$}").parse().unwrap_or(value))
}

/// A share: `0%`, `<0.1%`, `12.3%`, `>99.9%`, `100%`.
pub(crate) fn percent(share: f64) -> String {
    match share {
        share if share.is_nan() => "–".into(),
        share if share <= 0.0 => "0%".into(),
        share if share < 0.001 => "<0.1%".replace('<', "&lt;"),
        share if share >= 1.0 => "100%".into(),
        share if share > 0.999 => ">99.9%".replace('>', "&gt;"),
        share => {
            let text = format!("{:.1}", share * 100.0);
            format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
        }
    }
}

/// A part of a whole; 0 of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A kind in words: `list of integer`.
pub(crate) fn kind(kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::Null => "nothing".into(),
        ColumnKind::Boolean => "boolean".into(),
        ColumnKind::Integer => "integer".into(),
        ColumnKind::Unsigned => "unsigned".into(),
        ColumnKind::Float => "float".into(),
        ColumnKind::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
        ColumnKind::Text => "text".into(),
        ColumnKind::Binary => "binary".into(),
        ColumnKind::Date => "date".into(),
        ColumnKind::Timestamp { zone: None, .. } => "timestamp".into(),
        ColumnKind::Timestamp { zone: Some(zone), .. } => format!("timestamp {zone}"),
        ColumnKind::List(item) => format!("list of {}", self::kind(item)),
        ColumnKind::Struct(fields) => {
            format!("struct of {} field{}", fields.len(), if fields.len() == 1 { "" } else { "s" })
        }
        ColumnKind::Other(name) => name.clone(),
    }
}

/// The families of kinds that a page filters by.
pub(crate) const FAMILIES: [(&str, &str); 6] = [
    ("number", "numbers"),
    ("text", "text"),
    ("boolean", "booleans"),
    ("time", "times"),
    ("nested", "lists, structs"),
    ("other", "other"),
];

/// The family of a kind.
pub(crate) fn family(kind: &ColumnKind, is_list: bool) -> &'static str {
    match kind {
        ColumnKind::List(_) | ColumnKind::Struct(_) => "nested",
        _ if is_list => "nested",
        ColumnKind::Integer | ColumnKind::Unsigned | ColumnKind::Float | ColumnKind::Decimal { .. } => {
            "number"
        }
        ColumnKind::Text | ColumnKind::Binary => "text",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Date | ColumnKind::Timestamp { .. } => "time",
        ColumnKind::Null | ColumnKind::Other(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(figure(12_345.678), "12\u{202f}345.7");
        assert_eq!(figure(-1234.5), "\u{2212}1234.5");
        assert_eq!(figure(1.25e-9), "1.25\u{202f}e\u{2212}9");
        assert_eq!(figure(-0.0), "0");
        let brief = [14.5711, -0.074_776, 899.6576, 17_031_223_823.4, 0.0, 41.843_7, 5e-9].map(brief);
        assert_eq!(
            brief,
            [
                "14.57",
                "\u{2212}0.07478",
                "899.7",
                "17\u{202f}031\u{202f}223\u{202f}823",
                "0",
                "41.84",
                "5\u{202f}e\u{2212}9"
            ]
        );
        let shares = [0.0, 0.0004, 0.1234, 0.5, 0.9996, 1.0, f64::NAN].map(percent);
        assert_eq!(shares, ["0%", "&lt;0.1%", "12.3%", "50%", "&gt;99.9%", "100%", "–"]);
        assert_eq!(kind(&ColumnKind::List(Box::new(ColumnKind::Text))), "list of text");
    }
}
