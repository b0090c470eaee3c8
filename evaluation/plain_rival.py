"""A rival: the encoder of our own network, fine-tuned as is customary, one sentence at a time.

    python evaluation/plain_rival.py training/recipes/minilm.toml --out models/plain

transformers' ``AutoModelForSequenceClassification`` and ``Trainer`` with usual settings
(below; full precision, every layer trained): one network for stances, and another for
certainties, trained on the sentences with a claim. What our own network is worth is what
context, heads and recipe add to this. Nothing is calibrated.
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
from claimstance.inference import Floats, chunks
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.model import hide_bars

NAME: Final = "plain"
EPOCHS: Final = 3
LEARNING_RATE: Final = 5e-5
BATCH: Final = 16
WARMUP_SHARE: Final = 0.1
#: Longer sentences are cut: what sentence-transformers lets this encoder read.
MAX_TOKENS: Final = 256
#: Sentences in a batch when labelling.
BATCH_TO_LABEL: Final = 32
#: Folder of each network, and its labels.
PARTS: Final[dict[str, tuple[str, ...]]] = {"stance": STANCES, "certainty": CERTAINTIES}


def train(
    articles: Sequence[LabelledArticle],
    out: Path,
    seed: int,
    backbone: Path,
    *,
    epochs: int = EPOCHS,
    learning_rate: float = LEARNING_RATE,
) -> None:
    """Train the rival and save it in the folder ``out``, new or empty.

    Args:
        articles: what to learn from.
        out: where the two networks go.
        seed: of the new heads, of dropout and of the order of the sentences.
        backbone: folder of the encoder.
        epochs: how often each sentence is seen.
        learning_rate: its highest value, after the warm-up.

    Raises:
        InputError: if ``out`` is not empty, or the articles hold too few labels.
    """
    from transformers import AutoTokenizer

    must_be_free(out)
    kinds = dict(zip(PARTS, examples(articles), strict=True))
    tokenizer = AutoTokenizer.from_pretrained(backbone, local_files_only=True)
    for part, labels in PARTS.items():
        network = _fine_tune(backbone, tokenizer, kinds[part], labels, seed, epochs, learning_rate)
        network.save_pretrained(out / part)
    tokenizer.save_pretrained(out)


def _fine_tune(
    backbone: Path,
    tokenizer: Any,
    sentences: Examples,
    labels: Sequence[str],
    seed: int,
    epochs: int,
    learning_rate: float,
) -> Any:
    """Train one network."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    hide_bars()
    set_seed(seed)
    network = AutoModelForSequenceClassification.from_pretrained(
        backbone,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        use_safetensors=True,
        local_files_only=True,
    )
    encoded = tokenizer(sentences.texts, truncation=True, max_length=_longest(network))
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=learning_rate,
            warmup_steps=WARMUP_SHARE,  # below 1, the Trainer takes it as a share
            seed=seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=not sys.stderr.isatty(),
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        Trainer(
            network,
            arguments,
            train_dataset=Dataset.from_dict({**encoded, "labels": sentences.labels}),
            data_collator=DataCollatorWithPadding(tokenizer),
        ).train()
    return network


def _longest(network: Any) -> int:
    return min(MAX_TOKENS, int(network.config.max_position_embeddings))


def load(out: Path) -> Predict:
    """Load what `train` saved, as a function that labels articles.

    Raises:
        InputError: if a part is missing or broken, or was made with other labels.
    """
    from transformers import AutoTokenizer

    hide_bars()
    try:
        tokenizer = AutoTokenizer.from_pretrained(out, local_files_only=True)
        networks = [_load_network(out / part, labels) for part, labels in PARTS.items()]
    except Exception as error:  # transformers, safetensors and torch each raise their own.
        raise unusable(out, NAME, error) from None

    def log_probabilities(sentences: list[str]) -> tuple[Floats, Floats]:
        stance, certainty = _label(networks, tokenizer, sentences)
        return stance, certainty

    return predict_by_sentence(NAME, log_probabilities)


def _load_network(folder: Path, labels: Sequence[str]) -> Any:
    """Read a network, in evaluation mode, on the GPU if there is one."""
    import torch
    from transformers import AutoModelForSequenceClassification

    network, info = AutoModelForSequenceClassification.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, output_loading_info=True
    )
    # Without this, what is missing would be random, with no more than a warning.
    if info["missing_keys"] or network.config.id2label != dict(enumerate(labels)):
        raise ValueError("weights are missing, or the labels are others")
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _label(networks: Sequence[Any], tokenizer: Any, sentences: Sequence[str]) -> list[Floats]:
    """For each network log-probabilities, shape (sentences, labels); batches are of like length."""
    import torch

    scores = [np.zeros((len(sentences), n.config.num_labels), dtype=np.float32) for n in networks]
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    for rows in chunks(order, BATCH_TO_LABEL):
        batch = tokenizer(
            [sentences[i] for i in rows],
            truncation=True,
            max_length=_longest(networks[0]),
            padding=True,
            return_tensors="pt",
        ).to(networks[0].device)
        for network, found in zip(networks, scores, strict=True):
            with torch.inference_mode():
                found[rows] = network(**batch).logits.log_softmax(dim=-1).cpu().numpy()
    return scores


if __name__ == "__main__":
    train_by_recipe(train, __doc__)
