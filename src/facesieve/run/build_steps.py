"""The steps of `recipe.build` between the check of its arguments and the build itself, and after the build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from facesieve.dataset.disk.outputs import Outputs
from facesieve.models.store import Announce, Store
from facesieve.run.build_machines import Machines
from facesieve.run.build_result import BuildResult
from facesieve.run.build_spec import BuildSpec
from facesieve.run.dataset_rules import measures_of_build
from facesieve.run.engines.choose import engine_for
from facesieve.run.inference import identity_model, resolved
from facesieve.run.portion import Portion
from facesieve.settings import Settings
from facesieve.sieve import Policy
from facesieve.sources import Found


def announce_found(found: Found, notes: Sequence[str], announce: Announce) -> None:
    """Tell the user what was left out of the sources, and the notes."""
    for line in (*found.lines(), *(f"note: {note}" for note in notes)):
        announce(line)


def settings_here(settings: Settings, found: Found, portion: Portion) -> Settings:
    """The settings with `auto` resolved for this machine. Worker processes begin to start."""
    # Now clips, and pictures in archives and lists, are counted.
    pictures = -(-sum(source.cost for source in found.sources) // portion.count)
    engine_for(settings, pictures).prepare()
    return resolved(settings)


def check_device(settings: Settings, store: Store) -> None:
    """Raise the error of a GPU that cannot be used, before anything is written."""
    if settings.device != "cpu":
        from facesieve.detect import load_networks

        load_networks(settings, store)


def spec_of(
    settings: Settings,
    policy: Policy,
    outputs: Outputs,
    label_from: str,
    store: Store,
    models: Mapping[str, str],
    machines: Machines,
) -> BuildSpec:
    """How the dataset is made. models: sha256 of each file, also of the model of embeddings."""
    return BuildSpec(
        settings=settings,
        measures=measures_of_build(policy),
        outputs=outputs,
        policy=policy,
        models={name: digest for name, digest in models.items() if name.partition("/")[0] != settings.identity},
        engines=machines.engines,
        label_from=label_from,
        versions=machines.versions,
        identity=identity_model(settings, store),
    )


def with_notes(
    result: BuildResult, found: Found, notes: Sequence[str], embedded: bool, announce: Announce
) -> BuildResult:
    """The result with what the search for sources noticed, and with the notes about comparing faces.

    notes: those that were announced before the build. With embeddings, those of the result are announced instead.
    """
    if embedded:  # otherwise the first note has said that nothing can be compared
        notes = result.notes
        for note in notes:
            announce(f"note: {note}")
    return replace(result, left_out=found.left_out, notes=(*found.notes, *notes))
