"""What the peers do, each in a process of its own: `python jobs.py NAME FILE`.

Prints as JSON the wall and CPU seconds of the job alone, after interpreter and packages have started.
"""

import itertools
import json
import sys
import time


def duckdb_summarize(path):
    import duckdb

    read = "read_csv" if path.endswith(".csv") else "read_parquet"
    return lambda: duckdb.sql(f"SUMMARIZE SELECT * FROM {read}('{path}')").fetchall()


def pandas_describe(path):
    import pandas as pd

    read = pd.read_csv if path.endswith(".csv") else pd.read_parquet
    return lambda: read(path).describe(include="all")


def tfdv_dataframe(path):
    """The statistics of a data frame on two processes; columns of dates are left out, which TFDV does not take."""
    import pandas as pd
    import tensorflow_data_validation as tfdv

    read = pd.read_csv if path.endswith(".csv") else pd.read_parquet
    return lambda: tfdv.generate_statistics_from_dataframe(read(path), n_jobs=2)


def fit_and_evaluate(path, label, numeric, categories, slice_column, alpha, scale):
    """Reads, splits by the column `subset`, fits on `train`, and takes metrics on `eval`, overall and by slice."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import Ridge
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def metrics(truth, predicted):
        mse = mean_squared_error(truth, predicted)
        return [mse, mse**0.5, mean_absolute_error(truth, predicted), r2_score(truth, predicted)]

    def job():
        data = pd.read_csv(path) if path.endswith(".csv") else pd.read_parquet(path)
        train, held_out = data[data["subset"] == "train"], data[data["subset"] == "eval"]
        steps = [("numeric", StandardScaler() if scale else "passthrough", numeric)]
        if categories:
            steps.append(("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories))
        model = make_pipeline(ColumnTransformer(steps), Ridge(alpha=alpha))
        model.fit(train, train[label])
        scored = pd.DataFrame({"truth": held_out[label], "predicted": model.predict(held_out)})
        scored["slice"] = held_out[slice_column]
        result = {"overall": metrics(scored["truth"], scored["predicted"])}
        for key, rows in scored.groupby("slice"):
            result[str(key)] = metrics(rows["truth"], rows["predicted"])
        return result

    return job


def sklearn_trips(path):
    numeric = ["miles", "seconds", "fare", "extras", "latitude", "longitude", "hour"]
    return fit_and_evaluate(path, "tips", numeric, ["payment", "company"], "payment", 1.0, True)


def sklearn_ridge(path):
    return fit_and_evaluate(path, "response", RIDGE_FEATURES, [], "zone", 1.0, True)


def sklearn_diabetes(path):
    numeric = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    return fit_and_evaluate(path, "target", numeric, [], "sex", 0.4, False)


RIDGE_FEATURES = [f"x{index:02}" for index in range(100)]


def features_and(label, path):
    """A matrix of the features, column by column, which is how pyarrow has them, and the label."""
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=[*RIDGE_FEATURES, label])
    matrix = np.empty((len(table), len(RIDGE_FEATURES)), order="F")
    for place, name in enumerate(RIDGE_FEATURES):
        matrix[:, place] = table[name].to_numpy()
    return matrix, table[label].to_numpy()


def sklearn_train_ridge(path):
    """From Parquet to coefficients."""
    from sklearn.linear_model import Ridge

    return lambda: Ridge(alpha=1.0, solver="cholesky").fit(*features_and("response", path)).coef_[0]


def sklearn_train_ridge_in_memory(path):
    """The fit alone."""
    from sklearn.linear_model import Ridge

    matrix, label = features_and("response", path)
    return lambda: Ridge(alpha=1.0, solver="cholesky").fit(matrix, label).coef_[0]


def sklearn_train_ridge_grid(path):
    """Twenty penalties in five folds, then the fit with the best."""
    import numpy as np
    from sklearn.linear_model import RidgeCV

    penalties = np.geomspace(1e-2, 1e6, 20)
    return lambda: RidgeCV(alphas=penalties, cv=5).fit(*features_and("response", path)).coef_[0]


def sklearn_train_logistic(path):
    model = logistic()
    return lambda: model.fit(*features_and("is_high", path)).coef_[0][0]


def sklearn_train_logistic_in_memory(path):
    """The fit alone, of a matrix row by row, which is how lbfgs wants it."""
    import numpy as np

    matrix, label = features_and("is_high", path)
    matrix, model = np.ascontiguousarray(matrix), logistic()
    return lambda: model.fit(matrix, label).coef_[0][0]


def logistic():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, tol=1e-6, max_iter=1000)


def sklearn_predict(path):
    """The taxi ridge from Parquet to Parquet: it is fitted before the clock starts, on some of the rows."""
    import tempfile
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.parquet as pq
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers, levels = ["fare", "trip_miles", "trip_seconds", "extras"], ["payment_type", "trip_start_hour"]
    trips = pa.dataset.dataset(path, format="parquet")
    steps = [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("levels", OneHotEncoder(handle_unknown="ignore"), levels),
    ]
    some = trips.head(100_000, columns=[*numbers, *levels, "tips"]).to_pandas()
    model = make_pipeline(ColumnTransformer(steps), Ridge(alpha=1.0)).fit(some, some["tips"])

    def job():
        rows = trips.to_table(columns=["trip_id", *numbers, *levels])
        found = model.predict(rows.select([*numbers, *levels]).to_pandas())
        with tempfile.TemporaryDirectory() as scratch:
            pq.write_table(pa.table({"trip_id": rows["trip_id"], "prediction": found}), Path(scratch) / "part.parquet")

    return job


STANDARDIZED = ["trip_seconds", "trip_miles", "fare", "extras", "tolls"]
BUCKETIZED = ["pickup_latitude", "pickup_longitude", "dropoff_latitude"]
IMPUTED = ["trip_seconds", "trip_miles", *BUCKETIZED]
CATEGORIES = ["company", "payment_type"]
ORDINAL = ["taxi_id", "pickup_area", "dropoff_area"]


def polars_transform(path):
    """The transform of peers.py in expressions: a query for what is fitted, another for the features."""
    import polars as pl

    def imputed(name):
        column = pl.col(name)
        return column.fill_null(column.mean()) if name in IMPUTED else column

    def job():
        rows = pl.scan_parquet(path)
        edges = [index / 10 for index in range(1, 10)]
        told = rows.select(
            *[pl.col(name).mean().alias(f"{name} mean") for name in {*STANDARDIZED, *IMPUTED}],
            *[imputed(name).std(ddof=0).alias(f"{name} sd") for name in STANDARDIZED],
            *[
                imputed(name).quantile(edge, "linear").alias(f"{name} {edge}")
                for name in BUCKETIZED
                for edge in edges
            ],
            *[pl.col(name).drop_nulls().unique().sort().implode().alias(f"{name} levels") for name in CATEGORIES + ORDINAL],
        ).collect().row(0, named=True)

        def filled(name):
            return pl.col(name).fill_null(told[f"{name} mean"]) if name in IMPUTED else pl.col(name)

        def buckets(name):
            breaks = sorted({told[f"{name} {edge}"] for edge in edges})
            return filled(name).cut(breaks, left_closed=True).to_physical().alias(name)

        def codes(name):
            levels = list(told[f"{name} levels"])
            numbers = list(range(len(levels)))
            return pl.col(name).replace_strict(levels, numbers, default=None, return_dtype=pl.UInt32)

        scaled = [
            ((filled(name) - told[f"{name} mean"]) / told[f"{name} sd"]).alias(name) for name in STANDARDIZED
        ]
        rows.select(*scaled, *map(buckets, BUCKETIZED), *map(codes, CATEGORIES + ORDINAL)).collect()

    return job


def sklearn_transform(path):
    """The same as a ColumnTransformer; sparse where it can be."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

    buckets = KBinsDiscretizer(10, encode="ordinal", strategy="quantile", subsample=None)
    steps = [
        ("plain", StandardScaler(), [name for name in STANDARDIZED if name not in IMPUTED]),
        (
            "imputed",
            make_pipeline(SimpleImputer(), StandardScaler()),
            [name for name in STANDARDIZED if name in IMPUTED],
        ),
        ("buckets", make_pipeline(SimpleImputer(), buckets), BUCKETIZED),
        ("categories", OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        ("ordinal", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ORDINAL),
    ]

    def job():
        rows = pd.read_parquet(path, columns=sorted({*STANDARDIZED, *BUCKETIZED, *CATEGORIES, *ORDINAL}))
        ColumnTransformer(steps).fit_transform(rows)

    return job


def tft_transform(path, rows=None):
    """The same (of the first rows) in TensorFlow Transform, on Beam's direct runner; the features as record batches in memory."""
    import tempfile

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import schema_utils
    from tfx_bsl.tfxio.tensor_adapter import TensorAdapterConfig
    from tfx_bsl.tfxio.tensor_representation_util import InferTensorRepresentationsFromMixedSchema

    numbers = sorted({*STANDARDIZED, *BUCKETIZED})
    words = sorted({*CATEGORIES, *ORDINAL})
    specification = {name: tf.io.VarLenFeature(tf.float32) for name in numbers}
    specification |= {name: tf.io.VarLenFeature(tf.string) for name in words}
    schema = schema_utils.schema_from_feature_spec(specification)

    def preprocess(inputs):
        def dense(name, default):
            return tf.squeeze(tft.sparse_tensor_to_dense_with_shape(inputs[name], [None, 1], default), axis=1)

        def filled(name):
            plain = dense(name, float("nan"))
            if name not in IMPUTED:
                return plain
            return tf.where(tf.math.is_nan(plain), tft.mean(inputs[name]), plain)

        return {
            **{f"{name}_scaled": tft.scale_to_z_score(filled(name)) for name in STANDARDIZED},
            **{f"{name}_bucket": tft.bucketize(filled(name), 10) for name in BUCKETIZED},
            **{
                f"{name}_code": tft.compute_and_apply_vocabulary(dense(name, ""), vocab_filename=name)
                for name in words
            },
        }

    def as_list(values):
        ends = pc.is_valid(values).cast(pa.int32()).to_numpy(zero_copy_only=False).cumsum()
        return pa.ListArray.from_arrays(pa.array([0, *ends.tolist()], pa.int32()), values.drop_null())

    def batches():
        for batch in pq.ParquetFile(path).iter_batches(65_536, columns=numbers + words):
            columns = {name: pc.cast(batch[name], pa.float32()) for name in numbers}
            columns |= {name: pc.cast(pc.cast(batch[name], pa.string()), pa.binary()) for name in words}
            yield pa.RecordBatch.from_pydict({name: as_list(values) for name, values in columns.items()})

    def job():
        with tempfile.TemporaryDirectory() as scratch, tft_beam.Context(temp_dir=scratch):
            parts = list(itertools.islice(batches(), rows and 1))
            parts = [part.slice(0, rows) for part in parts]
            config = TensorAdapterConfig(parts[0].schema, InferTensorRepresentationsFromMixedSchema(schema))
            work = tft_beam.AnalyzeAndTransformDataset(preprocess, output_record_batches=True)
            (features, _), _ = (parts, config) | work
            sum(batch.num_rows for batch, _ in features)

    return job


def tft_transform_few(path):
    return tft_transform(path, 20_000)


SCORES, SLICINGS = ["score", "old"], ["g2", "g12", "g77", "g1000"]
# As sluice has it, so that a certain and wrong prediction has a finite loss.
LEAST_PROBABILITY = 2.0**-52


def polars_evaluate(path):
    """AUC, log loss, MSE, precision and recall of two models, overall and by each of four columns."""
    import polars as pl

    label, positives = pl.col("label"), pl.col("label").sum()

    def figures(model):
        score = pl.col(model)
        clipped = score.clip(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        loss = pl.when(label == 1).then(-clipped.log()).otherwise(-(-clipped).log1p())
        hits = ((score > 0.5) & (label == 1)).sum()
        ranks = (score.rank("average") * label).sum()
        area = (ranks - positives * (positives + 1) / 2) / (positives * (pl.len() - positives))
        return [
            area.alias(f"{model} auc"),
            loss.mean().alias(f"{model} log_loss"),
            ((score - label) ** 2).mean().alias(f"{model} mse"),
            (hits / (score > 0.5).sum()).alias(f"{model} precision"),
            (hits / positives).alias(f"{model} recall"),
        ]

    def job():
        # Counts multiply to more than 2^32.
        rows = pl.scan_parquet(path).with_columns(pl.col("label").cast(pl.Float64))
        wanted = [figure for model in SCORES for figure in figures(model)]
        queries = [rows.select(wanted), *(rows.group_by(name).agg(wanted) for name in SLICINGS)]
        overall, *_ = pl.collect_all(queries)
        return tuple(overall.row(0)[:2])

    return job


def duckdb_evaluate(path):
    """The same in SQL."""
    import duckdb

    def query(model, by):
        over = f"PARTITION BY {by} ORDER BY {model}" if by else f"ORDER BY {model}"
        equal = f"PARTITION BY {by}, {model}" if by else f"PARTITION BY {model}"
        clipped = f"least(greatest({model}, {LEAST_PROBABILITY}), 1 - {LEAST_PROBABILITY})"
        return f"""
            SELECT {by + "," if by else ""}
                (sum(place) FILTER (label = 1) - count(*) FILTER (label = 1) * (count(*) FILTER (label = 1) + 1.0) / 2)
                    / (count(*) FILTER (label = 1)::DOUBLE * count(*) FILTER (label = 0)) AS auc,
                avg(CASE WHEN label = 1 THEN -ln({clipped}) ELSE -ln(1 - {clipped}) END) AS log_loss,
                avg(({model} - label) * ({model} - label)) AS mse,
                count(*) FILTER (label = 1 AND {model} > 0.5) / count(*) FILTER ({model} > 0.5) AS precision,
                count(*) FILTER (label = 1 AND {model} > 0.5) / count(*) FILTER (label = 1) AS recall
            FROM (
                SELECT *, rank() OVER ({over}) + (count(*) OVER ({equal}) - 1) / 2.0::DOUBLE AS place
                FROM read_parquet('{path}')
            ) {"GROUP BY " + by if by else ""}"""

    def job():
        found = [duckdb.sql(query(model, by)).fetchall() for model in SCORES for by in [None, *SLICINGS]]
        return tuple(found[0][0][:2])

    return job


def fairlearn_evaluate(path):
    """The same figures of one model by Fairlearn's MetricFrame and scikit-learn, overall and by each column."""
    import pandas as pd
    from fairlearn.metrics import MetricFrame
    from sklearn import metrics

    figures = {
        "auc": metrics.roc_auc_score,
        "log_loss": lambda label, score: metrics.log_loss(label, score, labels=[0, 1]),
        "mse": metrics.mean_squared_error,
        "precision": lambda label, score: metrics.precision_score(label, score > 0.5),
        "recall": lambda label, score: metrics.recall_score(label, score > 0.5),
    }

    def job():
        rows = pd.read_parquet(path)
        for name in SLICINGS:
            found = MetricFrame(
                metrics=figures, y_true=rows["label"], y_pred=rows["score"], sensitive_features=rows[name]
            )
            overall, _ = found.overall, found.by_group
        return tuple(overall[name] for name in ("auc", "log_loss"))

    return job


TFMA_CONFIG = """
model_specs { label_key: "label" prediction_key: "score" }
slicing_specs {}
%s
metrics_specs {
  metrics { class_name: "AUC" }
  metrics { class_name: "BinaryCrossentropy" }
  metrics { class_name: "MeanSquaredError" }
  metrics { class_name: "Precision" }
  metrics { class_name: "Recall" }
}
"""


def tfma_evaluate(path):
    """The same figures of one model by TensorFlow Model Analysis; answers the log loss, as its AUC is an approximation."""
    import apache_beam as beam
    import pandas as pd
    import tensorflow_model_analysis as tfma
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from google.protobuf import text_format

    pipeline = beam.Pipeline
    # The default runner looks for a server of its own on the network first.
    beam.Pipeline = lambda *arguments, **options: pipeline(*arguments, **{"runner": FnApiRunner(), **options})
    slices = " ".join(f'slicing_specs {{ feature_keys: ["{name}"] }}' for name in SLICINGS)
    config = text_format.Parse(TFMA_CONFIG % slices, tfma.EvalConfig())

    def job():
        found = tfma.analyze_raw_data(pd.read_parquet(path), config).get_metrics_for_slice(())
        return float(found["binary_crossentropy"]["doubleValue"])

    return job


JOBS = [
    duckdb_summarize, pandas_describe, tfdv_dataframe, sklearn_trips, sklearn_ridge, sklearn_diabetes,
    sklearn_train_ridge, sklearn_train_ridge_in_memory, sklearn_train_ridge_grid, sklearn_train_logistic,
    sklearn_train_logistic_in_memory, sklearn_predict, polars_transform, sklearn_transform, tft_transform, tft_transform_few,
    polars_evaluate, duckdb_evaluate, fairlearn_evaluate, tfma_evaluate,
]


def main(name, path):
    job = {job.__name__: job for job in JOBS}[name](path)
    wall, cpu = time.perf_counter(), time.process_time()
    result = job()
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    # What shows that the same was computed: a mean error, or a coefficient.
    figure = result["overall"][1] if isinstance(result, dict) else result if isinstance(result, float) else None
    figures = result if isinstance(result, tuple) else None
    print(json.dumps(seconds | {"figure": figure, "figures": figures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
