#!/usr/bin/env bash
# Sets up .venv for `make run` and `make test`: Python packages (pinned by constraints.txt) and, where they are
# missing and may be installed, the system libraries. Quick when there is nothing to do.
#   deploy/setup.sh run|test     PYTHON=python3.12 chooses the interpreter, VENV=DIR the folder
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-run}
venv=${VENV:-.venv}
say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 2; }

case $what in
  run) extras=meshlab ;;
  test) extras=meshlab,test,lint,docs ;;
  *) fail "usage: deploy/setup.sh run|test" ;;
esac
state=$(cat pyproject.toml setup.py constraints.txt deploy/setup.sh deploy/blender.sh versemill/__init__.py versemill/packages.py | sha256sum | cut -c1-16)
stamp=$venv/.versemill-$what
[ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && exit 0

# apt_install PACKAGE...: installs with root or passwordless sudo, else prints the command.
apt_install() {
  local as=
  if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then as="sudo"; else fail "missing system packages; type: sudo apt-get install -y --no-install-recommends $*"; fi
  fi
  command -v apt-get >/dev/null || fail "missing system packages and no apt-get here; install what Debian calls: $*"
  say "installing system packages: $*"
  $as apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
python=${PYTHON:-}
for candidate in $python python3.11 python3 python3.12 python3.13; do
  if [ -z "$python" ] && new_enough "$candidate"; then python=$candidate; fi
done
[ -n "$python" ] && new_enough "$python" || fail "Python 3.11 or later is needed; type: sudo apt-get install -y python3 python3-venv"

if [ ! -x "$venv/bin/pip" ]; then
  "$python" -c 'import ensurepip' 2>/dev/null ||
    apt_install "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  say "making $venv with $("$python" --version)"
  "$python" -m venv "$venv"
fi
pip=("$venv/bin/python" -m pip --disable-pip-version-check)

# torch: the CPU build where there is no NVIDIA GPU (0.2 GB to download instead of 3). The plain name serves GPUs.
torch=$(sed -n 's/^torch==//p' constraints.txt)
if ! "${pip[@]}" show -q torch 2>/dev/null; then
  if command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then
    say "installing torch $torch for CUDA (an NVIDIA GPU is here)"
    "${pip[@]}" install -q -c constraints.txt "torch==$torch"
  else
    say "installing torch $torch, CPU build (no NVIDIA GPU here)"
    "${pip[@]}" install -q -c constraints.txt "torch==$torch+cpu" 2>/dev/null ||
      "${pip[@]}" install -q "torch==$torch" --index-url https://download.pytorch.org/whl/cpu --retries 1 2>/dev/null ||
      { say "no CPU build of torch could be had; installing the default one"; "${pip[@]}" install -q -c constraints.txt "torch==$torch"; }
  fi
fi

say "installing versemill[$extras] and what it needs (once)"
"${pip[@]}" install -q -c constraints.txt -e ".[$extras]"

# pymeshlab is the only package that wants system libraries: found by importing it.
libraries=(libgl1 libopengl0 libglib2.0-0 libx11-6)
"$venv/bin/python" -c 'import pymeshlab' 2>/dev/null || apt_install "${libraries[@]}"
"$venv/bin/python" -c 'import pymeshlab' || fail "pymeshlab does not load; see the error above"

# The tests hold the renderer to Cycles and read FBX and USD through Blender, in an environment of its own.
if [ "$what" = test ]; then
  say "installing Blender's Python module (once)"
  deploy/blender.sh >/dev/null || say "no Blender here, for the reason above: its tests will be skipped, and say so"
fi
printf '%s' "$state" >"$stamp"
say "ready: $venv"
