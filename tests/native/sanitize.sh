#!/usr/bin/env bash
# The extension's tests in a copy built with AddressSanitizer and UndefinedBehaviorSanitizer. Needs GCC or Clang.
# Arguments go to pytest, for example: tests/native/sanitize.sh -m slow -k ten_thousand
set -euo pipefail
cd "$(dirname "$0")/../.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r native src tests setup.py pyproject.toml README.md LICENSE "$copy"
rm -f "$copy"/src/facesieve/_native.*.so
cd "$copy"

# Checks slow the kernels down but must not change which of them is compiled: optimisation stays on.
CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1" \
LDFLAGS="-fsanitize=address,undefined" python setup.py -q build_ext --inplace

# --capture=sys leaves the process's own stderr alone: a sanitizer's report must not be lost with the process.
# Python itself is not instrumented, so the sanitizer's library must be there first; leaks are Python's, not ours.
preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $(gcc -print-file-name=libstdc++.so)"
ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 LD_PRELOAD="$preload" PYTHONPATH="$copy/src" \
    python -m pytest -p no:cacheprovider --capture=sys \
    tests/detect/test_native_networks.py tests/align/test_native_faces.py tests/pose/test_native_pose.py "$@"
