"""How well each measure predicts errors of recognition, percentiles of public photo sets, and the cost of fitting.

    python bench/fit.py [fitness|copies|percentiles|million|all] [--data ../shared/data] [--draws 8] [--faces 1000000]
                        [--pictures FOLDER]

fitness      LFW (50 photos of 5 people) and 171 portraits of others: as they are, and each photo made worse at random
             in --draws ways (blur, distance, darkness, noise, compression and others, `planted/worse.py`). Every draw
             is one dataset, so no photo is compared with itself. Prints the share of right pairs that fail (FNMR) while
             the worst faces are discarded, the mean of the draws
copies       how well each measure tells, without any label, how far the embedding of a worse copy is from that of its
             photo: the gain when the farthest 15 % of the copies count as errors. Portraits, --draws copies each
percentiles  of measures of WIDER FACE, LFW, portraits and group photos, and what share of faces each preset keeps.
             --pictures also draws histograms
million      time and memory of --keep and --curve for a made-up dataset
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pyarrow as pa

import facesieve
from facesieve import Dataset, Face, Pipeline, Policy, Settings
from facesieve.dataset.tables.decisions import NO_DECISIONS
from facesieve.dataset.tables.merge import Block
from facesieve.fit.columns import OF_ONE_FACE, read_columns
from facesieve.fit.curve import error_curves
from facesieve.fit.curve_records import Curves
from facesieve.fit.scale import scale_of
from facesieve.fit.share import fit_keep
from facesieve.identity.embedder import Embedder
from facesieve.models.store import Store
from planted.worse import made_worse, write_worse

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
SETS = {"WIDER": "wider_val_dev", "LFW": "lfw_dev", "portraits": "portraits_dev", "groups": "group_photos_dev"}
MEASURES = (
    *("confidence", "sharpness", "blur", "inter_eye_distance", "yaw", "pitch", "roll", "fitness", "upsampling"),
    *("under_exposure_prevention", "over_exposure_prevention", "illumination_uniformity", "outside"),
)
DRAWN = ("sharpness", "blur", "inter_eye_distance", "yaw", "pitch", "fitness")
PARTS = ("fitness", "copies", "percentiles", "million")
PERCENTILES = (5, 10, 25, 50, 75, 90, 95)
BLOCK = 32_768


def built(folder: Path, root: Path, identity: str = "none") -> Dataset:
    """A dataset of all faces of a folder, with the crops of rejected ones too."""
    settings = Settings.load(identity=identity)
    facesieve.build(
        folder, root, settings=settings, policy=Policy.preset("lenient"), label_from="folder", keep_rejected=True
    )
    return facesieve.open_dataset(root)


def curves_of(people: Path, strangers: Path, seed: int | None) -> Curves:
    """The curves of one dataset. seed: of the random edits; None leaves the photos as they are."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        random = None if seed is None else np.random.default_rng(seed)
        write_worse(people, root / "photos", random)
        write_worse(strangers, root / "photos", random, own_folder=True)
        return error_curves(built(root / "photos", root / "dataset", "dlib-resnet"), Policy.preset("strict"))


def fitness(data: Path, draws: int) -> None:
    people, strangers = data / SETS["LFW"], data / SETS["portraits"]
    print("photos as they are")
    report([curves_of(people, strangers, None)])
    print(f"\nphotos made worse, {draws} draws")
    report([curves_of(people, strangers, seed) for seed in range(draws)])


