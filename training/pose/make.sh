#!/bin/sh
# Trains the pose network in two stages, and writes it to the folder $1 as sievepose.onnx.
set -e
here=$(dirname "$0")
mkdir -p "$1"
export OMP_NUM_THREADS=1
python "$here/train.py" "$1/first.pt" --steps 5000 --turned 5000 --peak 0.004 --seed 1 --bfloat
python "$here/train.py" "$1/second.pt" --start "$1/first.pt" --steps 3200 --turned 6000 --peak 0.002 --seed 2 --bfloat
# The calibration was chosen on aflw2000_dev: evaluate.py, docs/pose.md.
python "$here/export.py" "$1/second.pt" "$1/sievepose.onnx" --lines '[[1.75, 1.125], [0, 0.981], [0, 0.981]]'
