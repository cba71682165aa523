#!/bin/sh
# Write a small provider plugin, as a stranger would: `sh tools/make_stranger.sh FOLDER`.
#
# It is plugins/tone under another name, in a folder of its own, with a five-line contract test. CI
# installs it from there into an environment that knows nothing of this repository.
set -eu

folder=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
mkdir -p "$folder/src/vivavoce_acme" "$folder/tests"
for file in __init__ capabilities exchange; do
    sed -e 's/vivavoce_tone/vivavoce_acme/g' -e 's/Tone/Acme/g' -e 's/"tone"/"acme"/g' \
        "$here/plugins/tone/src/vivavoce_tone/$file.py" >"$folder/src/vivavoce_acme/$file.py"
done
cat >"$folder/pyproject.toml" <<'TOML'
[build-system]
requires = ["uv_build>=0.9,<0.14"]
build-backend = "uv_build"

[project]
name = "vivavoce-acme"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["vivavoce"]

[project.entry-points.vivavoce]
acme = "vivavoce_acme"
TOML
cat >"$folder/tests/test_contract.py" <<'PYTHON'
from vivavoce_contract import ProviderContract


class TestAcme(ProviderContract):
    provider = "acme"
PYTHON
