"""Marked text for a notebook: the sentences of an article, each with its stance.

What a notebook shows is a part of somebody else's page, in light or dark, and often
loses its script or style on the way (a repository's viewer, an e-mail). So it has no
script, marks stances with signs as well as colours, and leaves the text's own colour as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claimstance.labels import STANCE_MEANING, STANCES, Stance
from claimstance.records import Prediction
from claimstance.report import MARKS, count_stances, template, view_articles

#: The sign of each stance where there is no room for a drawing.
SIGNS: Final[dict[Stance, str]] = {
    "asserted": "●",
    "attributed": "“",
    "disputed": "⇄",
    "unproven": "?",
    "refuted": "✕",
    "no_claim": "○",
}


def marked_text(predictions: Sequence[Prediction], *, title: str | None = None) -> str:
    """A piece of HTML that shows sentences with their stance, certainty, source and cues.

    Args:
        predictions: the sentences of one article, in any order.
        title: its title.

    Returns:
        A ``<div>`` with its style; everything from the article is escaped. For an article
        without sentences, a line that says so.
    """
    articles = view_articles(predictions, _titles(predictions, title)) if predictions else []
    return template("notebook.html.j2").render(
        article=articles[0] if articles else None,
        segments=count_stances(articles[0].sentences) if articles else (),
        marks=MARKS,
        signs=SIGNS,
        stances=STANCES,
        stance_meaning=STANCE_MEANING,
    )


def _titles(predictions: Sequence[Prediction], title: str | None) -> dict[str, str | None]:
    return {prediction.article_id: title for prediction in predictions}
