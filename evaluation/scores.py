"""Scores from the files of the results folder: what the pages are made of.

Reads predictions and gold labels, knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from claimstance import neutrality
from claimstance.abstention import threshold_for
from claimstance.annotation import DataFolder
from claimstance.behaviour import Outcome, judge_cases, read_cases
from claimstance.conformal import ConformalScore, score_sets
from claimstance.corpus import load_split
from claimstance.errors import InputError
from claimstance.evaluation import PredictedPair, pair_up
from claimstance.gate import Gate, compare_labels
from claimstance.neutrality import PairScore, score_pairs
from claimstance.probabilities import (
    ACCURACIES_SHOWN,
    ProbabilityScore,
    grade_certainties,
    grade_stances,
    score_probabilities,
)
from claimstance.records import LabelledSentence, Prediction, Record, Split, read_records
from claimstance.settings import ModelSettings
from claimstance.slices import (
    SliceName,
    SliceScore,
    length_name,
    quotation_name,
    score_slices,
)

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "evaluation" / "results"
SUITES = ROOT / "evaluation" / "behaviour"
DATA = DataFolder(ROOT / "data")

#: Pairs of gold and prediction, article by article.
Articles = list[list[PredictedPair]]


def read_pairs(results: Path, system: str, split: Split) -> list[PredictedPair]:
    """The gold sentences of a split beside what a system says of them."""
    gold = [s for article in load_split(DATA.corpus, split) for s in article.sentences]
    path = results / system / f"{split}.jsonl"
    return pair_up(gold, read_records(path, Prediction), str(path))


@dataclass(frozen=True, slots=True)
class Worth:
    """What the probabilities on some sentences are worth, and the label sets made by dev.

    There are no sets for dev itself.
    """

    stance: ProbabilityScore
    certainty: ProbabilityScore
    sets: list[ConformalScore]


def score_worth(dev: Articles, measured: Articles, settings: ModelSettings) -> Worth:
    """Score probabilities at the model's own thresholds; label sets are calibrated on dev."""
    stances = grade_stances(measured)
    return Worth(
        stance=score_probabilities(stances, thresholds=thresholds(settings)),
        certainty=score_probabilities(grade_certainties(measured)),
        sets=[] if measured is dev else score_sets(grade_stances(dev), stances),
    )


def thresholds(settings: ModelSettings) -> dict[float, float]:
    """The model's thresholds for the accuracies that the page shows, as far as it has any."""
    found: dict[float, float] = {}
    for accuracy in ACCURACIES_SHOWN:
        try:
            found[accuracy] = threshold_for(settings, accuracy)
        except InputError:  # dev showed none
            continue
    return found


def score_real_slices(articles: Articles) -> list[SliceScore]:
    """Score the slices of real news, where only the dataset and the text are known."""

    def names(sentence: LabelledSentence) -> list[SliceName]:
        return [
            ("dataset", sentence.article_id.partition("-")[0]),
            ("length", length_name(sentence.text)),
            ("quotation", quotation_name(sentence.text)),
            ("context", "sentences before it" if sentence.position else "none"),
        ]

    return score_slices(articles, names)


def score_behaviour(results: Path, system: str) -> list[Outcome]:
    """Judge the behaviour suites by a system's predictions."""
    path = results / system / "behaviour.jsonl"
    return judge_cases(read_cases(SUITES), read_records(path, Prediction), str(path))


def score_neutrality(results: Path, system: str) -> list[PairScore]:
    """Score the pairs of parties by a system's predictions."""
    path = results / system / "neutrality.jsonl"
    frames, pairs = neutrality.read_frames(SUITES)
    return score_pairs(frames, pairs, read_records(path, Prediction), str(path))


def export_cost(results: Path, trained: str, exported: str) -> Gate:
    """Compare the labels of dev before and after the export, from their files."""
    before, after = (read_pairs(results, name, "dev") for name in (trained, exported))
    gold = [sentence for sentence, _ in before]
    return compare_labels(gold, *([p for _, p in pairs] for pairs in (before, after)))


class SystemCost(Record):
    """One system's entry in ``rivals.json``; see `evaluation/rivals.py`."""

    name: str
    label: str
    made_of: str
    training_processor_seconds: float | None
    training_wall_seconds: float | None
    sentences_per_second: float | None
    sentences_per_second_range: tuple[float, float] | None
    megabytes: float


class RivalCosts(Record):
    """The contents of ``rivals.json``: what each system costs, on one machine in one run."""

    machine: str
    threads: int
    rounds: int
    sentences: int
    systems: tuple[SystemCost, ...]

    def of(self, name: str) -> SystemCost | None:
        """The entry of a system."""
        return next((s for s in self.systems if s.name == name), None)


def read_costs(results: Path) -> RivalCosts | None:
    """Read ``rivals.json``; None if there is none.

    Raises:
        InputError: if it is another version's.
    """
    path = results / "rivals.json"
    if not path.exists():
        return None
    try:
        return RivalCosts.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            str(path),
            expected="the costs of the systems as this version measures them",
            found=error.errors()[0]["msg"],
            fix="measure them again: make rivals",
        ) from None
