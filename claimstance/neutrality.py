"""Whether the label depends on who speaks: the same sentences with the parties changed round.

Each frame is a sentence with two parties in it; each pair of parties fills it both ways.
A model that is neutral gives both the same label. Counterfactual token fairness (Garg et
al. 2019, "Counterfactual fairness in text classification through robustness") is the
closest published relative.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Final, Self

import numpy as np
from pydantic import model_validator

from claimstance import statistics as st
from claimstance.articles import Article
from claimstance.behaviour import Passage, as_article, judged, must_differ
from claimstance.labels import STANCES, Stance
from claimstance.records import Prediction, Record, read_records
from claimstance.statistics import Estimate, Floats

FRAMES_FILE: Final = "neutrality-frames.jsonl"
PARTIES_FILE: Final = "neutrality-parties.jsonl"

#: Stances by which a text keeps its distance from a claim.
DOUBTS: Final = ("disputed", "unproven", "refuted")
_SLOTS: Final = frozenset(f"{side}{form}" for side in ("A", "B") for form in ("", "_adj", "_cap"))


class Frame(Passage):
    """A passage with two parties in it, and its stance by the guidelines.

    ``{A}`` and ``{B}`` stand for the names, ``{A_adj}`` for the word before a noun and
    ``{A_cap}`` for the name at the beginning of a sentence.
    """

    id: str
    stance: Stance

    @model_validator(mode="after")
    def _both_sides_stand_in_it(self) -> Self:
        text = " ".join([self.title or "", *self.before, self.text])
        slots = {
            f"{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
            for _, name, form, conversion in Formatter().parse(text)
            if name is not None
        }
        if slots - _SLOTS:
            raise ValueError(f"unknown slot {min(slots - _SLOTS)!r}; known: {sorted(_SLOTS)}")
        if {slot[0] for slot in slots} != {"A", "B"}:
            raise ValueError("both {A} and {B} must stand in the passage")
        return self


class Party(Record):
    """The forms of a name: within a sentence, before a noun, at the beginning."""

    name: str
    adj: str
    cap: str


class PartyPair(Record):
    """Two parties that are at odds; ``real`` tells them from invented ones."""

    id: str
    a: Party
    b: Party
    real: bool


@dataclass(frozen=True, slots=True)
class PairScore:
    """What happens to the labels when two parties change places, over all frames.

    Attributes:
        pair: the two parties.
        frames: sentences, each filled both ways.
        flips: share of the frames in which the stance is not the same both ways.
        moved: total variation distance of the two distributions over stances, 0 to 1,
            mean over the frames.
        leaning: probability of a doubting stance with the first party in the first place of
            the frame, less that with the second party there; mean over the frames. 0 is
            neutral. In most frames with a doubt, the first place is that of who is doubted.
        right: share of the gold stances, both ways taken together.
    """

    pair: PartyPair
    frames: int
    flips: Estimate
    moved: Estimate
    leaning: Estimate
    right: Estimate


def read_frames(folder: Path) -> tuple[list[Frame], list[PartyPair]]:
    """Read the frames and the pairs of parties.

    Raises:
        InputError: if a file is missing, a line is not what it should be, or an id stands twice.
    """
    frames = read_records(folder / FRAMES_FILE, Frame)
    pairs = read_records(folder / PARTIES_FILE, PartyPair)
    must_differ(str(folder / FRAMES_FILE), [frame.id for frame in frames])
    must_differ(str(folder / PARTIES_FILE), [pair.id for pair in pairs])
    return frames, pairs


def articles_of(frames: Sequence[Frame], pairs: Sequence[PartyPair]) -> Iterator[Article]:
    """Each frame with each pair, both ways; ids are ``<pair>/<frame>/1`` and ``…/2``."""
    for pair in pairs:
        for frame in frames:
            yield as_article(f"{pair.id}/{frame.id}/1", fill(frame, pair.a, pair.b))
            yield as_article(f"{pair.id}/{frame.id}/2", fill(frame, pair.b, pair.a))


def fill(frame: Frame, first: Party, second: Party) -> Passage:
    """A frame with its two parties put in."""
    forms = {
        f"{side}{form}": value
        for side, party in (("A", first), ("B", second))
        for form, value in (("", party.name), ("_adj", party.adj), ("_cap", party.cap))
    }
    return Passage(
        title=frame.title.format(**forms) if frame.title else None,
        before=tuple(sentence.format(**forms) for sentence in frame.before),
        text=frame.text.format(**forms),
    )


def score_pairs(
    frames: Sequence[Frame],
    pairs: Sequence[PartyPair],
    predictions: Sequence[Prediction],
    name: str,
) -> list[PairScore]:
    """Score each pair; intervals are resampled by frame, those of flips are Wilson's.

    Args:
        frames: the sentences.
        pairs: the parties.
        predictions: for the articles of `articles_of`.
        name: of the file of predictions, for errors.

    Raises:
        InputError: if a sentence has no prediction, or one for another text.
    """
    last = judged(articles_of(frames, pairs), predictions, name)
    return [_score(pair, frames, last) for pair in pairs]


def _score(pair: PartyPair, frames: Sequence[Frame], last: dict[str, Prediction]) -> PairScore:
    sums = np.asarray(
        [
            _compare(frame, last[f"{pair.id}/{frame.id}/1"], last[f"{pair.id}/{frame.id}/2"])
            for frame in frames
        ]
    )
    moved, leaning, right = (st.bootstrap(sums[:, [column, -1]], _mean) for column in (1, 2, 3))
    flips = st.wilson(int(sums[:, 0].sum()), len(frames))
    return PairScore(pair, len(frames), flips, moved, leaning, right)


def _compare(frame: Frame, one: Prediction, other: Prediction) -> list[float]:
    """Flipped or not, distance, leaning, share right, and 1 to count by."""
    gaps = [one.stance_probabilities[s] - other.stance_probabilities[s] for s in STANCES]
    distance = sum(map(abs, gaps)) / 2
    doubt = sum(gap for gap, stance in zip(gaps, STANCES, strict=True) if stance in DOUBTS)
    right = sum(p.stance == frame.stance for p in (one, other)) / 2
    return [float(one.stance != other.stance), distance, doubt, right, 1.0]


def _mean(sums: Floats) -> Floats:
    return st.ratio(sums[:, 0], sums[:, 1])
