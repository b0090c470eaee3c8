"""Commands that make and check labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from claimstance.errors import InputError
from claimstance.wording import counted

if TYPE_CHECKING:
    from claimstance.evaluation import Evaluation

app = typer.Typer(
    help="Make, label and check the corpus.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DataOption = Annotated[Path, typer.Option("--data", help="Folder with corpus and annotations.")]
Paths = Annotated[list[Path], typer.Argument(help="Files.")]


@app.command("check")
def check(
    data: Annotated[Path, typer.Argument(help="Folder with corpus and annotations.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(help="Write the figures to this Markdown page."),
    ] = None,
    foreign: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="JSONL with sentences that must not stand in the corpus. Repeatable."),
    ] = None,
) -> None:
    """Check that the corpus is legal, balanced and hard enough.

    No sentence may stand in it twice, either.

    \b
    Example:
      claimstance corpus check data --out data/statistics.md
    """
    from claimstance.annotation import DataFolder
    from claimstance.corpus_checks import check_corpus
    from claimstance.corpus_figures import statistics_page
    from claimstance.records import write_text

    report = check_corpus(DataFolder(data), foreign or [])
    for finding in report.findings:
        typer.echo(f"{'ok   ' if finding.passed else 'FAILS'}  {finding.check}: {finding.found}")
    if out:
        write_text(out, statistics_page(report))
    if not report.passed:
        raise typer.Exit(1)


@app.command("agreement")
def agreement(
    data: Annotated[Path, typer.Argument(help="Folder with corpus and annotations.")],
) -> None:
    """Say how far the two annotation passes agree."""
    from claimstance import annotation

    for split, result in annotation.agreement(annotation.DataFolder(data)).items():
        say_agreement(f"{split} ", result)


def say_agreement(of_what: str, result: Evaluation) -> None:
    """Print how far two passes agree; ``of_what`` stands before each line."""
    for name, score in (("stance", result.stance), ("certainty", result.certainty)):
        typer.echo(
            f"{of_what}{name}: {counted(score.sentences, 'sentence')}, same label "
            f"{score.accuracy}, Cohen's kappa {score.kappa}"
        )
    for name, span in (("source", result.source), ("cues", result.cues)):
        typer.echo(f"{of_what}{name}: overlap F1 {span.overlap_f1}")


@app.command("add")
def add(drafts: Paths, data: DataOption) -> None:
    """Add labelled drafts to the corpus."""
    from claimstance.annotation import DataFolder, add_drafts

    added = add_drafts(DataFolder(data), drafts)
    sentences = sum(len(a.sentences) for a in added)
    typer.echo(f"added {counted(len(added), 'article')}, {counted(sentences, 'sentence')}")


@app.command("sheets")
def sheets(
    out: Annotated[Path, typer.Argument(help="Folder to write the sheets to.")],
    data: DataOption,
    ids: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--id", help="Only this article. Repeatable."),
    ] = None,
) -> None:
    """Write articles as sheets to label once more, blind."""
    from claimstance.annotation import DataFolder, load_all
    from claimstance.drafts import write_sheet
    from claimstance.records import write_text

    articles = {a.facts.article_id: a for a in load_all(DataFolder(data))}
    for article_id in ids or ():
        if article_id not in articles:
            raise InputError(
                "--id",
                expected="the id of an article in the corpus",
                found=repr(article_id),
                fix="look it up in articles.jsonl",
            )
    chosen = [articles[article_id] for article_id in ids or articles]
    sheets = list(write_sheet(chosen))
    for name, _ in sheets:
        if (out / name).exists():
            raise InputError(
                str(out / name),
                expected="a sheet that is not yet written",
                found="one that is",
                fix="move it away, or name another folder",
            )
    for name, text in sheets:
        write_text(out / name, text)
    typer.echo(f"wrote {counted(len(chosen), 'sheet')} to {out}")


@app.command("second")
def second(sheets: Paths, data: DataOption) -> None:
    """Add filled-in sheets to the second annotation pass."""
    from claimstance.annotation import DataFolder, add_second_pass

    added = add_second_pass(DataFolder(data), sheets)
    typer.echo(f"added the labels of {counted(added, 'sentence')}")


@app.command("settle")
def settle(data: DataOption) -> None:
    """Rewrite the corpus from both passes and what was decided."""
    from claimstance.annotation import DataFolder
    from claimstance.annotation import settle as settle_labels

    typer.echo(f"changed {counted(settle_labels(DataFolder(data)), 'sentence')}")


def align(
    labels: Annotated[Path, typer.Argument(help="Stand-off labels, in JSONL.")],
    text: Annotated[
        Path, typer.Argument(help="Your copy of the article, or the folder of the datasets.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .jsonl to write.")],
    articles: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="For datasets: also write what to classify, as .jsonl."),
    ] = None,
) -> None:
    """Join stand-off labels with your copy of their text.

    \b
    Examples:
      claimstance align data/standoff/belgorod.jsonl article.md -o gold.jsonl
      claimstance align data/standoff/real-news-dev.jsonl datasets/ \\
        -o gold.jsonl --articles articles.jsonl
    """
    import json

    from claimstance import standoff
    from claimstance.records import write_records, write_text

    rows: list[dict[str, object]] = []
    lines = standoff.read_standoff(labels)
    if isinstance(lines[0], standoff.StandoffRow):
        sentences, rows = standoff.align_rows(lines, text)
    else:
        if articles:
            raise InputError(
                "--articles",
                expected="labels of datasets",
                found="labels of one article",
                fix="leave the option out, and classify the article itself",
            )
        sentences = standoff.align(lines, text)
    write_records(output, sentences)
    typer.echo(f"wrote {output}: {counted(len(sentences), 'labelled sentence')}")
    if articles:
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_text(articles, content)
        typer.echo(f"wrote {articles}: {counted(len(rows), 'article')} to classify")
