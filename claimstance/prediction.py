"""Labelling a split of the corpus: its own sentences, in its own articles.

Used to score a model and to gate an export. What a model is asked is exactly what
it is asked of an article from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from claimstance.articles import Article, spans_of
from claimstance.corpus import LabelledArticle
from claimstance.inference import Model, classify
from claimstance.records import Prediction

#: From articles to predictions of all their sentences, in order.
Predict = Callable[[Iterable[Article]], list[Prediction]]


def as_article(labelled: LabelledArticle) -> Article:
    """An article of the corpus as one to classify: its sentences joined by a space."""
    spans = spans_of(labelled.texts)
    return Article(labelled.facts.article_id, labelled.facts.title, spans)


def predict_split(model: Model, articles: Sequence[LabelledArticle]) -> list[Prediction]:
    """Predict every labelled sentence of these articles, in order."""
    context = {a.facts.article_id: len(a.facts.context) for a in articles}
    predictions = predict(model, (as_article(a) for a in articles))
    return [p for p in predictions if p.position >= context[p.article_id]]


def predict(model: Model, articles: Iterable[Article]) -> list[Prediction]:
    """Predict every sentence of these articles, in order."""
    return [prediction for article in classify(model, articles) for prediction in article]
