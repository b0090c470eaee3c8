"""Trains every system on the same corpus, labels dev and test with each, and takes the time.

    python evaluation/rivals.py --out models [--only NAME …] [--threads 2] [--no-training]

Writes ``models/NAME``, ``evaluation/results/NAME/dev.jsonl`` and ``test.jsonl``, and
``evaluation/results/rivals.json``, which has for each system

- ``made_of``: the start of a SHA-256 of the corpus that it was trained and calibrated on; where
  a model was trained by other means, that is taken to be the corpus as it is now,
- ``training_processor_seconds`` (user and system, of all cores together) and
  ``training_wall_seconds`` of the command that trained it, from the start of Python to the
  saved folder; for what is made from another system they include the training of that one;
  null where a model was trained by other means,
- ``sentences_per_second``: the median of ``rounds`` rounds over the test split, from
  sentences in memory to records, models loaded beforehand and used once; and
  ``sentences_per_second_range``, the slowest and the fastest round,
- ``megabytes`` of what must be kept to predict.

Each training is a process of its own. The speeds are measured when all else is done, a
round being each system once, and always anew for every system whose folder is there, so
that they can be compared: let nothing else run on the machine meanwhile. No graphics
card is used. With ``--no-training`` only labels and measures what was trained before. The
large model is no rival and takes long: it is trained only if ``--only`` names it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import cue_rules
from systems import LABELS, RULES, Predict, load

from claimstance.articles import Article
from claimstance.corpus import ARTICLES_FILE, load_split
from claimstance.errors import InputError, run_script
from claimstance.prediction import as_article
from claimstance.records import Split, parse_json_object, write_records, write_text

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "data" / "corpus"
RESULTS = ROOT / "evaluation" / "results"
RIVALS_FILE: Final = "rivals.json"

ROUNDS: Final = 7
#: Not a rival: the large model. Only trained if it is named.
LARGE: Final = "mpnet"
#: Made from another system, whose training is part of its price.
MADE_FROM: Final = {"minilm-int8": "minilm", "fast": "minilm", "fast-int8": "fast"}
#: In a model folder, what tells how the training went and is not needed to predict.
LOGS: Final = ("checkpoints", "tensorboard", "training_log.jsonl")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: seconds of all processors together, and on the clock."""

    processor_seconds: float
    wall_seconds: float


