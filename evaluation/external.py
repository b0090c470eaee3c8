"""Scores a model on sentences of real text that people labelled for other projects.

    python evaluation/external.py --datasets FOLDER [--model FOLDER] [--most NUMBER]

``FOLDER`` holds a folder for each set as its publisher gives it (``evaluation/sets/``
says what goes where). Sets that are not there are skipped, and named. What each set
asks, and how our labels answer it, stands in ``claimstance/external.py``.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from claimstance.errors import InputError, run_script
from claimstance.external import SETS, ExternalScore, score_set
from claimstance.inference import SHIPPED, load_model
from claimstance.prediction import predict
from claimstance.statistics import RESAMPLES, SEED


def main() -> None:
    """Score every set that is at hand, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="default: the one that ships")
    parser.add_argument("--most", type=int, help="at most so many sentences of a set")
    arguments = parser.parse_args()

    if not arguments.datasets.is_dir():
        raise InputError(
            "--datasets", expected="a folder", found=str(arguments.datasets), fix="check the path"
        )
    model = load_model(arguments.model)
    scores: list[ExternalScore] = []
    skipped: list[str] = []
    for external in SETS:
        found = score_set(
            external, partial(predict, model), arguments.datasets, most=arguments.most
        )
        if found:
            scores.append(found)
        else:
            skipped.append(
                f"{external.name}: neither {external.folder}/ nor {external.file} is there"
            )
    print(table(model.settings.name, scores, skipped))


def table(model: str, scores: list[ExternalScore], skipped: list[str]) -> str:
    """The scores, and what was left out."""
    return "\n".join(
        [
            f"Model: `{model}`. In brackets: bootstrap 95% intervals, {RESAMPLES} resamples by "
            f"article (science certainty: by sentence; Emergent: by rumour), seed {SEED}.",
            "",
            "| set | sentences | measure | score |",
            "| --- | --: | --- | --: |",
            *(f"| {s.name} | {s.sentences} | {s.measure} | {s.score} |" for s in scores),
            "",
            *(f"- skipped: {line}" for line in skipped),
        ]
    )


if __name__ == "__main__":
    run_script(main)
