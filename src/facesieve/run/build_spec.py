"""How a dataset is made, apart from its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import IdentityModel, InferenceEngine, Options, Origin, RecordedPolicy, versions
from facesieve.settings import Settings
from facesieve.sieve import Policy


def versions_here() -> dict[str, tuple[str, ...]]:
    """The versions of the packages of this machine, as an origin holds them."""
    return {name: (held,) for name, held in versions().items()}


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """How a dataset is made, apart from its sources.

    measures: names of the columns of raw numbers, in order. models: sha256 of each model file by model and part.
    engines: the inference engine of each network. label_from: where labels come from.
    versions: of FaceSieve and of the packages that can change its numbers; several where machines differ.
    identity: the model that the pipeline computes embeddings with; None for none.
    """

    settings: Settings
    measures: tuple[str, ...]
    outputs: Outputs
    policy: Policy
    models: dict[str, str]
    engines: tuple[InferenceEngine, ...]
    label_from: str = "none"
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=versions_here)
    identity: IdentityModel | None = None

    def origin(self) -> Origin:
        """What is recorded of how the dataset is made."""
        outputs = self.outputs
        return Origin(
            versions=dict(self.versions),
            engines=self.engines,
            settings=self.settings.shaping(),
            policy=RecordedPolicy(**self.policy.describe()),
            models=self.models,
            measures=self.measures,
            options=Options(
                keep_rejected=outputs.keep_rejected,
                crops=tuple(sorted(outputs.cuts)),
                marked=outputs.marked,
                marked_video=outputs.marked_video,
                label_from=self.label_from,
                crops_as="shards" if outputs.in_tars else "files",
                tar_bytes=outputs.tar_bytes,
            ),
            limits=self.settings.limits(),
            identity=self.identity,
        )
