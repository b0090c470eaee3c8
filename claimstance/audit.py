"""Labels that are probably wrong: confident learning on out-of-fold probabilities.

The sentences are divided into folds by article. For each fold a model is trained on the
others, but for one, on which its best epoch and its temperature are chosen; it then says
how probable each stance is in the fold that it has never seen. Where these probabilities
speak against the label, `cleanlab` lists the sentence (Northcutt et al. 2021, "Confident
learning: estimating uncertainty in dataset labels").

A list of sentences to look at by the guidelines, not of labels to change by the model: it
is wrong about hard sentences too.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from claimstance.annotation import DataFolder, write_corpus
from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.inference import load_model
from claimstance.labels import STANCES, Stance
from claimstance.prediction import predict_split
from claimstance.recipes import BaselineRecipe, Recipe
from claimstance.records import LabelledSentence, Prediction, Sentence, Split

#: One to look at, one to calibrate on, one to train on.
LEAST_FOLDS: Final = 3

Place = tuple[str, int]
#: Passes the numbers of folds on, and shows how far they are.
Watch = Callable[[Sequence[int]], Iterable[int]]


class Suspect(Sentence):
    """A sentence whose stance is probably not the one that it was given.

    ``score`` is the probability of the given label, 0 to 1: the lower, the likelier an
    error.
    """

    stance: Stance
    likely: Stance
    score: Annotated[float, Field(ge=0, le=1)]
    likely_probability: Annotated[float, Field(ge=0, le=1)]


def default_recipe(seed: int) -> BaselineRecipe:
    """TF-IDF and logistic regression: a minute for a corpus of ten thousand sentences."""
    return BaselineRecipe(kind="baseline", name="audit", corpus=Path(), seed=seed)


def audit(
    articles: Sequence[LabelledArticle],
    recipe: Recipe,
    *,
    folds: int = 5,
    seed: int = 0,
    watch: Watch = iter,
) -> list[Suspect]:
    """List the sentences whose stance is probably wrong, the likeliest error first.

    Args:
        articles: labelled ones.
        recipe: of the model that is asked; its ``corpus`` is not looked at.
        folds: how many, at least `LEAST_FOLDS`; each is a training.
        seed: of the division into folds.
        watch: shows how many folds are done.

    Raises:
        InputError: if there are too few articles for so many folds.
    """
    predictions = out_of_fold(articles, recipe, folds=folds, seed=seed, watch=watch)
    sentences = [s for article in articles for s in article.sentences]
    return suspects(sentences, predictions)


def out_of_fold(
    articles: Sequence[LabelledArticle],
    recipe: Recipe,
    *,
    folds: int,
    seed: int,
    watch: Watch = iter,
) -> dict[Place, Prediction]:
    """What a model says of each sentence that was trained on other articles only."""
    if len(articles) < folds:
        raise InputError(
            "--folds",
            expected=f"at most {len(articles)}, the number of articles",
            found=str(folds),
            fix="ask for fewer folds, or give more articles",
        )
    order = random.Random(seed).sample(articles, len(articles))
    parts = [order[number::folds] for number in range(folds)]
    found: dict[Place, Prediction] = {}
    for number in watch(range(folds)):
        dev = (number + 1) % folds
        train = [a for i, others in enumerate(parts) if i not in (number, dev) for a in others]
        for prediction in _predict(train, parts[dev], parts[number], recipe):
            found[prediction.article_id, prediction.position] = prediction
    return found


def _predict(
    train: Sequence[LabelledArticle],
    dev: Sequence[LabelledArticle],
    unseen: Sequence[LabelledArticle],
    recipe: Recipe,
) -> list[Prediction]:
    with tempfile.TemporaryDirectory(prefix="claimstance-audit-") as folder:
        data = DataFolder(Path(folder))
        write_corpus(data, [*_moved(train, "train"), *_moved(dev, "dev")])
        own = recipe.model_copy(update={"corpus": data.corpus})
        model_folder = data.root / "model"
        if isinstance(own, BaselineRecipe):
            from claimstance.baseline import train_baseline

            train_baseline(own, model_folder)
        else:
            from claimstance.training import train_transformer

            train_transformer(own, model_folder)
        return predict_split(load_model(model_folder), unseen)


def _moved(articles: Sequence[LabelledArticle], split: Split) -> list[LabelledArticle]:
    return [
        LabelledArticle(a.facts.model_copy(update={"split": split}), a.sentences) for a in articles
    ]


def suspects(
    sentences: Sequence[LabelledSentence], predictions: Mapping[Place, Prediction]
) -> list[Suspect]:
    """The sentences whose label the probabilities speak against, the likeliest error first."""
    from cleanlab.filter import find_label_issues

    said = [predictions[s.article_id, s.position] for s in sentences]
    rows = np.asarray([[p.stance_probabilities[x] for x in STANCES] for p in said])
    # Records round: cleanlab wants rows that sum to 1.
    rows = rows / rows.sum(axis=1, keepdims=True)
    given = np.asarray([STANCES.index(s.stance) for s in sentences])
    # What both of cleanlab's ways of pruning name: a shorter list, with hardly fewer errors in it.
    listed = find_label_issues(
        given, rows, filter_by="both", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return [
        Suspect(
            article_id=sentences[i].article_id,
            position=sentences[i].position,
            text=sentences[i].text,
            stance=sentences[i].stance,
            likely=said[i].stance,
            score=round(float(rows[i, given[i]]), 4),
            likely_probability=round(float(rows[i].max()), 4),
        )
        for i in listed
    ]
