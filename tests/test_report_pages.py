"""The report of a batch: a page for each article, and the index."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claimstance import report_pages
from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.records import Prediction
from claimstance.report_pages import write_pages

Run = Callable[..., Any]


def predictions(articles: int, sentences: int = 2) -> list[Prediction]:
    return [
        Prediction(
            article_id=f"a{number}",
            position=position,
            start=0,
            end=9,
            text=f"It rained {number} times.",
            stance=STANCES[(number + position) % 5],
            certainty="certain",
            stance_probabilities=dict.fromkeys(STANCES, 1 / 6),
            certainty_probabilities=dict.fromkeys(CERTAINTIES, 1 / 3),
            source=None,
            cues=(),
            model="tiny",
        )
        for number in range(articles)
        for position in range(sentences)
    ]


def links(page: Path) -> list[str]:
    return re.findall(r'href="([^"#:]+)"', page.read_text(encoding="utf-8"))


def test_every_article_has_a_page_and_every_page_is_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_pages, "ENTRIES", 3)
    monkeypatch.setattr(report_pages, "PER_FOLDER", 4)
    folder = tmp_path / "pages"
    titles = {"a0": "Rain & <more> rain"}
    write_pages(folder, predictions(10), titles)
    indexes = [folder / name for name in ("index.html", *(f"index-{n}.html" for n in (2, 3, 4)))]
    seen: list[Path] = []
    for index in indexes:
        for link in links(index):
            target = (index.parent / link).resolve()
            assert target.is_file(), link
            if target.parent != folder:
                seen.append(target)
                assert (target.parent / links(target)[0]).resolve() == index
    assert len(seen) == len(set(seen)) == 10
    assert sorted(p for p in folder.rglob("*.html")) == sorted([*indexes, *seen])
    assert "It rained 7 times." in seen[7].read_text(encoding="utf-8")
    first = indexes[0].read_text(encoding="utf-8")
    assert "Rain &amp; &lt;more&gt; rain" in first
    assert "10 articles, 20 sentences" in first
    assert "page 1 of 4" in first
    assert list(tmp_path.iterdir()) == [folder]


def test_one_article_is_no_several(tmp_path: Path) -> None:
    write_pages(tmp_path / "pages", predictions(1, sentences=1), {})
    index = (tmp_path / "pages" / "index.html").read_text(encoding="utf-8")
    assert "<h1>How an article stands to what it reports</h1>" in index
    assert "1 article, 1 sentence, read by model tiny" in index
    assert not re.search(r"\b1 (?:articles|sentences|second looks)\b", index)
    assert re.search(r'id="contents-h">Article<', index)


def test_nothing_is_written_over(tmp_path: Path, refuses: Callable[..., InputError]) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "mine.txt").write_text("mine")
    refuses("expected a new or an empty folder", write_pages, tmp_path / "pages", [], {})


def test_a_run_that_was_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """The predictions end in the middle; the second run is as if there had been no first."""

    def cut_off() -> Any:
        yield from predictions(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pages(tmp_path / "pages", cut_off(), {})
    assert not (tmp_path / "pages").exists()
    write_pages(tmp_path / "pages", predictions(1), {})
    assert len(list((tmp_path / "pages").rglob("*.html"))) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["pages"]


def test_an_id_has_no_say_in_where_its_page_is_written(
    run_here: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    rows = [
        '{"id": "../../../evil", "text": "It rained."}',
        '{"id": "/etc/x", "text": "It broke."}',
    ]
    (tmp_path / "news.jsonl").write_text("\n".join(rows), encoding="utf-8")
    outcome = run_here("classify", "news.jsonl", "--model", tiny_onnx, "--report", "pages")
    assert (outcome.code, "wrote pages/index.html" in outcome.out) == (0, True)
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.html")}
    assert written == {
        "pages/index.html", "pages/0000/0000001.html", "pages/0000/0000002.html"
    }  # fmt: skip
    refused = run_here("classify", "news.jsonl", "--model", tiny_onnx, "--report", "pages")
    assert (refused.code, "expected a new or an empty folder" in refused.err) == (2, True)
