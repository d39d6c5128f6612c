"""TensorFlow Data Validation on our files, and we on its.

Tables (Chicago taxi trips and Adult where SLUICE_DATASETS has them, and two made here with lists, structs, NaN and
infinities): our statistics are loaded by TFDV and compared with its own, figure by figure, whole, weighted and by
slices, on one more table also sparse and weighted features and lift; the schema that it infers from them is compared
with ours; it validates them with our schema, and draws them.
Then tables with one fault each, and halves of the real ones: what we find in statistics that TFDV wrote, in every form
it writes, is what TFDV finds, and it finds the same in ours. The last lines are a table of how far they agree.

TFDV reads Parquet's columns as lists of one value (its CSV reader cuts floats to 32 bits).
"""

import sys

import composed
import figures
import tables
import validation
from place import failures, tfdv

agreement = figures.Agreement()
compared = tables.all_tables()
for name, table in compared.items():
    ours, folder = figures.of_sluice(table, name)
    figures.compare(name, table, ours.datasets[0], figures.of_tfdv(table).datasets[0], agreement)
    validation.compare_schemas(name, ours, folder, agreement)
figures.compare_weighted(compared, agreement)
figures.compare_slices(compared, agreement)
composed.compare_composed(agreement)
validation.compare_halves(compared, agreement)
validation.check_faults(agreement)

print(f"TFDV {tfdv.__version__} and sluice:")
agreement.show()
if failures:
    print(f"{len(failures)} disagreements with TFDV {tfdv.__version__}")
    sys.exit(1)
print(f"ok: TFDV {tfdv.__version__} agrees on {len(compared)} tables, in both directions")
