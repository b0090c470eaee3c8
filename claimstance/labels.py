"""The labels: their names, their order, and what each one means.

This is the only place that defines them. A model's output vector, a table's
rows and a report's legend all follow the order of the tuples below.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

Stance = Literal["asserted", "attributed", "disputed", "unproven", "refuted", "no_claim"]
Certainty = Literal["certain", "probable", "possible"]

STANCES: Final[tuple[Stance, ...]] = get_args(Stance)
#: From the firmest to the most open: the order is a scale.
CERTAINTIES: Final[tuple[Certainty, ...]] = get_args(Certainty)

#: What the text does with the main claim of the sentence.
STANCE_MEANING: Final[dict[Stance, str]] = {
    "asserted": "states it in its own voice",
    "attributed": "puts it in a source's mouth",
    "disputed": "sets another version against it",
    "unproven": "says that support for it is missing",
    "refuted": "says that it is false",
    "no_claim": "puts forward nothing that could be checked",
}

#: How firmly the voice that makes the claim commits to it.
CERTAINTY_MEANING: Final[dict[Certainty, str]] = {
    "certain": "commits without reserve, for or against",
    "probable": "holds it more likely than not",
    "possible": "holds it open",
}

#: Tags of the tokens, in the begin-inside-outside scheme (Ramshaw and Marcus 1995).
TAGS: Final[tuple[str, ...]] = ("O", "B-source", "I-source", "B-cue", "I-cue")
