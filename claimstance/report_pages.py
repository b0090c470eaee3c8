"""The report of a batch: a page for each article, and an index of them.

Each page stands alone, like the report of one article. They are written as the
predictions come, so that a batch may have any size.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from claimstance.errors import must_be_free
from claimstance.inference import chunks
from claimstance.labels import STANCES, Stance
from claimstance.outputs import Titles
from claimstance.records import Prediction, write_text
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
#: Articles whose pages share a folder: file managers are slow in larger ones.
PER_FOLDER: Final = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the index."""

    href: str
    title: str
    sentences: int
    second_look: int
    segments: tuple[Segment, ...]


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
    counts, entries, models = Counter[Stance](), [], dict[str, None]()
    for number, (_, group) in enumerate(groupby(predictions, lambda p: p.article_id), start=1):
        sentences = list(group)
        entries.append(_write_page(scratch, number, sentences, titles))
        counts.update(p.stance for p in sentences)
        models.update(dict.fromkeys(p.model for p in sentences))
    _write_index(scratch, entries, counts, list(models))
    if folder.exists():
        folder.rmdir()
    scratch.rename(folder)


def _write_page(scratch: Path, number: int, sentences: list[Prediction], titles: Titles) -> Entry:
    href = f"{(number - 1) // PER_FOLDER:04d}/{number:07d}.html"
    home = f"../{_index_name((number - 1) // ENTRIES + 1)}"
    views = view_articles(sentences, titles)
    write_text(scratch / href, render_articles(views, index=home))
    (view,) = views
    return Entry(
        href=href,
        title=view.title,
        sentences=len(sentences),
        second_look=len(view.second_look),
        segments=view.segments,
    )


def _index_name(page: int) -> str:
    return "index.html" if page == 1 else f"index-{page}.html"


def _write_index(
    scratch: Path, entries: list[Entry], counts: Counter[Stance], models: list[str]
) -> None:
    pages = list(chunks(entries, ENTRIES))
    for page, listed in enumerate(pages, start=1):
        text = template("index.html.j2").render(
            articles=len(entries),
            sentences=counts.total(),
            segments=to_segments(counts),
            models=models,
            entries=listed,
            page=page,
            pages=len(pages),
            name_of=_index_name,
            stances=STANCES,
            marks=MARKS,
        )
        write_text(scratch / _index_name(page), text)
