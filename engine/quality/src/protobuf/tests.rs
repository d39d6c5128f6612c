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
    assert_eq!(error.to_string(), "`s.pbtxt`, line 3: `Feature` has no field `presense`");
    assert_eq!(error.hint().unwrap(), "did you mean `presence`?");
}

#[test]
fn an_unknown_word_is_named_with_the_nearest() {
    let error = read(descriptor("Schema"), "feature {\n  type: FLAOT }", "s.pbtxt").unwrap_err();
    assert_eq!(error.to_string(), "`s.pbtxt`, line 2: `FeatureType` has no value `FLAOT`");
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
