"""Commands that label articles and show the result."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from claimstance.articles import Article, Format, read_articles
from claimstance.errors import InputError
from claimstance.records import Split

if TYPE_CHECKING:
    from claimstance.records import Prediction


def classify(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files (.txt .md .html .jsonl .csv .parquet), folders, globs, or - for "
            "standard input.",
            metavar="INPUT",
        ),
    ],
    output: Annotated[
        Optional[list[Path]],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--output",
            "-o",
            help="Where to write: .jsonl, .csv, .parquet, or .html for the report. Repeatable.",
        ),
    ] = None,
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Folder of a model, or its name on the Hugging Face hub; the one that ships if "
            "not given."
        ),
    ] = None,
    split: Annotated[
        Optional[Split],  # noqa: UP045
        typer.Option(help="Read INPUT as a corpus folder and label this split of it."),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    id_column: Annotated[str, typer.Option(help="Column with the article's id.")] = "id",
    title_column: Annotated[str, typer.Option(help="Column with the title.")] = "title",
    stdin_format: Annotated[Format, typer.Option(help="What standard input holds.")] = "txt",
    abstain: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            help="Mark the sentences that a person should read, so that of the others about "
            "this share has the right stance, for example 0.9. The threshold gave this share on "
            "the project's dev split; on other news expect less.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no table.")] = False,
) -> None:
    """Label every sentence of the articles.

    \b
    Examples:
      claimstance classify article.md
      claimstance classify article.md -o predictions.jsonl -o report.html
      claimstance classify news/ more.csv --text-column body -o predictions.parquet
      claimstance classify news/ --abstain 0.9 -o predictions.csv
      claimstance classify article.md --model somebody/their-model
      curl -s https://example.org/story | claimstance classify - --stdin-format html
      claimstance classify data/corpus --split test --model models/minilm -o test.jsonl
    """
    from claimstance.abstention import mark_for_review, threshold_for
    from claimstance.hub import find_model
    from claimstance.inference import SHIPPED, load_model
    from claimstance.inference import classify as classify_articles
    from claimstance.outputs import check_outputs, write_predictions

    outputs = output or []
    check_outputs(outputs)
    _must_differ(inputs, outputs)
    loaded = load_model(find_model(model) if model else SHIPPED)
    threshold = threshold_for(loaded.settings, abstain) if abstain is not None else None
    failures: list[InputError] = []
    titles: dict[str, str | None] = {}
    articles = (
        _corpus_articles(inputs, split)
        if split
        else _usable(inputs, text_column, id_column, title_column, stdin_format, failures=failures)
    )
    results = classify_articles(loaded, _noting_titles(articles, titles))
    predictions = [p for article in _with_progress(results) for p in article]
    if threshold is not None:
        predictions = mark_for_review(predictions, threshold)
    if predictions:
        for path in outputs:
            write_predictions(path, predictions, titles)
        if not quiet:
            _print(predictions, outputs)
            if threshold is not None:
                _tell_marked(predictions, threshold)
    if failures:
        typer.echo(
            f"claimstance: {len(failures)} of {len(failures) + len(titles)} inputs could not "
            f"be used, each named above",
            err=True,
        )
        raise typer.Exit(1)


def _must_differ(inputs: list[str], outputs: list[Path]) -> None:
    """Never write over what is to be read: a file, one in a folder, one that a glob matches."""
    given = [Path(name).resolve() for name in inputs if name != "-"]
    # As the reader of globs does: Path.glob takes no absolute pattern.
    matched = {
        Path(name).resolve()
        for pattern in inputs
        for name in glob.glob(pattern, recursive=True)  # noqa: PTH207
    }
    for path in outputs:
        whole = path.resolve()
        in_a_folder = whole.exists() and any(folder in whole.parents for folder in given)
        if whole in given or whole in matched or in_a_folder:
            raise InputError(
                str(path),
                expected="an output that is no input",
                found="the same file" if not in_a_folder else "a file in the folder that is read",
                fix="name another file to write",
            )


def _usable(
    inputs: list[str],
    text_column: str,
    id_column: str,
    title_column: str,
    stdin_format: Format,
    *,
    failures: list[InputError],
) -> Iterator[Article]:
    """The articles that can be read; what cannot is named at once and counted."""
    for item in read_articles(
        inputs,
        text_column=text_column,
        id_column=id_column,
        title_column=title_column,
        stdin_format=stdin_format,
    ):
        if isinstance(item, InputError):
            typer.echo(f"claimstance: {item}", err=True)
            failures.append(item)
        else:
            yield item


def _corpus_articles(inputs: list[str], split: Split) -> Iterator[Article]:
    from claimstance.corpus import load_split
    from claimstance.prediction import as_article

    if len(inputs) != 1:
        raise InputError(
            "--split",
            expected="one corpus folder as INPUT",
            found=f"{len(inputs)} inputs",
            fix="for example: claimstance classify data/corpus --split dev",
        )
    for article in load_split(Path(inputs[0]), split):
        yield as_article(article)


def _noting_titles(articles: Iterable[Article], titles: dict[str, str | None]) -> Iterator[Article]:
    """Pass articles on, and keep their titles for the report."""
    for article in articles:
        titles[article.id] = article.title
        yield article


def _with_progress(results: Iterator[list[Prediction]]) -> Iterator[list[Prediction]]:
    """Count articles on standard error while a person is watching."""
    if not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed} articles"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("classify")
        for result in results:
            yield result
            progress.advance(task)


def _print(predictions: list[Prediction], outputs: list[Path]) -> None:
    from claimstance.tables import print_predictions

    print_predictions(predictions)
    for path in outputs:
        typer.echo(f"wrote {path}")


def _tell_marked(predictions: list[Prediction], threshold: float) -> None:
    marked = sum(bool(p.needs_review) for p in predictions)
    typer.echo(
        f"{marked} of {len(predictions)} sentences are marked for a person to read: their "
        f"likeliest stance has a probability below {threshold:.4g}"
    )


def report(
    predictions: Annotated[Path, typer.Argument(help="Predictions in JSONL.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .html page to write.")],
) -> None:
    """Make the report page from a file of predictions.

    \b
    Example:
      claimstance report predictions.jsonl -o report.html
    """
    from claimstance.outputs import check_outputs, write_predictions
    from claimstance.records import Prediction, read_records

    if output.suffix != ".html":
        raise InputError(
            str(output),
            expected="a page to write, ending in .html",
            found=f"the ending {output.suffix!r}",
            fix="name it, for example, report.html",
        )
    check_outputs([output])
    write_predictions(output, read_records(predictions, Prediction), {})
    typer.echo(f"wrote {output}")
