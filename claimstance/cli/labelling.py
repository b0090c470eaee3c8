"""Commands of the annotation loop: choose, label, compare, settle, train on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from claimstance.cli.classifying import FAULTS_NAMED
from claimstance.errors import InputError, must_be_free, must_be_new
from claimstance.wording import counted

if TYPE_CHECKING:
    from claimstance.articles import Article

app = typer.Typer(
    help="Have sentences labelled, and bring the labels back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Tool = Literal["label-studio", "doccano", "csv"]
SheetArgument = Annotated[Path, typer.Argument(help="Tasks that 'claimstance sample' chose.")]
SheetOption = Annotated[
    list[Path], typer.Option("--tasks", help="The sheet of tasks that was labelled. Repeatable.")
]
First = Annotated[Path, typer.Argument(help="One person's labels, in JSONL.")]
Second = Annotated[Path, typer.Argument(help="Another's, made without seeing the first.")]


def sample(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Articles, as 'claimstance classify' reads them: files, folders, globs, or -.",
            metavar="INPUT",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The sheet to write, .jsonl.")],
    count: Annotated[int, typer.Option(min=1, help="How many sentences to choose.")] = 100,
    model: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            help="Folder of the model to go by, or its name on the Hugging Face hub; the one that "
            "ships if not given. With the strategy random, only to have suggestions."
        ),
    ] = None,
    strategy: Annotated[
        Literal["mixed", "uncertain", "random"],
        typer.Option(help="Uncertain, rare and unlike in turn; uncertain alone; or by chance."),
    ] = "mixed",
    seed: Annotated[int, typer.Option(help="Decides what is left to chance.")] = 0,
    known: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            "--known", help="Tasks or labels in JSONL whose sentences are not chosen. Repeatable."
        ),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    id_column: Annotated[str, typer.Option(help="Column with the article's id.")] = "id",
    title_column: Annotated[str, typer.Option(help="Column with the title.")] = "title",
) -> None:
    """Choose sentences to label: hard, rare or unlike others.

    Hard are those of which a model is unsure. Each comes with its title, the two sentences
    before it, the reason why it was chosen, and what the model suggests. A sentence that
    stands in several articles is chosen once.

    Measured on the corpus, sentences so chosen taught small models less than as many drawn by
    chance (training/active_learning.md).

    \b
    Examples:
      claimstance sample news/ -o sheet.jsonl --count 200
      claimstance sample archive.jsonl.gz -o second.jsonl --model models/mine --known sheet.jsonl
      claimstance sample news/ -o check.jsonl --count 100 --strategy random --seed 1
    """
    from claimstance.articles import read_articles
    from claimstance.cli.batches import watched
    from claimstance.hub import find_model
    from claimstance.inference import SHIPPED, load_model
    from claimstance.records import iter_json_lines, write_records
    from claimstance.sampling import sample as choose
    from claimstance.sources import Meter

    must_be_new(output)
    texts = [str(row.get("text", "")) for path in known or () for _, row in iter_json_lines(path)]
    loaded = None
    if model or strategy != "random":
        loaded = load_model(find_model(model) if model else SHIPPED)
    faults: list[InputError] = []
    meter = Meter()
    articles = read_articles(
        inputs,
        text_column=text_column,
        id_column=id_column,
        title_column=title_column,
        meter=meter,
    )
    with watched(inputs, "txt", meter) as done:
        tasks = choose(
            _without_faults(articles, faults, done),
            count,
            model=loaded,
            strategy=strategy,
            seed=seed,
            known=texts,
        )
    write_records(output, tasks)
    fewer = f" (asked for {count}: there are no more)" if len(tasks) < count else ""
    typer.echo(f"wrote {output}: {counted(len(tasks), 'sentence')} to label{fewer}")
    _end(faults, "input")


def _without_faults(
    items: Iterable[Article | InputError],
    faults: list[InputError],
    done: Callable[[int, bool], None],
) -> Iterator[Article]:
    for item in items:
        if isinstance(item, InputError):
            faults.append(item)
        else:
            done(len(item.sentences), False)
            yield item


def _end(faults: list[InputError], what: str) -> None:
    """Name the faults, and end with exit code 1 if there are any; each is a ``what``."""
    for fault in faults[:FAULTS_NAMED]:
        typer.echo(f"claimstance: {fault}", err=True)
    if len(faults) > FAULTS_NAMED:
        typer.echo(f"claimstance: and {len(faults) - FAULTS_NAMED} more", err=True)
    if faults:
        typer.echo(f"claimstance: {counted(len(faults), what)} could not be used", err=True)
        raise typer.Exit(1)


@app.command("export")
def export(
    sheet: SheetArgument,
    to: Annotated[Tool, typer.Option(help="The tool in which they are labelled.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A new folder; for csv, a file to write.")
    ],
    suggest: Annotated[
        bool,
        typer.Option(
            "--suggest",
            help="Fill in what the model says, and show why each was chosen. People tend to agree "
            "with what is filled in: leave it out where labels are to measure a model.",
        ),
    ] = False,
) -> None:
    """Write tasks as a labelling tool reads them.

    They do not tell what the model says of them, unless --suggest asks for it.

    \b
    Examples:
      claimstance tasks export sheet.jsonl --to csv -o sheet.csv
      claimstance tasks export sheet.jsonl --to label-studio -o label-studio/
      claimstance tasks export sheet.jsonl --to doccano -o doccano/ --suggest
    """
    from claimstance.labelling import doccano, label_studio, spreadsheet
    from claimstance.labelling.common import suggestions
    from claimstance.tasks import read_tasks

    tasks = read_tasks([sheet])
    given = suggestions(tasks) if suggest else {}
    if to == "csv":
        must_be_new(output)
        spreadsheet.write_sheet(output, tasks, given)
    else:
        must_be_free(output)
        write = doccano.write_folder if to == "doccano" else label_studio.write_folder
        write(output, tasks, given, reasons=suggest)
    typer.echo(f"wrote {output}: {counted(len(tasks), 'task')}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What the tool exported, or the filled-in CSV.")],
    source: Annotated[Tool, typer.Option("--from", help="The tool.")],
    sheets: SheetOption,
    annotator: Annotated[str, typer.Option(help="Who labelled: a name or a pseudonym.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The labels to write, .jsonl.")],
) -> None:
    """Read labels back and check them.

    Each that cannot be used is named; the rest is written.

    \b
    Examples:
      claimstance tasks import sheet.csv --from csv --tasks sheet.jsonl \\
        --annotator ada -o ada.jsonl
      claimstance tasks import export.json --from label-studio --tasks sheet.jsonl \\
        --annotator ada -o ada.jsonl
    """
    from claimstance.labelling import doccano, label_studio, spreadsheet
    from claimstance.labelling.common import check_answers
    from claimstance.records import write_records
    from claimstance.tasks import read_tasks

    must_be_new(output)
    if not annotator.strip():
        raise InputError(
            "--annotator", expected="a name", found="an empty one", fix="say who labelled"
        )
    readers = {
        "csv": spreadsheet.read_sheet,
        "doccano": doccano.read_export,
        "label-studio": label_studio.read_export,
    }
    answers = readers[source](file)
    found = check_answers(read_tasks(sheets), answers, annotator=annotator, name=str(file))
    if found.labels:
        write_records(output, found.labels)
        typer.echo(f"wrote {output}: {counted(len(found.labels), 'labelled sentence')}")
    _end(found.faults, "answer")


@app.command("compare")
def compare(
    first: First,
    second: Second,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the disagreements go, .jsonl.")
    ],
) -> None:
    """Say how far two people agree, and list what to settle.

    \b
    Example:
      claimstance tasks compare ada.jsonl bea.jsonl -o disagreements.jsonl
    """
    from claimstance import second_pass
    from claimstance.cli.corpus import say_agreement
    from claimstance.records import write_records

    passes = second_pass.read_passes(first, second)
    say_agreement("", second_pass.agreement(passes))
    once = len(passes.first) - len(passes.second)
    if once:
        typer.echo(f"labelled in {first} only: {counted(once, 'sentence')}")
    found = second_pass.disagreements(passes)
    write_records(output, found)
    typer.echo(f"wrote {output}: {counted(len(found), 'disagreement')} to settle")


@app.command("settle")
def settle(
    first: First,
    second: Second,
    decisions: Annotated[
        Path,
        typer.Option(help="JSONL: article_id, position, the labels that hold, and the reason."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The labels that hold, .jsonl.")],
) -> None:
    """Make one set of labels of two.

    Every disagreement needs a decision and its reason.

    \b
    Example:
      claimstance tasks settle ada.jsonl bea.jsonl --decisions decisions.jsonl -o gold.jsonl
    """
    from claimstance import second_pass
    from claimstance.annotation import SettledLabels
    from claimstance.records import read_records, write_records

    must_be_new(output)
    passes = second_pass.read_passes(first, second)
    # With no disagreement there may be nothing to decide, and no file.
    none = not decisions.exists() and not second_pass.disagreements(passes)
    decided = [] if none else read_records(decisions, SettledLabels)
    gold = second_pass.settle(passes, decided, str(decisions))
    write_records(output, gold)
    typer.echo(f"wrote {output}: {counted(len(gold), 'labelled sentence')}, {len(decided)} decided")


@app.command("corpus")
def corpus(
    gold: Annotated[list[Path], typer.Argument(help="Labels, settled or one person's, in JSONL.")],
    sheets: SheetOption,
    base: Annotated[Path, typer.Option(help="Corpus folder: its dev, and its train to add to.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new corpus folder.")],
    alone: Annotated[
        bool, typer.Option("--alone", help="Leave the train split of the base out.")
    ] = False,
) -> None:
    """Make a corpus to train on from labelled tasks.

    Each task becomes an article of its own in train; the sentences before it are read as
    context and have no labels.

    \b
    Example:
      claimstance tasks corpus gold.jsonl --tasks sheet.jsonl --base data/corpus -o more/corpus
    """
    from claimstance.task_corpus import build_corpus, task_articles
    from claimstance.tasks import read_labels, read_tasks

    must_be_free(output)
    labels = [sentence for path in gold for sentence in read_labels(path)]
    new = task_articles(labels, read_tasks(sheets), ", ".join(map(str, gold)))
    train = build_corpus(new, base, output, alone=alone)
    total = sum(len(a.sentences) for a in train)
    typer.echo(
        f"wrote {output}: {counted(total, 'labelled sentence')} in train, {len(new)} of them new"
    )
