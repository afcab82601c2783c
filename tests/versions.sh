#!/usr/bin/env bash
# The suite on each Python version that pyproject.toml names, each in an environment of its own.
# `tests/versions.sh` runs all of it; arguments go to pytest. VERSIONS='3.12 3.13' runs on those alone.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()

find_python() {  # VERSION
    local candidates=("$(command -v "python$1" || true)") candidate
    if [ -n "${PYENV_ROOT:-}" ]; then
        candidates+=("$PYENV_ROOT/versions/$1".*/bin/python)
    fi
    for candidate in "${candidates[@]}"; do
        # A command of pyenv exists for each version that it knows, and fails for one that is not chosen.
        if [ -n "$candidate" ] && "$candidate" -c '' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

for version in ${VERSIONS:-3.11 3.12 3.13}; do
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "Python $version: not found on PATH or in \$PYENV_ROOT/versions, so nothing was run with it."
        continue
    fi
    echo "Python $version: $python"
    if ! { "$python" -m venv "$work/$version" &&
        "$work/$version/bin/pip" install -q --disable-pip-version-check -e '.[test]' &&
        "$work/$version/bin/python" -m pytest -q -p no:cacheprovider --basetemp "$work/tmp-$version" "$@"; }; then
        failed+=("$version")
    fi
done
if [ "${#failed[@]}" -gt 0 ]; then
    echo "Failed with Python: ${failed[*]}"
    exit 1
fi
