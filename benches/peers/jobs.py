"""What the peers do, each in a process of its own: `python jobs.py NAME FILE`.

Prints as JSON the wall and CPU seconds of the job alone, after interpreter and packages have started.
"""

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
    return fit_and_evaluate(path, "response", [f"x{index:02}" for index in range(100)], [], "zone", 1.0, True)


def sklearn_diabetes(path):
    numeric = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    return fit_and_evaluate(path, "target", numeric, [], "sex", 0.4, False)


JOBS = [duckdb_summarize, pandas_describe, tfdv_dataframe, sklearn_trips, sklearn_ridge, sklearn_diabetes]


def main(name, path):
    job = {job.__name__: job for job in JOBS}[name](path)
    wall, cpu = time.perf_counter(), time.process_time()
    result = job()
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    figure = result["overall"][1] if isinstance(result, dict) else None
    print(json.dumps(seconds | {"rmse": figure}))


if __name__ == "__main__":
    main(*sys.argv[1:])