def report(found: list[Curves]) -> None:
    """Print the mean FNMR of several datasets, the measure with the greatest gain first."""
    pairs = sum(one.right_pairs for one in found), sum(one.wrong_pairs for one in found)
    print(f"{pairs[0]:,} right pairs, {pairs[1]:,} wrong pairs")
    for far in found[0].limits:
        rates: dict[str, list[np.ndarray]] = {}
        for one in found:
            for curve in one.curves:
                if curve.far == far:
                    rates.setdefault(curve.measure, []).append(np.array(curve.fnmr, float))
        mean = {name: np.mean(some, axis=0) for name, some in rates.items()}
        gains = {name: gain(rate) for name, rate in mean.items()}
        ours = [gain(rate) for rate in rates["fitness"]]
        print(f"\nFAR {far:g}{'':<20} FNMR at 0 %    10 %    20 %    30 %    gain   fitness is better in")
        for name in sorted(mean, key=lambda name: -gains[name]):
            won = sum(a > gain(b) for a, b in zip(ours, rates[name], strict=True))
            cells = "".join(f"{100 * mean[name][step]:8.1f}" for step in (0, 2, 4, 6))
            print(f"{name:28} {cells} {100 * gains[name]:7.1f}   {won} of {len(found)}", flush=True)


def gain(rates: np.ndarray) -> float:
    """As `Curve.gain`."""
    return float(1 - rates[1:7].mean() / rates[0]) if rates[0] else 0.0


def copies(data: Path, draws: int) -> None:
    """Print the gain of each measure on copies of portraits."""
    settings = Settings.load(identity="dlib-resnet")
    embedder, pipeline = Embedder(settings, Store(settings)), Pipeline(settings.model_copy(update={"identity": "none"}))
    random, measures, away = np.random.default_rng(77), [], []
    for path in sorted((data / SETS["portraits"]).glob("*.jpg")):
        photo = cv2.imread(str(path))
        faces = [main_face(one, pipeline) for one in (photo, *(made_worse(photo, random) for _ in range(draws)))]
        if faces[0] is None:
            continue
        there = [face for face in faces if face is not None]
        vectors = embedder(np.stack([face.crop for face in there])).vectors.astype(float)
        measures += [face.measures for face in there[1:]]
        away += np.linalg.norm(vectors[1:] - vectors[0], axis=1).tolist()
    failed = np.array(away) > np.percentile(away, 85)
    print(f"{len(away)} copies; the farthest 15 % are at least {np.percentile(away, 85):.2f} from their photos")
    gains = {}
    for name in OF_ONE_FACE:
        scores = scale_of(name, values := np.array([one[name] for one in measures])).scores(values)
        order = np.argsort(np.nan_to_num(scores, nan=-np.inf), kind="stable")
        left = [failed[order[int(share * len(order)) :]].mean() for share in (0, *np.arange(0.05, 0.31, 0.05))]
        gains[name] = gain(np.array(left))
    for name in sorted(gains, key=lambda name: -gains[name])[:10]:
        print(f"{name:28} {100 * gains[name]:7.1f}")


def main_face(photo: np.ndarray, pipeline: Pipeline) -> Face | None:
    [record] = pipeline.process(np.ascontiguousarray(photo[..., ::-1]))
    return max(record.faces, key=lambda face: face.measures["prominence"], default=None)


def percentiles(data: Path, pictures: Path | None) -> None:
    columns = {}
    for name, folder in SETS.items():
        with tempfile.TemporaryDirectory() as root:
            dataset = built(data / folder, Path(root) / "dataset")
            columns[name] = read_columns(dataset, MEASURES)
            kept = {
                preset: dataset.rejudge(Policy.preset(preset)).after for preset in ("reference", "strict", "lenient")
            }
        faces = len(columns[name]["confidence"])
        shares = ", ".join(f"{preset} {count.kept / faces:.1%}" for preset, count in kept.items())
        print(f"{name}: {faces} faces; kept by {shares}", flush=True)
    for measure in MEASURES:
        print(f"\n{measure:28}" + "".join(f"{f'{part} %':>9}" for part in PERCENTILES))
        for name, held in columns.items():
            values = np.abs(held[measure]) if OF_ONE_FACE[measure].better == "near zero" else held[measure]
            print(f"  {name:26}" + "".join(f"{number:9.4g}" for number in np.nanpercentile(values, PERCENTILES)))
    if pictures:
        histograms(columns, pictures)


