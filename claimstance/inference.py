"""Classifying articles with a trained model, of whatever kind.

A `Model` gives scores for each sentence of an article. What comes after, from
calibrated probabilities to the written record, is the same for all kinds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from claimstance.articles import Article
from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.records import Prediction
from claimstance.settings import SETTINGS_FILE, ModelSettings, load_settings
from claimstance.wording import install_extra

Floats = npt.NDArray[np.float32]

SHIPPED: Final = Path(__file__).parent / "shipped"
TOKENIZER_FILE: Final = "tokenizer.json"
ONNX_FILE: Final = "model.onnx"
TORCH_FILE: Final = "model.safetensors"
BASELINE_FILE: Final = "baseline.skops"

#: Articles that are read ahead, so that windows of like length share a batch.
LOOK_AHEAD: Final = 64


@dataclass(frozen=True, slots=True)
class Text:
    """What a model reads of an article."""

    title: str | None
    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says of an article with n sentences, before calibration.

    Attributes:
        stance: logits, shape (n, stances).
        certainty: logits, shape (n, certainties), given that there is a claim.
        sources: n times the source's words, or None.
        cues: n times the words that decided.
    """

    stance: Floats
    certainty: Floats
    sources: Sequence[str | None]
    cues: Sequence[tuple[str, ...]]


class Model(Protocol):
    """Anything that scores articles."""

    @property
    def settings(self) -> ModelSettings:
        """What was saved beside the weights."""

    def score(self, texts: Sequence[Text]) -> Iterable[Scores]:
        """Score articles, one `Scores` each, in the same order."""


def processors() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def load_model(folder: Path = SHIPPED, *, threads: int | None = None) -> Model:
    """Load a model from its folder: ONNX, safetensors or baseline, by what lies there.

    Args:
        folder: the model's folder.
        threads: how many a network may use; all processors if not given.

    Raises:
        InputError: if the folder holds no claimstance model, or its weights are broken
            or need packages that are not installed.
    """
    settings = load_settings(folder)
    try:
        kind = weights_in(folder).name
        if kind == ONNX_FILE:
            from claimstance.encoder import load_onnx_model

            return load_onnx_model(folder, settings, threads=threads)
        if kind == TORCH_FILE:
            from claimstance.encoder_torch import load_torch_model

            return load_torch_model(folder, settings, threads=threads)
        from claimstance.baseline import load_baseline

        return load_baseline(folder, settings)
    except ModuleNotFoundError as error:
        raise InputError(
            str(folder),
            expected=f"the package {error.name!r}, which models of this kind need",
            found="it is not installed",
            fix=f"{install_extra('train')}, or export the model to ONNX",
        ) from None


def weights_in(folder: Path) -> Path:
    """The file of weights that is read of a model's folder.

    Raises:
        InputError: if there is none.
    """
    for name in (ONNX_FILE, TORCH_FILE, BASELINE_FILE):
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        str(folder),
        expected=f"weights beside {SETTINGS_FILE} ({ONNX_FILE}, {TORCH_FILE} or {BASELINE_FILE})",
        found="none of them",
        fix="train or export the model again",
    )


def model_hash(folder: Path) -> str:
    """SHA-256 of all that decides what a model says: settings, tokenizer and weights.

    Raises:
        InputError: if the folder holds no model.
    """
    weights = weights_in(folder)
    digest = hashlib.sha256()
    for path in (folder / SETTINGS_FILE, folder / TOKENIZER_FILE, weights):
        if path.is_file():  # a baseline has no tokenizer
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def classify(model: Model, articles: Iterable[Article]) -> Iterator[list[Prediction]]:
    """Classify articles one after the other: a list of predictions for each, in order."""
    for chunk in chunks(articles, LOOK_AHEAD):
        texts = [Text(a.title, [span.text for span in a.sentences]) for a in chunk]
        for article, scores in zip(chunk, model.score(texts), strict=True):
            yield predictions_of(article, scores, model.settings)


def predictions_of(article: Article, scores: Scores, settings: ModelSettings) -> list[Prediction]:
    """Turn the scores of an article into records, with calibrated probabilities."""
    stance = softmax(scores.stance / settings.temperatures.stance)
    certainty = softmax(scores.certainty / settings.temperatures.certainty)
    records = []
    for position, span in enumerate(article.sentences):
        label = STANCES[int(stance[position].argmax())]
        is_claim = label != "no_claim"
        # In the writer's own voice nobody else is made responsible.
        has_source = is_claim and label != "asserted"
        records.append(
            Prediction(
                article_id=article.id,
                position=position,
                start=span.start,
                end=span.end,
                text=span.text,
                stance=label,
                certainty=CERTAINTIES[int(certainty[position].argmax())] if is_claim else None,
                stance_probabilities=_by_label(STANCES, stance[position]),
                certainty_probabilities=_by_label(CERTAINTIES, certainty[position]),
                source=scores.sources[position] if has_source else None,
                cues=scores.cues[position] if is_claim else (),
                model=settings.name,
            )
        )
    return records


LabelT = TypeVar("LabelT", bound=str)


def _by_label(labels: Sequence[LabelT], row: Floats) -> dict[LabelT, float]:
    return {label: round(float(p), 4) for label, p in zip(labels, row, strict=True)}


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


ItemT = TypeVar("ItemT")


def chunks(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Yield lists of up to ``size`` consecutive items (itertools.batched, for Python 3.11)."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
