"""Scores a model on sentences of real text that people labelled for other projects.

    python evaluation/external.py --datasets FOLDER [--model FOLDER] [--most NUMBER]

Sets that ``FOLDER`` does not hold are skipped, and named. Writes
``evaluation/results/external.md``. What each set asks, and how our labels answer it,
stands in ``claimstance/external.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from make_results import RESULTS

from claimstance.external import SETS, ExternalScore, score_set
from claimstance.inference import SHIPPED, load_model
from claimstance.records import write_text
from claimstance.statistics import RESAMPLES, SEED


def main() -> None:
    """Score every set that is at hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="default: the one that ships")
    parser.add_argument("--most", type=int, help="at most so many sentences of a set")
    arguments = parser.parse_args()

    model = load_model(arguments.model)
    scores: list[ExternalScore] = []
    skipped: list[str] = []
    for external in SETS:
        found = score_set(external, model, arguments.datasets, most=arguments.most)
        if found:
            scores.append(found)
        else:
            skipped.append(f"{external.name}: {external.file} is not there")
    options = f" --model {arguments.model}" if arguments.model != SHIPPED else ""
    options += f" --most {arguments.most}" if arguments.most else ""
    text = page(model.settings.name, scores, skipped, options)
    write_text(RESULTS / "external.md", text)
    print(text)


def page(model: str, scores: list[ExternalScore], skipped: list[str], options: str) -> str:
    """The table, and what was left out."""
    rows = [f"| {s.name} | {s.sentences} | {s.measure} | {s.score} |" for s in scores]
    return "\n".join(
        [
            "# On other people's labels",
            "",
            f"Made by `python evaluation/external.py --datasets FOLDER{options}` (FOLDER: your "
            "copies of the sets; see [evaluation/README.md](../README.md)).",
            "",
            f"Model: `{model}`. No model of this project was trained on these sets. In brackets: "
            f"bootstrap 95% intervals, {RESAMPLES} resamples by article (science certainty: by "
            f"sentence; Emergent: by rumour), seed {SEED}.",
            "",
            "| set | sentences | measure | score |",
            "| --- | --: | --- | --: |",
            *rows,
            "",
            *(f"- skipped: {line}" for line in skipped),
            *([""] if skipped else []),
        ]
    )


if __name__ == "__main__":
    main()
