#!/usr/bin/env bash
# Checks of the extension that its tests alone cannot make: every header compiles alone (headers.sh), the tests pass with
# AddressSanitizer and UndefinedBehaviorSanitizer (GCC), and they pass when Clang builds the extension.
# Arguments go to pytest, for example: tests/native/sanitize.sh -m slow -k ten_thousand
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/native/headers.sh

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r native src tests setup.py pyproject.toml README.md LICENSE "$copy"
cd "$copy"

build() {
    rm -rf build src/facesieve/_native.*.so
    python setup.py -q build_ext --inplace
    ls src/facesieve/_native.*.so >/dev/null  # setuptools goes on without an optional extension
}

# --capture=sys does not redirect the process's own stderr, so that a sanitizer's report is not lost with the process.
kernel_tests() {
    PYTHONPATH="$copy/src" python -m pytest -n 0 -p no:cacheprovider --capture=sys \
        tests/detect/test_native_networks.py tests/align/test_native_faces.py tests/pose/test_sievepose.py "$@"
}

if command -v g++ >/dev/null; then
    # Optimisation stays on, so that the kernels that are checked are those that are used.
    CC=gcc CXX=g++ \
    CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1" \
    LDFLAGS="-fsanitize=address,undefined" build
    # Python is not instrumented, so that the sanitizers' libraries must be loaded first. Leaks are Python's own.
    preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $(gcc -print-file-name=libstdc++.so)"
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 LD_PRELOAD="$preload" kernel_tests "$@"
else
    echo "skipped: the sanitizers, because g++ is not installed"
fi

if command -v clang++ >/dev/null; then
    CC=clang CXX=clang++ build
    kernel_tests "$@"
else
    echo "skipped: the build with Clang, because clang++ is not installed"
fi
