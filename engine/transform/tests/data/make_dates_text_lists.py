"""Reference values for dates, places, text and lists: `python make_dates_text_lists.py > dates_text_lists.json`.

Calendars are those of Python's datetime, the others those of NumPy and scikit-learn; the versions stand in the file.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import numpy as np
import sklearn
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics.pairwise import haversine_distances
from sklearn.preprocessing import MultiLabelBinarizer

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
PARTS = ["year", "quarter", "month", "day", "weekday", "day_of_year", "hour", "minute", "second", "is_weekend",
         "days_since_epoch"]


def calendar(offset_minutes):
    zone = timezone(timedelta(minutes=offset_minutes))
    rows = []
    for step in range(60):
        instant = EPOCH + timedelta(days=step * 731 - 21_000, seconds=step * 7_919, microseconds=step * 991)
        local = instant.astimezone(zone)
        parts = [local.year, (local.month + 2) // 3, local.month, local.day, local.isoweekday(),
                 local.timetuple().tm_yday, local.hour, local.minute, local.second, int(local.isoweekday() >= 6),
                 local.date().toordinal() - datetime(1970, 1, 1).toordinal()]
        rows.append({"microseconds": (instant - EPOCH) // timedelta(microseconds=1), "parts": parts})
    return rows


def cyclic():
    values = np.concatenate([np.arange(0, 25, 0.75), [-3.5, 100.25]])
    angle = values / 24 * 2 * np.pi
    return {"period": 24, "values": values.tolist(), "sin": np.sin(angle).tolist(), "cos": np.cos(angle).tolist()}


def haversine():
    places = [[41.8781, -87.6298], [-33.8688, 151.2093], [0, 0], [90, 0], [-90, 12], [51.5, -0.1], [51.5, 179.9],
              [51.5, -179.9], [1e-6, 1e-6], [12.25, 77.5], [-12.25, -102.5]]
    distance = haversine_distances(np.radians(places)) * 6371.0088
    pairs = [(i, j) for i in range(len(places)) for j in range(len(places))]
    return {"from": [places[i] for i, _ in pairs], "to": [places[j] for _, j in pairs],
            "kilometres": [distance[i, j] for i, j in pairs]}


DOCUMENTS = ["The driver was late, very late", "late again", "A very good driver; very good!", "", "good",
             "Nothing to say about the driver", "the end", "Ünder the bridge the driver was good"]
OTHERS = ["the late late driver", "unknown words only here", "", "A driver"]


def vectorizer(kind, **options):
    fitted = kind(**options).fit(DOCUMENTS)
    terms = fitted.get_feature_names_out().tolist()
    dense = lambda texts: fitted.transform(texts).toarray().tolist()
    return {"terms": terms, "training": dense(DOCUMENTS), "others": dense(OTHERS)}


def text():
    return {
        "token_pattern": r"(?u)\b\w\w+\b", "documents": DOCUMENTS, "others": OTHERS,
        "count": vectorizer(CountVectorizer, ngram_range=(1, 2)),
        "binary": vectorizer(CountVectorizer, binary=True),
        "tf_idf_l2": vectorizer(TfidfVectorizer, ngram_range=(1, 2)),
        "tf_idf_l2_not_smooth": vectorizer(TfidfVectorizer, smooth_idf=False),
    }


def multi_label():
    lists = [["b", "a", "b"], [], ["c"], ["a", "z"]]
    binarizer = MultiLabelBinarizer().fit(lists)
    return {"lists": lists, "levels": binarizer.classes_.tolist(), "indicators": binarizer.transform(lists).tolist()}


def main():
    versions = {"python": sys.version.split()[0], "numpy": np.__version__, "scikit-learn": sklearn.__version__}
    json.dump({"versions": versions, "parts": PARTS,
               "calendars": [{"zone": "UTC", "rows": calendar(0)}, {"zone": "+05:30", "rows": calendar(330)},
                             {"zone": "-03:00", "rows": calendar(-180)}],
               "cyclic": cyclic(), "haversine": haversine(), "text": text(), "multi_label": multi_label()},
              sys.stdout, ensure_ascii=False)
    print()


main()
