"""Train the network, and write its weights.

    python training/pose/train.py OUT.pt [--start WEIGHTS.pt] [--steps 5000] [--peak 0.004] [--turned 5000] [--seed 1]

FOLDER is that of `pose_faces`. One thread; the same seed on the same machine gives the same weights.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import augment
import cv2
import numpy as np
import torch
from data import FaceSet, read
from network import Network, bins, normalised
from torch.nn import functional
from turn import turned_faces

SHARED = Path(__file__).resolve().parents[3] / "shared"
BATCH, TURNED = 128, 44  # faces in a batch, and how many of them are turned faces
DECAY, WARM_UP, AVERAGE = 0.02, 200, 0.999
SOFT_BIN, TRUSTED = 3.0, 6.0  # degrees: width of a label's bins, and of disagreement that halves a face's weight


def loss_of(logits: torch.Tensor, degrees: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Smooth L1 of the expected angle, and half the cross-entropy to a Gaussian around the label."""
    at = bins()
    expected = (logits.softmax(dim=2) * at).sum(dim=2)
    target = torch.softmax(-((at - degrees[..., None]) ** 2) / (2 * SOFT_BIN**2), dim=2)
    distance = functional.smooth_l1_loss(expected, degrees, beta=2.0, reduction="none")
    entropy = -(target * logits.log_softmax(dim=2)).sum(dim=2)
    weight = 1 / (1 + (spread / TRUSTED) ** 2)
    return (weight * (distance + 0.5 * entropy)).sum() / weight.sum()


def relative(degrees: np.ndarray) -> np.ndarray:
    """What a teachers' disagreement counts (N, 3): near profile, a small rotation is many degrees of pitch and roll."""
    share = np.maximum(np.cos(np.radians(degrees[:, 1])), 0.3)
    return np.stack([share, np.ones_like(share), share], axis=1)


def chances(faces: FaceSet) -> np.ndarray:
    """How often each face is drawn: by the inverse root of how many faces have about its yaw."""
    yaw = np.clip(np.rint(faces.degrees[:, 1] / 6).astype(int) + 16, 0, 32)
    density = np.convolve(np.bincount(yaw, minlength=33), [0.25, 0.5, 0.25], "same")
    chance = 1 / np.sqrt(np.maximum(density[yaw], 20))
    return chance / chance.sum()


def rate(step: int, steps: int) -> float:
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / (steps - WARM_UP)))


def optimizer_of(net: Network) -> torch.optim.Optimizer:
    """AdamW; biases and normalisation do not decay."""
    groups = [[p for p in net.parameters() if (p.ndim > 1) == decays] for decays in (True, False)]
    return torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": DECAY}, {"params": groups[1], "weight_decay": 0.0}], lr=0.0
    )


def update(average: Network, net: Network, step: int) -> None:
    """Move the average of the weights, quickly at first."""
    keep = min(AVERAGE, (1 + step) / (10 + step))
    with torch.no_grad():
        for old, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - keep)


def predict(net: Network, crops: np.ndarray) -> np.ndarray:
    """Expected angles (N, 3) of crops (N, 64, 64, 3)."""
    net.eval()
    with torch.inference_mode():
        parts = [net(normalised(crops[i : i + 256])).softmax(dim=2) @ bins() for i in range(0, len(crops), 256)]
    return torch.cat(parts).numpy()


def drawn_from(faces: FaceSet, turned: FaceSet, chance: np.ndarray, random: np.random.Generator) -> FaceSet:
    """One batch, of which TURNED are turned faces if there are any."""
    some = TURNED if len(turned) else 0
    real = faces.take(random.choice(len(faces), BATCH - some, p=chance))
    return FaceSet.join([real, turned.take(random.integers(0, max(len(turned), 1), some))])


@dataclass(frozen=True)
class Plan:
    """How to train. peak: of the rate. bfloat: whether convolutions compute in bfloat16."""

    steps: int
    peak: float
    seed: int
    bfloat: bool


def train(net: Network, faces: FaceSet, turned: FaceSet, plan: Plan) -> Network:
    """Train the network, and return the average of its weights."""
    random = np.random.default_rng(plan.seed)
    average, optimizer, chance, start = copy.deepcopy(net), optimizer_of(net), chances(faces), time.monotonic()
    for step in range(plan.steps):
        drawn = drawn_from(faces, turned, chance, random)
        crops, degrees = augment.batch(drawn, random)
        for group in optimizer.param_groups:
            group["lr"] = plan.peak * rate(step, plan.steps)
        net.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bfloat):
            features = net.features(normalised(crops))
        spread = drawn.spread * relative(degrees)
        loss = loss_of(net.logits(features.float()), torch.from_numpy(degrees), torch.from_numpy(spread))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        update(average, net, step)
        if step % 100 == 99 or step + 1 == plan.steps:
            print(f"{step + 1:5} {loss.item():.3f}  {time.monotonic() - start:.0f} s", flush=True)
    return average.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=SHARED / "data/pose_faces")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--peak", type=float, default=4e-3, help="the highest rate")
    parser.add_argument("--turned", type=int, default=5000, help="how many faces to turn; see turn.py")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bfloat", action="store_true", help="compute in bfloat16; faster where the processor has it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(options.seed)
    net = Network()
    if options.start:
        net.load_state_dict(torch.load(options.start))
    faces = read(options.data)
    turned = turned_faces(faces, options.turned, np.random.default_rng(options.seed))
    plan = Plan(options.steps, options.peak, options.seed, options.bfloat)
    torch.save(train(net.to(memory_format=torch.channels_last), faces, turned, plan).state_dict(), options.out)


if __name__ == "__main__":
    main()
