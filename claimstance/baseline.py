"""The baseline: TF-IDF and logistic regression, one sentence at a time.

It sees words and nothing of their order, their context or their author; what a
transformer is worth is what it adds to this. Saved with skops, not as a pickle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from claimstance.calibration import calibrate
from claimstance.corpus import load_split
from claimstance.errors import InputError, must_be_free
from claimstance.inference import BASELINE_FILE, Floats, Scores, Text
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.recipes import BaselineRecipe
from claimstance.settings import ModelSettings, save_settings


@dataclass(frozen=True, slots=True)
class BaselineModel:
    """Two linear classifiers; finds no sources and no cues."""

    settings: ModelSettings
    stance: Pipeline
    certainty: Pipeline

    def score(self, texts: Sequence[Text]) -> list[Scores]:
        """Score articles, one `Scores` each, in the same order."""
        return [self._score(list(text.sentences)) for text in texts]

    def _score(self, sentences: list[str]) -> Scores:
        return Scores(
            stance=_log_probabilities(self.stance, sentences, STANCES),
            certainty=_log_probabilities(self.certainty, sentences, CERTAINTIES),
            sources=[None] * len(sentences),
            cues=[()] * len(sentences),
        )


def _log_probabilities(pipeline: Pipeline, sentences: list[str], labels: Sequence[str]) -> Floats:
    """Log-probabilities in the order of our labels; scikit-learn sorts them by name."""
    found = pipeline.predict_log_proba(sentences)
    scores = np.full((len(sentences), len(labels)), -30.0, dtype=np.float32)
    for column, label in enumerate(pipeline.classes_):
        scores[:, labels.index(label)] = found[:, column]
    return scores


def train_baseline(recipe: BaselineRecipe, out: Path) -> None:
    """Train the baseline by its recipe and save it in the folder ``out``, new or empty."""
    must_be_free(out)
    sentences = [s for a in load_split(recipe.corpus, "train") for s in a.sentences]
    claims = [s for s in sentences if s.certainty]
    settings = ModelSettings(name=recipe.name, kind="baseline", windows=None)
    model = BaselineModel(
        settings,
        fit_linear(recipe, [s.text for s in sentences], [s.stance for s in sentences]),
        fit_linear(recipe, [s.text for s in claims], [str(s.certainty) for s in claims]),
    )
    out.mkdir(parents=True, exist_ok=True)
    skops.io.dump((model.stance, model.certainty), out / BASELINE_FILE)
    save_settings(out, calibrate(model, load_split(recipe.corpus, "dev")))


def fit_linear(recipe: BaselineRecipe, texts: Sequence[str], labels: Sequence[str]) -> Pipeline:
    """Fit TF-IDF over word n-grams and a logistic regression with balanced classes."""
    return make_pipeline(
        TfidfVectorizer(
            ngram_range=(1, recipe.ngrams), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"
        ),
        LogisticRegression(
            C=recipe.c, class_weight="balanced", max_iter=2000, random_state=recipe.seed
        ),
    ).fit(list(texts), list(labels))


def load_baseline(folder: Path, settings: ModelSettings) -> BaselineModel:
    """Load what `train_baseline` saved.

    Raises:
        InputError: if the file is broken or holds anything but scikit-learn's own types.
    """
    path = folder / BASELINE_FILE
    try:
        pipelines: Any = skops.io.load(path, trusted=[])
        stance, certainty = pipelines
    except Exception as error:  # Broken archives raise errors of many kinds.
        raise InputError(
            str(path),
            expected="a baseline as 'claimstance train' saves it",
            found=f"a file that skops does not load ({type(error).__name__})",
            fix="train the baseline again",
        ) from None
    return BaselineModel(settings, stance, certainty)
