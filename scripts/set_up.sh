#!/usr/bin/env bash
# Make .venv, or bring it to the locks: set_up.sh STAMP. Reads PYTHON, PIP_FLAGS and CUDA from the environment (see Makefile).
set -euo pipefail
stamp=$1

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

[ -n "${PYTHON:-}" ] || fail "No Python found." "Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$PYTHON is older than 3.11." "Name a newer one: make PYTHON=/path/to/python3.11"

install() {
  .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation "$@"
}
locked() {
  # PIP_FLAGS is a list of words on purpose.
  # shellcheck disable=SC2086
  install --require-hashes ${PIP_FLAGS:-} -r "requirements/$1" 1>&2
}

echo "[1/4] a virtual environment in .venv" >&2
[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv || fail "No virtual environment could be made." "On Debian: apt-get install python3-venv"
rm -f .venv/.lock-*

echo "[2/4] $(grep -c == requirements/dev.txt) locked packages, about 0.7 GB where none is cached" >&2
locked build.txt
if [ "${CUDA:-auto}" != yes ] && ! locked torch-cpu.txt 2> .venv/torch.log; then
  echo "      pip finds no CPU build of torch here; taking the registry's own" >&2
fi
locked dev.txt

echo "[3/4] freshtune itself" >&2
install --quiet -e . 1>&2

echo "[4/4] does torch load?" >&2
if [ "${CUDA:-auto}" = yes ] || ! .venv/bin/python -c 'import torch' 2> .venv/torch.log; then
  [ "${CUDA:-auto}" != no ] || fail "$(tail -n 1 .venv/torch.log)" \
    "torch does not load: this registry's build needs CUDA libraries, and CUDA=no forbids them." \
    "make CUDA=auto fetches them; or give pip a folder with the CPU build: make PIP_FLAGS='--find-links FOLDER'"
  echo "      torch's CUDA build: fetching its libraries, some GB (CUDA=no stops here)" >&2
  locked cuda.txt
  .venv/bin/python -c 'import torch'
fi

touch "$stamp"
echo "set up in $SECONDS s" >&2
