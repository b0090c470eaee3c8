"""The report: predictions as one HTML page to read, print or send on.

The page stands alone. It loads nothing, and its one script is named by hash in a
Content-Security-Policy, so nothing written in an article can run. Everything but
a few conveniences works without that script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final, Literal

from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, CERTAINTY_MEANING, STANCE_MEANING, STANCES, Stance
from claimstance.records import Prediction

if TYPE_CHECKING:
    from jinja2 import Template

#: A sentence whose likeliest stance has less than this probability is flagged.
SECOND_LOOK_BELOW: Final = 0.6
#: Sources that the table over all articles shows at once; the rest are folded away.
SOURCES_SHOWN: Final = 25
#: Articles up to which the list of contents is open at first; a longer one is folded.
CONTENTS_OPEN: Final = 30
#: An unpunctuated line of at most this many words may be a heading.
HEADING_WORDS: Final = 18
#: Characters between two sentences from which a new paragraph is taken to begin:
#: one space or line break joins, a blank line parts.
PARAGRAPH_GAP: Final = 2
#: Segments of a stacked bar narrower than this percentage have no room for a glyph.
GLYPH_PERCENT: Final = 7.0

UNNAMED: Final = "Unnamed source"
WRITER: Final = "The article itself"

_ENDS_A_SENTENCE: Final = (".", "?", "!", "…", ":", ";", ",")
_CLOSING: Final = "\"'”’»›)]*_ "


@dataclass(frozen=True)
class Mark:
    """How a stance looks: two colours and a glyph, never a colour alone.

    The six colours keep apart under protan, deutan and tritan vision, and have a
    contrast of at least 4 : 1 on the page, where graphics need 3 : 1.

    Args:
        light: colour on the light page, ``#rrggbb``.
        dark: colour on the dark page, ``#rrggbb``.
        lines: SVG path to be stroked, in a square of 16 by 16 units.
        solid: SVG path to be filled, in the same square.
    """

    light: str
    dark: str
    lines: str = ""
    solid: str = ""


MARKS: Final[dict[Stance, Mark]] = {
    # A full stop: it is said, and that is that.
    "asserted": Mark("#3d444d", "#c9cdd3", solid="M8 4.2a3.8 3.8 0 1 0 0 7.6a3.8 3.8 0 1 0 0-7.6z"),
    # Opening quotation marks.
    "attributed": Mark(
        "#125ba6",
        "#6cb1f5",
        solid="M7 3.2C4.2 4.3 2.3 6.7 2.3 9.8a2.5 2.5 0 1 0 2.5-2.5h-.4C4.7 6.2 5.6 5.2 7 4.6z"
        "M13.6 3.2C10.8 4.3 8.9 6.7 8.9 9.8a2.5 2.5 0 1 0 2.5-2.5h-.4c.3-1.1 1.2-2.1 2.6-2.7z",
    ),
    # Two versions that point against each other.
    "disputed": Mark(
        "#b06a00",
        "#f0b53c",
        lines="M2.5 5.3h10.2M9.8 2.4l2.9 2.9l-2.9 2.9M13.5 10.9H3.3M6.2 8l-2.9 2.9l2.9 2.9",
    ),
    "unproven": Mark(
        "#a8509a",
        "#e096d4",
        lines="M5.1 5.4a2.9 2.9 0 1 1 4.4 2.5C8.4 8.6 8 9.1 8 10.2",
        solid="M8 11.9a1.2 1.2 0 1 0 0 2.4a1.2 1.2 0 1 0 0-2.4z",
    ),
    "refuted": Mark("#8c1313", "#ff7a66", lines="M3.8 3.8l8.4 8.4M12.2 3.8l-8.4 8.4"),
    # An empty ring: no claim inside.
    "no_claim": Mark("#6e757e", "#959ba4", lines="M8 4.4a3.6 3.6 0 1 0 0 7.2a3.6 3.6 0 1 0 0-7.2z"),
}


@dataclass(frozen=True)
class Run:
    """A stretch of a sentence that is the source, or is not, and the cues within it."""

    is_source: bool
    #: ``(text, is it a cue)``, in order.
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class SentenceView:
    """One sentence as the page shows it."""

    anchor: str
    prediction: Prediction
    runs: tuple[Run, ...]
    #: Probability of the likeliest stance, 0 to 1.
    top: float
    second_look: bool


@dataclass(frozen=True)
class Block:
    """A paragraph or a heading within the text."""

    is_heading: bool
    sentences: tuple[SentenceView, ...]


@dataclass(frozen=True)
class Segment:
    """One stance in a count; ``offset`` and ``width`` are percentages of the whole."""

    stance: Stance
    count: int
    offset: float
    width: float
    has_glyph: bool


@dataclass(frozen=True)
class SourceGroup:
    """All claims of one source: a name, one for nobody named, or the article's own voice."""

    name: str
    kind: Literal["named", "unnamed", "writer"]
    segments: tuple[Segment, ...]
    sentences: tuple[SentenceView, ...]
    articles: int


