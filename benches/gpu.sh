#!/bin/sh
# Checks and times training on an NVIDIA card; one command on a machine that has one:
#
#     benches/gpu.sh [WORK]
#
# Builds with CUDA (its compiler from PATH or CUDA_HOME, else from NVIDIA's pip wheels in WORK, 600 MB), checks that losses are
# those of the CPU, that stop and resume give the same bits, and that a card that is too small or not there is said; then
# rows per second at batch 1024 and 65536, with PyTorch's on the same card beside them where TORCH names a Python that has it
# (`pip install torch`): eager with the fused AdamW, and compiled.
#
# With BUILD_ONLY=1 it stops after the build, which no card is needed for; with PRETEND=1 the checks, not the speeds, run on
# a pretended card (benches/networks/pretended), in two minutes.
set -eu
cd "$(dirname "$0")/.."
work=${1:-${TMPDIR:-/tmp}/sluice-gpu}
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$work"
if ! command -v nvcc >/dev/null && [ -z "${CUDA_HOME:-}" ]; then
    if [ ! -d "$work/cuda-home" ]; then
        python3 -m venv "$work/venv"
        "$work/venv/bin/pip" install --quiet -r benches/networks/requirements-cuda.txt
        cargo fetch --locked --quiet
        python3 benches/networks/cuda_home.py "$work/venv" "$work/cuda-home"
    fi
    CUDA_HOME=$work/cuda-home
    export CUDA_HOME CUDA_PATH="$CUDA_HOME" PATH="$CUDA_HOME/bin:$PATH"
fi
if [ -z "${CUDA_COMPUTE_CAP:-}" ]; then
    if command -v nvidia-smi >/dev/null; then
        CUDA_COMPUTE_CAP=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
    else
        CUDA_COMPUTE_CAP=90
    fi
    export CUDA_COMPUTE_CAP
fi
cargo build --release --locked -p sluice-networks --features cuda --example gpu --example speed
[ -z "${BUILD_ONLY:-}" ] || exit 0
if [ -n "${PRETEND:-}" ]; then
    python3 benches/networks/pretended/make.py "$work/pretended"
    LD_LIBRARY_PATH="$work/pretended${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$target/release/examples/gpu"
    exit
fi

# cuBLAS and cuRAND are found beside PyTorch, or fetched where the system has none.
if [ -n "${TORCH:-}" ]; then
    libraries=$("$TORCH" -c 'import pathlib, nvidia; print(":".join(map(str, pathlib.Path(nvidia.__path__[0]).glob("*/lib"))))')
elif ! ldconfig -p | grep -q 'libcublas\.so\.13'; then
    [ -d "$work/venv" ] || python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet nvidia-cublas==13.0.2.14 nvidia-curand==10.4.0.35 nvidia-cuda-nvrtc==13.0.88
    libraries=$(echo "$work"/venv/lib/python3*/site-packages/nvidia/cu13/lib)
fi
if [ -n "${libraries:-}" ]; then
    export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
"$target/release/examples/gpu"
for batch in 1024 65536; do
    for round in 1 2 3; do
        echo "round $round, batch $batch, ours:              $("$target/release/examples/speed" 2000000 $batch 1 3 128,128 cuda:0)"
        echo "round $round, batch $batch, ours, bf16:        $("$target/release/examples/speed" 2000000 $batch 1 3 128,128 cuda:0 bf16)"
        if [ -n "${TORCH:-}" ]; then
            echo "round $round, batch $batch, PyTorch:           $("$TORCH" benches/networks/torch_speed.py 2000000 $batch 1 3 128,128 --device cuda)"
            echo "round $round, batch $batch, PyTorch, compiled: $("$TORCH" benches/networks/torch_speed.py 2000000 $batch 1 3 128,128 --device cuda --compile)"
        fi
    done
done
