"""What the compiler cannot see: the kernels' headers bring nothing into a file whose target is already set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
KERNELS = NATIVE / "kernels"


def included(file: Path) -> set[str]:
    return set(re.findall(r'^#include (["<].+[">])$', file.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("file", sorted(KERNELS.glob("*.hpp")), ids=lambda file: file.name)
def test_what_a_kernel_includes_from_outside_is_compiled_before_the_target_is_set(file: Path) -> None:
    """Otherwise an inline function of the standard library could be AVX-512 code in a process without AVX-512."""
    beside = {f'"{other.name}"' for other in KERNELS.glob("*.hpp")}
    assert included(file) - beside <= included(KERNELS / "baseline.hpp")


def test_each_instruction_set_includes_the_baseline_first_and_the_kernels_after_its_target() -> None:
    files = sorted(NATIVE.glob("isa_*.cpp"))
    assert [file.stem for file in files] == ["isa_avx2", "isa_avx512", "isa_portable"]
    for file in files:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
        assert lines[0] == '#include "kernels/baseline.hpp"'
        assert [line for line in lines if line.startswith("#include")][1:] == ['#include "kernels/table.hpp"']
        assert f"#define ISA {file.stem.removeprefix('isa_')}" in lines


def test_a_function_a_type_or_a_constant_has_a_name_of_its_own() -> None:
    """Among the kernels, which share one namespace. Overloads and members are not compared."""
    pattern = r"^(?:struct|class|constexpr int|using|(?:\[\[gnu::noinline\]\] |inline |constexpr )+[\w:<>]+[&*]?) (\w+)"
    places: dict[str, set[str]] = {}
    for file in sorted([*KERNELS.glob("*.hpp"), *NATIVE.glob("*.hpp")]):
        for name in re.findall(pattern, file.read_text(encoding="utf-8"), re.MULTILINE):
            places.setdefault(name, set()).add(file.name)
    assert {"Lanes", "crop_tile", "row_tile", "PANEL", "SquareLayer"} <= set(places)
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
