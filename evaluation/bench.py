"""How fast is a whole run, and how much memory does it take? Against the usual ways.

    python evaluation/bench.py [--sentences 4000] [--rounds 3] [--threads 2] [--gigabytes 2]
    python evaluation/bench.py --cold    # only the cold starts, beside the rest of the last run
    python evaluation/bench.py --whole models/minilm-int8    # and the encoder with all its layers

Every system labels the same sentences of the corpus, from a file to a file, in a process of
its own that starts cold: start of Python, loading and writing count. All others have the
encoder all-MiniLM-L6-v2, and ours the part of it that the recipe of the model that ships keeps.
But ours reads each sentence with its neighbours and title, and gives stance, certainty, source and
cues, where the others read it alone and give one label:

- ``ours``: ``claimstance classify``, on one processor only, on all; with two processes, and
  with two actors on a Ray cluster that is started for it; on all also with the model that has all
  layers of the encoder, from which the one that ships was made;
- ``pipeline``: ``pipeline("text-classification")`` of transformers, batches of 1 and of 32;
- ``torch loop``: transformers' model in a plain loop, batches of 32, in the order given;
- ``setfit``: SetFit's ``predict``: sentence-transformers' encoder and logistic regression.

The heads of the others are random: what they say does not count here, and costs the same.
Rounds go around all systems, so that what else the machine does falls on all alike. Then
``claimstance classify`` reads a file of so many gigabytes, for the memory that it takes. Writes
``results/speed.json`` and the table ``results/speed.md``; let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any, Final

from claimstance.articles import Article, read_articles
from claimstance.backbones import find_backbone
from claimstance.batch import cut_parts
from claimstance.corpus import load_split
from claimstance.errors import run_script
from claimstance.inference import chunks
from claimstance.labels import STANCES
from claimstance.records import write_text
from claimstance.wording import counted

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "evaluation" / "results"
BACKBONE: Final = "sentence-transformers/all-MiniLM-L6-v2"
#: The longest sentence, in tokens, that the others read.
MOST_TOKENS: Final = 256

#: The systems, with what the table calls them, in its order.
LABELS: Final = {
    "pipeline-1": "transformers `pipeline`, batches of 1",
    "pipeline-32": "transformers `pipeline`, batches of 32",
    "torch-loop": "plain torch loop, batches of 32",
    "setfit": "SetFit",
    "ours-alone": "`claimstance classify`, on one processor",
    "ours-whole": "`claimstance classify`, with all layers of that encoder",
    "ours": "`claimstance classify`",
    "ours-2": "`claimstance classify --workers 2`",
    "ours-ray-2": "`claimstance classify --engine ray --workers 2`",
}
#: What shows how the work grows with the processors.
GROWN: Final = {
    "ours": "in one process",
    "ours-2": "in two",
    "ours-ray-2": "in two actors on Ray, the start of the cluster included,",
}
#: Sentences in a part where there are two processes: few enough that both have the same to do.
PART_SENTENCES: Final = 256
#: Articles of a very large archive.
ARCHIVE: Final = 100_000_000
#: What the rows of the large file hold beside their text: half a megabyte.
RAW_PAGE: Final = f'<div class="page"><p>{"x" * 1000}</p></div>' * 500
#: The system that is there only if its model is given.
WHOLE: Final = "ours-whole"
#: What the ratios refer to.
REFERENCE: Final = "pipeline-32"


@dataclass(frozen=True, slots=True)
class Timing:
    """One system over all rounds; memory is that of the largest process."""

    seconds: list[float]
    sentences_per_second: float
    peak_megabytes: float


def main() -> None:
    """Measure all systems, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of the large file")
    parser.add_argument("--only", nargs="+", choices=LABELS, default=list(LABELS))
    parser.add_argument("--whole", type=Path, help="a model with all layers of the encoder")
    parser.add_argument("--cold", action="store_true", help="take only the cold starts anew")
    parser.add_argument("--be", nargs=3, metavar=("SYSTEM", "INPUT", "OUTPUT"), help="internal")
    arguments = parser.parse_args()
    if arguments.be:
        name, source, target = arguments.be
        be(name, Path(source), Path(target))
        return
    if arguments.cold:
        take_cold_starts_anew()
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        count = write_news(Path(folder), arguments.sentences)
        save_backbone(Path(folder) / "classifier")
        if arguments.whole:
            (Path(folder) / WHOLE).symlink_to(arguments.whole.resolve())
        names = [name for name in arguments.only if name != WHOLE or arguments.whole]
        timings = measure(names, Path(folder), count, arguments.rounds)
        extra = {
            "sentences_read_per_second": reading_speed(Path(folder)),
            "sentences_per_article": mean_length(),
            "seconds_from_a_cold_start": cold_starts(Path(folder)),
            "large_file": large_file(Path(folder), int(arguments.gigabytes * 1e9)),
        }
    write_results(timings, count, arguments.threads, extra)


