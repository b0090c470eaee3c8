"""The Python API: what it gives is what the command writes."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

import claimstance
from claimstance import ClassifiedArticle, Classifier, api, to_frame
from claimstance.cli import app
from claimstance.errors import InputError
from claimstance.labels import STANCES
from claimstance.notebook import SIGNS, marked_text

DEMO = Path(__file__).parents[1] / "data" / "demo" / "article.md"
TEXT = "Who took it?\n\nThe mayor said the road is open. The union denies that. Perhaps it is."


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(threads=1)


@pytest.fixture(scope="module")
def demo(classifier: Classifier) -> ClassifiedArticle:
    return classifier.classify_file(DEMO)


@pytest.mark.parametrize("module", [api, claimstance], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted >= 2
    assert not result.failed


def test_a_file_gives_what_the_command_writes(demo: ClassifiedArticle, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    page = tmp_path / "out.html"
    arguments = ["classify", str(DEMO), "-o", str(out), "-o", str(page), "--quiet"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [p.model_dump(mode="json") for p in demo] == lines
    assert demo.to_html() == page.read_text("utf-8")


def test_a_frame_has_the_columns_of_the_files(demo: ClassifiedArticle, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    out = tmp_path / "out.parquet"
    CliRunner().invoke(app, ["classify", str(DEMO), "-o", str(out), "--quiet"])
    written = pandas.read_parquet(out)
    frame = demo.to_frame()
    assert list(frame.columns) == list(written.columns)
    assert len(frame) == len(demo) == len(written)
    assert frame["text"].tolist() == written["text"].tolist()
    assert frame["stance_probabilities"].tolist() == written["stance_probabilities"].tolist()


def test_tables_say_what_they_need(
    demo: ClassifiedArticle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for table in (demo.to_frame, demo.by_source):
        with pytest.raises(
            InputError, match=r"found it is not installed\. To mend it: pip install"
        ):
            table()


def test_no_articles_are_a_frame_with_columns() -> None:
    assert to_frame([]).columns[0] == "article_id"


def test_every_claim_has_one_source(demo: ClassifiedArticle) -> None:
    table = demo.by_source()
    claims = sum(p.stance != "no_claim" for p in demo)
    assert table["claims"].sum() == claims
    assert (table[[s for s in STANCES if s != "no_claim"]].sum(axis=1) == table["claims"]).all()
    assert table["source"].iloc[-1] == "The article itself"
    assert table["source"].is_unique


def test_a_text_of_its_own(classifier: Classifier) -> None:
    article = classifier.classify(TEXT)
    assert article.title == "Who took it?"
    assert [TEXT[p.start : p.end] for p in article] == [p.text for p in article]
    assert classifier.classify(TEXT, title="Roads").title == "Roads"
    assert article.predictions[0].model == classifier.name
    assert str(article).count("\n") == len(article) - 1
    assert repr(article) == f"<ClassifiedArticle 'text': 'Who took it?', {len(article)} sentences>"


@pytest.mark.parametrize("text", ["", " \n ", "…", "***"])
def test_nothing_to_classify(classifier: Classifier, text: str) -> None:
    with pytest.raises(InputError, match="expected an article, found no sentence"):
        classifier.classify(text)


def test_faults_stand_in_their_place(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The bridge is safe.", "utf-8")
    (tmp_path / "b.txt").write_text("", "utf-8")
    (tmp_path / "c.txt").write_text("The road is open.", "utf-8")
    found = list(classifier.classify_files([tmp_path]))
    assert [type(f).__name__ for f in found] == [
        "ClassifiedArticle",
        "InputError",
        "ClassifiedArticle",
    ]
    with pytest.raises(InputError, match="expected one article, found 3"):
        classifier.classify_file(tmp_path)
    with pytest.raises(InputError, match="an empty file"):
        classifier.classify_file(tmp_path / "b.txt")


def test_what_is_left_to_a_person_is_marked() -> None:
    article = Classifier.load(abstain=0.95, threads=1).classify_file(DEMO)
    assert {p.needs_review for p in article} == {True, False}
    assert "needs_review" in article.to_frame().columns


class _Reader(HTMLParser):
    """Collects the tags and the text outside of the style."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def test_marked_text_is_whole_and_escaped(classifier: Classifier) -> None:
    hostile = "<script>alert(1)</script> said <b onclick=x>no</b> & “never”. He denied it."
    article = classifier.classify(hostile, title="<img src=x onerror=alert(2)>")
    reader = _Reader()
    reader.feed(article._repr_html_())
    assert not reader.open
    assert set(reader.tags) <= {"div", "style", "p", "strong", "span", "b", "ul", "li"}
    for prediction in article:
        assert prediction.text in reader.text
        assert SIGNS[prediction.stance] in reader.text
    assert "<img src=x onerror=alert(2)>" in reader.text


def test_marked_text_of_nothing() -> None:
    assert "No sentences." in marked_text([])


def test_the_package_loads_nothing_before_it_is_asked() -> None:
    code = (
        "import sys, claimstance; "
        "assert not {'onnxruntime', 'pandas', 'torch'} & set(sys.modules); "
        "claimstance.Classifier; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        claimstance.Clasifier  # noqa: B018
