"""Makes a pretended card: libraries with the names of CUDA's driver and of cuBLAS that compute on the processor.

    make.py FOLDER
    LD_LIBRARY_PATH=FOLDER target/release/examples/gpu

So a build with CUDA runs where no card is: what it calls, with which arguments, and what comes of it are as on a card, but for
the card's own arithmetic and its speed. `PRETEND=1 benches/gpu.sh` does all of it. Needs gcc.
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))
from cuda_home import LIBRARIES, bindings, functions_of  # noqa: E402

# What curand is asked when candle opens a card.
RANDOM = "\n".join(f"int {name} {{ return 0; }}" for name in (
    "curandCreateGenerator(void **into, int kind)", "curandDestroyGenerator(void *which)",
    "curandSetPseudoRandomGeneratorSeed(void *which, unsigned long long seed)", "curandSetStream(void *which, void *on)"))
NOT_SUPPORTED = 801


def main(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kernels = (HERE / "../../../engine/networks/src/gpu/kernels.cu").read_text()
    names = re.findall(r"^KERNEL (\w+)\(PARAMETERS\)", kernels, re.M)
    table = ", ".join(f'{{"{name}", {name}}}' for name in names)
    for part, (name, file) in LIBRARIES.items():
        written = {"driver": HERE / "driver.c", "cublas": HERE / "blas.c"}.get(part)
        text = written.read_text() if written else RANDOM if part == "curand" else ""
        pretended = set(re.findall(r"^int (\w+)\(", text, re.M))
        refused = [f'int {call}(void) {{ fprintf(stderr, "the pretended card has no {call}\\n"); return {NOT_SUPPORTED}; }}'
                   for call in functions_of(bindings(), part) if call not in pretended]
        include = f'#define KERNELS {table}\n#include "{written}"\n' if written else f"{text}\n"
        source = folder / f"{name}.c"
        source.write_text(include + "#include <stdio.h>\n" + "\n".join(refused) + "\n")
        subprocess.check_call(["gcc", "-O3", "-march=native", "-fno-strict-aliasing", "-w", "-shared", "-fPIC", "-o",
                               folder / file, source, "-lm"])


main(*sys.argv[1:])
