"""The Ray engine, on two nodes of one machine, of which one is lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_batch import kill_and_resume, some_news

from claimstance.batch import (
    PartClassifier,
    PartFolder,
    classify_parts,
    cut_parts,
    open_parts,
)
from claimstance.engines import in_this_process
from claimstance.errors import InputError
from claimstance.inference import load_model

pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and files to the end of the process.
    pytest.mark.filterwarnings("default"),
]
pytest.importorskip("ray", reason="the package ray is not installed (extra 'ray')")
Run = Callable[..., Any]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes (raylets), each with one processor."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    memory = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={**memory, "include_dashboard": False})
    made.second = made.add_node(**memory)
    yield made
    made.shutdown()


def contents(store: PartFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder.glob("0*.jsonl")}


def test_a_lost_node_changes_nothing(cluster: Any, tmp_path: Path, tiny_onnx: Path) -> None:
    """The second node is killed after three parts; the first does the rest."""
    from claimstance.ray_engine import RayActors

    news = some_news(120)
    with open_parts(tmp_path / "one", tiny_onnx, part_sentences=10) as store:
        classify_parts(news, in_this_process(PartClassifier(load_model(tiny_onnx))), store)
        expected = contents(store)
    engine = RayActors(tiny_onnx, address=cluster.address)
    seen: list[bool] = []

    def done(sentences: int, was_there: bool) -> None:
        seen.append(was_there)
        if len(seen) == 3:
            cluster.remove_node(cluster.second, allow_graceful=False)

    with open_parts(tmp_path / "many", tiny_onnx, part_sentences=10) as store:
        assert classify_parts(news, engine, store, done=done)
        assert contents(store) == expected
    assert len(seen) == len(expected) > 20


def test_no_cluster_where_one_was_named(
    tiny_onnx: Path, refuses: Callable[..., InputError]
) -> None:
    from claimstance.ray_engine import RayActors

    engine = RayActors(tiny_onnx, address="127.0.0.1:1")
    parts = cut_parts(some_news(), 10)
    error = refuses("expected a Ray cluster that can be reached", lambda: list(engine(parts)))
    assert "ray start --head" in error.fix


def test_however_often_a_run_on_ray_is_killed_its_output_is_the_same(
    cluster: Any, run_cli: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    engine = ["--engine", "ray", "--ray-address", cluster.address]
    kill_and_resume(run_cli, tmp_path, tiny_onnx, engine)


def test_an_address_needs_the_engine(run_here: Run, tmp_path: Path, tiny_onnx: Path) -> None:
    (tmp_path / "a.txt").write_text("It rained.")
    outcome = run_here("classify", "a.txt", "--model", tiny_onnx, "--ray-address", "auto")
    assert outcome.code == 2
    assert "--ray-address: expected an address together with --engine ray" in outcome.err
