"""The report of a batch: a page for each article, and an index of them.

Each page stands alone, like the report of one article. They are written as the
predictions come, so that a batch may have any size.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from claimstance.errors import must_be_free
from claimstance.inference import chunks
from claimstance.labels import STANCES, Stance
from claimstance.outputs import Titles
from claimstance.records import Prediction, Record, iter_records, write_records, write_text
from claimstance.report import (
    MARKS,
    Segment,
    render_articles,
    template,
    to_segments,
    view_articles,
)

#: Articles that one page of the index lists.
ENTRIES: Final = 500
#: Where the lines of the index wait until all pages are written: memory does not hold them all.
ENTRIES_FILE: Final = "entries.jsonl"
#: Articles whose pages share a folder: file managers are slow in larger ones.
PER_FOLDER: Final = 1000


class Entry(Record):
    """One line of the index."""

    href: str
    title: str
    second_look: int
    stances: dict[Stance, int]

    @property
    def sentences(self) -> int:
        """How many the article has."""
        return sum(self.stances.values())

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The shares of its stances."""
        return to_segments(Counter(self.stances))


@dataclass
class _Totals:
    """What the index says of all articles together."""

    articles: int = 0
    stances: Counter[Stance] = field(default_factory=Counter)
    models: dict[str, None] = field(default_factory=dict)


def write_pages(folder: Path, predictions: Iterable[Prediction], titles: Titles) -> None:
    """Write a page for each article, and ``index.html``, into a new folder.

    The folder appears whole or not at all. Its names are numbers: what an article is
    called has no say in where its page is written.

    Args:
        folder: it must be new, or empty.
        predictions: the sentences, those of an article together.
        titles: as for `claimstance.report.render_report`.

    Raises:
        InputError: if there is something in the folder.
    """
    must_be_free(folder)
    scratch = folder.with_name(f".{folder.name}.new")
    if scratch.exists():  # of a run that was cut off
        shutil.rmtree(scratch)
    totals = _Totals()
    entries = scratch / ENTRIES_FILE
    write_records(entries, _write_articles(scratch, predictions, titles, totals))
    _write_index(scratch, iter_records(entries, Entry), totals)
    entries.unlink()
    if folder.exists():
        folder.rmdir()
    scratch.rename(folder)


def _write_articles(
    scratch: Path, predictions: Iterable[Prediction], titles: Titles, totals: _Totals
) -> Iterator[Entry]:
    """Write the pages, and give their lines of the index."""
    for _, group in groupby(predictions, lambda p: p.article_id):
        sentences = list(group)
        totals.articles += 1
        totals.stances.update(p.stance for p in sentences)
        totals.models.update(dict.fromkeys(p.model for p in sentences))
        yield _write_page(scratch, totals.articles, sentences, titles)


def _write_page(scratch: Path, number: int, sentences: list[Prediction], titles: Titles) -> Entry:
    href = f"{(number - 1) // PER_FOLDER:04d}/{number:07d}.html"
    home = f"../{_index_name((number - 1) // ENTRIES + 1)}"
    views = view_articles(sentences, titles)
    write_text(scratch / href, render_articles(views, index=home))
    (view,) = views
    return Entry(
        href=href,
        title=view.title,
        second_look=len(view.second_look),
        stances=dict(Counter(p.stance for p in sentences)),
    )


def _index_name(page: int) -> str:
    return "index.html" if page == 1 else f"index-{page}.html"


def _write_index(scratch: Path, entries: Iterable[Entry], totals: _Totals) -> None:
    for page, listed in enumerate(chunks(entries, ENTRIES), start=1):
        text = template("index.html.j2").render(
            articles=totals.articles,
            sentences=totals.stances.total(),
            segments=to_segments(totals.stances),
            models=list(totals.models),
            entries=listed,
            page=page,
            pages=-(-totals.articles // ENTRIES),
            name_of=_index_name,
            stances=STANCES,
            marks=MARKS,
        )
        write_text(scratch / _index_name(page), text)
