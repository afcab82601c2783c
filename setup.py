"""The compiled part. Optional: where it cannot be built the install goes on, and ONNX Runtime does its work."""

from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

native = Pybind11Extension(
    "facesieve._native",
    sorted(str(path) for path in Path("native").glob("*.cpp")),
    depends=sorted(str(path) for path in Path("native").rglob("*.hpp")),
    cxx_std=17,
    # Rounding is written out where it matters, so the compiler must not fuse multiply and add on its own (contract);
    # and GCC must add when a product is there, not keep all products of a loop body for its end (tree-ter).
    extra_compile_args=["-O3", "-ffp-contract=off", "-fno-tree-ter"],
    optional=True,
)
setup(ext_modules=[native])
