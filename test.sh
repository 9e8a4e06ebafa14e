#!/bin/sh
# Installs opslib with what its tests need, then runs them against that install.
#
#   ./test.sh                        all tests but the deep ones, on every core
#   ./test.sh tests/ir -k softmax    with pytest's arguments
#
# OPSLIB_EXTRAS=test,test-peers    compare with PyTorch, JAX and onnxruntime as well
# OPSLIB_INSTALL=no                test what is in the environment already
# OPSLIB_VENV, PYTHON              as for setup.sh
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=${OPSLIB_VENV:-$root/.venv}
[ "${OPSLIB_INSTALL:-yes}" = no ] || "$root/setup.sh" "${OPSLIB_EXTRAS:-test,jax}"
[ $# -gt 0 ] || set -- -n auto

cd "$root"
# The script `pytest`, unlike `python -m pytest`, leaves this folder off sys.path, so
# that `import opslib` finds the installed package. A test checks that it does.
export OPSLIB_TEST_INSTALLED=1
exec "$venv/bin/pytest" "$@"
