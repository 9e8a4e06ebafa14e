#!/bin/sh
# Installs opslib into a virtual environment of its own.
#
#   ./setup.sh             with what the examples need, then runs one of them
#   ./setup.sh test,jax    with these extras of pyproject.toml, and runs nothing
#
# OPSLIB_VENV   the environment (default: .venv in this folder)
# PYTHON        the interpreter to make it with (default: python3)
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=${OPSLIB_VENV:-$root/.venv}
python=${PYTHON:-python3}
extras=${1:-examples}

say() { printf '%s\n' "$*"; }
fail() { say "setup.sh: $*" >&2; exit 1; }

# Debian splits Python: `python3` has no ensurepip, hence cannot make an environment
# with pip in it, until a second package brings it.
apt_install() {
    command -v apt-get >/dev/null 2>&1 || fail "$1; install $2 and run setup.sh again"
    [ "$(id -u)" = 0 ] || fail "$1; run: sudo apt-get install -y $2"
    say "$1; installing $2 with apt-get"
    # An index from the image may be too old to be useful; none at all is common.
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $2 \
        >/dev/null || fail "apt-get could not install $2"
}

command -v "$python" >/dev/null 2>&1 ||
    apt_install "there is no $python" "python3 python3-venv"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "opslib needs Python 3.11 or newer and $python is $version; set PYTHON"

# A half-made environment has no pip: start over.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        apt_install "$python cannot make virtual environments" "python$version-venv"
    say "Making $venv with Python $version"
    "$python" -m venv --clear "$venv"
fi

if ! { command -v cc || command -v gcc || command -v clang; } >/dev/null 2>&1; then
    say "There is no C compiler on the PATH: adding Zig's, a wheel of about 100 MB"
    extras=$extras,zig
fi

say "Installing opslib[$extras] into $venv"
# setuptools would pack modules that were deleted since its last build.
rm -rf "$root/build/lib"
(cd "$root" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    ".[$extras]")

if [ $# -eq 0 ]; then
    say "Running examples/sentence_search.py"
    cd "$root"
    "$venv/bin/python" examples/sentence_search.py
    say "Next: '. ${venv#"$PWD"/}/bin/activate' and 'python -c \"import opslib\"', or ./test.sh"
fi
