"""Statistics that TFDV itself wrote, for the tests of our reader. Needs tensorflow-data-validation 1.16.1:
`python make.py FOLDER`."""

import pathlib
import sys

import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from google.protobuf import text_format

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
inf, nan = float("inf"), float("nan")
rows = pa.RecordBatch.from_pydict({
    "weight": pa.array([[1.0], [2.0], [1.0], [1.0]]),
    "count": pa.array([[1, 2], [], None, [3]]),
    "nested": pa.array([[[1.0, 2.0], []], [[3.0]], None, []]),
    "fare": pa.array([[1.5], [nan], [-inf], [2.5]]),
    "infinite": pa.array([[inf], [inf], [1.0], [2.0]]),
    "company": pa.array([[b"Blue"], [b"Sun"], [b"Sun"], [b""]]),
    "bytes": pa.array([[b"\xff\xfe"], [b"a"], None, [b"a"]]),
    "stop": pa.array([[{"x": [1], "y": [b"a"]}], [{"x": None, "y": [b"b", b"c"]}, {"x": [3, 4], "y": None}], None, []]),
    "nothing": pa.array([None] * 4, pa.null()),
})
options = tfdv.StatsOptions(
    weight_feature="weight", num_histogram_buckets=2, num_quantiles_histogram_buckets=2, num_values_histogram_buckets=2
)
statistics = stats_impl.generate_statistics_in_memory(rows, options)
assert len(statistics.datasets) == 1
(out / "statistics.binpb").write_bytes(statistics.SerializeToString(deterministic=True))
(out / "statistics.pbtxt").write_text(text_format.MessageToString(statistics))
with tf.io.TFRecordWriter(str(out / "statistics.tfrecord")) as writer:
    writer.write(statistics.SerializeToString(deterministic=True))
# Two shards with half of the features each, as TFDV's sharded output has them.
for shard in range(2):
    part = type(statistics)()
    part.CopyFrom(statistics)
    del part.datasets[0].features[:]
    part.datasets[0].features.extend(list(statistics.datasets[0].features)[shard::2])
    with tf.io.TFRecordWriter(str(out / f"shards-{shard:05}-of-00002")) as writer:
        writer.write(part.SerializeToString(deterministic=True))