def main() -> None:
    """Train, label, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the model folders")
    parser.add_argument("--only", nargs="+", choices=LABELS, help="train and label only these")
    parser.add_argument("--threads", type=int, default=2, help="processors to use")
    parser.add_argument("--no-training", action="store_true", help="label and measure only")
    arguments = parser.parse_args()

    use_processors(arguments.threads)
    models = arguments.out.resolve()
    chosen = [name for name in LABELS if name in (arguments.only or LABELS.keys() - {LARGE})]
    keep = bool(arguments.only or arguments.no_training)
    # An unfinished call leaves the published figures alone; a later one goes on from it.
    published, unfinished = RESULTS / RIVALS_FILE, RESULTS / f"{RIVALS_FILE}.unfinished"
    last = unfinished if unfinished.exists() else published
    results = start_results(last, arguments.threads, keep=keep)
    if arguments.no_training:
        chosen = [name for name in chosen if name in results or (models / name).is_dir()]
    for name in chosen:
        if not arguments.no_training:
            print(f"{name}: training", flush=True)
            results[name] = train_system(name, models, results)
            write_results(unfinished, results, arguments.threads)
        if name not in results:  # trained by other means
            results[name] = _entry(name, models, fingerprint(CORPUS), None)
        results[name]["megabytes"] = megabytes(name, models)
        print(f"{name}: labelling dev and test", flush=True)
        label_splits(load(name, models), RESULTS / name)
    there = [name for name in results if name == RULES or (models / name).is_dir()]
    for name in results.keys() - set(there):
        # Speeds can be compared only within one call.
        results[name] |= {"sentences_per_second": None, "sentences_per_second_range": None}
    print(f"taking the time of {', '.join(there)}", flush=True)
    loaded = {name: load(name, models) for name in there}
    articles = [as_article(a) for a in load_split(CORPUS, "test")]
    for name, rates in speeds(loaded, articles, ROUNDS).items():
        results[name] |= as_speed(rates)
    write_results(published, results, arguments.threads)
    unfinished.unlink(missing_ok=True)
    print((RESULTS / RIVALS_FILE).read_text(encoding="utf-8"))


def use_processors(threads: int) -> None:
    """Let this process, and those it starts, use so many processors and no graphics card.

    Raises:
        InputError: if there are not so many.
    """
    at_hand = sorted(os.sched_getaffinity(0))
    if not 1 <= threads <= len(at_hand):
        raise InputError(
            "--threads",
            expected=f"a number from 1 to {len(at_hand)}, the processors here",
            found=str(threads),
            fix="give another number",
        )
    # Some libraries count threads by the variable, others by the processors they may use.
    os.sched_setaffinity(0, at_hand[:threads])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def train_system(name: str, models: Path, results: Mapping[str, Any]) -> dict[str, Any]:
    """Train a system into its folder; returns its entry in the results, still without a speed.

    Raises:
        InputError: if training fails (the old folder then stays), the corpus changes
            meanwhile, or what it is made from is not at hand.
    """
    made_of = fingerprint(CORPUS)
    spent = _price_of_source(name, results, made_of)
    folder = models / name
    if name != RULES:
        made = models / f".{name}.new"
        shutil.rmtree(made, ignore_errors=True)
        cost = measure(training_command(name, models, made))
        if fingerprint(CORPUS) != made_of:
            raise InputError(
                str(CORPUS),
                expected="the corpus with which the training began",
                found="a changed one",
                fix="leave it alone until the training has ended (a git worktree helps)",
            )
        replace_folder(folder, made)
        spent = Cost(
            spent.processor_seconds + cost.processor_seconds,
            spent.wall_seconds + cost.wall_seconds,
        )
    return _entry(name, models, made_of, spent)


def _entry(name: str, models: Path, made_of: str, spent: Cost | None) -> dict[str, Any]:
    """A system's entry in the results, without a speed."""
    return {
        "name": name,
        "label": LABELS[name],
        "made_of": made_of,
        "training_processor_seconds": round(spent.processor_seconds, 1) if spent else None,
        "training_wall_seconds": round(spent.wall_seconds, 1) if spent else None,
        "sentences_per_second": None,
        "sentences_per_second_range": None,
        "megabytes": megabytes(name, models),
    }


def _price_of_source(name: str, results: Mapping[str, Any], made_of: str) -> Cost:
    """What training the system took that this one is made from, if there is one."""
    source = MADE_FROM.get(name)
    if source is None:
        return Cost(0.0, 0.0)
    entry = results.get(source)
    is_known = entry is not None and entry["training_wall_seconds"] is not None
    if entry is None or not is_known or entry["made_of"] != made_of:
        raise InputError(
            f"the system {name}",
            expected=f"{source}, from which it is made, trained on this corpus",
            found="a training on another corpus" if is_known else "no training of it",
            fix=f"name {source} too: --only {source} {name}",
        )
    return Cost(entry["training_processor_seconds"], entry["training_wall_seconds"])


def training_command(name: str, models: Path, made: Path) -> list[str]:
    """What to call to train a system into the folder ``made``."""
    package = ("-m", "claimstance")
    recipes = ROOT / "training" / "recipes"
    network, baseline = recipes / "minilm.toml", recipes / "baseline.toml"
    large = recipes / "mpnet.toml"
    commands: dict[str, tuple[str | Path, ...]] = {
        "tfidf": (*package, "train", baseline, "--out", made),
        "setfit": (ROOT / "evaluation" / "setfit_rival.py", network, "--out", made),
        "plain": (ROOT / "evaluation" / "plain_rival.py", network, "--out", made),
        "minilm": (*package, "train", network, "--out", made),
        "minilm-int8": (*package, "export", models / "minilm", "--out", made, "--corpus", CORPUS),
        "fast": (*package, "train", recipes / "fast.toml", "--out", made),
        "fast-int8": (*package, "export", models / "fast", "--out", made, "--corpus", CORPUS),
        LARGE: (*package, "train", large, "--out", made),
    }
    return [sys.executable, *map(str, commands[name])]


