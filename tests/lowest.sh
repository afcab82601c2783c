#!/usr/bin/env bash
# Runs the main parts of the suite with the oldest versions that pyproject.toml admits, each time in a new environment:
# once with the oldest numpy, and once with a current one, which old packages are least prepared for.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/uv"
"$work/uv/bin/pip" install -q uv
uv=$work/uv/bin/uv

try() {  # NAME CONSTRAINT TESTS...
    venv=$work/$1
    echo "$2" > "$work/constraint.txt"
    shift 2
    python3 -m venv "$venv"
    "$uv" pip compile -q pyproject.toml --extra service --extra test --resolution lowest-direct --only-binary :all: \
        --python "$venv/bin/python" --constraint "$work/constraint.txt" --output-file "$work/lowest.txt"
    "$uv" pip install -q --python "$venv/bin/python" -r "$work/lowest.txt"
    # Use the sources of this checkout, with the extension if it was built.
    echo "$PWD/src" > "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/facesieve.pth"
    "$venv/bin/python" -m facesieve --version
    "$venv/bin/python" -m pytest -q -p no:cacheprovider -W ignore "$@"
}

# What is compiled against numpy or reads its arrays: OpenCV, simplejpeg, pillow-heif, ONNX Runtime, h5py and pyarrow.
compiled=(tests/align tests/dataset tests/pipeline/test_pipeline.py tests/quality/test_responses.py
    tests/decode/test_decode_colour.py tests/decode/test_decode_modes.py
    tests/models/test_convert_mtcnn.py tests/models/test_session.py tests/cli/test_build_for_real.py)

echo 'The lowest versions'
try lowest '' "${compiled[@]}" tests/decode tests/detect/test_mtcnn.py tests/pose/test_head_pose.py tests/report \
    tests/sieve/test_policy.py tests/sources/test_archives.py tests/sources/test_buckets.py tests/sources/test_find.py \
    tests/sources/test_lists.py tests/sources/test_other_files_as_lists.py tests/sources/test_remote_fetch.py \
    tests/cli/test_commands.py tests/models/test_onnx_file.py tests/models/test_store.py tests/service/test_contract.py
echo 'The lowest versions with a current numpy'
try numpy 'numpy>=2.2' "${compiled[@]}"