@dataclass(frozen=True)
class ArticleView:
    """One article as the page shows it.

    ``headline`` is the sentence that is the title, if one is: it then stands in the
    heading of the section, and not once more in the text. What comes before it in the
    file, such as a line that names the series, is ``above`` it.
    """

    number: int
    article_id: str
    title: str
    above: tuple[SentenceView, ...]
    headline: SentenceView | None
    blocks: tuple[Block, ...]
    sentences: tuple[SentenceView, ...]
    segments: tuple[Segment, ...]
    groups: tuple[SourceGroup, ...]
    second_look: tuple[SentenceView, ...]


def render_report(
    predictions: Sequence[Prediction], *, titles: Mapping[str, str | None] | None = None
) -> str:
    """Render predictions as one self-contained HTML page.

    Articles follow each other in the order in which they first occur; the
    sentences of each are put in the order of their positions.

    Args:
        predictions: the sentences of one article or of several, in any order.
        titles: titles by ``article_id``. An article without one goes by its first
            line where that looks like a heading, and by its id otherwise.

    Returns:
        The page, to be saved as UTF-8. It loads nothing from anywhere.

    Raises:
        InputError: if there are no predictions, or two for one sentence.
    """
    return render_articles(view_articles(predictions, titles or {}))


def render_articles(articles: Sequence[ArticleView], *, index: str | None = None) -> str:
    """Render articles as `render_report` does.

    Args:
        articles: at least one, from `view_articles`.
        index: address of the page that lists all articles, if this is one of many.
    """
    sentences = [sentence for article in articles for sentence in article.sentences]
    predictions = [sentence.prediction for sentence in sentences]
    return template("report.html.j2").render(
        articles=articles,
        index=index,
        title_of={article.article_id: article.title for article in articles},
        sentence_count=len(sentences),
        second_look_count=sum(sentence.second_look for sentence in sentences),
        segments=count_stances(sentences),
        groups=group_by_source(sentences) if len(articles) > 1 else (),
        contents_open=CONTENTS_OPEN,
        sources_shown=SOURCES_SHOWN,
        models=list(dict.fromkeys(prediction.model for prediction in predictions)),
        second_look_means=(
            "marked for a person to read"
            if any(prediction.needs_review is not None for prediction in predictions)
            else f"likeliest stance below {percent(SECOND_LOOK_BELOW)}"
        ),
        stances=STANCES,
        stance_meaning=STANCE_MEANING,
        certainties=CERTAINTIES,
        certainty_meaning=CERTAINTY_MEANING,
        marks=MARKS,
    )


