"""What a batch of training is made of: the corpus cut into windows, with its labels.

Each view of an article is cut anew, so that the network meets a sentence in windows
of several lengths. Sentences without labels are read and do not count in the loss.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from torch import Tensor

from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.model import IGNORED
from claimstance.recipes import WindowRecipe
from claimstance.records import Prediction, read_records
from claimstance.settings import WindowSettings
from claimstance.spans import find_spans, tags_of_tokens
from claimstance.windows import (
    EncodedArticle,
    Window,
    cut_windows,
    encode_article,
    last_that_fits,
    make_window,
    stack_windows,
)

#: What a teacher says of each sentence, by article.
Teacher = Mapping[str, Sequence[Prediction]]


def window_settings(tokenizer: Tokenizer, recipe: WindowRecipe) -> WindowSettings:
    """The recipe's lengths, with the ids of the tokenizer's own special tokens."""
    # An empty text shows which tokens open and close: [CLS] and [SEP], <s> and </s>.
    special = tokenizer.encode("").ids
    if len(special) != 2:
        raise InputError(
            "the backbone's tokenizer",
            expected="one special token before a text and one after it",
            found=f"{len(special)} in all",
            fix="choose a backbone of the BERT, MPNet, RoBERTa or DeBERTa family",
        )
    pad = next(i for name in ("[PAD]", "<pad>") if (i := tokenizer.token_to_id(name)) is not None)
    return WindowSettings(
        max_tokens=recipe.max_tokens,
        title_tokens=recipe.title_tokens,
        context_sentences=recipe.context_sentences,
        cls_id=special[0],
        sep_id=special[1],
        pad_id=pad,
    )


def window_dataset(
    articles: Sequence[LabelledArticle],
    tokenizer: Tokenizer,
    settings: WindowSettings,
    *,
    views: WindowRecipe | None = None,
    seed: int = 0,
    teacher: Teacher | None = None,
) -> Dataset:
    """Windows with their labels, one a row.

    The first view of each article is cut as it is for classifying; with a recipe for
    more views, those are cut at random. With a teacher, a row holds its probabilities too: 0 for
    articles of which it says nothing.
    """
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for article in articles:
        encoded = encode_article(tokenizer, article.facts.title, article.texts, settings)
        unlabelled = len(article.facts.context)
        # Nothing is learnt from a window whose sentences all come before the labelled ones.
        windows = [w for w in cut_windows(encoded, settings) if w.first + w.count > unlabelled]
        if views:
            for _ in range(views.views - 1):
                windows += _random_windows(encoded, unlabelled, settings, views, rng)
        rows += [_row(article, window, teacher) for window in windows]
    return Dataset.from_list(rows)


def load_teacher(path: Path, articles: Sequence[LabelledArticle]) -> Teacher:
    """Read a teacher's predictions for every sentence of some articles.

    Raises:
        InputError: if the file is missing or broken, or lacks a sentence.
    """
    predictions = {(p.article_id, p.position): p for p in read_records(path, Prediction)}
    sentences = [(a.facts.article_id, i, text) for a in articles for i, text in enumerate(a.texts)]
    for article_id, position, text in sentences:
        known = predictions.get((article_id, position))
        if known is None or known.text != text or not known.certainty_probabilities:
            raise InputError(
                str(path),
                expected=f"probabilities for sentence {position} of article "
                f"{article_id}, as it is now",
                found="another text" if known and known.text != text else "none",
                fix="classify the articles anew with the teacher",
            )
    return {
        a.facts.article_id: [predictions[a.facts.article_id, i] for i in range(len(a.texts))]
        for a in articles
    }


def _random_windows(
    article: EncodedArticle,
    unlabelled: int,
    settings: WindowSettings,
    recipe: WindowRecipe,
    rng: random.Random,
) -> Iterator[Window]:
    """Cut an article into windows of random length, each labelled sentence in exactly one.

    Where sentences without labels come first, the first window begins with some of them.
    """
    untitled = EncodedArticle([], False, article.sentences)
    position, total = unlabelled, len(article.sentences)
    while position < total:
        source = untitled if rng.random() < recipe.untitled_share else article
        single = rng.random() < recipe.single_share
        may_have_context = recipe.random_context or position == unlabelled
        most = min(position, settings.context_sentences) if may_have_context else 0
        first = position - (rng.randint(0, most) if most else 0)
        longest = last_that_fits(source, first, position, settings)
        last = position + 1 if single else rng.randint(position + 1, longest)
        yield make_window(source, first, last, position - first, settings)
        position = last


def _row(article: LabelledArticle, window: Window, teacher: Teacher | None) -> dict[str, Any]:
    """A window and its labels as one row of a dataset."""
    row = _labels(article, window)
    if teacher:
        said = teacher.get(article.facts.article_id)
        own = said[window.first : window.first + window.count] if said else [None] * window.count
        row["stance_teacher"] = [
            [p.stance_probabilities[x] if p else 0.0 for x in STANCES] for p in own
        ]
        row["certainty_teacher"] = [
            [p.certainty_probabilities[x] if p else 0.0 for x in CERTAINTIES] for p in own
        ]
    return row


def _labels(article: LabelledArticle, window: Window) -> dict[str, Any]:
    skipped = _without_labels(article, window)
    ignored = [IGNORED] * skipped
    start = window.first + skipped - len(article.facts.context)
    own = article.sentences[start : start + window.count - skipped]
    return {
        "length": len(window.input_ids),
        "count": window.count,
        "input_ids": window.input_ids,
        "sentence_of": window.sentence_of,
        "stance_labels": ignored + [STANCES.index(s.stance) for s in own],
        "certainty_labels": ignored
        + [CERTAINTIES.index(s.certainty) if s.certainty else IGNORED for s in own],
        "tag_labels": _tag_labels(article, window),
    }


def _without_labels(article: LabelledArticle, window: Window) -> int:
    """How many sentences at a window's beginning are there to be read only."""
    return max(window.context, len(article.facts.context) - window.first)


def _tag_labels(article: LabelledArticle, window: Window) -> list[int]:
    labels = [IGNORED] * len(window.input_ids)
    for index in range(_without_labels(article, window), window.count):
        sentence = article.sentences[window.first + index - len(article.facts.context)]
        tokens = [t for t, owner in enumerate(window.sentence_of) if owner == index][:-1]
        spans = find_spans(sentence.text, sentence.source, sentence.cues)
        tags = tags_of_tokens([window.offsets[t] for t in tokens], spans)
        for token, tag in zip(tokens, tags, strict=True):
            labels[token] = tag
    return labels


def collate(rows: Sequence[dict[str, Any]], pad_id: int) -> dict[str, Tensor]:
    """Make one batch of rows: model inputs, those of the context too, and padded labels."""
    windows = [Window(0, 0, row["count"], row["input_ids"], row["sentence_of"], []) for row in rows]
    arrays = dict(stack_windows(windows, pad_id))
    for name in ("stance_labels", "certainty_labels", "tag_labels"):
        width = max(len(row[name]) for row in rows)
        padded = [row[name] + [IGNORED] * (width - len(row[name])) for row in rows]
        arrays[name] = np.asarray(padded, dtype=np.int64)
    for name in ("stance_teacher", "certainty_teacher"):
        if name in rows[0]:
            width, labels = max(len(row[name]) for row in rows), len(rows[0][name][0])
            taught = np.zeros((len(rows), width, labels), dtype=np.float32)
            for index, row in enumerate(rows):
                taught[index, : len(row[name])] = row[name]
            arrays[name] = taught
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
