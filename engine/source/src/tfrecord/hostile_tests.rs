//! Files that are not what they claim to be.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use sluice_core::ErrorKind;
use sluice_core::seam::{BatchSource, Request};

use super::records::head_of;
use super::tests::{framed, opened};

/// `{n: [7]}`.
const ONE: &[u8] = b"\x0A\x0C\x0A\x0A\x0A\x01n\x12\x05\x1A\x03\x0A\x01\x07";
/// `{n: ["x"]}`.
const OTHER: &[u8] = b"\x0A\x0C\x0A\x0A\x0A\x01n\x12\x05\x0A\x03\x0A\x01x";

fn refused(folder: &Path, name: &str, bytes: &[u8]) -> String {
    fs_err::write(folder.join(name), bytes).unwrap();
    let error = opened(folder, name, 100).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error:?}");
    format!("{error:?}")
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn damage_is_told_with_file_record_and_byte() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = framed(&[ONE, ONE, ONE]);
    let length = framed(&[ONE]).len();
    for (byte, problem) in [
        (2 * length + 3, "its length does not have the checksum that stands there"),
        (2 * length + 9, "its length does not have the checksum that stands there"),
        (2 * length + 14, "its content does not have the checksum that stands there"),
        (3 * length - 1, "its content does not have the checksum that stands there"),
    ] {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1;
        let place = format!("record 3 (byte {}): {problem}", 2 * length);
        for (name, bytes) in [("a.tfrecord", bytes.clone()), ("a.tfrecord.gz", packed(&bytes))] {
            let error = refused(folder, name, &bytes);
            assert!(error.contains(&format!("`{name}`, {place}")), "{error}");
        }
    }
    let error = refused(folder, "a.tfrecord", &whole[..whole.len() - 5]);
    assert!(error.contains("record 3 (byte 60): the file ends within the record"), "{error}");
    let error = refused(folder, "a.tfrecord.gz", &packed(&whole)[..30]);
    assert!(error.contains("`a.tfrecord.gz` is damaged or cut off"), "{error}");
}

#[test]
fn forged_lengths_take_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let forged = [framed(&[ONE]), head_of(1 << 60).to_vec()].concat();
    let error = refused(folder.path(), "a.tfrecord", &forged);
    assert!(error.contains("record 2 (byte 30): the record claims 1152921504606846976 bytes"), "{error}");
}

#[test]
fn files_and_records_without_content() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, bytes) in
        [("a.tfrecord", Vec::new()), ("a.tfrecord.gz", packed(b"")), ("b.tfrecord.gz", Vec::new())]
    {
        let error = refused(folder, name, &bytes);
        assert!(error.contains(&format!("`{name}` is empty")), "{error}");
    }
    let error = refused(folder, "a.tfrecord", &framed(&[b"", b""]));
    assert!(error.contains("`a.tfrecord` has no columns"), "{error}");
    fs_err::write(folder.join("a.tfrecord"), framed(&[b"", ONE])).unwrap();
    assert_eq!(opened(folder, "a.tfrecord", 100).unwrap().plan().rows(), 2);
}

#[test]
fn other_messages_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for content in [&b"{\"n\": 7}"[..], b"\x0A\x0C\x0A\x0A\x0A\x01n", b"\x0A\x03\x0A\x01\xFF", b"\xFF"] {
        let error = refused(folder, "a.tfrecord", &framed(&[ONE, content]));
        assert!(error.contains("record 2 (byte 30): the record is no `tf.Example`"), "{error}");
    }
    // Another message, of which an `Example` would know no field.
    let error = refused(folder, "a.tfrecord", &framed(&[b"\x0A\x06\x12\x04list"]));
    assert!(error.contains("it has no features"), "{error}");
    // Field 2 holds the sequences.
    let sequence = [ONE, b"\x12\x00"].concat();
    let error = refused(folder, "a.tfrecord", &framed(&[&sequence]));
    assert!(error.contains("it is a `tf.SequenceExample`"), "{error}");
    let twice =
        b"\x0A\x18\x0A\x0A\x0A\x01n\x12\x05\x1A\x03\x0A\x01\x07\x0A\x0A\x0A\x01n\x12\x05\x1A\x03\x0A\x01\x07";
    let error = refused(folder, "a.tfrecord", &framed(&[twice]));
    assert!(error.contains("feature `n` stands twice in the record"), "{error}");
    let error = refused(folder, "a.tfrecord", b"id,name\n1,x\n2,y\n");
    assert!(error.contains("record 1 (byte 0): its length") && error.contains("set the format"), "{error}");
}

#[test]
fn kinds_that_differ_are_told_with_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let error = refused(path, "a.tfrecord", &framed(&[b"", ONE, OTHER]));
    let expected = "`a.tfrecord`, record 3 (byte 46): `n` is a list of bytes, but a list of integers in \
                    `a.tfrecord`, record 2 (byte 16)";
    assert!(error.contains(expected), "{error}");
    fs_err::write(path.join("a.tfrecord"), framed(&[ONE])).unwrap();
    fs_err::write(path.join("b.tfrecord"), framed(&[b"", OTHER])).unwrap();
    let error = format!("{:?}", opened(path, "*.tfrecord", 100).unwrap_err());
    assert!(error.contains("`b.tfrecord`, record 2 (byte 16): `n` is a list of bytes"), "{error}");
    assert!(error.contains("but a list of integers in `a.tfrecord`, record 1 (byte 0)"), "{error}");
}

#[test]
fn a_file_that_changes_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.tfrecord");
    fs_err::write(&file, framed(&[ONE, ONE])).unwrap();
    let source = opened(folder.path(), "a.tfrecord", 100).unwrap();
    for bytes in [framed(&[ONE, OTHER]), framed(&[ONE]), vec![0; 60]] {
        fs_err::write(&file, &bytes).unwrap();
        let split = &source.plan().splits[0];
        let error = source.read(split, &Request::of_rows(vec![0]), &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "`a.tfrecord` changed while it was read");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
