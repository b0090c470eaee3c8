"""What does each choice of the recipe bring? Trains variants with one choice taken back.

    python training/ablations.py --datasets FOLDER [--share 0.5] [--jobs 2] [--only NAME]

The variants are in ``ablations.toml``; each is trained with the same seeds, on the same
share of train's articles, and scored as the learning curve is (`runs`). Every finished
run is a line of ``ablations.jsonl``; a second call does what is missing. At the end
writes the table ``ablations.md``.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from learning_curve import share_of
from runs import DATA, HERE, Plan, Run, add_arguments, do_missing, read_runs, transformer_recipe

from claimstance.corpus import load_split
from claimstance.errors import InputError
from claimstance.recipes import TransformerRecipe
from claimstance.records import write_text

RUNS = HERE / "ablations.jsonl"
VARIANTS = HERE / "ablations.toml"
SEEDS = (13, 14, 15)
#: The recipe as it is.
WHOLE = "the recipe"


def main() -> None:
    """Do the runs that are missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, work="ablations")
    parser.add_argument("--share", type=float, default=0.5, help="share of train to train on")
    variants = read_variants(VARIANTS)
    parser.add_argument(
        "--only", action="append", choices=variants, help="a variant; the others are left out"
    )
    arguments = parser.parse_args()
    recipe_path = arguments.recipe.resolve()
    if not arguments.draw:
        if not arguments.datasets:
            parser.error("name the folder of the datasets with --datasets")
        made_from = [recipe_path, VARIANTS]
        plan = Plan(RUNS, made_from, DATA, arguments.datasets, arguments.work, arguments.most)
        wanted = {WHOLE: {}, **variants}
        if arguments.only:
            wanted = {name: wanted[name] for name in (WHOLE, *arguments.only)}
        runs = all_runs(transformer_recipe(recipe_path), wanted, arguments.share)
        failed = do_missing(runs, plan, arguments.jobs)
        if failed:
            sys.exit("\n".join(failed))
    write_text(HERE / "ablations.md", "\n".join(page(read_runs(RUNS), variants)) + "\n")


def read_variants(path: Path) -> dict[str, dict[str, Any]]:
    """The changes to the recipe by the variant's name; ``what`` says each in words."""
    variants: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    for name, changes in variants.items():
        if "what" not in changes:
            raise InputError(
                f"{path}, {name}", expected="the key 'what'", found="none", fix="describe it"
            )
    return variants


def all_runs(
    recipe: TransformerRecipe, variants: dict[str, dict[str, Any]], share: float
) -> list[Run]:
    """Each variant with each seed; seed by seed, so that what there is can be compared."""
    train = load_split(DATA.corpus, "train")
    return [
        Run(
            {"variant": name, "share": share, "seed": seed},
            change(recipe, changes).model_copy(update={"seed": seed}),
            share_of(train, share, seed),
        )
        for seed in SEEDS
        for name, changes in variants.items()
    ]


def change(recipe: TransformerRecipe, changes: dict[str, Any]) -> TransformerRecipe:
    """The recipe with some keys of its tables replaced.

    Raises:
        pydantic.ValidationError: if a key is unknown or its value out of range.
    """
    content = recipe.model_dump()
    for table, values in changes.items():
        if table != "what":
            content[table] = {**content[table], **values}
    return TransformerRecipe.model_validate(content)


def page(runs: Sequence[dict[str, Any]], variants: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The table: the recipe's scores, and how far each variant is from them, seed by seed.

    Raises:
        InputError: if there are no runs of the recipe itself, or runs of several kinds.
    """
    kinds = {(run["made_of"], run["key"]["share"], tuple(run["scores"])) for run in runs}
    by_variant: dict[str, dict[int, dict[str, float]]] = {}
    for run in runs:
        by_variant.setdefault(run["key"]["variant"], {})[run["key"]["seed"]] = run["scores"]
    whole = by_variant.pop(WHOLE, {})
    if len(kinds) != 1 or not whole:
        raise InputError(
            str(RUNS),
            expected="runs of the recipe and its variants, all made of the same",
            found=f"{len(kinds)} kinds of runs, {len(whole)} of the recipe itself",
            fix="finish the runs, or delete the file and make them anew",
        )
    names = list(runs[0]["scores"])
    yield "# What the choices bring"
    yield ""
    yield (
        f"Made by `python training/ablations.py --datasets FOLDER --share {runs[0]['key']['share']}"
        f"` from the runs in [{RUNS.name}]({RUNS.name}). Trained on "
        f"{np.mean([run['sentences'] for run in runs]):.0f} sentences of train (the same articles "
        "for all variants of a seed), scored on dev, the real-news development set and at most "
        f"{runs[0]['most']} sentences of each external set. First row: the recipe, macro-F1 unless "
        "another measure is named, mean of the seeds, in brackets lowest and highest. Below: what "
        "changes when one choice is taken back, seed against the same seed. A change counts "
        "(**bold**) only if all seeds agree on its direction; with three seeds that happens by "
        "chance alone to one cell in four, so look for rows, not for cells. Nothing here is the "
        f"test split. (Recipe, variants and data: SHA-256 {runs[0]['made_of']}…)"
    )
    yield ""
    yield "| | seeds | " + " | ".join(names) + " |"
    yield "| --- | --: |" + " --: |" * len(names)
    cells = [in_brackets([scores[name] for scores in whole.values()], "") for name in names]
    yield f"| {WHOLE} | {len(whole)} | " + " | ".join(cells) + " |"
    for variant, found in by_variant.items():
        seeds = sorted(set(found) & set(whole))
        cells = [in_brackets([found[s][n] - whole[s][n] for s in seeds], "+") for n in names]
        yield f"| {variant} | {len(seeds)} | " + " | ".join(cells) + " |"
    yield ""
    for variant in by_variant:
        yield f"- **{variant}**: {variants[variant]['what']}"
    yield ""


def in_brackets(values: Sequence[float], sign: str) -> str:
    """The mean and the range; a difference (with ``sign``) in bold if all have one direction."""
    text = f"{np.mean(values):{sign}.3f}"
    if sign and len(values) > 1 and (min(values) > 0 or max(values) < 0):
        text = f"**{text}**"
    return f"{text} [{min(values):{sign}.3f}, {max(values):{sign}.3f}]"


if __name__ == "__main__":
    main()
