"""Where the time of a run goes: its stages, and the operators of the network.

    python evaluation/profile_stages.py [--sentences 2000] [--model FOLDER]

Goes through what ``claimstance classify`` does, one stage after the other in one thread, over
sentences of the corpus, and takes the time of each; then what each operator of the exported
network takes, as ONNX Runtime measures it. Writes ``results/profile.md``; let nothing else
run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import onnxruntime
from bench import RESULTS, processor, write_news

from claimstance.articles import Article, read_articles
from claimstance.batch import PartClassifier, PartFolder, cut_parts
from claimstance.encoder import EncoderModel, Logits
from claimstance.errors import run_script
from claimstance.inference import ONNX_FILE, SHIPPED, Scores, Text, load_model, predictions_of
from claimstance.outputs import write_predictions
from claimstance.records import write_text
from claimstance.windows import Batch, Window, cut_windows, encode_article, stack_windows

#: Operators that take a smaller share of the network's time are added up.
LEAST_SHARE = 0.01


class Clock:
    """Adds up the seconds of stages, which may lie within each other."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Take the time of what is done meanwhile."""
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


def main() -> None:
    """Take the times and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = write_news(folder, arguments.sentences)
        stages, windows = time_stages(folder, arguments.model)
        operators = time_operators(folder, arguments.model, windows)
    write_text(RESULTS / "profile.md", "\n".join(page(count, stages, operators)) + "\n")


def time_stages(folder: Path, model_folder: Path) -> tuple[dict[str, float], list[Window]]:
    """Seconds of each stage, and the windows that were read."""
    clock = Clock()
    with clock.stage("loading the model"):
        model = load_model(model_folder, threads=1)
    assert isinstance(model, EncoderModel)
    with clock.stage("reading the articles"):
        articles = [a for a in read_articles([str(folder / "articles.jsonl")]) if isinstance(a, Article)]
    with clock.stage("naming the parts"):
        for part in cut_parts(articles):
            assert part.name
    texts = [Text(a.title, [s.text for s in a.sentences]) for a in articles]
    windows = []
    with clock.stage("tokens and windows"):
        for text in texts:
            encoded = encode_article(model.tokenizer, text.title, text.sentences, model.windows)
            windows += cut_windows(encoded, model.windows)
    with clock.stage("arrays"):
        batches = [stack_windows([window], model.windows.pad_id) for window in windows]
    with clock.stage("the network"):
        logits = [model.engine(batch) for batch in batches]
