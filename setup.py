"""The compiled extension. It is optional: where it cannot be built, ONNX Runtime and OpenCV do its work."""

from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

native = Pybind11Extension(
    "facesieve._native",
    sorted(str(path) for path in Path("native").glob("*.cpp")),
    depends=sorted(str(path) for path in Path("native").rglob("*.hpp")),
    cxx_std=17,
    # The compiler must not fuse multiply and add where the source does not say so: it changes the rounding (contract).
    # GCC must add each product at once instead of keeping all products of a loop body until its end (tree-ter). Clang
    # does not know that flag and would warn.
    extra_compile_args=["-O3", "-ffp-contract=off", "-fno-tree-ter", "-Wno-ignored-optimization-argument"],
    optional=True,
)
setup(ext_modules=[native])