def write_news(folder: Path, sentences: int) -> int:
    """Write whole articles of the corpus until there are so many sentences.

    Returns:
        How many there are.
    """
    rows: list[dict[str, Any]] = []
    texts: list[str] = []
    for split in ("test", "dev", "train"):
        for article in load_split(ROOT / "data" / "corpus", split):
            if len(texts) >= sentences:
                break
            facts, own = article.facts, [s.text for s in article.sentences]
            rows.append({"id": facts.article_id, "title": facts.title, "sentences": own})
            texts += own
    for name, items in [("articles.jsonl", rows), ("sentences.jsonl", texts)]:
        lines = (json.dumps(item, ensure_ascii=False) for item in items)
        write_text(folder / name, "\n".join(lines) + "\n")
    return len(texts)


def save_backbone(folder: Path) -> None:
    """The encoder with a random head of six labels, as transformers loads it."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    backbone = find_backbone(BACKBONE, None)
    names = dict(enumerate(STANCES))
    model = AutoModelForSequenceClassification.from_pretrained(
        backbone, num_labels=len(STANCES), id2label=names
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(backbone).save_pretrained(folder)


# The others.


def be(name: str, source: Path, target: Path) -> None:
    """Label the sentences of a file as the system of that name does."""
    texts = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    labels = _OTHERS[name](texts, source.parent / "classifier")
    write_text(target, "".join(f"{json.dumps(label)}\n" for label in labels))


def _pipeline(texts: Sequence[str], folder: Path, batch: int) -> list[Any]:
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(folder), device="cpu")
    return list(classify(list(texts), batch_size=batch, truncation=True, max_length=MOST_TOKENS))


def _torch_loop(texts: Sequence[str], folder: Path) -> list[Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    labels: list[Any] = []
    with torch.inference_mode():
        for chunk in chunks(texts, 32):
            batch = tokenizer(
                chunk, padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt"
            )
            labels += model(**batch).logits.softmax(-1).tolist()
    return labels


def _setfit(texts: Sequence[str], folder: Path) -> list[Any]:
    import numpy as np
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel
    from sklearn.linear_model import LogisticRegression

    body = SentenceTransformer(str(find_backbone(BACKBONE, None)), device="cpu")
    body.max_seq_length = MOST_TOKENS
    width = body.get_embedding_dimension()
    generator = np.random.default_rng(0)
    head = LogisticRegression().fit(generator.normal(size=(60, width)), [*STANCES] * 10)
    return [str(label) for label in SetFitModel(body, head).predict(list(texts))]


_OTHERS: Final[dict[str, Callable[[Sequence[str], Path], list[Any]]]] = {
    "pipeline-1": lambda texts, folder: _pipeline(texts, folder, 1),
    "pipeline-32": lambda texts, folder: _pipeline(texts, folder, 32),
    "torch-loop": _torch_loop,
    "setfit": _setfit,
}


# Measuring.


def command_of(name: str, folder: Path, output: Path) -> list[str]:
    """The command that labels the news as a system does."""
    if name == "ours-alone":
        return [
            "taskset",
            "--cpu-list",
            str(min(os.sched_getaffinity(0))),
            *command_of("ours", folder, output),
        ]
    if name.startswith("ours"):
        command = [sys.executable, "-m", "claimstance", "classify", str(folder / "articles.jsonl")]
        command += ["-q", "-o", str(output)]
        command += ["--model", str(folder / name)] if name == WHOLE else []
        command += ["--engine", "ray"] if "-ray" in name else []
        if name[-1].isdigit():
            command += ["--workers", name[-1], "--part-size", str(PART_SENTENCES)]
        return command
    return [sys.executable, __file__, "--be", name, str(folder / "sentences.jsonl"), str(output)]


#: Starts a command and says how long it took, its peak of memory in KiB, and its exit code. A
#: process of its own, because a child begins with the memory of the process that it comes from.
LAUNCH: Final = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def run_alone(command: Sequence[str]) -> tuple[float, float, int]:
    """Run a command in a process of its own.

    Returns:
        Its seconds, the megabytes of its largest process, its exit code.
    """
    run = subprocess.run(
        [sys.executable, "-c", LAUNCH, *command], capture_output=True, text=True, check=True
    )
    seconds, kibibytes, code = run.stdout.split()
    return float(seconds), int(kibibytes) / 1024, int(code)


def measure(names: Sequence[str], folder: Path, count: int, rounds: int) -> dict[str, Timing]:
    """Run every system once per round, each in a process of its own."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    peaks: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            output = folder / f"{name}-{number}.jsonl"
            taken, megabytes, code = run_alone(command_of(name, folder, output))
            seconds[name].append(taken)
            peaks[name].append(megabytes)
            labelled = len(output.read_text(encoding="utf-8").splitlines())
            if code or labelled != count:
                sys.exit(f"{name} ended with {code} and {labelled} of {count} sentences")
            print(
                f"round {number + 1}, {name}: {count / seconds[name][-1]:.0f} a second", flush=True
            )
    return {
        name: Timing(seconds[name], count / median(seconds[name]), max(peaks[name]))
        for name in names
    }


