"""Which sentences to label next.

Three reasons to choose a sentence, each put in words and with its number in the task:
the model is *uncertain* of its stance, the sentence probably has a *rare* stance, or it
is *diverse*, unlike what has been chosen so far. ``mixed`` takes one of each in turn;
the alternatives are the uncertain ones alone, and chance.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from claimstance.articles import Article
from claimstance.inference import LOOK_AHEAD, Model, chunks, classify
from claimstance.labels import STANCES, Stance
from claimstance.records import Prediction
from claimstance.tasks import CONTEXT_SENTENCES, Suggestion, Task, in_reading_order

Strategy = Literal["mixed", "uncertain", "random"]
Floats = npt.NDArray[np.float64]

#: How many stances count as rare: those that the fewest sentences probably have.
RARE_STANCES: Final = 3
#: The probability from which on a model counts as sure of a stance.
SURE: Final = 0.9
#: Length of a sentence's vector; multiple of 8.
DIMENSIONS: Final = 128

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that could be chosen."""

    article: Article
    position: int
    prediction: Prediction | None

    @property
    def text(self) -> str:
        """The sentence."""
        return self.article.sentences[self.position].text


#: The best candidates first, as indices, each with the reason in words.
Ranking = Iterator[tuple[int, str]]


def sample(
    articles: Iterable[Article],
    count: int,
    *,
    model: Model | None,
    strategy: Strategy = "mixed",
    seed: int = 0,
    known: Iterable[str] = (),
) -> list[Task]:
    """Choose sentences to label, in reading order.

    Args:
        articles: where to choose from.
        count: how many; there are fewer only if there are not so many different sentences.
        model: what to go by, and what is kept as the suggestion; only chance does without.
        strategy: how to choose.
        seed: decides what is left to chance. The same articles, model and seed give the
            same tasks.
        known: texts that are not to be chosen, such as those labelled before.

    Raises:
        ValueError: if there is no model, and the strategy is not chance.
    """
    candidates = _candidates(articles, model, known)
    if model is None and strategy != "random":
        raise ValueError(f"the strategy {strategy!r} needs a model")
    chosen = _choose(candidates, count, strategy, seed)
    return in_reading_order(_task(candidates[i], reason) for i, reason in chosen.items())


def _candidates(
    articles: Iterable[Article], model: Model | None, known: Iterable[str]
) -> list[Candidate]:
    """All sentences but the known ones; of sentences that say the same, the first."""
    seen = {_plain(text) for text in known}
    found: list[Candidate] = []
    for chunk in chunks(articles, LOOK_AHEAD):
        predictions = list(classify(model, chunk)) if model else [None] * len(chunk)
        for article, said in zip(chunk, predictions, strict=True):
            for position, span in enumerate(article.sentences):
                plain = _plain(span.text)
                if plain not in seen:
                    seen.add(plain)
                    found.append(Candidate(article, position, said[position] if said else None))
    return found


def _plain(text: str) -> str:
    """What two sentences have in common that differ in case, spaces and signs only."""
    return " ".join(_WORD.findall(text.casefold())) or text


def _choose(
    candidates: Sequence[Candidate], count: int, strategy: Strategy, seed: int
) -> dict[int, str]:
    """Indices of the candidates that are chosen, each with the reason."""
    rng = np.random.default_rng(seed)
    if strategy == "random":
        return {int(i): "random" for i in rng.permutation(len(candidates))[:count]}
    chosen: dict[int, str] = {}
    probabilities = _probabilities(candidates)
    rankings = [_uncertain(probabilities)]
    if strategy == "mixed":
        rows = vectors([candidate.text for candidate in candidates])
        rankings += [_rare(probabilities), _diverse(rows, rng, chosen)]
    for turn in range(min(count, len(candidates))):
        ranking = rankings[turn % len(rankings)]
        index, reason = next((i, why) for i, why in ranking if i not in chosen)
        chosen[index] = reason
    return chosen


def _probabilities(candidates: Sequence[Candidate]) -> Floats:
    """Probabilities of the stances, shape (candidates, stances)."""
    rows = [
        [c.prediction.stance_probabilities[stance] for stance in STANCES]
        for c in candidates
        if c.prediction
    ]
    return np.asarray(rows, dtype=np.float64).reshape(-1, len(STANCES))


