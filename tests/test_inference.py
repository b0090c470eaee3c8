"""Articles are classified some ahead of the others, and come in their order all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from claimstance.articles import Article, spans_of
from claimstance.inference import (
    AT_ONCE,
    LOOK_AHEAD,
    SHIPPED,
    Scores,
    Text,
    classify,
    load_model,
)
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.settings import ModelSettings, load_settings


class Slow:
    """A model that takes longest for what comes first, and fails at a word."""

    settings: ModelSettings = load_settings(SHIPPED)

    def __init__(self) -> None:
        self.at_work = 0
        self.most_at_work = 0
        self.scored = 0
        self._lock = threading.Lock()

    def score(self, texts: Sequence[Text]) -> list[Scores]:
        with self._lock:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        time.sleep(0.02 if any("first" in s for t in texts for s in t.sentences) else 0.002)
        with self._lock:
            self.at_work -= 1
            self.scored += 1
        if any("stumble" in s for t in texts for s in t.sentences):
            raise RuntimeError("stumbled")
        return [
            Scores(
                stance=np.zeros((len(t.sentences), len(STANCES)), dtype=np.float32),
                certainty=np.zeros((len(t.sentences), len(CERTAINTIES)), dtype=np.float32),
                sources=[None] * len(t.sentences),
                cues=[()] * len(t.sentences),
            )
            for t in texts
        ]


def news(count: int) -> list[Article]:
    texts = (f"The {'first' if n < LOOK_AHEAD else 'next'} mill shuts." for n in range(count))
    return [Article(str(n), None, spans_of([text])) for n, text in enumerate(texts)]


@pytest.mark.parametrize("count", [0, 1, LOOK_AHEAD, LOOK_AHEAD * 5 + 3])
def test_articles_come_in_order(count: int) -> None:
    model = Slow()
    found = [article[0].article_id for article in classify(model, news(count))]
    assert found == [str(n) for n in range(count)]
    assert model.most_at_work <= AT_ONCE


def test_several_chunks_are_worked_on_at_once() -> None:
    model = Slow()
    list(classify(model, news(LOOK_AHEAD * 6)))
    assert model.most_at_work == AT_ONCE


def test_no_more_is_read_than_a_few_chunks_ahead() -> None:
    read = 0

    def reading() -> Iterator[Article]:
        nonlocal read
        for article in news(LOOK_AHEAD * 20):
            read += 1
            yield article

    stream = classify(Slow(), reading())
    next(stream)
    assert read <= LOOK_AHEAD * (AT_ONCE + 1)


def test_a_fault_comes_where_it_lies() -> None:
    articles = news(LOOK_AHEAD * 4)
    articles[LOOK_AHEAD] = Article("x", None, spans_of(["They stumble."]))
    stream = classify(Slow(), articles)
    assert len([next(stream) for _ in range(LOOK_AHEAD)]) == LOOK_AHEAD
    with pytest.raises(RuntimeError, match="stumbled"):
        next(stream)


def test_what_nobody_waits_for_is_left() -> None:
    model = Slow()
    stream = classify(model, news(LOOK_AHEAD * 20))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    time.sleep(0.1)
    assert model.scored <= 2 * AT_ONCE + 1


def test_a_model_is_asked_from_several_threads(tiny_model: Path, tiny_onnx: Path) -> None:
    texts = [["The mill shuts.", "It will close, a clerk said."], ["Nobody denied it."]]
    articles = [Article(str(n), "Mill", spans_of(texts[n % 2])) for n in range(LOOK_AHEAD * 4)]
    for folder in (tiny_model, tiny_onnx):
        model = load_model(folder)
        alone = [next(classify(model, [article])) for article in articles[:2]]
        found = list(classify(model, articles))
        for n, article in enumerate(found):
            wanted = [(p.stance, p.certainty, p.source, p.cues) for p in alone[n % 2]]
            assert [(p.stance, p.certainty, p.source, p.cues) for p in article] == wanted
