"""Predictions as tables in the terminal: every sentence, and who claims what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from claimstance.labels import STANCES, Stance
from claimstance.records import Prediction
from claimstance.report import (
    SentenceView,
    group_by_source,
    in_words,
    percent,
    view_articles,
    words,
)
from claimstance.wording import counted

#: Sentences that are printed; the files hold them all.
SENTENCES_SHOWN: Final = 60
SOURCES_SHOWN: Final = 20

_STYLES: Final = {
    "asserted": "default",
    "attributed": "blue",
    "disputed": "magenta",
    "unproven": "yellow",
    "refuted": "red",
    "no_claim": "dim",
}


def print_predictions(predictions: Sequence[Prediction], console: Console | None = None) -> None:
    """Print a table of the sentences and one of the sources, in the width there is."""
    console = console or Console()
    articles = view_articles(predictions, {})
    views = [view for article in articles for view in article.sentences]
    left = SENTENCES_SHOWN
    for article in articles:
        if shown := article.sentences[:left]:
            console.print(_sentence_table(article.article_id, shown, console.width))
        left -= len(shown)
    if len(views) > SENTENCES_SHOWN:
        console.print(f"… and more: {len(views)} sentences in all", style="dim")
    console.print(_source_table(views))


def print_counts(
    stances: Mapping[Stance, int], articles: int, console: Console | None = None
) -> None:
    """Print how many sentences have each stance, where they are too many to be shown."""
    total = sum(stances.values())
    console = console or Console()
    console.print(
        f"{counted(total, 'sentence')} in {counted(articles, 'article')}", highlight=False
    )
    table = Table(box=None, padding=(0, 1))
    table.add_column("stance")
    table.add_column("sentences", justify="right")
    table.add_column("", justify="right")
    for stance in STANCES:
        count = stances.get(stance, 0)
        table.add_row(
            Text(words(stance), style=_STYLES[stance]), f"{count:,}", percent(count / total)
        )
    console.print(table)


def _sentence_table(article_id: str, views: Sequence[SentenceView], width: int) -> Table:
    table = Table(title=Text(article_id), title_justify="left", box=None, padding=(0, 1))
    # Widths are given, or a narrow terminal would cut the labels before the sentence.
    taken = (4, max(map(len, STANCES)), 5, len("certainty"))
    table.add_column("", justify="right", style="dim", width=taken[0])
    table.add_column("stance", no_wrap=True, width=taken[1])
    table.add_column("", justify="right", no_wrap=True, width=taken[2])
    table.add_column("certainty", no_wrap=True, width=taken[3])
    rest = max(20, width - sum(taken) - 2 * (len(taken) + 1))
    table.add_column("sentence", no_wrap=True, overflow="ellipsis", width=rest)
    for view in views:
        prediction = view.prediction
        probability = prediction.stance_probabilities[prediction.stance]
        doubt = "?" if view.second_look else " "
        table.add_row(
            str(prediction.position),
            Text(words(prediction.stance), style=_STYLES[prediction.stance]),
            f"{percent(probability)}{doubt}",
            prediction.certainty or "",
            _marked(view),
        )
    return table


def _marked(view: SentenceView) -> Text:
    """The sentence, its source underlined and its cues bold."""
    text = Text()
    for run in view.runs:
        for piece, is_cue in run.pieces:
            style = "underline " * run.is_source + "bold" * is_cue
            text.append(piece.replace("\n", " "), style=style.strip())
    return text


def _source_table(views: Sequence[SentenceView]) -> Table:
    groups = group_by_source(views)
    table = Table(title="Who claims what", title_justify="left", box=None, padding=(0, 1))
    table.add_column("source", overflow="fold")
    table.add_column("claims", justify="right")
    table.add_column("by stance")
    for group in groups[:SOURCES_SHOWN]:
        table.add_row(Text(group.name), str(len(group.sentences)), in_words(group.segments))
    rest = groups[SOURCES_SHOWN:]
    if rest:
        table.add_row(f"… {len(rest)} more", str(sum(len(g.sentences) for g in rest)), "")
    return table
