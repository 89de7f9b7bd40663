#!/usr/bin/env bash
# Checks and times the toolkit on a machine with a GPU, and writes one JSON file.
#
#     scripts/gpu_check.sh OUT.json
#
# It needs nothing but this checkout and a Python of at least 3.11 with CUDA's torch, torchvision,
# numpy, scipy, scikit-learn, networkx, safetensors, psutil, rich, typer, jinja2, nvidia-ml-py,
# pytest and pytest-timeout. Where these are missing and there is no network, put the wheels of
#
#     pydantic pydantic-core annotated-types typing-inspection ruamel.yaml plotly
#
# (for that Python: `pip download --only-binary=:all: --no-deps --python-version 3.12 \
#   --platform manylinux_2_17_x86_64 -d .whl ...`) into a folder `.whl` of the checkout, or of
# GPU_CHECK_WHEELS; whatever wheels lie there are used. NNI and Optuna are not needed. A C compiler
# gives the CPU its own kernels, which is what the GPU should be compared with; without one the JSON
# says so.
#
# Environment:
#   GPU_CHECK_BUDGET  seconds for all of it, 570 by default; what does not fit is left out, and the
#                     JSON is complete after each stage, also when the script is killed.
#   GPU_CHECK_ONLY    names of stages to run, by commas (machine, tests, eigh, times, batches, waits,
#                     drone_short_gpu, drone_short_cpu, drone_gpu, drone_cpu).
#   GPU_CHECK_DEVICE  `cpu` plays the GPU with the CPU, to try the script where there is none.
#   PYTHON            the interpreter, python3 by default.
#
# Ends with 0 where every stage ran and every test passed, else with 1; the JSON tells which.
set -u
out=${1:?usage: scripts/gpu_check.sh OUT.json}
export GPU_CHECK_STARTED; GPU_CHECK_STARTED=$(date +%s)
python=${PYTHON:-python3}
checkout=$(cd "$(dirname "$0")/.." && pwd)
case $out in /*) ;; *) out=$PWD/$out ;; esac
scratch=$(mktemp -d "${TMPDIR:-/tmp}/gpu-check-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
site=$scratch/site-packages
mkdir -p "$site"

quiet=(--quiet --disable-pip-version-check --no-deps --target "$site" --upgrade)
wheels=${GPU_CHECK_WHEELS:-$checkout/.whl}
if compgen -G "$wheels/*.whl" > /dev/null; then
    "$python" -m pip install "${quiet[@]}" --no-index "$wheels"/*.whl 2>&1 | tail -n 3
fi
# The checkout itself is installed from a copy, so that nothing is left in it.
mkdir "$scratch/source"
(cd "$checkout" && tar -cf - --exclude='*.so' --exclude=__pycache__ \
    pyproject.toml README.md LICENSE toolkit plugins search_spaces recipes) \
    | tar -xf - -C "$scratch/source"
if ! "$python" -m pip install "${quiet[@]}" --no-build-isolation --no-index "$scratch/source" \
        > "$scratch/install.log" 2>&1; then
    tail -n 5 "$scratch/install.log"
    echo "pip could not install the checkout; it is used as it lies there, without C kernels."
    "$python" "$checkout/scripts/gpu_check.py" --unpack "$scratch/source" "$site"
fi
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
cd "$scratch" || exit 1
"$python" -P "$checkout/scripts/gpu_check.py" "$checkout" "$scratch" "$out"
