"""The published results: their pages say what their files say, and what was skipped."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

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

    scores = scripts.score_everything(RESULTS, outside_of_published(scripts))
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
    """Or the pages say that there are none."""
    kept = outside_of_published(scripts)
    pages = [ROOT / "README.md", RESULTS / "README.md"]
    skipped = ["of these sentences is not in this" in p.read_text("utf-8") for p in pages[:1]]
    skipped += ["of these sets is not in this" in p.read_text("utf-8") for p in pages[1:]]
    assert skipped == [not kept.systems, not kept.systems]


def outside_of_published(scripts: ModuleType) -> Any:
    from outside import read_outside, still_valid

    return still_valid(read_outside(RESULTS), scripts.fingerprints(RESULTS), "fast-int8")


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
        "speed.png",
    }
    # Results made elsewhere leave the project's own pages alone.
    assert (ROOT / "README.md").read_bytes() == readme


def kept_of(**systems: str) -> Any:
    """Scores of systems by their fingerprints, on real news none, of one set."""
    from outside import Outside, OutsideScores, labels_fingerprint

    score = ExternalScore("GUM news", "macro-F1", 9, Estimate(0.5, 0.4, 0.6))
    return OutsideScores(
        labels=labels_fingerprint(),
        systems={name: Outside(system, None, [score]) for name, system in systems.items()},
    )


def test_scores_of_another_model_are_not_used_again(scripts: ModuleType) -> None:
    from dataclasses import replace

    from outside import still_valid

    kept = kept_of(ours="a", rival="b")
    assert still_valid(kept, {"ours": "a", "rival": "b"}, "ours") == kept
    assert set(still_valid(kept, {"ours": "a", "rival": "new"}, "ours").systems) == {"ours"}
    assert not still_valid(kept, {"ours": "new", "rival": "b"}, "ours").systems
    other = replace(kept, labels="other labels")
    assert not still_valid(other, {"ours": "a", "rival": "b"}, "ours").systems


def test_kept_scores_are_not_lost(scripts: ModuleType, tmp_path: Path) -> None:
    from outside import must_lose_nothing

    both, one = kept_of(ours="a", rival="b"), kept_of(ours="a")
    must_lose_nothing(one, both, tmp_path)
    with pytest.raises(InputError, match=r"found none of rival on GUM news\. To mend it: give"):
        must_lose_nothing(both, one, tmp_path)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--datasets", "nowhere"], "--datasets: expected what is there, found nowhere"),
        (["--datasets", ".", "--most", "9"], "--most: expected another folder as --out"),
        (["--most", "9"], "--article and --most: expected --datasets too"),
        (["--article", "README.md"], "--article and --most: expected --datasets too"),
    ],
)
def test_a_wrong_call_changes_nothing(
    scripts: ModuleType, monkeypatch: pytest.MonkeyPatch, options: list[str], found: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_results.py", *options])
    monkeypatch.setattr(scripts, "label_everything", pytest.fail)
    with pytest.raises(InputError, match=found):
        scripts.main()


def test_what_the_real_news_set_needs(scripts: ModuleType, tmp_path: Path) -> None:
    from outside import missing_datasets

    needed = ["gum_news.jsonl", "polnear.jsonl", "szeged_news.jsonl"]
    assert missing_datasets(tmp_path) == needed
    (tmp_path / "polnear.jsonl").touch()
    assert missing_datasets(tmp_path) == [needed[0], needed[2]]


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

    outside = OutsideScores("", {"fast-int8": scored(0.5), "tfidf": scored(0.6)})
    assert results_page._better_outside(outside, "tfidf") == [
        "GUM news, 0.600 [0.600, 0.600] against 0.500 [0.500, 0.500]"
    ]
    assert (
        results_page._better_outside(
            OutsideScores("", {"fast-int8": scored(0.5), "tfidf": scored(0.4)}), "tfidf"
        )
        == []
    )


def test_a_bin_is_off_by_both_intervals(scripts: ModuleType) -> None:
    import results_page

    from claimstance.probabilities import Bin

    # Articles that agree make the first interval a point; Wilson's for 16 of 20 does not.
    near = Bin(0.8, 0.9, 20, 0.85, Estimate(0.8, 0.8, 0.8))
    far = Bin(0.9, 1.0, 20, 0.99, Estimate(0.8, 0.8, 0.8))
    assert not results_page._is_off(near)
    assert results_page._is_off(far)


def test_a_system_that_finds_no_spans_has_no_score_for_them(scripts: ModuleType) -> None:
    rows = (RESULTS / "README.md").read_text("utf-8").splitlines()
    (tfidf,) = [r for r in rows if r.startswith("| TF-IDF") and r.endswith("| – | – |")][:1]
    assert "0.000" not in tfidf
