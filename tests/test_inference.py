"""Articles come in their order while the network is at work on the next ones, and no longer."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from claimstance.articles import Article, spans_of
from claimstance.encoder import EncoderModel, Logits
from claimstance.inference import LOOK_AHEAD, Model, classify, load_model
from claimstance.windows import Batch

TEXTS = (["The mill shuts.", "It will close, a clerk said."], ["Nobody denied it."], ["No."])


def news(count: int) -> list[Article]:
    return [Article(str(n), "Mill", spans_of(TEXTS[n % len(TEXTS)])) for n in range(count)]


@pytest.fixture(params=["tiny_model", "tiny_onnx"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def model(tiny_onnx: Path) -> EncoderModel:
    loaded = load_model(tiny_onnx, threads=2)
    assert isinstance(loaded, EncoderModel)
    return loaded


def slowed(model: EncoderModel, seconds: float) -> tuple[EncoderModel, list[float]]:
    """A model whose network takes so long, and when it was asked."""
    asked: list[float] = []

    def engine(batch: Batch) -> Logits:
        asked.append(time.monotonic())
        time.sleep(seconds)
        return model.engine(batch)

    return replace(model, engine=engine), asked


@pytest.mark.parametrize("count", [0, 1, LOOK_AHEAD, LOOK_AHEAD * 2 + 3])
def test_articles_come_in_order_and_as_alone(folder: Path, count: int) -> None:
    model = load_model(folder)
    articles = news(count)
    alone = [next(classify(model, [article])) for article in articles[: len(TEXTS)]]
    found = list(classify(model, articles))
    assert len(found) == count
    for n, (article, predictions) in enumerate(zip(articles, found, strict=True)):
        assert {p.article_id for p in predictions} <= {article.id}
        wanted = [(p.position, p.stance, p.certainty, p.source) for p in alone[n % len(TEXTS)]]
        assert [(p.position, p.stance, p.certainty, p.source) for p in predictions] == wanted


def test_the_network_works_while_predictions_are_taken(model: EncoderModel) -> None:
    slow, asked = slowed(model, 0.01)
    stream = classify(slow, news(LOOK_AHEAD))
    next(stream)
    before = len(asked)
    time.sleep(0.2)
    assert len(asked) > before + 5


def test_windows_are_read_by_several_threads(model: EncoderModel) -> None:
    names = set()

    def engine(batch: Batch) -> Logits:
        names.add(threading.current_thread().name)
        time.sleep(0.01)
        return model.engine(batch)

    list(classify(replace(model, engine=engine), news(12)))
    assert len(names) == 2


def test_what_nobody_waits_for_is_not_read(model: EncoderModel) -> None:
    slow, asked = slowed(model, 0.05)
    stream = classify(slow, news(LOOK_AHEAD))
    next(stream)
    start = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 1, "at most the windows at which it was"
    after = len(asked)
    time.sleep(0.2)
    assert len(asked) == after < 10
    start = time.monotonic()
    next(classify(model, news(1)))
    assert time.monotonic() - start < 1


def test_a_fault_of_the_network_is_raised(model: EncoderModel) -> None:
    def engine(batch: Batch) -> Logits:
        raise RuntimeError("stumbled")

    with pytest.raises(RuntimeError, match="stumbled"):
        list(classify(replace(model, engine=engine), news(3)))


def test_no_more_is_read_than_is_worked_on(model: EncoderModel) -> None:
    read = 0

    def reading() -> Iterator[Article]:
        nonlocal read
        for article in news(LOOK_AHEAD * 3):
            read += 1
            yield article

    next(classify(model, reading()))
    assert read <= LOOK_AHEAD


def count_in_child(model: Model, answers: multiprocessing.Queue[int]) -> None:
    answers.put(sum(len(article) for article in classify(model, news(4))))


def test_a_model_in_use_survives_a_fork_and_a_copy(model: EncoderModel) -> None:
    wanted = sum(len(article) for article in classify(model, news(4)))
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[int] = context.Queue()
    child = context.Process(target=count_in_child, args=(model, answers))
    child.start()
    try:
        assert answers.get(timeout=30) == wanted
    finally:
        child.kill()
    copied = deepcopy(replace(model, engine=len))  # type: ignore[arg-type]
    assert copied.threads == 2
