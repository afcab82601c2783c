#!/usr/bin/env bash
# Compiles every header of the extension alone, for each instruction set, with each of GCC and Clang that is installed;
# and checks that clang-format would change nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

compile() {  # header, flags...
    echo "#include \"$PWD/$1\"" | "$compiler" -std=c++17 -x c++ -fsyntax-only -Wall -Wextra -Werror "${@:2}" -
}

checked=0
for compiler in g++ clang++; do
    if ! command -v "$compiler" >/dev/null; then
        echo "skipped: $compiler is not installed"
        continue
    fi
    for header in native/*.hpp native/kernels/*.hpp; do
        compile "$header"
        checked=$((checked + 1))
    done
    case "$("$compiler" -dumpmachine)" in
    x86_64*)
        for header in native/kernels/*.hpp; do
            compile "$header" -DISA=avx2 -DFACESIEVE_AVX2 -mavx2 -mfma
            compile "$header" -DISA=avx512 -DFACESIEVE_AVX512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
            checked=$((checked + 2))
        done
        ;;
    esac
done
echo "$checked compilations of headers alone: no error, no warning"

if command -v clang-format >/dev/null; then
    clang-format --dry-run --Werror native/*.[ch]pp native/kernels/*.hpp
    echo "clang-format: nothing to change"
else
    echo "skipped: clang-format is not installed"
fi
