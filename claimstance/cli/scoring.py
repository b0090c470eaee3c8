"""Commands that score files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer


def evaluate(
    gold: Annotated[Path, typer.Option(help="Gold sentences: a split of the corpus, in JSONL.")],
    predictions: Annotated[Path, typer.Option(help="Predictions for them, in JSONL.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(help="Folder for scores.json, README.md and confusion.png."),
    ] = None,
) -> None:
    """Score predictions against gold labels, with 95% intervals resampled by article.

    \b
    Example:
      claimstance evaluate --gold data/corpus/test.jsonl \\
        --predictions out/test.jsonl --out out/evaluation
    """
    from claimstance import evaluation as ev
    from claimstance.records import LabelledSentence, Prediction, read_records, write_text

    sentences = read_records(gold, LabelledSentence)
    pairs = ev.pair_up(sentences, read_records(predictions, Prediction), str(predictions))
    result = ev.evaluate(pairs)
    command = f"claimstance evaluate --gold {gold} --predictions {predictions}"
    command += f" --out {out}" if out else ""
    page = ev.markdown_page(result, gold=str(gold), predictions=str(predictions), command=command)
    if out:
        ev.draw_confusion(result, out / "confusion.png")
        write_text(out / "scores.json", json.dumps(result.as_dict(), indent=2) + "\n")
        write_text(out / "README.md", page)
    typer.echo(page)


def compare(
    first: Annotated[Path, typer.Argument(help="Predictions of one model, in JSONL.")],
    second: Annotated[Path, typer.Argument(help="Predictions of another, in JSONL.")],
    gold: Annotated[Path, typer.Option(help="Gold sentences: a split of the corpus, in JSONL.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for comparison.json and README.md."),
    ] = None,
) -> None:
    """Compare two files of predictions, score by score and label by label.

    \b
    Example:
      claimstance compare out/old.jsonl out/new.jsonl --gold data/corpus/test.jsonl
    """
    from claimstance import comparison as cp
    from claimstance.evaluation import pair_up
    from claimstance.records import LabelledSentence, Prediction, read_records, write_text

    sentences = read_records(gold, LabelledSentence)
    pairs = [
        pair_up(sentences, read_records(path, Prediction), str(path)) for path in (first, second)
    ]
    result = cp.compare_predictions(*pairs)
    command = f"claimstance compare {first} {second} --gold {gold}"
    command += f" --out {out}" if out else ""
    page = cp.comparison_page(result, names=(str(first), str(second)), command=command)
    if out:
        write_text(out / "comparison.json", json.dumps(result.as_dict(), indent=2) + "\n")
        write_text(out / "README.md", page)
    typer.echo(page)