def reading_speed(folder: Path) -> float:
    """Sentences per second that one process reads from rows of text, splits and hands out."""
    rows = (folder / "articles.jsonl").read_text(encoding="utf-8").splitlines()
    texts = ({"id": r["id"], "text": " ".join(r["sentences"])} for r in map(json.loads, rows))
    path = folder / "texts.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in texts), encoding="utf-8")
    start, read = time.perf_counter(), 0
    for part in cut_parts(read_articles([str(path)])):
        read += sum(len(item.sentences) for item in part.items if isinstance(item, Article))
        assert part.name
    return read / (time.perf_counter() - start)


#: What is started cold, and what it is asked.
COLD: Final = {
    "the demo article": ["classify", str(ROOT / "data" / "demo" / "article.md"), "-q"],
    "--help": ["--help"],
}


def cold_starts(folder: Path, rounds: int = 7) -> dict[str, float]:
    """Seconds, the median of some rounds, from a command to its end."""
    seconds: dict[str, list[float]] = {name: [] for name in COLD}
    for number in range(rounds):
        for name, arguments in COLD.items():
            output = ["-o", str(folder / f"cold{number}.jsonl")] if "classify" in arguments else []
            start = time.perf_counter()
            command = [sys.executable, "-m", "claimstance", *arguments, *output]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            seconds[name].append(time.perf_counter() - start)
    return {name: median(found) for name, found in seconds.items()}


def large_file(folder: Path, size: int) -> dict[str, float]:
    """Classify a file of at least so many bytes: rows with the raw page beside a short text."""
    path, written, rows = folder / "large.jsonl", 0, 0
    texts = [a.texts[1:3] for a in load_split(ROOT / "data" / "corpus", "train")]
    with path.open("wb") as file:
        for text in cycle(texts):
            row = {"id": f"a{rows}", "text": " ".join(text), "raw_html": RAW_PAGE}
            written += file.write(f"{json.dumps(row)}\n".encode())
            rows += 1
            if written >= size:
                break
    command = [sys.executable, "-m", "claimstance", "classify", str(path), "-q"]
    seconds, megabytes, code = run_alone([*command, "-o", str(folder / "large-out.jsonl")])
    path.unlink()
    if code:
        sys.exit(f"the large file ended with {code}")
    return {"gigabytes": written / 1e9, "rows": rows, "seconds": seconds, "megabytes": megabytes}


def write_results(
    timings: dict[str, Timing], count: int, threads: int, extra: dict[str, Any]
) -> None:
    """Write the figures and their table."""
    facts = {
        "command": shlex.join(["python", "evaluation/bench.py", *sys.argv[1:]]),
        "sentences": count,
        "threads": threads,
        "machine": platform.machine(),
        "processor": processor(),
        **extra,
        "systems": {name: asdict(timing) for name, timing in timings.items()},
    }
    write_pages(timings, facts)


