from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Bytes = npt.NDArray[np.uint8]
_Floats32 = npt.NDArray[np.float32]
_Layers = Sequence[tuple[_Floats32, _Floats32, _Floats32]]

PANEL: int

def isas() -> list[str]: ...
def suppress(boxes: npt.NDArray[np.float64], threshold: float, minimum: bool = False) -> npt.NDArray[np.intp]: ...
def warp(pixels: _Bytes, matrices: npt.NDArray[np.float64], size: int) -> _Bytes: ...
def laplacian_variance(grey: _Bytes) -> npt.NDArray[np.float64]: ...

class Networks:
    def __init__(self, pnet: _Layers, rnet: _Layers, onet: _Layers, isa: str = "") -> None: ...
    @property
    def isa(self) -> str: ...
    def propose(
        self, pixels: _Bytes, scales: Sequence[float], threshold: float
    ) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], _Floats32, _Floats32]]: ...
    def level(self, pixels: _Bytes, width: int, height: int) -> _Bytes: ...
    def crop(self, pixels: _Bytes, boxes: npt.NDArray[np.int32], size: int) -> _Floats32: ...
    def run_multiply_adds(self, steps: int) -> float: ...
    def refine(self, crops: _Floats32) -> _Floats32: ...
    def locate(self, crops: _Floats32) -> _Floats32: ...

_Rows = tuple[_Floats32, _Floats32]
_Block = tuple[_Rows, _Rows, _Rows, _Rows, _Rows, int, int, bool]

class HeadPose:
    def __init__(
        self,
        mean: Sequence[float],
        deviation: Sequence[float],
        blocks: Sequence[_Block],
        features: _Rows,
        logits: _Rows,
        heads: Sequence[Sequence[float]],
        isa: str = "",
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    def estimate(self, crops: _Bytes) -> _Floats32: ...

class Sievepose:
    def __init__(
        self,
        mean: Sequence[float],
        deviation: Sequence[float],
        layers: _Layers,
        strides: Sequence[int],
        degrees: Sequence[Sequence[float]],
        isa: str = "",
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    def estimate(self, crops: _Bytes) -> _Floats32: ...