def _uncertain(probabilities: Floats) -> Ranking:
    """By entropy (Lewis and Gale 1994 on uncertainty sampling), the highest first."""
    safe = np.maximum(probabilities, 1e-12)
    entropy = -(safe * np.log(safe)).sum(axis=1)
    for index in np.argsort(-entropy, kind="stable"):
        first, second = np.argsort(-probabilities[index], kind="stable")[:2]
        said = ", ".join(f"{probabilities[index, i]:.2f} {STANCES[i]}" for i in (first, second))
        yield int(index), f"uncertain: {said}"


def _rare(probabilities: Floats) -> Ranking:
    """In turn for each stance that few sentences have, by its probability.

    Sentences of which the model is sure come last: they would teach it little.
    """
    stances = np.argsort(probabilities.sum(axis=0), kind="stable")[:RARE_STANCES]
    shares = probabilities.mean(axis=0) if len(probabilities) else np.zeros(len(STANCES))
    sure = probabilities.max(axis=1) >= SURE
    orders = [np.lexsort((-probabilities[:, stance], sure)) for stance in stances]
    for rank in range(len(probabilities)):
        for stance, order in zip(stances, orders, strict=True):
            index = int(order[rank])
            yield (
                index,
                f"rare: {probabilities[index, stance]:.2f} {STANCES[stance]}, expected in "
                f"{shares[stance]:.1%} of the sentences",
            )


def vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Sentences as vectors of length 1: TF-IDF, projected at random to fewer dimensions.

    Each word has a vector of signs that its hash decides, so that no vocabulary is kept
    and nothing but numpy is needed (Achlioptas 2003, "Database-friendly random projections").

    Returns:
        Shape (texts, `DIMENSIONS`).
    """
    counts = [Counter(_WORD.findall(text.casefold())) for text in texts]
    documents = Counter(word for words in counts for word in words)
    rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    signs: dict[str, npt.NDArray[np.float32]] = {}
    for row, words in zip(rows, counts, strict=True):
        for word, times in words.items():
            if word not in signs:
                signs[word] = _signs(word) * math.log(1 + len(texts) / documents[word])
            row += (1 + math.log(times)) * signs[word]
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def _signs(word: str) -> npt.NDArray[np.float32]:
    digest = hashlib.blake2b(word.encode(), digest_size=DIMENSIONS // 8).digest()
    bits = np.unpackbits(np.frombuffer(digest, dtype=np.uint8))
    return np.where(bits == 1, 1, -1).astype(np.float32)


def _diverse(
    rows: npt.NDArray[np.float32], rng: np.random.Generator, chosen: Mapping[int, str]
) -> Ranking:
    """Drawn in proportion to the squared distance from the nearest that is chosen by then.

    Source: Arthur and Vassilvitskii 2007, "k-means++". Always to take the very furthest
    would choose oddities.
    """
    nearest: Floats = np.full(len(rows), 2.0)  # as far as vectors of length 1 can be
    counted = 0
    while True:
        for index in list(chosen)[counted:]:
            likeness = np.clip((rows @ rows[index]).astype(np.float64), -1, 1)
            nearest = np.minimum(nearest, np.sqrt(2 - 2 * likeness))
        counted = len(chosen)
        free = np.ones(len(rows))
        free[list(chosen)] = 0
        weights = np.square(nearest) * free
        if not weights.any():
            weights = free
        index = int(rng.choice(len(rows), p=weights / weights.sum()))
        yield index, f"diverse: {nearest[index]:.2f} away from all chosen before, of 2"


def _task(candidate: Candidate, reason: str) -> Task:
    article, position = candidate.article, candidate.position
    before = article.sentences[max(0, position - CONTEXT_SENTENCES) : position]
    span = article.sentences[position]
    return Task(
        article_id=article.id,
        position=position,
        text=span.text,
        start=span.start,
        end=span.end,
        title=article.title,
        context=tuple(s.text for s in before),
        reason=reason,
        suggestion=_suggestion(candidate.prediction) if candidate.prediction else None,
    )


def _suggestion(prediction: Prediction) -> Suggestion:
    stances: dict[Stance, float] = prediction.stance_probabilities
    return Suggestion(
        stance=prediction.stance,
        certainty=prediction.certainty,
        source=prediction.source,
        cues=prediction.cues,
        stance_probabilities=stances,
        model=prediction.model,
    )
