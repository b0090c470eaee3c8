"""The command that looks for labels that are probably wrong."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Optional

import typer

from claimstance.records import Split
from claimstance.wording import counted


def audit(
    corpus: Annotated[Path, typer.Argument(help="Corpus folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The list to write, .jsonl.")],
    split: Annotated[Split, typer.Option(help="Which split to look at.")] = "train",
    recipe: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(help="Recipe of the model to ask; words and a linear model if not given."),
    ] = None,
    folds: Annotated[int, typer.Option(min=3, help="Trainings; more take longer.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the division into folds.")] = 0,
) -> None:
    """List the sentences whose stance is probably labelled wrong.

    They are to be looked at by the guidelines, one by one. A model that disagrees with a
    label is no reason to change it: it is wrong about hard sentences too.

    \b
    Examples:
      claimstance audit data/corpus -o audit.jsonl
      claimstance audit data/corpus --recipe training/recipes/minilm.toml -o audit.jsonl
    """
    from rich.console import Console
    from rich.progress import track

    from claimstance import audit as auditing
    from claimstance.corpus import load_split
    from claimstance.recipes import load_recipe
    from claimstance.records import write_records

    articles = load_split(corpus, split)
    asked = load_recipe(recipe) if recipe else auditing.default_recipe(seed)
    console = Console(stderr=True)
    bar = partial(
        track, description="folds", console=console, transient=True, disable=not console.is_terminal
    )
    found = auditing.audit(articles, asked, folds=folds, seed=seed, watch=bar)
    write_records(output, found)
    total = sum(len(a.sentences) for a in articles)
    typer.echo(
        f"wrote {output}: {len(found)} of {counted(total, 'sentence')}, the likeliest error first. "
        "Look at each by the guidelines; do not take over what the model says."
    )
