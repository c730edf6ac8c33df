#!/usr/bin/env bash
# Lints, builds the wheel, and runs the tests against the installed wheel from another folder, so that
# nothing works only from the checkout.   deploy/test.sh [lint] ; PYTEST="-k seeds" adds arguments.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
bin=$root/.venv/bin

"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
"$bin/lint-imports"
[ "${1:-}" = lint ] && exit 0

rm -rf build/wheel build/elsewhere
mkdir -p build/elsewhere
"$bin/python" -m build -q --wheel --outdir build/wheel .
"$bin/python" -m pip install -q --disable-pip-version-check --no-deps --target build/wheel/site build/wheel/*.whl

cd build/elsewhere
# PYTHONPATH comes before the editable install, here and in every Ray worker.
PYTHONPATH=$root/build/wheel/site VERSEMILL_WHEEL=$root/build/wheel/site \
  "$bin/pytest" -c "$root/pyproject.toml" --rootdir "$root" -p no:cacheprovider "$root/tests" ${PYTEST:-}