def take_cold_starts_anew() -> None:
    """Take the cold starts of this version, and keep the other figures of the last run."""
    facts = json.loads((RESULTS / "speed.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        facts["seconds_from_a_cold_start"] = cold_starts(Path(folder))
    write_pages({name: Timing(**timing) for name, timing in facts["systems"].items()}, facts)


def write_pages(timings: dict[str, Timing], facts: dict[str, Any]) -> None:
    """Write ``speed.json`` and ``speed.md``."""
    write_text(RESULTS / "speed.json", json.dumps(facts, indent=1) + "\n")
    write_text(
        RESULTS / "speed.md", "\n".join([*table(timings, facts), *sizing(timings, facts)]) + "\n"
    )


def processor() -> str:
    """What the processor is called, and whether it multiplies 8-bit numbers (VNNI)."""
    text = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    )
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return f"{names[0] if names else 'unknown'}{', with VNNI' if 'avx512_vnni' in text else ''}"


def table(timings: dict[str, Timing], facts: dict[str, Any]) -> list[str]:
    """The page with the figures."""
    rounds = len(next(iter(timings.values())).seconds)
    lines = [
        "# Speed of whole runs",
        "",
        f"`{facts['command']}`, {facts['sentences']:,} sentences of the corpus from a file to a "
        f"file, {facts['threads']} threads ({facts['processor']}), median of {rounds} rounds. A "
        "run is a process of its own: its start, loading the model and writing count. What each "
        "system does is told in the script's first lines. Speeds depend on the machine; ratios "
        "are what can be compared.",
        "",
        "| | speed | ratio, slowest to fastest round | peak memory, MB |",
        "| --- | --: | --: | --: |",
    ]
    reference = timings.get(REFERENCE)
    for name, timing in timings.items():
        ratio = "" if reference is None else spread(timing, reference)
        lines.append(
            f"| {LABELS[name]} | {timing.sentences_per_second:.0f} a second | {ratio} | "
            f"{timing.peak_megabytes:.0f} |"
        )
    cold = facts["seconds_from_a_cold_start"]
    said = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in cold.items())
    large = facts["large_file"]
    return [
        *lines,
        "",
        f"From a cold start to the end of the command (median of 7): {said}.",
        "",
        f"A file of {large['gigabytes']:.1f} GB, {large['rows']:,} rows of a raw page beside two "
        f"sentences of text: at most {large['megabytes']:.0f} MB of memory.",
    ]


def mean_length() -> float:
    """Sentences in an article of the corpus, on average."""
    lengths = [len(a.sentences) for a in load_split(ROOT / "data" / "corpus", "train")]
    return sum(lengths) / len(lengths)


def sizing(timings: dict[str, Timing], facts: dict[str, Any]) -> list[str]:
    """What a large run takes, from what was measured."""
    if "ours" not in timings:
        return []
    timing, threads = timings["ours"], facts["threads"]
    per_core = timing.sentences_per_second / threads
    million = 1e6 / per_core / 3600
    archive = ARCHIVE * facts["sentences_per_article"] / per_core / 3600
    reading = facts["sentences_read_per_second"]
    return [
        "",
        "## Sizing",
        "",
        f"One of these cores labels {per_core:.0f} sentences a second (start included): "
        f"**{million:.1f} core-hours per million sentences**. {growth(timings, threads)}Parts are "
        "independent of each other, so that cores divide the work; what they share is the process "
        f"that reads. It reads, splits and names {reading:,.0f} sentences a second, enough "
        f"for {reading / per_core:.0f} cores like these; for more of them, divide the input and "
        "start several runs.",
        "",
        f"{ARCHIVE:,} articles of {facts['sentences_per_article']:.0f} sentences would take "
        f"{archive:,.0f} core-hours: on 64 cores {counted(round(archive / 64 / 24), 'day')}, on "
        "1,024 (in "
        f"{max(1, round(1024 * per_core / reading)):.0f} or more runs) "
        f"{counted(round(archive / 1024), 'hour')}. "
        "That is reckoned from the figures above; no run of that size was made. A process takes "
        f"{timing.peak_megabytes:.0f} MB at most, a worker or an actor about as much each.",
    ]


def growth(timings: dict[str, Timing], threads: int) -> str:
    """How much more several processors, processes and actors do than one processor."""
    alone = timings.get("ours-alone")
    if alone is None:
        return ""
    said = [
        f"{what} {timings[name].sentences_per_second / alone.sentences_per_second:.2f}"
        for name, what in GROWN.items()
        if name in timings
    ]
    return f"{threads} cores do so many times what one does: {', '.join(said)}. "


def spread(timing: Timing, reference: Timing) -> str:
    """The ratio of the medians, and the least and greatest of the same round."""
    rounds = [b / a for a, b in zip(timing.seconds, reference.seconds, strict=True)]
    middle = median(reference.seconds) / median(timing.seconds)
    return f"{middle:.2f}, {min(rounds):.2f} to {max(rounds):.2f}"


if __name__ == "__main__":
    run_script(main)
