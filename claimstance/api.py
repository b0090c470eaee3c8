"""The Python API: load a model, classify an article, look at what it says.

>>> classifier = Classifier.load()
>>> article = classifier.classify("The minister said the bridge is safe. Engineers deny it.")
>>> [(p.stance, p.source) for p in article.predictions]
[('attributed', 'The minister'), ('disputed', 'Engineers')]

What it gives are the records that the commands write (`claimstance.records.Prediction`).
An article shows itself as marked text in a notebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claimstance.abstention import mark_for_review, threshold_for
from claimstance.articles import Article, article_from_text, read_articles
from claimstance.errors import InputError
from claimstance.inference import LOOK_AHEAD, SHIPPED, Model, chunks, load_model
from claimstance.inference import classify as classify_articles
from claimstance.labels import STANCES
from claimstance.notebook import marked_text
from claimstance.records import Prediction
from claimstance.report import group_by_source, render_report, view_sentence

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | PathLike[str]


@dataclass(frozen=True, slots=True, repr=False)
class ClassifiedArticle:
    """An article and what the model says of each of its sentences.

    In a notebook it shows itself as marked text; ``str()`` of it is a line per sentence.

    Attributes:
        id: the article's id, as in the files.
        title: its title, if it has one.
        predictions: one record per sentence, in the order of the text.
    """

    id: str
    title: str | None
    predictions: tuple[Prediction, ...]

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self.predictions)

    def __iter__(self) -> Iterator[Prediction]:
        """The sentences, in the order of the text."""
        return iter(self.predictions)

    def __repr__(self) -> str:
        return f"<ClassifiedArticle {self.id!r}: {self.title!r}, {len(self)} sentences>"

    def __str__(self) -> str:
        return "\n".join(
            f"{p.stance:10}  {p.certainty or '':8}  {p.text}" for p in self.predictions
        )

    def to_frame(self) -> pd.DataFrame:
        """A row per sentence, with the columns of the files; needs pandas.

        >>> article = Classifier.load().classify("Perhaps it will rain.")
        >>> article.to_frame()[["position", "stance", "certainty"]].values.tolist()
        [[0, 'asserted', 'possible']]
        """
        return to_frame([self])

    def by_source(self) -> pd.DataFrame:
        """Who claims what, as the report's table has it; needs pandas.

        Columns: ``source``, ``claims``, and a count for each stance but ``no_claim``. Named
        sources come first, those with most claims before others, then
        `claimstance.report.UNNAMED`, last `claimstance.report.WRITER`, the article's own voice.
        """
        pd = _pandas()
        views = [view_sentence("", p) for p in self.predictions]
        stances = [stance for stance in STANCES if stance != "no_claim"]
        rows = [
            {"source": group.name, "claims": len(group.sentences)}
            | {segment.stance: segment.count for segment in group.segments}
            for group in group_by_source(views)
        ]
        table = pd.DataFrame(rows, columns=["source", "claims", *stances])
        return table.fillna(dict.fromkeys(stances, 0)).astype(dict.fromkeys(stances, int))

    def to_html(self) -> str:
        """The report, as ``claimstance classify -o report.html`` writes it: one whole page.

        Raises:
            InputError: if the article has no sentences.
        """
        return render_report(self.predictions, titles={self.id: self.title})

    def _repr_html_(self) -> str:
        """Marked text for a notebook: a part of a page, without script."""
        return marked_text(self.predictions, title=self.title)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained model, ready to classify articles.

    Attributes:
        model: the model itself (`claimstance.inference.Model`).
        threshold: sentences whose likeliest stance has a probability below it are marked
            for a person (``needs_review``); None marks nothing.
    """

    model: Model
    threshold: float | None = None

    @classmethod
    def load(
        cls,
        folder: StrPath = SHIPPED,
        *,
        abstain: float | None = None,
        threads: int | None = None,
    ) -> Classifier:
        """Load a model: the one that ships, or one that you trained.

        Args:
            folder: a folder that ``claimstance train`` or ``claimstance export`` wrote.
            abstain: mark for a person what must be left out for the rest to be right this
                often, as ``claimstance classify --abstain`` does; a share between 0.5 and 1.
            threads: how many a network may use; all processors if not given.

        Raises:
            InputError: if the folder holds no model, packages that it needs are missing, or
                it cannot reach that accuracy.
        """
        model = load_model(Path(folder), threads=threads)
        return cls(model, None if abstain is None else threshold_for(model.settings, abstain))

    @property
    def name(self) -> str:
        """The name that the model's recipe gave it; it stands in every prediction."""
        return self.model.settings.name

    def classify(self, text: str, *, title: str | None = None) -> ClassifiedArticle:
        """Classify a text.

        Args:
            text: plain text of an article; a blank line, or a line end, ends a sentence.
            title: its title, which the model reads too. Without it, a first line that
                looks like a headline is taken for one.

        Raises:
            InputError: if there is no sentence in it, or it is too long.
        """
        (article,) = self._classify([article_from_text(text, title=title)])
        return article

    def classify_file(self, path: StrPath) -> ClassifiedArticle:
        """Classify a file that holds one article: ``.txt``, ``.md`` or ``.html``, or one row.

        Raises:
            InputError: if it cannot be read, or holds several articles.
        """
        found = list(self.classify_files([path]))
        if len(found) != 1:
            raise InputError(
                fspath(path),
                expected="one article",
                found=f"{len(found)}",
                fix="use classify_files, which gives one after the other",
            )
        if isinstance(found[0], InputError):
            raise found[0]
        return found[0]

    def classify_files(self, paths: Iterable[StrPath]) -> Iterator[ClassifiedArticle | InputError]:
        """Classify the articles in files, folders and globs, one after the other.

        Memory does not grow with their number. For a hundred thousand of them, the command
        ``claimstance classify`` can go on where it was broken off, and use all processors.

        Yields:
            An article, or in its place the `InputError` that says why there is none.
        """
        for chunk in chunks(read_articles([fspath(path) for path in paths]), LOOK_AHEAD):
            classified = self._classify([a for a in chunk if isinstance(a, Article)])
            for item in chunk:
                yield item if isinstance(item, InputError) else next(classified)

    def _classify(self, articles: Sequence[Article]) -> Iterator[ClassifiedArticle]:
        for article, predictions in zip(
            articles, classify_articles(self.model, articles), strict=True
        ):
            if self.threshold is not None:
                predictions = mark_for_review(predictions, self.threshold)
            yield ClassifiedArticle(article.id, article.title, tuple(predictions))


def to_frame(articles: Iterable[ClassifiedArticle]) -> pd.DataFrame:
    """A row per sentence of several articles, with the columns of the files; needs pandas.

    Probabilities are dictionaries by label, cues lists, as in a ``.parquet`` file.
    """
    pd = _pandas()
    rows = [p.model_dump(mode="json") for article in articles for p in article.predictions]
    columns = [name for name in Prediction.model_fields if name != "needs_review"]
    if any("needs_review" in row for row in rows):
        columns.append("needs_review")
    return pd.DataFrame(rows, columns=columns)


def _pandas() -> Any:
    """The library of the tables, which classifying does without.

    Raises:
        InputError: if it is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise InputError(
            "a table",
            expected="the package 'pandas', which makes tables",
            found="it is not installed",
            fix="pip install pandas",
        ) from None
    return pandas
