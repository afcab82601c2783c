"""The network: 3 x 3 convolutions, each followed by ReLU, and three dense heads of bins.

Where a convolution keeps the size and the number of channels, training adds its input to its output. Both are one
convolution afterwards (Ding et al., 2021, https://arxiv.org/abs/2101.03697), so the finished network is a plain chain.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

ANGLES = ("pitch", "yaw", "roll")
BINS, BIN_DEGREES = 66, 3.0
MEAN, DEVIATION = 127.5, 64.0
# Filters and stride of each convolution, for a crop of 64 x 64 pixels: 25 million multiply-adds.
LAYERS = (
    *((16, 2), (16, 1), (16, 1)),
    *((32, 2), (32, 1), (32, 1), (32, 1)),
    *((64, 2), (64, 1), (64, 1), (64, 1)),
    *((128, 2), (128, 1)),
)


class Layer(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(filters)
        self.stride, self.adds = stride, stride == 1 and channels == filters
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        out = self.norm(self.convolution(maps))
        return torch.relu(out + maps if self.adds else out)

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """The layer as one convolution: weight (filters, channels, 3, 3) and bias (filters,), float64."""
        norm = self.norm
        scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).double()
        weight = self.convolution.weight.double() * scale[:, None, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * scale
        if self.adds:
            filters = torch.arange(len(weight))
            weight[filters, filters, 1, 1] += 1
        return weight.detach().numpy(), bias.detach().numpy()


class Network(nn.Module):
    """Maps crops (N, 3, 64, 64), normalised, to logits (N, 3, 66)."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, *(filters for filters, _ in LAYERS))
        self.layers = nn.Sequential(
            *(Layer(before, filters, stride) for before, (filters, stride) in zip(channels, LAYERS, strict=False))
        )
        self.heads = nn.Linear(channels[-1], len(ANGLES) * BINS)
        nn.init.normal_(self.heads.weight, 0, 0.01)

    def features(self, crops: torch.Tensor) -> torch.Tensor:
        return self.layers(crops).mean(dim=(2, 3))

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        return self.heads(features).view(-1, len(ANGLES), BINS)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.logits(self.features(crops))


def bins() -> torch.Tensor:
    """The angle of each bin (66,): bin i stands for 3 i - 99 degrees (Ruiz et al., 2018)."""
    return torch.arange(BINS) * BIN_DEGREES - BINS * BIN_DEGREES / 2


def normalised(crops: np.ndarray) -> torch.Tensor:
    """Crops (N, 64, 64, 3) uint8 as the network takes them."""
    planes = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    return ((planes - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)
