#!/bin/sh
# Runs FOLDER/*/run.sh, N at once, each with a folder of its own for its files; names those that fail.
#
#     TOOLKIT=.venv/bin/toolkit PYTHON=.venv/bin/python scripts/cases.sh FOLDER [N]
scratch=$(mktemp -d) || exit 1
export scratch
ls -d "$1"/*/ | xargs -P "${2:-2}" -I{} sh -c '
  name=$(basename "$1"); mkdir "$scratch/$name"
  export PY="$PYTHON" FAULTS_TMP="$scratch/$name" CASES_TMP="$scratch/$name"
  [ -f "$1/run.sh" ] || exit 0
  timeout 580 bash "$1/run.sh" >"$scratch/$name.log" 2>&1 && echo "right  $name" ||
    { echo "WRONG  $name: $scratch/$name.log"; exit 1; }' case {}