@cache
def template(name: str) -> Template:
    """One of the package's templates, in which all that is filled in is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("claimstance"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        csp_hash=csp_hash, excerpt=excerpt, in_words=in_words, percent=percent, words=words
    )
    return environment.get_template(name)


def view_articles(
    predictions: Sequence[Prediction], titles: Mapping[str, str | None]
) -> list[ArticleView]:
    """Prepare all that the page shows, article by article.

    Raises:
        InputError: if there are no predictions, or two for one sentence.
    """
    if not predictions:
        raise InputError(
            "the report",
            expected="at least one classified sentence",
            found="none",
            fix="classify an article that has text in it",
        )
    by_article: dict[str, dict[int, Prediction]] = {}
    for prediction in predictions:
        of_article = by_article.setdefault(prediction.article_id, {})
        if prediction.position in of_article:
            raise InputError(
                f"article {prediction.article_id!r}, position {prediction.position}",
                expected="one prediction for each sentence",
                found="two",
                fix="report on one run at a time, and give each article an id of its own",
            )
        of_article[prediction.position] = prediction
    return [
        view_article(number, [of_article[position] for position in sorted(of_article)], titles)
        for number, of_article in enumerate(by_article.values(), start=1)
    ]


def view_article(
    number: int, predictions: Sequence[Prediction], titles: Mapping[str, str | None]
) -> ArticleView:
    """Prepare one article from its predictions, in reading order; ``number`` counts from 1."""
    sentences = tuple(
        view_sentence(f"a{number}-{prediction.position}", prediction) for prediction in predictions
    )
    article_id = predictions[0].article_id
    given = titles.get(article_id)
    place = find_headline([prediction.text for prediction in predictions], given)
    headline = None if place is None else sentences[place]
    title = given or (headline.prediction.text if headline else article_id)
    return ArticleView(
        number=number,
        article_id=article_id,
        title=title,
        above=sentences[:place] if place else (),
        headline=headline,
        blocks=tuple(into_blocks(sentences if place is None else sentences[place + 1 :])),
        sentences=sentences,
        segments=count_stances(sentences),
        groups=group_by_source(sentences),
        second_look=tuple(sentence for sentence in sentences if sentence.second_look),
    )


def find_headline(texts: Sequence[str], title: str | None) -> int | None:
    """Which sentence of an article is its title.

    Args:
        texts: its sentences, in order.
        title: the title as the file gives it; None if it gives none.

    Returns:
        With a title, the place of the sentence that has its words, if nothing but headings
        comes before. Without one, 0 if the first sentence looks like a heading. Else None.
    """
    for place, text in enumerate(texts):
        if same_words(text, title) if title else looks_like_heading(text):
            return place
        if not title or not looks_like_heading(text):
            return None
    return None


def view_sentence(anchor: str, prediction: Prediction) -> SentenceView:
    """Prepare one sentence; ``anchor`` is its address in the page."""
    top = max(prediction.stance_probabilities.values(), default=0.0)
    return SentenceView(
        anchor=anchor,
        prediction=prediction,
        runs=mark_spans(prediction.text, prediction.source, prediction.cues),
        top=top,
        second_look=deserves_second_look(prediction),
    )


def deserves_second_look(prediction: Prediction) -> bool:
    """What was marked for a person; where nobody asked for marks, what is below 60%."""
    if prediction.needs_review is not None:
        return prediction.needs_review
    return max(prediction.stance_probabilities.values(), default=0.0) < SECOND_LOOK_BELOW


def mark_spans(text: str, source: str | None, cues: Iterable[str]) -> tuple[Run, ...]:
    """Cut a sentence into runs, so that joining all their pieces gives it back.

    A cue named twice is marked twice. What cannot be found in the sentence is left out.

    >>> [run.pieces for run in mark_spans("He said no.", "He", ["said"])]
    [(('He', False),), ((' ', False), ('said', True), (' no.', False))]
    """
    in_source = [False] * len(text)
    cue_at = [0] * len(text)  # number of the cue that covers a character; 0 for none
    if source and (span := find_span(text, source, cue_at)):
        in_source[slice(*span)] = [True] * len(source)
    # Longer cues first, lest "said" take its place within "is said to".
    for number, cue in enumerate(sorted(cues, key=len, reverse=True), start=1):
        if cue and (span := find_span(text, cue, cue_at)):
            cue_at[slice(*span)] = [number] * len(cue)
    runs = []
    for is_source, run in groupby(range(len(text)), key=in_source.__getitem__):
        pieces = [(number, list(at)) for number, at in groupby(run, key=cue_at.__getitem__)]
        runs.append(
            Run(is_source, tuple((text[at[0] : at[-1] + 1], number > 0) for number, at in pieces))
        )
    return tuple(runs)


def find_span(text: str, part: str, taken: Sequence[int]) -> tuple[int, int] | None:
    """Find where ``part`` stands in ``text``: as whole words if it can be, and in a free place.

    Args:
        text: the sentence.
        part: what to find, not empty.
        taken: for each character of the text, whether it is taken (not 0).

    Returns:
        Start and end in code points, or None.
    """
    literal = re.escape(part)
    for pattern in (rf"(?<!\w){literal}(?!\w)", literal):
        for match in re.finditer(pattern, text):
            if not any(taken[match.start() : match.end()]):
                return match.span()
    return None


def into_blocks(sentences: Sequence[SentenceView]) -> list[Block]:
    """Put sentences into paragraphs and headings, from their offsets and their shape."""
    groups: list[list[SentenceView]] = [[sentences[0]]] if sentences else []
    for before, sentence in pairwise(sentences):
        if starts_block(before.prediction, sentence.prediction):
            groups.append([])
        groups[-1].append(sentence)
    lone = [len(group) == 1 and looks_like_heading(group[0].prediction.text) for group in groups]
    # Headings stand between paragraphs: unpunctuated lines in a row are a list, and
    # one at the end is a credit.
    return [
        Block(
            is_heading=lone[i]
            and i + 1 < len(groups)
            and not lone[i + 1]
            and not (i > 0 and lone[i - 1]),
            sentences=tuple(group),
        )
        for i, group in enumerate(groups)
    ]


def starts_block(before: Prediction, after: Prediction) -> bool:
    """Whether a new paragraph or heading begins between two neighbouring sentences."""
    # No sentence ends without a mark but at the end of a line.
    return (
        after.start - before.end >= PARAGRAPH_GAP
        or not is_punctuated(before.text)
        or looks_like_heading(after.text)
    )


def looks_like_heading(text: str) -> bool:
    """Whether a line is short and does not end as a sentence does."""
    return len(text.split()) <= HEADING_WORDS and not is_punctuated(text)


def is_punctuated(text: str) -> bool:
    """Whether a text ends as a sentence does, closing quotes and brackets aside."""
    return text.rstrip(_CLOSING).endswith(_ENDS_A_SENTENCE)


def same_words(one: str, other: str) -> bool:
    """Whether two lines are the same but for case and space."""
    return one.casefold().split() == other.casefold().split()


def count_stances(sentences: Sequence[SentenceView]) -> tuple[Segment, ...]:
    """Count stances, in the order of the labels; those that do not occur are left out."""
    return to_segments(Counter(sentence.prediction.stance for sentence in sentences))


def to_segments(counts: Mapping[Stance, int]) -> tuple[Segment, ...]:
    """The parts of a bar, from how many sentences have each stance."""
    total = sum(counts.values())
    segments = []
    offset = 0.0
    for stance in STANCES:
        if count := counts.get(stance, 0):
            width = 100 * count / total
            segments.append(Segment(stance, count, offset, width, width >= GLYPH_PERCENT))
            offset += width
    return tuple(segments)


def group_by_source(sentences: Sequence[SentenceView]) -> tuple[SourceGroup, ...]:
    """Group the claims by who makes them: most claims first, the article's own voice last.

    Names with the same `source_key` are one source, under its most frequent spelling.
    Sentences without a claim are left out.
    """
    by_source: dict[tuple[Literal["named", "unnamed", "writer"], str], list[SentenceView]] = {}
    for sentence in sentences:
        prediction = sentence.prediction
        if prediction.stance == "no_claim":
            continue
        if prediction.source:
            by_source.setdefault(("named", source_key(prediction.source)), []).append(sentence)
        elif prediction.stance == "attributed":
            by_source.setdefault(("unnamed", UNNAMED), []).append(sentence)
        else:
            by_source.setdefault(("writer", WRITER), []).append(sentence)
    groups = [
        SourceGroup(
            name=usual_spelling(of_source) if kind == "named" else name,
            kind=kind,
            segments=count_stances(of_source),
            sentences=tuple(of_source),
            articles=len({sentence.prediction.article_id for sentence in of_source}),
        )
        for (kind, name), of_source in by_source.items()
    ]
    kinds = ("named", "unnamed", "writer")
    return tuple(sorted(groups, key=lambda group: (kinds.index(group.kind), -len(group.sentences))))


def source_key(source: str) -> str:
    """What is left of a name without case, the kind of apostrophe and a leading "the".

    >>> source_key("The Mayor’s  office") == source_key("mayor's office")
    True
    """
    return " ".join(source.casefold().replace("’", "'").split()).removeprefix("the ")


def usual_spelling(sentences: Iterable[SentenceView]) -> str:
    """The most frequent spelling of a source; of equals, the first."""
    spellings = Counter(sentence.prediction.source or "" for sentence in sentences)
    return spellings.most_common(1)[0][0]


def words(label: str) -> str:
    """A label as a reader would write it: ``no claim`` for ``no_claim``."""
    return label.replace("_", " ")


def in_words(segments: Sequence[Segment]) -> str:
    """Say a stacked bar: ``3 asserted, 1 refuted``."""
    return ", ".join(f"{segment.count} {words(segment.stance)}" for segment in segments)


def percent(probability: float) -> str:
    """A probability (0 to 1) in whole percent, without claiming that anything is sure.

    >>> percent(0.834), percent(0.998), percent(0.001)
    ('83%', '>99%', '<1%')
    """
    if 0 < probability < 0.005:
        return "<1%"
    if 0.995 <= probability < 1:
        return ">99%"
    return f"{100 * probability:.0f}%"


def excerpt(text: str, length: int = 160) -> str:
    """The beginning of a text, at most ``length`` code points, cut between words."""
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    return cut[: max(cut.rfind(" "), length // 2)].rstrip(" ,;:–—") + "…"


def csp_hash(source: str) -> str:
    """The source expression that lets exactly this inline script or style pass a policy."""
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
