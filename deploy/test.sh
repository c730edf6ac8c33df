#!/usr/bin/env bash
# Builds the wheel, lints, and runs the tests against the installed wheel from another folder, so that nothing
# works only from the checkout.   deploy/test.sh [lint] ; PYTEST="-k seeds" adds arguments.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
bin=$root/.venv/bin

"$bin/ruff" check .
"$bin/ruff" format --check .

rm -rf build
mkdir -p build/elsewhere
"$bin/python" -m build -q --wheel --outdir build/wheel .
"$bin/python" -m pip install -q --disable-pip-version-check --no-deps --target build/wheel/site build/wheel/*.whl
site=$root/build/wheel/site

# Type checker and layer check read files, and can't follow the mapping of folders to `versemill.NAME`: they get the wheel.
cp -r benchmarks build/elsewhere/
cd build/elsewhere
MYPYPATH=$site "$bin/mypy" --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache"
PYTHONPATH=$site "$bin/lint-imports" --config "$root/pyproject.toml" --cache-dir "$root/.import_linter_cache"
[ "${1:-}" = lint ] && exit 0

# PYTHONPATH comes before the editable install, here and in every Ray worker. OpenMP's waiting threads sleep, as the command
# line has them: spinning makes training many times slower wherever something else is running.
PYTHONPATH=$site VERSEMILL_WHEEL=$site OMP_WAIT_POLICY=PASSIVE \
  "$bin/pytest" -c "$root/pyproject.toml" --rootdir "$root" -p no:cacheprovider "$root/tests" ${PYTEST:-}