def measure(command: Sequence[str]) -> Cost:
    """Run a command to its end, and say what it and the processes it started took.

    Raises:
        InputError: if it fails.
    """
    before, start = _children_seconds(), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        raise InputError(
            " ".join(command),
            expected="a command that ends well",
            found=f"exit code {done.returncode}",
            fix="read what it said above",
        )
    return Cost(_children_seconds() - before, time.perf_counter() - start)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def replace_folder(folder: Path, made: Path) -> None:
    """Put a finished folder in the place of an older one."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def megabytes(name: str, models: Path) -> float:
    """What must be kept to predict, in millions of bytes."""
    rules = Path(cue_rules.__file__)
    return round((rules.stat().st_size if name == RULES else kept_bytes(models / name)) / 1e6, 3)


def kept_bytes(folder: Path) -> int:
    """Bytes of the files in a model folder that are needed to predict."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(f.stat().st_size for f in files if f.relative_to(folder).parts[0] not in LOGS)


def fingerprint(corpus: Path) -> str:
    """The start of a SHA-256 of what systems are trained and calibrated on."""
    digest = hashlib.sha256()
    for name in (ARTICLES_FILE, "train.jsonl", "dev.jsonl"):
        digest.update((corpus / name).read_bytes())
    return digest.hexdigest()[:12]


def label_splits(predict: Predict, folder: Path) -> None:
    """Write what a system says of dev and of test."""
    splits: tuple[Split, ...] = ("dev", "test")
    for split in splits:
        articles = load_split(CORPUS, split)
        write_records(folder / f"{split}.jsonl", predict(map(as_article, articles)))


def speeds(
    systems: Mapping[str, Predict],
    articles: Sequence[Article],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Sentences per second of each system in each round, after a round that does not count."""
    sentences = sum(len(article.sentences) for article in articles)
    rates: dict[str, list[float]] = {name: [] for name in systems}
    for number in range(rounds + 1):
        for name, predict in systems.items():
            start = clock()
            predict(articles)
            if number:
                rates[name].append(sentences / (clock() - start))
    return rates


def as_speed(rates: Iterable[float]) -> dict[str, Any]:
    """A system's rounds as the fields of its entry."""
    found = sorted(rates)
    return {
        "sentences_per_second": round(median(found), 1),
        "sentences_per_second_range": [round(found[0], 1), round(found[-1], 1)],
    }


def machine() -> str:
    """The processor and how many cores of it there are."""
    model = platform.processor() or platform.machine()
    path = Path("/proc/cpuinfo")
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        model = next(named, model)
    return f"{model}, {os.cpu_count()} cores"


def start_results(path: Path, threads: int, *, keep: bool) -> dict[str, dict[str, Any]]:
    """The entries to begin with, by name: none, or with ``keep`` those of earlier calls.

    Raises:
        InputError: if those to keep were measured on another machine or with other threads.
    """
    if not keep or not path.is_file():
        return {}
    content = parse_json_object(path.read_text(encoding="utf-8"), str(path))
    found, wanted = (content.get("machine"), content.get("threads")), (machine(), threads)
    if found != wanted:
        raise InputError(
            str(path),
            expected=f"figures of this machine with so many threads ({wanted[0]}; {threads})",
            found=f"{found[0]}; {found[1]}",
            fix="train all systems here, without --only and --no-training",
        )
    return {entry["name"]: entry for entry in content["systems"]}


def write_results(path: Path, results: Mapping[str, Mapping[str, Any]], threads: int) -> None:
    """Write the file of the figures, systems in their order."""
    sentences = sum(len(article.sentences) for article in load_split(CORPUS, "test"))
    content = {
        "machine": machine(),
        "threads": threads,
        "rounds": ROUNDS,
        "sentences": sentences,
        "systems": [results[name] for name in LABELS if name in results],
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    write_text(path, text + "\n")


if __name__ == "__main__":
    run_script(main)
