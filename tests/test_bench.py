"""The benchmark: each system does its work, and the page says what was measured."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(ROOT / "evaluation")
    import bench

    yield bench
    sys.modules.pop("bench")


def test_a_run_of_ours_is_timed(bench: Any, tmp_path: Path) -> None:
    """With the model that ships, in processes of their own."""
    count = bench.write_news(tmp_path, 20)
    assert 20 <= count < 60
    timings = bench.measure(["ours"], tmp_path, count, rounds=1)
    timing = timings["ours"]
    assert timing.sentences_per_second == count / timing.seconds[0]
    assert 50 < timing.peak_megabytes < 500
    assert bench.reading_speed(tmp_path) > 1000
    large = bench.large_file(tmp_path, 3_000_000)
    assert large["gigabytes"] > 0.003
    assert large["rows"] == 6
    assert 50 < large["megabytes"] < 500


def test_a_run_with_another_model_is_timed(bench: Any, tmp_path: Path, tiny_model: Path) -> None:
    count = bench.write_news(tmp_path, 20)
    (tmp_path / bench.WHOLE).symlink_to(tiny_model)
    command = bench.command_of(bench.WHOLE, tmp_path, tmp_path / "out.jsonl")
    assert bench.run_alone(command)[2] == 0
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["model"] for line in lines] == ["tiny"] * count


def test_the_stages_of_a_run_add_up(bench: Any, tmp_path: Path) -> None:
    import profile_stages

    count = bench.write_news(tmp_path, 200)
    stages, given = profile_stages.time_stages(tmp_path, profile_stages.SHIPPED)
    assert stages["the network"] > sum(stages.values()) / 2
    assert all(seconds > 0 for seconds in stages.values())
    operators = profile_stages.time_operators(tmp_path, profile_stages.SHIPPED, given)
    assert "MatMulIntegerToFloat" in operators
    page = "\n".join(profile_stages.page(count, stages, operators))
    shares = [float(share) for share in re.findall(r"([\d.]+)% \|", page)]
    assert sum(shares) == pytest.approx(200, abs=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pipeline-32", "torch-loop"])
def test_the_others_label_every_sentence(bench: Any, tmp_path: Path, name: str) -> None:
    count = bench.write_news(tmp_path, 20)
    bench.save_backbone(tmp_path / "classifier")
    bench.be(name, tmp_path / "sentences.jsonl", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == count
    assert all(json.loads(line) for line in lines)


def test_cold_starts_are_taken_anew(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All other figures are those of the last run."""
    published = json.loads((bench.RESULTS / "speed.json").read_text(encoding="utf-8"))
    (tmp_path / "speed.json").write_text(json.dumps(published), encoding="utf-8")
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(bench, "cold_starts", lambda folder: {"--help": 0.125})
    bench.take_cold_starts_anew()
    found = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert found == published | {"seconds_from_a_cold_start": {"--help": 0.125}}
    assert "--help 0.12 s" in (tmp_path / "speed.md").read_text(encoding="utf-8")


def test_the_page_is_made_of_the_figures(bench: Any) -> None:
    timings = {
        "pipeline-32": bench.Timing([20.0, 10.0, 20.0], 200.0, 600.0),
        "ours-alone": bench.Timing([4.0, 4.0, 5.0], 1000.0, 200.0),
        "ours": bench.Timing([2.0, 2.0, 2.0], 2000.0, 150.0),
        "ours-2": bench.Timing([3.2, 3.2, 3.2], 1250.0, 150.0),
    }
    facts = {
        "command": "x", "sentences": 4000, "threads": 2, "processor": "a processor",
        "sentences_read_per_second": 50_000.0, "sentences_per_article": 20.0,
        "seconds_from_a_cold_start": {"--help": 0.25},
        "large_file": {"gigabytes": 2.04, "rows": 4000, "seconds": 60.0, "megabytes": 181.2},
    }  # fmt: skip
    page = "\n".join([*bench.table(timings, facts), *bench.sizing(timings, facts)])
    assert "`, on one processor | 1000 a second | 5.00, 2.50 to 5.00 | 200 |" in page
    assert "2 cores do so many times what one does: in one process 2.00, in two 1.25. " in page
    assert "--help 0.25 s" in page
    assert "A file of 2.0 GB, 4,000 rows of " in page
    assert "at most 181 MB of memory" in page
    assert "**0.3 core-hours per million sentences**" in page
    assert "enough for 50 cores like these" in page
    # 100 million articles of 20 sentences at 1,000 a second and core.
    assert "would take 556 core-hours" in page
