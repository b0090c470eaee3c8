"""Commands that label articles and show the result."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, Optional

import typer

from claimstance.articles import Article, read_articles
from claimstance.errors import InputError, must_be_free
from claimstance.records import Split
from claimstance.sources import Format, Meter

EngineName = Literal["local", "ray"]

#: Faults that are named one by one as they are met; the file of errors holds them all.
FAULTS_NAMED: Final = 20


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
    report: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="A new folder for a page per article and an index of them."),
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
    workers: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=1,
            help="Processes to classify in, each with its share of the processors; 1 if not "
            "given, which uses them all, and on Ray one for each processor.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(help="Where to classify: on this machine, or on a Ray cluster."),
    ] = "local",
    ray_address: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A Ray cluster that runs; one on this machine is started if not given."),
    ] = None,
    part_size: Annotated[
        int,
        typer.Option(
            min=1,
            help="Sentences after which what is done is saved, and where an interrupted run goes "
            "on. The same input, model and part size give the same output byte for byte.",
        ),
    ] = 2048,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was interrupted, if any.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no table.")] = False,
) -> None:
    """Label every sentence of the articles.

    Articles are read and written as a stream, whatever their number. What cannot be read
    is named, also in a file beside the first output (predictions.errors.jsonl), and the
    rest goes on. An interrupted run (Ctrl-C, a crash, a full disk) goes on with --resume.

    \b
    Examples:
      claimstance classify article.md
      claimstance classify article.md -o predictions.jsonl -o report.html
      claimstance classify news/ more.csv --text-column body -o predictions.parquet
      claimstance classify archive.jsonl.gz -o predictions.jsonl --workers 4 --resume
      claimstance classify news/ -o predictions.jsonl --report pages/
      claimstance classify news/ -o predictions.jsonl --engine ray --ray-address auto --resume
      claimstance classify news/ --abstain 0.9 -o predictions.csv
      claimstance classify article.md --model somebody/their-model
      curl -s https://example.org/story | claimstance classify - --stdin-format html
      claimstance classify data/corpus --split test --model models/minilm -o test.jsonl
    """
    from claimstance.abstention import threshold_for
    from claimstance.batch import classify_parts, open_parts
    from claimstance.cli.batches import Stop, end_run, make_engine, watched, working_folder
    from claimstance.hub import find_model
    from claimstance.inference import SHIPPED, load_model
    from claimstance.outputs import check_outputs, errors_beside

    outputs = output or []
    check_outputs(outputs)
    if report is not None:
        must_be_free(report)
    written = [*outputs, *([report] if report else [])]
    _must_differ(inputs, [*outputs, *(errors_beside(path) for path in written[:1])])
    folder = find_model(model) if model else SHIPPED
    loaded = load_model(folder)
    threshold = threshold_for(loaded.settings, abstain) if abstain is not None else None
    meter = Meter()
    items: Iterable[Article | InputError] = (
        _corpus_articles(inputs, split)
        if split
        else read_articles(
            inputs,
            text_column=text_column,
            id_column=id_column,
            title_column=title_column,
            stdin_format=stdin_format,
            meter=meter,
        )
    )
    run = make_engine(engine, loaded, folder, threshold, workers, ray_address)
    with (
        working_folder(written) as parts,
        open_parts(
            parts, folder, threshold=threshold, part_sentences=part_size, resume=resume
        ) as store,
        Stop() as stop,
    ):
        with watched(inputs, stdin_format, meter) as done:
            named = _naming_faults(items)
            whole = classify_parts(named, run, store, stopping=stop.asked, done=done)
        if not whole:
            stop.say_how_to_go_on(parts, kept=bool(written))
        code = end_run(store, outputs, report, threshold, quiet=quiet)
    raise typer.Exit(code)


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


def _naming_faults(items: Iterable[Article | InputError]) -> Iterator[Article | InputError]:
    """Pass on what is read; the first faults are named at once."""
    named = 0
    for item in items:
        if isinstance(item, InputError):
            named += 1
            if named <= FAULTS_NAMED:
                typer.echo(f"claimstance: {item}", err=True)
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
