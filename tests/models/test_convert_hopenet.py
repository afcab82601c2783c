"""Hopenet against the architecture in torch, with random weights: the published file is in no package."""

from __future__ import annotations

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesieve.errors import ModelError
from facesieve.models.convert.hopenet import convert
from facesieve.models.session import Session
from facesieve.models.statedict import read_state_dict
from facesieve.models.store import Store
from facesieve.settings import Settings

torch = pytest.importorskip("torch")


def bottleneck(inside: int, width: int, stride: int) -> Any:
    nn = torch.nn

    class Bottleneck(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(4 * width)
            self.downsample = None
            if inside != 4 * width:
                sides = nn.Conv2d(inside, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
                self.downsample = nn.Sequential(*sides)

        def forward(self, x: Any) -> Any:
            out = self.bn1(self.conv1(x)).relu()
            out = self.bn2(self.conv2(out)).relu()
            return (self.bn3(self.conv3(out)) + (self.downsample(x) if self.downsample else x)).relu()

    return Bottleneck()


class Hopenet(torch.nn.Module):  # type: ignore[misc, name-defined]
    """ResNet-50 with three heads of 66 bins and the unused fc_finetune, layer names as the authors have them."""

    def __init__(self) -> None:
        super().__init__()
        nn, inside = torch.nn, 64
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        for layer, (blocks, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), 1):
            parts = []
            for block in range(blocks):
                parts.append(bottleneck(inside, width, 2 if layer > 1 and block == 0 else 1))
                inside = 4 * width
            setattr(self, f"layer{layer}", nn.Sequential(*parts))
        self.fc_yaw, self.fc_pitch, self.fc_roll = (nn.Linear(2048, 66) for _ in range(3))
        self.fc_finetune = nn.Linear(2048 + 3, 3)

    def forward(self, x: Any) -> Any:
        functional = torch.nn.functional
        x = functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = functional.avg_pool2d(x, 7).flatten(1)
        bins = torch.arange(66.0)
        heads = (self.fc_pitch, self.fc_yaw, self.fc_roll)
        return torch.stack([(head(x).softmax(1) * bins).sum(1) * 3 - 99 for head in heads], 1)


@pytest.fixture(scope="module")
def network() -> Hopenet:
    """Random weights, and batch normalisation that is far from neutral."""
    torch.manual_seed(0)
    network = Hopenet().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.3, 0.9)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    for head in (network.fc_yaw, network.fc_pitch, network.fc_roll):
        torch.nn.init.normal_(head.weight, 0, 0.1)
    return network


def legacy(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def test_the_converted_network_agrees_with_torch_to_a_thousandth_of_a_degree(network: Hopenet) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    crops[1], crops[2, :, 112:] = 0, 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = network(((torch.tensor(crops) / 255 - mean) / std).permute(0, 3, 1, 2)).numpy()
    assert expected.std(axis=0).min() > 0.01, "the three crops must differ, or the test says little"
    ours = Session(convert({"hopenet.pkl": legacy(network.state_dict())})["hopenet"], 1)(crops)[0]
    np.testing.assert_allclose(ours, expected, atol=1e-3, rtol=0)


def test_added_by_hand_it_is_loaded_and_verified(network: Hopenet, tmp_path: Path) -> None:
    (tmp_path / "random.pkl").write_bytes(legacy(network.state_dict()))
    store = Store(Settings(cache_dir=tmp_path / "cache", offline=True), lambda _: None)
    with pytest.raises(ModelError, match="--unverified"):
        store.add("hopenet", [tmp_path / "random.pkl"])
    store.add("hopenet", [tmp_path / "random.pkl"], unverified=True)
    assert len(store.load("hopenet")["hopenet"]) > 90_000_000


def test_every_tensor_is_read_as_torch_wrote_it() -> None:
    shared = torch.arange(12.0).reshape(3, 4)
    state = OrderedDict(
        a=shared, transposed=shared.T, part=shared[1:, ::2], scalar=torch.tensor(7), double=torch.tensor([0.1]).double()
    )
    read = read_state_dict(legacy(state))
    assert list(read) == list(state)
    for name, tensor in state.items():
        assert read[name].dtype == np.float32
        assert np.array_equal(read[name], tensor.float().numpy()), name


def test_a_state_dict_of_another_network_is_refused() -> None:
    with pytest.raises(ModelError, match="not Hopenet's") as caught:
        convert({"hopenet.pkl": legacy({"conv1.weight": torch.zeros(3)})})
    assert caught.value.code == "model_unreadable"


def test_the_zip_format_is_refused_by_name() -> None:
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(3)}, buffer)
    with pytest.raises(ModelError, match="zip"):
        read_state_dict(buffer.getvalue())


def test_a_file_cut_short_is_refused() -> None:
    data = legacy({"a": torch.arange(100.0)})
    for size in (0, 1, 30, len(data) // 2, len(data) - 1):
        with pytest.raises(ModelError) as caught:
            read_state_dict(data[:size])
        assert caught.value.code == "model_unreadable"
