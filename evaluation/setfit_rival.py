"""A rival: SetFit (Tunstall et al. 2022) on the encoder of our own network, one sentence at a time.

    python evaluation/setfit_rival.py training/recipes/minilm.toml --out models/setfit

The package ``setfit`` tunes the encoder on pairs of sentences, to bring those of one stance
together and to keep others apart; on the embeddings a logistic regression is fitted. Its
defaults are kept (pairs in batches of 16, learning rate 2e-5, as many pairs of a kind as of
the other), but the number of pairs is bounded by ``MAX_STEPS``: all pairs of the corpus
would take days on a processor. The body is tuned on stances alone; the head for
certainties is fitted on the same embeddings. Nothing is calibrated.

The package saves its head as a pickle. Here the heads are a skops file and the body is
safetensors, which is loaded without ``setfit``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from systems import Examples, Predict, examples, predict_by_sentence, train_by_recipe, unusable

from claimstance.corpus import LabelledArticle
from claimstance.errors import must_be_free
from claimstance.inference import Floats
from claimstance.labels import CERTAINTIES, STANCES

NAME: Final = "setfit"
#: Batches of 16 pairs: about ten minutes on two cores.
MAX_STEPS: Final = 1000
#: Of the body; the package's own.
LEARNING_RATE: Final = 2e-5
BODY, HEADS = "body", "heads.skops"


def train(
    articles: Sequence[LabelledArticle],
    out: Path,
    seed: int,
    backbone: Path,
    *,
    max_steps: int = MAX_STEPS,
    learning_rate: float = LEARNING_RATE,
) -> None:
    """Train the rival and save it in the folder ``out``, new or empty.

    Args:
        articles: what to learn from.
        out: where the body and the heads go.
        seed: of the order of the pairs; which pairs are drawn, the package has fixed.
        backbone: folder of the encoder, as sentence-transformers saves it.
        max_steps: batches of pairs at most.
        learning_rate: that of the body at its highest, after the warm-up.

    Raises:
        InputError: if ``out`` is not empty, or the articles hold too few labels.
    """
    import skops.io
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    must_be_free(out)
    stance, certainty = examples(articles)
    body = SentenceTransformer(str(backbone), local_files_only=True)
    _tune(body, stance, seed, max_steps, learning_rate)
    # Sentences with a claim are among all sentences: no need to embed them twice.
    embedded = dict(zip(stance.texts, _embed(body, stance.texts), strict=True))
    heads = [
        LogisticRegression().fit(np.stack([embedded[text] for text in kind.texts]), kind.labels)
        for kind in (stance, certainty)
    ]
    out.mkdir(parents=True, exist_ok=True)
    body.save(str(out / BODY), create_model_card=False)
    skops.io.dump(tuple(heads), out / HEADS)


def _tune(body: Any, stance: Examples, seed: int, max_steps: int, learning_rate: float) -> None:
    """The contrastive half of SetFit; changes ``body``."""
    import torch
    from setfit import SetFitModel, Trainer, TrainingArguments
    from transformers import PrinterCallback, ProgressCallback

    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=max_steps,
            body_learning_rate=learning_rate,
            seed=seed,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            show_progress_bar=False,
        )
        trainer = Trainer(model=SetFitModel(model_body=body), args=arguments)
        # What setfit's own arguments do not hand on.
        trainer.st_trainer.args.dataloader_pin_memory = torch.cuda.is_available()
        if not sys.stderr.isatty():
            trainer.remove_callback(ProgressCallback)
            trainer.remove_callback(PrinterCallback)
        trainer.train_embeddings(stance.texts, stance.labels)


def _embed(body: Any, texts: Sequence[str]) -> Floats:
    return np.asarray(body.encode(list(texts), show_progress_bar=False), dtype=np.float32)


def load(out: Path) -> Predict:
    """Load what `train` saved, as a function that labels articles.

    Raises:
        InputError: if a part is missing or broken, or the heads are not scikit-learn's own.
    """
    import skops.io
    from sentence_transformers import SentenceTransformer

    try:
        heads: Any = skops.io.load(out / HEADS, trusted=[])
        stance, certainty = heads
        body: Any = SentenceTransformer(
            str(out / BODY), local_files_only=True, model_kwargs={"use_safetensors": True}
        )
        body.eval()
        _log_probabilities(stance, _embed(body, ["It rained."]), len(STANCES))
        _log_probabilities(certainty, _embed(body, ["It rained."]), len(CERTAINTIES))
    except Exception as error:  # skops, transformers and safetensors each raise their own.
        raise unusable(out, NAME, error) from None

    def log_probabilities(sentences: list[str]) -> tuple[Floats, Floats]:
        embeddings = _embed(body, sentences)
        return (
            _log_probabilities(stance, embeddings, len(STANCES)),
            _log_probabilities(certainty, embeddings, len(CERTAINTIES)),
        )

    return predict_by_sentence(NAME, log_probabilities)


def _log_probabilities(head: Any, embeddings: Floats, labels: int) -> Floats:
    """Log-probabilities of all labels; those that training did not see get almost none."""
    scores = np.full((len(embeddings), labels), -30.0, dtype=np.float32)
    scores[:, head.classes_] = head.predict_log_proba(embeddings)
    return scores


if __name__ == "__main__":
    train_by_recipe(train, __doc__)
