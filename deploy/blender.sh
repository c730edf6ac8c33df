#!/usr/bin/env bash
# Blender as a Python module for the Cycles engine: GPL, Python 3.11 only and numpy < 2, hence an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
libraries="libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1"
command -v python3.11 >/dev/null || { echo "blender: bpy 4.5 needs Python 3.11; type: sudo apt-get install -y python3.11 python3.11-venv" >&2; exit 2; }
[ -x .venv-blender/bin/python ] || python3.11 -m venv .venv-blender
.venv-blender/bin/python -m pip install -q --disable-pip-version-check "bpy==4.5.*"
if ! .venv-blender/bin/python -c 'import bpy' >/dev/null 2>&1; then
  as=
  [ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && as=sudo || { echo "blender: type: sudo apt-get install -y --no-install-recommends $libraries" >&2; exit 2; }; }
  $as apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq --no-install-recommends $libraries >/dev/null
fi
.venv-blender/bin/python -c 'import bpy; print("blender", bpy.app.version_string, "ready in .venv-blender")'
