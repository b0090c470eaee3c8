"""The model that ships: small, whole, light to load, right where nobody could be mistaken."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from claimstance.articles import Article, Span, read_articles
from claimstance.inference import ONNX_FILE, SHIPPED, TOKENIZER_FILE, Model, classify, load_model
from claimstance.records import Prediction
from claimstance.report import deserves_second_look
from claimstance.settings import SETTINGS_FILE

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "data" / "demo" / "article.md"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def demo(model: Model) -> list[Prediction]:
    articles = [a for a in read_articles([str(DEMO)]) if isinstance(a, Article)]
    (predictions,) = classify(model, articles)
    return predictions


def label(model: Model, sentence: str) -> Prediction:
    article = Article("one", None, (Span(0, len(sentence), sentence),))
    ((prediction,),) = classify(model, [article])
    return prediction


def test_the_model_does_not_tell_where_it_was_made() -> None:
    assert not re.search(rb"stack_trace|[\w/]+\.py\b", (SHIPPED / ONNX_FILE).read_bytes())


def test_what_ships() -> None:
    assert {f.name for f in SHIPPED.iterdir()} == {
        ONNX_FILE,
        TOKENIZER_FILE,
        SETTINGS_FILE,
        "README.md",
    }
    assert (SHIPPED / ONNX_FILE).stat().st_size < 30e6


@pytest.mark.parametrize(
    ("sentence", "stance"),
    [
        ("Who paid for the bridge?", "no_claim"),
        ("The bridge over the Lea was closed to lorries in 2019.", "asserted"),
        (
            "The bridge will be closed for a month, the mayor told reporters on Friday.",
            "attributed",
        ),
        ("The ministry denied that any of its agents had been at the bridge.", "disputed"),
        ("He said the bridge was mined, but offered no evidence for it.", "unproven"),
        ("The claim that the bridge has collapsed is false.", "refuted"),
    ],
)
def test_plain_sentences(model: Model, sentence: str, stance: str) -> None:
    assert label(model, sentence).stance == stance


@pytest.mark.parametrize(
    ("sentence", "certainty"),
    [
        ("The bridge was closed to lorries in 2019.", "certain"),
        ("The bridge will probably be closed for a month.", "probable"),
        ("The bridge may have been damaged by the flood.", "possible"),
    ],
)
def test_plain_hedges(model: Model, sentence: str, certainty: str) -> None:
    assert label(model, sentence).certainty == certainty


def test_the_demo_article_shows_every_stance(demo: list[Prediction]) -> None:
    assert len({p.stance for p in demo}) == 6
    assert {p.certainty for p in demo} == {"certain", "probable", "possible", None}


def test_the_demo_has_the_mistakes_that_the_documents_tell_of(demo: list[Prediction]) -> None:
    """If the model is right by now, mend README.md and docs/pages/first-article.md."""
    page = (ROOT / "docs" / "pages" / "first-article.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "are plain mistakes, and both have a `?`" in page
    assert "grep -E '^ +(5|21) '" in page
    assert "[5 and 21 are\nwrong](docs/pages/first-article.md#what-it-gets-wrong)" in readme
    for position, words in ((5, "By noon two coastguards"), (21, "He could be right:")):
        mistaken = demo[position]
        assert mistaken.text.startswith(words)
        assert mistaken.stance == "attributed", "which the article does not do"
        assert deserves_second_look(mistaken)
    assert (demo[5].source, demo[21].source) == ("one Velmorian", "the harbour")


def test_offsets_are_exact(demo: list[Prediction]) -> None:
    text = DEMO.read_text(encoding="utf-8")
    for prediction in demo:
        piece = text[prediction.start : prediction.end]
        assert re.sub(r"[*]", "", piece) == prediction.text


def test_probabilities_add_up(demo: list[Prediction]) -> None:
    for prediction in demo:
        assert sum(prediction.stance_probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert sum(prediction.certainty_probabilities.values()) == pytest.approx(1, abs=1e-3)


def test_classifying_needs_no_torch() -> None:
    code = (
        "import sys; from claimstance.inference import *; from claimstance.articles import *; "
        f"list(classify(load_model(), read_articles([{str(DEMO)!r}]))); "
        "print(sorted({'torch', 'transformers', 'sklearn', 'datasets'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
