"""Commands that score files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from claimstance.errors import InputError

if TYPE_CHECKING:
    from claimstance.evaluation import PredictedPair
    from claimstance.records import LabelledSentence

_ONLY_GOLD = "Leave out predictions for sentences that the gold file does not have."


def evaluate(
    gold: Annotated[Path, typer.Option(help="Gold sentences: a split of the corpus, in JSONL.")],
    predictions: Annotated[Path, typer.Option(help="Predictions for them, in JSONL.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(help="Folder for scores.json, README.md and confusion.png."),
    ] = None,
    only_gold: Annotated[bool, typer.Option("--only-gold", help=_ONLY_GOLD)] = False,
) -> None:
    """Score predictions against gold labels.

    Each score has a 95% interval, resampled by article.

    \b
    Example:
      claimstance evaluate --gold data/corpus/test.jsonl \\
        --predictions out/test.jsonl --out out/evaluation
    """
    from claimstance import evaluation as ev
    from claimstance.records import LabelledSentence, read_records, write_text

    _must_be_ours(out, "# Evaluation")
    sentences = read_records(gold, LabelledSentence)
    result = ev.evaluate(_pairs(sentences, predictions, only_gold))
    command = f"claimstance evaluate --gold {gold} --predictions {predictions}"
    command += f" --out {out}" if out else ""
    command += " --only-gold" if only_gold else ""
    page = ev.markdown_page(
        result,
        gold=str(gold),
        predictions=str(predictions),
        command=command,
        picture="confusion.png" if out else None,
    )
    if out:
        from claimstance.charts import draw_confusion, save_picture

        save_picture(draw_confusion(result), out / "confusion.png")
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
    only_gold: Annotated[bool, typer.Option("--only-gold", help=_ONLY_GOLD)] = False,
) -> None:
    """Compare two files of predictions, score by score.

    \b
    Example:
      claimstance compare out/old.jsonl out/new.jsonl --gold data/corpus/test.jsonl
    """
    from claimstance import comparison as cp
    from claimstance.records import LabelledSentence, read_records, write_text

    _must_be_ours(out, "# Comparison")
    sentences = read_records(gold, LabelledSentence)
    pairs = [_pairs(sentences, path, only_gold) for path in (first, second)]
    result = cp.compare_predictions(*pairs)
    command = f"claimstance compare {first} {second} --gold {gold}"
    command += f" --out {out}" if out else ""
    command += " --only-gold" if only_gold else ""
    page = cp.comparison_page(result, names=(str(first), str(second)), command=command)
    if out:
        write_text(out / "comparison.json", json.dumps(result.as_dict(), indent=2) + "\n")
        write_text(out / "README.md", page)
    typer.echo(page)


def _must_be_ours(out: Path | None, title: str) -> None:
    """Refuse to write over a README.md that this command did not write."""
    page = out / "README.md" if out else None
    if page and page.exists() and not page.read_text("utf-8", "replace").startswith(f"{title}\n"):
        raise InputError(
            str(page),
            expected=f"no such page, or one of this command, which begins with {title!r}",
            found="another page",
            fix="name another folder",
        )


def _pairs(gold: list[LabelledSentence], path: Path, only_gold: bool) -> list[PredictedPair]:
    from claimstance import evaluation as ev
    from claimstance.records import Prediction, read_records

    predictions = read_records(path, Prediction)
    return ev.pair_up(
        gold, ev.only_gold(gold, predictions) if only_gold else predictions, str(path)
    )
