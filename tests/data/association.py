"""Writes association.json: mutual information of small discrete tables, by scikit-learn 1.x (natural logarithms).

    python association.py

needs numpy and scikit-learn. `mutual_information` is sklearn.metrics.mutual_info_score, `expected` is
expected_mutual_information (Vinh et al. 2010), `adjusted_max` is adjusted_mutual_info_score with
average_method="max", which divides by the larger entropy.
"""

import json
import pathlib

import numpy
import sklearn
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, entropy, expected_mutual_information


def case(name, x, y):
    x, y = [int(v) for v in x], [int(v) for v in y]
    table = contingency_matrix(x, y, sparse=True)
    return {
        "name": name,
        "x": x,
        "y": y,
        "mutual_information": float(mutual_info_score(x, y)),
        "expected": float(expected_mutual_information(table, len(x))),
        "entropy_y": float(entropy(y)),
        "adjusted_max": float(adjusted_mutual_info_score(x, y, average_method="max")),
    }


def main():
    random = numpy.random.default_rng(4)
    base = random.integers(0, 6, 400)
    noisy = numpy.where(random.random(400) < 0.7, base, random.integers(0, 6, 400))
    skewed = random.geometric(0.4, 1500)
    cases = [
        case("independent", random.integers(0, 5, 300), random.integers(0, 3, 300)),
        case("noisy copy", base, noisy),
        case("function", base, base // 2),
        case("many values", random.integers(0, 60, 500), random.integers(0, 2, 500)),
        case("skewed", skewed, (skewed + random.integers(0, 3, 1500)) % 4),
        case("all different", numpy.arange(120), random.integers(0, 2, 120)),
        case("constant", numpy.zeros(50), random.integers(0, 2, 50)),
    ]
    record = {"scikit-learn": sklearn.__version__, "numpy": numpy.__version__, "cases": cases}
    pathlib.Path(__file__).with_name("association.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