def histograms(columns: dict[str, dict[str, np.ndarray]], folder: Path) -> None:
    """Draw one picture with a histogram of each measure in each set, and the limits of two presets."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(11, 5.5), layout="constrained")
    rules = {name: {rule.measure: rule for rule in Policy.preset(name).rules} for name in ("strict", "lenient")}
    for axis, measure in zip(axes.flat, DRAWN, strict=True):
        everything = np.concatenate([held[measure] for held in columns.values()])
        low, high = np.nanpercentile(everything, (0.5, 97))
        for (name, held), colour in zip(columns.items(), ("#b24745", "#00729b", "#d79c00", "#5b7f3b"), strict=True):
            values = held[measure][np.isfinite(held[measure])]
            weights = np.full(len(values), 100 / len(values))
            axis.hist(values, 30, range=(low, high), weights=weights, histtype="step", label=name, color=colour)
        for preset, style in (("strict", "-"), ("lenient", ":")):
            rule = rules[preset].get(measure)
            for limit in (rule.low, rule.high) if rule else ():
                if limit is not None and low <= limit <= high:
                    axis.axvline(limit, color="black", linewidth=1, linestyle=style)
        axis.set(title=measure, ylabel="% of faces")
    axes.flat[0].legend(frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "histograms.png", dpi=80)
    print(f"\nwrote {folder / 'histograms.png'}")


class MadeUp:
    """The tables of a dataset with random faces, in blocks. Stands in for `Dataset`."""

    def __init__(self, faces: int, labels: int) -> None:
        self.names = (*OF_ONE_FACE,)
        counts, identity = SimpleNamespace(faces=faces), SimpleNamespace(model="dlib-resnet")
        self.about = SimpleNamespace(counts=counts, origin=SimpleNamespace(identity=identity, shot_gap=0.0))
        self.layout, self.decisions = SimpleNamespace(root=Path("made up")), NO_DECISIONS
        self._faces, self._labels = faces, labels
        self._middles = np.random.default_rng(1).normal(0, 0.05, (labels, 128)).astype(np.float32)

    def face_tables(self, columns: list[str]) -> Iterator[pa.Table]:
        for block in self.blocks():
            yield block.faces.select(columns)

    def blocks(self, embeddings: bool = False) -> Iterator[Block]:
        for start in range(0, self._faces, BLOCK):
            count = min(BLOCK, self._faces - start)
            random = np.random.default_rng([2, start])
            ids = [f"{number:032x}" for number in range(start, start + count)]
            label = random.integers(0, self._labels, count)
            numbers = {name: random.random(count) for name in OF_ONE_FACE}
            texts = {"face_id": ids, "picture_id": ids, "source": ids, "label": [f"{one:06d}" for one in label]}
            hashes = [random.bytes(32) for _ in range(count)]
            faces = pa.table({**texts, **numbers, "kept": np.ones(count, bool), "crop_hash": hashes})
            pictures = pa.table({"faces": np.ones(count, np.int32), "width": np.full(count, 100, np.int32)})
            vectors = (self._middles[label] + random.normal(0, 0.025, (count, 128))).astype(np.float16)
            lists = pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * 128, pa.array(vectors.ravel()))
            yield Block(faces, pictures, pa.table({"embedding": lists}))


def million(faces: int) -> None:
    dataset = MadeUp(faces, faces // 50)
    policy = Policy.preset("strict")
    for name, step in (
        ("--keep .8", lambda: fit_keep(dataset, policy, 0.8)),
        ("--curve", lambda: error_curves(dataset, policy)),
    ):
        began, used = time.perf_counter(), time.process_time()
        step()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        passed = time.perf_counter() - began
        print(f"{name:10} {faces:,} faces: {time.process_time() - used:.0f} s CPU, {passed:.0f} s, peak {peak:.2f} GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=(*PARTS, "all"), nargs="?", default="fitness")
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    asked = PARTS if options.what == "all" else (options.what,)
    if "million" in asked:
        million(options.faces)
    if "copies" in asked:
        copies(options.data, options.draws)
    if "percentiles" in asked:
        percentiles(options.data, options.pictures)
    if "fitness" in asked:
        fitness(options.data, options.draws)


if __name__ == "__main__":
    main()
