"""The published results: their pages say what their files say, and what was skipped."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from claimstance.comparison import Comparison, Difference
from claimstance.errors import InputError
from claimstance.external import ExternalScore
from claimstance.statistics import Estimate

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "evaluation" / "results"
#: Words that a person reads in ten minutes.
TEN_MINUTES = 2600


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "evaluation")
    import make_results

    return make_results


def test_the_published_page_is_that_of_the_published_files(scripts: ModuleType) -> None:
    import results_page
    from outside import read_outside

    scores = scripts.score_everything(RESULTS, read_outside(RESULTS))
    page = results_page.results_page(scores)
    assert page == (RESULTS / "README.md").read_text(encoding="utf-8")
    failed = results_page.behaviour_page(scores.behaviour)
    assert failed == (RESULTS / "behaviour.md").read_text(encoding="utf-8")


def test_every_picture_of_the_page_is_there() -> None:
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    pictures = set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", page))
    assert {"reliability.png", "risk-coverage.png", "slices.png", "neutrality.png"} <= pictures
    assert all((RESULTS / picture).stat().st_size > 10_000 for picture in pictures)


def test_the_page_of_mistakes_takes_ten_minutes_at_most() -> None:
    page = (RESULTS / "errors.md").read_text(encoding="utf-8")
    assert 1000 < len(page.split()) <= TEN_MINUTES


def test_the_scores_outside_are_of_the_model_that_ships(scripts: ModuleType) -> None:
    from outside import read_outside

    assert read_outside(RESULTS).systems["minilm-int8"].system == scripts.ships_fingerprint()


@pytest.mark.slow
def test_a_run_without_the_text_says_what_it_skipped(
    scripts: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("rivals.json", "minilm/dev.jsonl", "minilm/test.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(RESULTS / name, tmp_path / name)
    readme = (ROOT / "README.md").read_bytes()
    monkeypatch.setattr(sys, "argv", ["make_results.py", "--out", str(tmp_path)])
    scripts.main()
    assert capsys.readouterr().out == (
        "skipped: real news and other people's labels: no --datasets\n"
    )
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert page.count("Skipped: the text of these sets is not in this repository.") == 2
    assert "Real news is not scored in this run." in page
    assert {p.name for p in tmp_path.glob("*.png")} == {
        "reliability.png",
        "risk-coverage.png",
        "slices.png",
        "neutrality.png",
    }
    # Results made elsewhere leave the project's own pages alone.
    assert (ROOT / "README.md").read_bytes() == readme


def test_scores_of_another_model_are_not_used_again(
    scripts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import argparse

    shutil.copyfile(RESULTS / "outside.json", tmp_path / "outside.json")
    arguments = argparse.Namespace(out=tmp_path, datasets=None)
    assert scripts.outside_scores(arguments).systems
    monkeypatch.setattr(scripts, "ships_fingerprint", lambda: "another")
    assert not scripts.outside_scores(arguments).systems


def test_scores_outside_that_are_broken(scripts: ModuleType, tmp_path: Path) -> None:
    from outside import read_outside

    (tmp_path / "outside.json").write_text('{"systems": 3}', encoding="utf-8")
    with pytest.raises(InputError, match="expected scores as this version writes them"):
        read_outside(tmp_path)


def test_where_a_rival_wins_is_said(scripts: ModuleType) -> None:
    import results_page
    from outside import Outside, OutsideScores

    def compared(ahead: float) -> Comparison:
        macro = Difference(
            "macro-F1", 0.5, 0.5 + ahead, Estimate(ahead, ahead - 0.02, ahead + 0.01), None, None
        )
        return Comparison(1, 1, [macro], [macro])

    assert results_page._better("test split", compared(0.1)) == []
    assert results_page._better("test split", compared(-0.1)) == [
        "test split, stance, by +0.100 [+0.090, +0.120]",
        "test split, certainty, by +0.100 [+0.090, +0.120]",
    ]

    def scored(value: float) -> Outside:
        estimate = Estimate(value, value, value)
        return Outside("", None, [ExternalScore("GUM news", "macro-F1", 9, estimate)])

    outside = OutsideScores({"minilm-int8": scored(0.5), "tfidf": scored(0.6)})
    assert results_page._better_outside(outside, "tfidf") == [
        "GUM news, 0.600 [0.600, 0.600] against 0.500 [0.500, 0.500]"
    ]
    assert (
        results_page._better_outside(
            OutsideScores({"minilm-int8": scored(0.5), "tfidf": scored(0.4)}), "tfidf"
        )
        == []
    )
