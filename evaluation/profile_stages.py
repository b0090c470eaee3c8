"""Where the time of a run goes: its stages, and the operators of the network.

    python evaluation/profile_stages.py [--sentences 2000] [--model FOLDER]

Goes through what ``claimstance classify`` does, the network in one thread, over sentences of
the corpus, and takes the time of each stage, processor time for those of labelling, since they
overlap; then what each operator of the exported network takes, as ONNX Runtime measures it.
Writes ``results/profile.md``; let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, cast

import onnxruntime
from bench import RESULTS, processor, write_news

from claimstance.articles import Article, read_articles
from claimstance.batch import PartClassifier, PartFolder, cut_parts
from claimstance.encoder import EncoderModel, Logits
from claimstance.errors import run_script
from claimstance.inference import ONNX_FILE, SHIPPED, load_model
from claimstance.records import write_text
from claimstance.windows import Batch

#: Operators that take a smaller share of the network's time are added up.
LEAST_SHARE = 0.01


class Clock:
    """Adds up the seconds of stages, which may lie within each other."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def stage(self, name: str, clock: Callable[[], float] = time.perf_counter) -> Iterator[None]:
        """Take the time of what is done meanwhile, by a clock that gives seconds."""
        start = clock()
        yield
        with self._lock:
            self.seconds[name] += clock() - start


class TimedTokenizer:
    """A model's tokenizer, with the time that it takes."""

    def __init__(self, model: EncoderModel, clock: Clock) -> None:
        self._tokenizer = model.tokenizer
        self._clock = clock

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._tokenizer, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            with self._clock.stage("tokens", time.thread_time):
                return method(*arguments, **options)

        return timed


def main() -> None:
    """Take the times and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = write_news(folder, arguments.sentences)
        stages, given = time_stages(folder, arguments.model)
        operators = time_operators(folder, arguments.model, given)
    write_text(RESULTS / "profile.md", "\n".join(page(count, stages, operators)) + "\n")


def time_stages(folder: Path, model_folder: Path) -> tuple[dict[str, float], list[Batch]]:
    """Seconds of each stage, and what the network was given."""
    clock = Clock()
    given: list[Batch] = []
    with clock.stage("loading the model"):
        model = load_model(model_folder, threads=1)
    assert isinstance(model, EncoderModel)

    def engine(batch: Batch) -> Logits:
        given.append(batch)
        # Words of other articles are looked up meanwhile, in another thread.
        with clock.stage("the network", time.thread_time):
            return model.engine(batch)

    with clock.stage("reading the articles"):
        items = list(read_articles([str(folder / "articles.jsonl")]))
    articles = [item for item in items if isinstance(item, Article)]
    with clock.stage("naming the parts"):
        parts = list(cut_parts(articles))
        names = [part.name for part in parts]
    timed = replace(model, engine=engine, tokenizer=cast(Any, TimedTokenizer(model, clock)))
    with clock.stage("labelling", time.process_time):
        contents = [PartClassifier(timed)(part) for part in parts]
    store = PartFolder(folder, dict(enumerate(names)), part_sentences=1)
    with clock.stage("saving the parts"):
        for part, content in zip(parts, contents, strict=True):
            store.save(part, content)
    with clock.stage("joining and writing"):
        store.write_jsonl(folder / "predictions.jsonl")
    seconds = dict(clock.seconds)
    around = seconds.pop("labelling") - seconds["the network"] - seconds["tokens"]
    return seconds | {"windows, spans and records": around}, given


def time_operators(folder: Path, model_folder: Path, given: Sequence[Batch]) -> Counter[str]:
    """Seconds that each kind of operator took over all windows."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "operators")
    session = onnxruntime.InferenceSession(
        str(model_folder / ONNX_FILE), options, providers=["CPUExecutionProvider"]
    )
    names = [node.name for node in session.get_inputs()]
    for batch in given:
        session.run(None, {name: batch[name] for name in names})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    seconds: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            seconds[event["args"]["op_name"]] += event["dur"] / 1e6
    return seconds


def page(count: int, stages: dict[str, float], operators: Counter[str]) -> list[str]:
    """The page with both tables."""
    command = shlex.join(["python", "evaluation/profile_stages.py", *sys.argv[1:]])
    total, network = sum(stages.values()), sum(operators.values())
    named = {name: s for name, s in operators.most_common() if s >= LEAST_SHARE * network}
    named["all others"] = network - sum(named.values())
    return [
        "# Where the time goes",
        "",
        f"`{command}`, {count:,} sentences of the corpus, one thread for the network "
        f"({processor()}). Labelling is in seconds of the processor, since its stages overlap. The "
        "start of Python and what it imports come on top, once per run.",
        "",
        *table("stage", dict(Counter(stages).most_common()), total),
        "",
        "In the network, by kind of operator, as ONNX Runtime measures it:",
        "",
        *table("operator", named, network),
    ]


def table(what: str, seconds: dict[str, float], total: float) -> list[str]:
    """Seconds and their share of a total."""
    rows = [f"| {name} | {s:.2f} | {s / total:.1%} |" for name, s in seconds.items()]
    return [f"| {what} | seconds | share |", "| --- | --: | --: |", *rows]


if __name__ == "__main__":
    run_script(main)
