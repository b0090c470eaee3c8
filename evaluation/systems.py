"""The systems that are compared: names, what tables call them, how each is loaded.

A system is a function from articles to predictions, whatever stands behind it. Those
that read one sentence at a time share `SentenceModel`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from claimstance.backbones import find_backbone
from claimstance.corpus import LabelledArticle, load_split
from claimstance.errors import InputError, run_script
from claimstance.inference import Floats, Scores, Text, load_model
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.prediction import Predict, predict
from claimstance.recipes import TransformerRecipe, load_recipe
from claimstance.settings import ModelSettings

#: The rival without training; every other system has a folder of its name.
RULES: Final = "cue-rules"
#: Name → what it is called in tables, in their order.
LABELS: Final = {
    RULES: "cue-word rules, no training",
    "tfidf": "TF-IDF + logistic regression",
    "setfit": "SetFit on MiniLM, sentence by sentence",
    "plain": "MiniLM, plain fine-tuning, sentence by sentence",
    "minilm": "MiniLM, fine-tuned (fp32)",
    "minilm-int8": "MiniLM, fine-tuned (int8 ONNX)",
    "fast": "MiniLM of four layers, distilled (fp32)",
    "fast-int8": "MiniLM of four layers, distilled (int8 ONNX, ships)",
    "mpnet": "MPNet, fine-tuned (fp32, the large model)",
}


def load(name: str, models: Path) -> Predict:
    """Load a system by its name from the folder of the model folders.

    Raises:
        InputError: if there is no system of that name, or its folder is not as it must be.
    """
    if name not in LABELS:
        raise InputError(
            f"the system {name!r}",
            expected=f"one of {', '.join(LABELS)}",
            found="an unknown name",
            fix="correct the name",
        )
    if name == RULES:
        import cue_rules

        rules: Predict = cue_rules.predict
        return rules
    if name == "setfit":
        import setfit_rival

        return setfit_rival.load(models / name)
    if name == "plain":
        import plain_rival

        return plain_rival.load(models / name)
    return partial(predict, load_model(models / name))


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """A model that reads one sentence at a time; finds no sources and no cues.

    Attributes:
        settings: its name, and temperatures of 1.
        log_probabilities: from n sentences to those of the stances, shape (n, stances), and
            of the certainties, shape (n, certainties).
    """

    settings: ModelSettings
    log_probabilities: Callable[[list[str]], tuple[Floats, Floats]]

    def score(self, texts: Sequence[Text]) -> list[Scores]:
        """Score articles, one `Scores` each, in the same order."""
        ends = np.cumsum([len(text.sentences) for text in texts])[:-1]
        stance, certainty = self.log_probabilities([s for text in texts for s in text.sentences])
        return [
            Scores(ours, theirs, [None] * len(ours), [()] * len(ours))
            for ours, theirs in zip(np.split(stance, ends), np.split(certainty, ends), strict=True)
        ]


def predict_by_sentence(
    name: str, log_probabilities: Callable[[list[str]], tuple[Floats, Floats]]
) -> Predict:
    """The system that such a model is."""
    settings = ModelSettings(name=name, kind="transformer", windows=None)
    return partial(predict, SentenceModel(settings, log_probabilities))


@dataclass(frozen=True, slots=True)
class Examples:
    """Sentences and the number of each one's label."""

    texts: list[str]
    labels: list[int]


def examples(articles: Iterable[LabelledArticle]) -> tuple[Examples, Examples]:
    """What to learn stances from, all sentences, and certainties from, those with a claim.

    Raises:
        InputError: if there are not two labels of either kind.
    """
    sentences = [s for article in articles for s in article.sentences]
    claims = [(s.text, CERTAINTIES.index(s.certainty)) for s in sentences if s.certainty]
    stance = Examples([s.text for s in sentences], [STANCES.index(s.stance) for s in sentences])
    certainty = Examples([text for text, _ in claims], [label for _, label in claims])
    kinds = len({*stance.labels}), len({*certainty.labels})
    if min(kinds) < 2:
        raise InputError(
            "the articles to train on",
            expected="at least two stances and two certainties to tell apart",
            found=f"{kinds[0]} and {kinds[1]}",
            fix="give the train split of a corpus",
        )
    return stance, certainty


def unusable(folder: Path, name: str, error: Exception) -> InputError:
    """What to raise where a rival's folder cannot be loaded."""
    found = f"files that do not load ({type(error).__name__})" if folder.is_dir() else "no folder"
    return InputError(
        str(folder),
        expected=f"what training the rival {name!r} saves",
        found=found,
        fix=f"train it again: python evaluation/rivals.py --out {folder.parent} --only {name}",
    )


def train_by_recipe(train: Callable[..., None], documentation: str) -> None:
    """The command of a rival: train it on the corpus, seed and encoder of another's recipe.

    Args:
        train: takes articles, a folder, a seed and the folder of the encoder.
        documentation: its first line says what the command is for.
    """
    parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
    parser.add_argument("recipe", type=Path, help="whose corpus, seed and encoder to take")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    run_script(partial(_train_by_recipe, train, parser.parse_args()))


def _train_by_recipe(train: Callable[..., None], arguments: argparse.Namespace) -> None:
    recipe = load_recipe(arguments.recipe)
    if not isinstance(recipe, TransformerRecipe):
        raise InputError(
            str(arguments.recipe),
            expected="the recipe of a transformer",
            found="that of a baseline",
            fix="name another recipe",
        )
    backbone = find_backbone(recipe.backbone, recipe.backbone_sha256)
    train(load_split(recipe.corpus, "train"), arguments.out, recipe.seed, backbone)
