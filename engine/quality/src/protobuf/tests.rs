//! The printer against protobuf's own, and the reader's messages.

use prost_reflect::prost::Message;
use sluice_core::Diagnostic;

use super::number::shortest;
use super::*;
use crate::QualityError;

/// Written by `google.protobuf.text_format.MessageToString` 7.36.2 over `tensorflow_metadata` 1.21.0.
const PYTHON: &str = include_str!("python.pbtxt");

#[test]
fn text_is_laid_out_as_protobuf_does_it() {
    let message = read(descriptor("Schema"), PYTHON, "python.pbtxt").unwrap();
    assert_eq!(print(&message), PYTHON);
    let again = DynamicMessage::decode(descriptor("Schema"), message.encode_to_vec().as_slice()).unwrap();
    assert_eq!(print(&again), PYTHON);
}

#[test]
fn numbers_follow_the_printer_of_python() {
    let cases = [
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (0.0001, "0.0001"),
        (0.000_01, "1e-05"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1.5e300, "1.5e+300"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ];
    for (value, text) in cases {
        assert_eq!(text_of_double(value), text);
    }
    assert_eq!(text_of_double(shortest(0.1)), "0.1");
    assert_eq!(text_of_double(shortest(f32::MAX)), "3.4028235e+38");
}

#[test]
fn an_unknown_field_is_named_with_its_line_and_the_nearest() {
    let error =
        read(descriptor("Schema"), "feature {\n  name: \"a\"\n  presense { }\n}\n", "s.pbtxt").unwrap_err();
    assert_eq!(error.to_string(), "`s.pbtxt`, line 3, column 3: `Feature` has no field `presense`");
    assert_eq!(error.hint().unwrap(), "did you mean `presence`?");
}

#[test]
fn an_unknown_word_is_named_with_the_nearest() {
    let error = read(descriptor("Schema"), "feature {\n  type: FLAOT }", "s.pbtxt").unwrap_err();
    assert_eq!(error.to_string(), "`s.pbtxt`, line 2, column 9: `FeatureType` has no value `FLAOT`");
    assert_eq!(error.hint().unwrap(), "did you mean `FLOAT`?");
}

#[test]
fn broken_text_is_named_with_its_line() {
    for (text, wanted) in [
        ("feature {\n  name: \"a\n}", 2),
        ("feature {\n\n", 3),
        ("feature {\n name: 7\n}", 2),
        ("\0", 1),
        ("}{", 1),
    ] {
        let error = read(descriptor("Schema"), text, "s.pbtxt").unwrap_err();
        let QualityError::TextMalformed { line, .. } = &error else { panic!("{error}") };
        assert_eq!(*line, wanted, "{text:?}: {error}");
    }
}

/// Text with unknown fields, read and printed.
fn kept(text: &str) -> String {
    let message = read_keeping_unknown(descriptor("Schema"), text, "s.pbtxt").unwrap();
    // Binary form carries them too.
    let again = DynamicMessage::decode(descriptor("Schema"), message.encode_to_vec().as_slice()).unwrap();
    assert_eq!(print(&again), print(&message));
    print(&message)
}

#[test]
fn fields_of_newer_versions_are_kept_in_their_message() {
    let text = "feature {\n  name: \"a\"\n}\nfeature {\n  name: \"b\"\n  type: INT\n  presence {\n    min_count: 1\n    \
                lunar_phase: \"full } moon\"\n  }\n  zodiac {\n    sign: -3\n    of {\n      x: [1, -2]\n    }\n  }\n}\n\
                galaxy: 7\n";
    assert_eq!(kept(text), text);
    let dense = "feature: [ { name: 'a' }, { name: 'b', zodiac < sign: -3 > # here { }\n }]; galaxy: 7 feature { name: 'c' }";
    assert_eq!(
        kept(dense),
        "feature {\n  name: \"a\"\n}\nfeature {\n  name: \"b\"\n  zodiac {\n    sign: -3\n  }\n}\nfeature {\n  name: \"c\"\n}\n\
         galaxy: 7\n"
    );
    assert_eq!(
        kept("galaxy: 'a' 'b'\n \"c\" feature { name: 'x' }"),
        "feature {\n  name: \"x\"\n}\ngalaxy: 'a' 'b' \"c\"\n"
    );
}

#[test]
fn slips_and_broken_text_are_errors_beside_unknown_fields() {
    for (text, wanted) in [
        ("galaxy: 7\nfeature { nmae: 'a' }", "line 2, column 11: `Feature` has no field `nmae`"),
        ("galaxy: 7\nfeature { name: 'a'", "line 2, column 20: cannot read the schema as protobuf text"),
        ("galaxy {\n", "line 1, column 1: `Schema` has no field `galaxy`"),
    ] {
        let error = read_keeping_unknown(descriptor("Schema"), text, "s.pbtxt").unwrap_err();
        assert_eq!(error.to_string(), format!("`s.pbtxt`, {wanted}"), "{text:?}");
    }
}
