"""Commands that make models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claimstance.errors import InputError
from claimstance.recipes import BaselineRecipe, load_recipe


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe in TOML; see training/recipes.")],
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted training stopped.")
    ] = False,
) -> None:
    """Train a model by a recipe.

    \b
    Examples:
      claimstance train training/recipes/minilm.toml --out models/minilm
      claimstance train training/recipes/minilm.toml --out models/minilm --resume
      accelerate launch -m claimstance train training/recipes/minilm.toml --out models/minilm
    """
    loaded = load_recipe(recipe)
    if isinstance(loaded, BaselineRecipe):
        if resume:
            raise InputError(
                "--resume",
                expected="a recipe of a transformer",
                found="one of a baseline, which trains in seconds and keeps no checkpoints",
                fix="start anew without --resume",
            )
        from claimstance.baseline import train_baseline

        train_baseline(loaded, out)
    else:
        from claimstance.training import train_transformer

        train_transformer(loaded, out, resume=resume)
    typer.echo(f"wrote {out}")


def export(
    model: Annotated[Path, typer.Argument(help="Folder of a trained transformer.")],
    out: Annotated[Path, typer.Option(help="Folder to write the ONNX model to.")],
    corpus: Annotated[Path, typer.Option(help="Corpus folder; its dev split is the gate.")],
    quantise: Annotated[bool, typer.Option(help="Store weights in int8.")] = True,
) -> None:
    """Export a trained model to ONNX, and check it against the trained one on dev.

    \b
    Example:
      claimstance export models/minilm --out models/minilm-int8 --corpus data/corpus
    """
    from claimstance.corpus import load_split
    from claimstance.export import export_model
    from claimstance.inference import ONNX_FILE

    gate = export_model(model, out, load_split(corpus, "dev"), quantise=quantise)
    typer.echo(
        f"same stance on {gate.stance_same:.2%} and same certainty on {gate.certainty_same:.2%} "
        f"of {gate.sentences} dev sentences\n"
        f"macro-F1 lost on dev: stance {gate.stance_drop:+.2f}, "
        f"certainty {gate.certainty_drop:+.2f} points\n"
        f"wrote {out} ({(out / ONNX_FILE).stat().st_size / 1e6:.1f} MB)"
    )
