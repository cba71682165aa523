#!/bin/sh
# Run uv for this project: `sh tools/uv.sh sync ...`.
#
# Takes the uv on PATH when it is new enough; else our own copy in .uv, fetched with pip the first
# time. Interpreters are never downloaded: uv gets one that is already installed. PYTHON=... chooses
# it; otherwise an existing .venv keeps its own, and a new one gets the first of `python3`,
# `python3.14` ... `python3.11` that is new enough.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# Print the path of the interpreter behind the command $1; fail if there is none or it is too old.
# The interpreter behind a virtual environment is meant, since uv may rebuild that environment.
interpreter() {
    "$1" -c '
import sys
if sys.version_info < (3, 11):
    sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))
' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        interpreter "$PYTHON" && return
        echo "PYTHON=$PYTHON is no Python 3.11 or newer." >&2
        exit 3
    fi
    for candidate in "$root/.venv/bin/python" python3 \
        python3.14 python3.13 python3.12 python3.11 python; do
        interpreter "$candidate" && return
    done
    echo "No Python 3.11 or newer found on PATH. Install one, or name it: make ... PYTHON=/path/to/python3" >&2
    exit 3
}

python=$(find_python)

case $(uv --version 2>/dev/null) in
'' | 'uv 0.'[0-8].*) # none, or older than pyproject.toml's required-version
    uv="$root/.uv/bin/uv"
    if [ ! -x "$uv" ]; then
        echo "Fetching uv into .uv ..." >&2
        # Without the distribution's ensurepip (Debian's python3-venv), a pip outside can still fill it.
        { "$python" -m venv --clear "$root/.uv" &&
            "$root/.uv/bin/python" -m pip install --quiet 'uv>=0.9'; } >&2 ||
            { "$python" -m venv --clear --without-pip "$root/.uv" &&
                "$python" -m pip --python "$root/.uv/bin/python" install --quiet 'uv>=0.9'; } >&2 || {
            echo "uv could not be fetched. Install uv, or Python's venv and pip, and try again." >&2
            exit 3
        }
    fi
    ;;
*)
    uv=uv
    ;;
esac

# Another project's active environment is none of our business.
unset VIRTUAL_ENV
export UV_PYTHON="$python" UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT="$root/.venv"
exec "$uv" "$@"
