"""Commands that make models."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from claimstance.errors import INTERRUPTED, InputError
from claimstance.recipes import BaselineRecipe, load_recipe


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe in TOML; see training/recipes.")],
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted training stopped.")
    ] = False,
) -> None:
    """Train a model by a recipe.

    After Ctrl-C or a crash, --resume goes on from the last epoch that was finished.

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
        from claimstance.training import train_transformer, whole_checkpoints

        stopped = False
        try:
            train_transformer(loaded, out, resume=resume)
        except KeyboardInterrupt:
            stopped = True
        if stopped:
            # The interrupted frames hold the progress bar, which is drawn once more as it goes.
            gc.collect()
            _say_how_to_go_on(out, kept=bool(whole_checkpoints(out)))
    typer.echo(f"wrote {out}")


def _say_how_to_go_on(out: Path, *, kept: bool) -> NoReturn:
    """Say what is left of a training that somebody stopped, and end."""
    if kept:
        said = f"the epochs that were finished are kept in {out}; add --resume to go on"
    else:
        said = f"no epoch was finished, so nothing is kept; empty {out} to begin again"
    typer.echo(f"\nclaimstance: stopped; {said}", err=True)
    raise typer.Exit(INTERRUPTED)


def export(
    model: Annotated[Path, typer.Argument(help="Folder of a trained transformer.")],
    out: Annotated[Path, typer.Option(help="Folder to write the ONNX model to.")],
    corpus: Annotated[Path, typer.Option(help="Corpus folder; its dev split is the gate.")],
    quantise: Annotated[bool, typer.Option(help="Store weights in int8.")] = True,
) -> None:
    """Export a trained model to ONNX, and check it on dev.

    \b
    Example:
      claimstance export models/fast --out models/fast-int8 --corpus data/corpus
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
