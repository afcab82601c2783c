"""dlib's face recognition network as ONNX has the answers of dlib itself."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.errors import ModelError
from facesieve.models.convert import dlib_resnet
from facesieve.models.session import Session
from facesieve.models.store import Store
from facesieve.settings import Settings

# dlib 20.0.1, `compute_face_descriptor` of the picture below.
RECORDED = """
-0.092190 0.084169 0.043158 -0.011739 -0.156883 -0.066206 -0.038288 -0.111475 0.105235 -0.042069 0.140603
-0.066144 -0.201057 -0.064083 -0.054399 0.103473 -0.086401 -0.075104 -0.037598 -0.134088 0.018308 0.046432
-0.024842 0.006090 -0.037123 -0.249881 -0.062166 -0.077942 0.089649 -0.097149 -0.006472 0.033646 -0.251150
-0.042250 -0.033323 0.058702 -0.027971 -0.073734 0.173360 -0.006264 -0.103190 0.060598 0.056574 0.205547
0.198124 -0.009701 -0.006249 -0.083527 0.143045 -0.216897 0.014126 0.168484 0.099204 0.066908 0.032473
-0.099808 0.005189 0.101877 -0.182368 0.093449 0.091944 -0.038652 -0.082838 -0.115614 0.214940 0.090440
-0.068450 -0.111470 0.172184 -0.207007 -0.061231 0.080221 -0.079383 -0.116528 -0.270784 0.112567 0.387537
0.208006 -0.133272 0.023805 -0.097385 -0.012171 0.024957 0.029373 -0.063264 -0.049004 -0.053552 0.055498
0.200863 -0.002844 0.008223 0.227405 0.037040 0.061103 -0.064161 -0.000516 -0.062993 -0.066430 -0.040666
-0.024205 0.052385 -0.147646 0.063193 0.162641 -0.198766 0.146919 -0.041677 -0.002281 0.010667 0.040187
0.008947 0.028634 0.133079 -0.222801 0.258121 0.120979 0.004722 0.095267 -0.008940 0.127107 -0.047543 -0.057884
-0.105150 -0.114594 -0.021947 -0.029441 0.026196 0.085932
"""


def test_the_network_has_the_answer_that_dlib_recorded() -> None:
    model = Store(Settings()).load("dlib-resnet")["dlib-resnet"]
    picture = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
    [embeddings] = Session(model, 1)(np.stack([picture, picture]))
    assert embeddings.shape == (2, 128) and embeddings.dtype == np.float32
    assert np.abs(embeddings - np.array(RECORDED.split(), float)).max() < 2e-6


@pytest.mark.parametrize("data", [b"", b"nothing", b"\x01\x05con_4"])
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError) as error:
        dlib_resnet.convert({"weights": data})
    assert error.value.code == "model_unreadable"
