"""Labelling a split of the corpus: its own sentences, in its own articles.

Used to score a model and to gate an export. What a model is asked is exactly what
it is asked of an article from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from claimstance.articles import Article, Span
from claimstance.corpus import LabelledArticle
from claimstance.inference import Model, classify
from claimstance.records import Prediction


def as_article(labelled: LabelledArticle) -> Article:
    """An article of the corpus as one to classify: its sentences joined by a space."""
    spans: list[Span] = []
    start = 0
    for sentence in labelled.sentences:
        end = start + len(sentence.text)
        spans.append(Span(start, end, sentence.text))
        start = end + 1
    return Article(labelled.facts.article_id, labelled.facts.title, tuple(spans))


def predict_split(model: Model, articles: Sequence[LabelledArticle]) -> list[Prediction]:
    """Predict every sentence of these articles, in order."""
    results = classify(model, (as_article(a) for a in articles))
    return [prediction for article in results for prediction in article]
