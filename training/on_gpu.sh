#!/usr/bin/env bash
# Ten minutes on a graphics card: the tests that need one, what it gives, and `nuclei` and `cells` trained from nothing.
#
#   bash training/on_gpu.sh prepare [FOLDER]     here: one file of images (under 40 MB), and wheels, into FOLDER (on_gpu)
#   bash training/on_gpu.sh [FOLDER] [RESULTS]   there: at most SECONDS_IN_ALL (540) of wall clock in one call
#
# The other machine needs torch, scikit-image and pytest, and nothing to install from: what else the engine imports
# comes as wheels for PYTHON_THERE (3.12) on 64-bit Linux. RESULTS gets gpu.log and the models, each under 16 MB.
# Training takes what is left of the time, once the tests and the measurements are done, and leaves some for scores.
# Without a card all of it runs, tiny, on the CPU with SECONDS_IN_ALL=60: that it runs is all that this shows.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
SECONDS_IN_ALL=${SECONDS_IN_ALL:-540}
DATA=${DATA:-../shared/data}
MODELS=(nuclei cells)
WHEELS=(zarr numcodecs donfig google-crc32c dask cloudpickle toolz partd locket fsspec pyyaml click importlib_metadata
        zipp platformdirs psutil safetensors tqdm)

prepare() {
    set -e
    mkdir -p "$1/wheels"
    "$PYTHON" training/pack.py "$1/images.zip" "${MODELS[@]}" --data "$DATA"
    local platforms=() pinned=() name
    for name in manylinux_2_28_x86_64 manylinux_2_27_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux1_x86_64; do
        platforms+=(--platform "$name")
    done
    for name in "${WHEELS[@]}"; do
        pinned+=("$(grep -i "^${name//_/[-_]}==" constraints.txt || echo "$name")")
    done
    "$PYTHON" -m pip download --quiet --no-deps --only-binary=:all: --python-version "${PYTHON_THERE:-3.12}" \
        --implementation cp "${platforms[@]}" -d "$1/wheels" "${pinned[@]}"
    du -sh "$1"/*
}

left() { echo $((SECONDS_IN_ALL - SECONDS)); }

step() { # step SECONDS WORDS COMMAND...: run a command within its time, and go on whatever it says
    local seconds=$1 words=$2
    shift 2
    echo "== $words ($(left) s left)"
    timeout --signal=TERM --kill-after=20 "$seconds" "$@" || echo "-- $words: exit status $?"
}

run() {
    local folder=$1 results=$2 work site name share tile=292 batch=16
    mkdir -p "$results"
    work=$(mktemp -d)
    site=$work/site
    if compgen -G "$folder/wheels/*.whl" >/dev/null; then
        "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --target "$site" "$folder"/wheels/*.whl ||
            echo "-- the wheels do not fit this Python"
    fi
    export PYTHONPATH=$PWD/src:$site PYTHONUNBUFFERED=1 UTILE_MODELS=$work/models
    "$PYTHON" -m zipfile -e "$folder/images.zip" "$work/data"
    local card
    card=$("$PYTHON" -c 'import torch; print(torch.cuda.is_available())')
    [ "$card" = True ] || { tile=36 batch=2; echo "there is no card: tiny, on the CPU"; }
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null
    step $((SECONDS_IN_ALL / 6)) "tests" "$PYTHON" -m pytest -q -c training/gpu.ini --confcutdir tests/gpu tests/gpu
    step $((SECONDS_IN_ALL / 8)) "measurements" "$PYTHON" benchmarks/gpu.py
    local for_scores=$((SECONDS_IN_ALL / 6)) models=${#MODELS[@]}
    for name in "${MODELS[@]}"; do
        # 20 s for starting and writing; a training that outlives its share would leave no model
        share=$((($(left) - for_scores) / models))
        models=$((models - 1))
        step "$share" "training $name" "$PYTHON" training/train_model.py "$name" --data "$work/data" \
            --tile "$tile" --batch "$batch" --within "$("$PYTHON" -c "print(max($share - 20, 5) / 60)")" \
            -o "$results/$name.safetensors"
    done
    models=${#MODELS[@]}
    for name in "${MODELS[@]}"; do
        share=$((($(left) - 5) / models))
        models=$((models - 1))
        step "$share" "scores of $name" "$PYTHON" training/score_model.py "$results/$name.safetensors" \
            --data "$work/data" --images 8
    done
    rm -f "$results"/*.checkpoint
    rm -rf "$work"
    find "$results" -type f -size +16M -print -exec echo "-- larger than 16 MB:" {} \;
    echo "done after $SECONDS s"
}

if [ "${1:-}" = prepare ]; then
    prepare "${2:-on_gpu}"
else
    RESULTS=${2:-${OUT:-on_gpu_results}}
    mkdir -p "$RESULTS"
    run "${1:-on_gpu}" "$RESULTS" 2>&1 | tee "$RESULTS/gpu.log"
fi
