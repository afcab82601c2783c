"""What is checked before a build in a Ray cluster: the address, the package, and what every node has."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.origin import InferenceEngine, versions
from facesieve.errors import FacesieveError, ModelError, WorkerError
from facesieve.records import Source
from facesieve.run.claim import lock_dataset
from facesieve.run.engines import ray_cluster
from facesieve.run.engines.ray_actor import (
    GivenSettings,
    NodeFacts,
    Question,
    Ready,
    SourceSample,
    check_dataset,
    facts_of_node,
)
from facesieve.run.engines.ray_nodes import Cluster, checked, with_absolute_path
from facesieve.run.permit import grant
from facesieve.run.recipe import build
from facesieve.settings import Settings
from facesieve.sources.openers import File, Memory
from facesieve.version import __version__

AVX2 = InferenceEngine(network="mtcnn", engine="native", instruction_set="avx2")
AVX512 = InferenceEngine(network="mtcnn", engine="native", instruction_set="avx512")
OTHER = InferenceEngine(network="mtcnn", engine="onnxruntime", instruction_set="avx2")
FACTS = NodeFacts({"facesieve": __version__, "numpy": "2.0"}, (AVX2,), {"mtcnn/pnet": "0" * 64})


@pytest.mark.parametrize("address", ["", "dask", "rays", "ray:", "ray://", "10.0.0.1:6379"])
def test_an_address_that_is_not_of_ray_is_one_sentence(address: str) -> None:
    with pytest.raises(FacesieveError, match="--on takes ray or ray://HOST:PORT") as caught:
        ray_cluster.check_address(address)
    assert caught.value.code == "bad_address"


@pytest.mark.parametrize("on", ["ray", "ray://127.0.0.1:{port}"])
def test_a_cluster_that_does_not_answer_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, astronaut: Path, on: str
) -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nothing listens on it
        port = taken.getsockname()[1]
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        with pytest.raises(WorkerError, match=rf"127.0.0.1:{port} cannot be reached: Connection refused") as error:
            build(astronaut, tmp_path / "out", on=on.format(port=port))
    assert error.value.code == "no_cluster"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("missing", "address"), [("ray", "ray"), ("ray", "ray://head:10001"), ("grpc", "ray://head:10001")]
)
def test_without_the_package_a_build_says_what_to_install_and_writes_nothing(
    missing: str,
    address: str,
    run: Callable[..., tuple[int, str, str]],
    astronaut: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None if name == missing else find("os"))
    done = run("build", astronaut, "-o", tmp_path / "out", "--on", address)
    assert done == (2, "", "error: Ray is not installed; run: pip install 'facesieve[ray]' [ray_absent]\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN, print])
def test_the_handler_of_sigterm_is_kept(handler: Any) -> None:
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with ray_cluster._same_signals():
            signal.signal(signal.SIGTERM, lambda *of_ray: None)
        assert signal.getsignal(signal.SIGTERM) == handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_of_sigterm_that_was_not_set_from_python_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: None)  # as where a program in C runs Python
    reached = []
    with ray_cluster._same_signals():
        reached.append(1)
    assert reached


def cluster(allow_mixed_engines: bool = False) -> Cluster:
    """A cluster of one node that is known."""
    found = Cluster(None, Question(GivenSettings({}), []), FACTS.models, allow_mixed_engines)
    found.admit(Ready("a", "10.0.0.1", None))
    assert not found.facts, "a node without facts is one that is known"
    found.addresses["a"], found.facts["a"] = "10.0.0.1", FACTS
    return found


def test_a_node_with_the_same_results_is_admitted_and_recorded() -> None:
    nodes = cluster()
    nodes.facts["b"] = replace(FACTS, engines=(AVX512,), versions={"facesieve": __version__, "numpy": "2.1"})
    nodes.admit(Ready("c", "10.0.0.3", replace(FACTS, engines=(AVX512,))))
    assert nodes.addresses["c"] == "10.0.0.3"
    assert nodes.engines() == (AVX2, AVX512)
    assert nodes.versions()["numpy"] == tuple(sorted({"2.0", "2.1", versions()["numpy"]}))


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (replace(FACTS, versions={"facesieve": "0.0.9"}), f"has FaceSieve 0.0.9, and this is {__version__}"),
        (replace(FACTS, models={"mtcnn/pnet": "1" * 64}), "has other models than this machine: mtcnn/pnet."),
        (replace(FACTS, engines=(OTHER,)), "has another inference engine than node 10.0.0.1"),
    ],
)
def test_a_node_that_differs_is_named_with_the_difference(facts: NodeFacts, sentence: str) -> None:
    with pytest.raises(WorkerError) as caught:
        cluster().admit(Ready("b", "10.0.0.2", facts))
    assert caught.value.code == "other_node"
    assert caught.value.message.startswith("Node 10.0.0.2 ") and sentence in caught.value.message


def test_the_difference_between_engines_is_shown() -> None:
    with pytest.raises(WorkerError, match="allow both with --allow-mixed-engines") as caught:
        cluster().admit(Ready("b", "10.0.0.2", replace(FACTS, engines=(OTHER,))))
    assert caught.value.message.splitlines()[1:] == ["  mtcnn: native avx2 -> onnxruntime avx2"]


def test_mixed_engines_are_recorded_and_a_node_that_joins_later_must_have_one_of_them() -> None:
    nodes = cluster(allow_mixed_engines=True)
    nodes.facts["b"] = replace(FACTS, engines=(OTHER,))
    assert nodes.engines() == (AVX2, OTHER)
    nodes.admit(Ready("c", "10.0.0.3", nodes.facts["b"]))
    with pytest.raises(WorkerError, match=r"Node 10.0.0.4 joined later"):
        nodes.admit(Ready("d", "10.0.0.4", replace(FACTS, engines=(AVX512,))))


def test_an_error_of_a_node_names_the_node() -> None:
    with pytest.raises(ModelError, match=r"Node 10\.0\.0\.2: Model mtcnn is damaged") as caught:
        checked("10.0.0.2", ModelError("model_corrupt", "Model mtcnn is damaged."))
    assert caught.value.code == "model_corrupt"
    assert checked("10.0.0.2", FACTS) is FACTS


def answer(*samples: SourceSample) -> Any:
    return facts_of_node(Question(GivenSettings.of(Settings.load(pose="none")), samples))


def test_a_node_says_what_it_would_work_with(astronaut: Path) -> None:
    facts = answer(SourceSample(str(astronaut), astronaut.stat().st_size))
    assert facts.versions == versions()
    assert [engine.network for engine in facts.engines] == ["mtcnn"]
    assert {name.partition("/")[0] for name in facts.models} == {"mtcnn"}


def test_a_node_without_a_source_is_told_so_before_any_work(astronaut: Path, tmp_path: Path) -> None:
    absent = answer(SourceSample(str(tmp_path / "1.jpg"), 1))
    with pytest.raises(WorkerError) as caught:
        checked("10.0.0.2", absent)
    assert caught.value.message == (
        f"Node 10.0.0.2 cannot read {tmp_path / '1.jpg'}: No such file or directory."
        " All nodes must have the same folders."
    )
    other = answer(SourceSample(str(astronaut), 1))
    with pytest.raises(WorkerError, match="has another file as"):
        checked("10.0.0.2", other)


def test_a_node_must_see_the_dataset_and_its_lock(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "out")
    with lock_dataset(layout):
        permit = grant(layout)
        assert check_dataset(layout, permit) is None
        moved = replace(permit, path=tmp_path / "other" / ".facesieve" / "permits" / "x")
        elsewhere = check_dataset(Layout(tmp_path / "other"), moved)
        assert isinstance(elsewhere, FacesieveError)
        assert elsewhere.message == f"does not have the dataset {tmp_path / 'other'}"
    unlocked = check_dataset(layout, permit)
    assert isinstance(unlocked, FacesieveError) and unlocked.code == "unreachable"
    assert "does not see the lock" in unlocked.message


def test_a_node_has_its_own_cache_and_instruction_set_unless_the_user_chose_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = GivenSettings.of(Settings(min_face_size=40))
    chosen = GivenSettings.of(Settings(cache_dir=tmp_path / "chosen", isa="avx2"))
    monkeypatch.setenv("FACESIEVE_CACHE_DIR", str(tmp_path / "node"))
    monkeypatch.setenv("FACESIEVE_CROP_SIZE", "160")
    assert given.here() == Settings(min_face_size=40, cache_dir=tmp_path / "node")
    assert chosen.here() == Settings(cache_dir=tmp_path / "chosen", isa="avx2")


def test_sources_are_opened_by_absolute_paths_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = Source("a.jpg", open=File("a.jpg"))
    assert with_absolute_path(source) == replace(source, open=File(os.fspath(tmp_path / "a.jpg")))
    for other in (Source("m", open=Memory(b"")), Source("none"), Source("part", open=tmp_path.open)):
        assert with_absolute_path(other) is other
