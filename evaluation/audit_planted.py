"""Does the audit find errors in labels? Plants some, and sees which it lists.

    python evaluation/audit_planted.py [--corpus data/corpus]

In a share of train's sentences, drawn by chance, the stance is changed to another, also
by chance; then `claimstance audit` looks at the whole split with its usual model. Three
seeds. Writes ``evaluation/results/audit.md`` and ``audit.json``.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from claimstance.audit import audit, default_recipe
from claimstance.corpus import LabelledArticle, load_split
from claimstance.errors import run_script
from claimstance.labels import STANCES
from claimstance.records import LabelledSentence, write_text

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "evaluation" / "results"
SEEDS: Final = (13, 14, 15)
SHARE: Final = 0.05
#: How many of the list's beginning are also counted by themselves.
SHOWN: Final = 100

Place = tuple[str, int]


def main() -> None:
    """Plant and look, seed by seed; then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=ROOT / "data" / "corpus")
    arguments = parser.parse_args()
    train = load_split(arguments.corpus, "train")
    runs = []
    for seed in SEEDS:
        runs.append(run(train, seed))
        print(runs[-1], flush=True)
    write_text(RESULTS / "audit.json", json.dumps(runs, indent=2) + "\n")
    write_text(RESULTS / "audit.md", "\n".join(page(runs)) + "\n")


def run(articles: Sequence[LabelledArticle], seed: int) -> dict[str, Any]:
    """Plant errors with a seed, audit, and count what was found."""
    changed, planted = plant(articles, SHARE, seed)
    listed = [(s.article_id, s.position) for s in audit(changed, default_recipe(seed), seed=seed)]
    total = sum(len(a.sentences) for a in articles)
    return {"seed": seed, "sentences": total, **count(listed, planted)}


def plant(
    articles: Sequence[LabelledArticle], share: float, seed: int
) -> tuple[list[LabelledArticle], set[Place]]:
    """Change a share of the stances; where, is given back."""
    rng = random.Random(seed)
    places = [(s.article_id, s.position) for a in articles for s in a.sentences]
    planted = set(rng.sample(places, round(share * len(places))))
    changed = [
        LabelledArticle(
            a.facts,
            tuple(
                _wrong(s, rng) if (s.article_id, s.position) in planted else s for s in a.sentences
            ),
        )
        for a in articles
    ]
    return changed, planted


def _wrong(sentence: LabelledSentence, rng: random.Random) -> LabelledSentence:
    """The sentence with another stance, and a certainty that can go with it."""
    stance = rng.choice([s for s in STANCES if s != sentence.stance])
    certainty = None if stance == "no_claim" else sentence.certainty or "certain"
    return sentence.model_copy(update={"stance": stance, "certainty": certainty})


def count(listed: Sequence[Place], planted: set[Place]) -> dict[str, Any]:
    """How many of the listed are planted, of all and of as many as were planted."""
    hits = [place in planted for place in listed]
    return {
        "planted": len(planted),
        "listed": len(listed),
        "precision": round(sum(hits) / max(1, len(hits)), 4),
        "recall": round(sum(hits) / len(planted), 4),
        "precision_at_first": round(sum(hits[:SHOWN]) / SHOWN, 4),
        "precision_at_planted": round(sum(hits[: len(planted)]) / len(planted), 4),
    }


def page(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The table, and how to read it."""
    yield "# Errors planted in labels"
    yield ""
    yield (
        f"Made by `python evaluation/audit_planted.py`: in {SHARE:.0%} of the "
        f"{runs[0]['sentences']} sentences of train the stance is changed to another by chance, "
        "and `claimstance audit` lists what it takes for errors, by the TF-IDF baseline. Seeds "
        f"{', '.join(str(run['seed']) for run in runs)}: the mean, in brackets the lowest and the "
        f"highest. What is listed and was not planted counts as wrong here; some of it may be "
        f"errors of the corpus itself. A list in any order would be right in {SHARE:.0%}."
    )
    yield ""
    yield "| | |"
    yield "| --- | --: |"
    yield f"| errors planted | {runs[0]['planted']} |"
    yield f"| sentences listed | {_spread(runs, 'listed', '.0f')} |"
    yield f"| of the listed, planted (precision) | {_spread(runs, 'precision')} |"
    yield f"| of the planted, listed (recall) | {_spread(runs, 'recall')} |"
    yield f"| of the first {SHOWN} listed, planted | {_spread(runs, 'precision_at_first')} |"
    yield (
        f"| of the first {runs[0]['planted']} listed, planted | "
        f"{_spread(runs, 'precision_at_planted')} |"
    )
    yield ""
    yield (
        "A planted stance is any other one, drawn evenly. A person errs towards the stance that "
        "is most like the right one, which is harder to find."
    )
    yield ""


def _spread(runs: Sequence[Mapping[str, Any]], name: str, form: str = ".3f") -> str:
    found = [run[name] for run in runs]
    return f"{np.mean(found):{form}} [{min(found):{form}}, {max(found):{form}}]"


if __name__ == "__main__":
    run_script(main)
