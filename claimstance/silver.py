"""Silver: articles that nobody but a larger model has labelled, learnt beside the corpus."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from claimstance.articles import read_articles
from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.recipes import SilverRecipe
from claimstance.records import ArticleFacts, LabelledSentence, Prediction, read_records


@dataclass(frozen=True, slots=True)
class Silver:
    """Such articles, with the labels that the model gave them; and all it says, by article."""

    articles: list[LabelledArticle]
    said: dict[str, list[Prediction]]


def load_silver(recipe: SilverRecipe) -> Silver:
    """Read such articles, and what the model says of them.

    Raises:
        InputError: if a file is missing or broken, or the predictions are not of these articles,
            sentence by sentence, or without probabilities.
    """
    predictions = read_records(recipe.predictions, Prediction)
    said = {a: list(group) for a, group in groupby(predictions, key=lambda p: p.article_id)}
    articles: list[LabelledArticle] = []
    for article in read_articles([str(recipe.articles)]):
        if isinstance(article, InputError):
            raise article
        texts = [span.text for span in article.sentences]
        own = said.get(article.id, [])
        if [p.text for p in own if p.certainty_probabilities] != texts:
            raise InputError(
                f"{recipe.predictions}, article {article.id}",
                expected=f"predictions for the {len(texts)} sentences that {recipe.articles} has",
                found=str(len(own)) if len(own) != len(texts) else "other text or no probabilities",
                fix="classify the articles anew with the larger model",
            )
        articles.append(LabelledArticle(_facts(article.id, article.title), _labelled(own)))
    return Silver(articles, {a.facts.article_id: said[a.facts.article_id] for a in articles})


def _facts(article_id: str, title: str | None) -> ArticleFacts:
    return ArticleFacts(
        article_id=article_id,
        title=title or "",
        genre="unknown",
        topic="unknown",
        split="train",
        spelling="unknown",
        origin="labelled by a model",
        notes="",
        hard_cases={},
    )


def _labelled(predictions: list[Prediction]) -> tuple[LabelledSentence, ...]:
    fields = set(LabelledSentence.model_fields)
    return tuple(LabelledSentence(**p.model_dump(include=fields)) for p in predictions)
