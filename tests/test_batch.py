"""Batches: parts that are kept, runs that are cut off and go on, and what they refuse."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimstance.articles import Article, spans_of
from claimstance.batch import (
    Fault,
    Part,
    PartClassifier,
    PartFolder,
    classify_parts,
    cut_parts,
    open_parts,
    parts_folder,
)
from claimstance.engines import Processes, in_this_process
from claimstance.errors import InputError
from claimstance.inference import classify, load_model
from claimstance.records import Prediction, read_records

Run = Callable[..., Any]

FAULT = InputError("a.csv, row 3", expected="a text", found="none", fix="write one")
TEXTS = ["The dam held.", "A text is close, he said.", "That is false!", "Who knows?"]


def article(number: int, sentences: int = 3) -> Article:
    texts = [TEXTS[(number + i) % len(TEXTS)] for i in range(sentences)]
    return Article(f"a{number}", None, spans_of(texts))


def some_news(articles: int = 40) -> list[Article | InputError]:
    """Articles of one to five sentences, and a fault among them."""
    found: list[Article | InputError] = [article(i, 1 + i % 5) for i in range(articles)]
    found.insert(7, FAULT)
    return found


# Parts.


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 12))
def test_parts_hold_all_in_order_and_none_is_larger_than_it_must_be(
    sizes: list[int], least: int
) -> None:
    """A size of 0 is a fault."""
    items = [article(n, size) if size else FAULT for n, size in enumerate(sizes)]
    parts = list(cut_parts(items, least))
    assert [item for part in parts for item in part.items] == items
    assert [part.number for part in parts] == list(range(len(parts)))
    for part in parts:
        weights = [len(i.sentences) if isinstance(i, Article) else 1 for i in part.items]
        assert sum(weights[:-1]) < least
        assert sum(weights) >= least or part is parts[-1]


def test_a_part_is_named_by_all_that_was_read() -> None:
    names = [
        Part(0, items).name
        for items in [
            (article(1),),
            (article(2),),
            (article(1), FAULT),
            (article(1), article(2)),
            (Article("a1", "A title", article(1).sentences),),
            (),
        ]
    ]
    assert len(set(names)) == len(names)
    assert Part(0, (article(1),)).name == names[0]
    assert all(name.startswith("00000000-") for name in names)


@pytest.fixture
def classifier(tiny_onnx: Path) -> PartClassifier:
    return PartClassifier(load_model(tiny_onnx))


@pytest.fixture
def opened(tmp_path: Path, tiny_onnx: Path) -> Callable[..., Any]:
    """Open the parts of a run of the tiny model, with small parts."""

    def opened(**changes: Any) -> Any:
        return open_parts(tmp_path / "parts", tiny_onnx, **{"part_sentences": 10, **changes})

    return opened


def test_a_run_gives_what_classifying_gives(
    opened: Callable[..., Any], classifier: PartClassifier
) -> None:
    news = some_news()
    told: list[tuple[int, bool]] = []
    with opened() as store:
        engine = in_this_process(classifier)
        assert classify_parts(news, engine, store, done=lambda n, old: told.append((n, old)))
        found = list(store.predictions())
        summaries = list(store.summaries())
    articles = [item for item in news if isinstance(item, Article)]
    places = [(a.id, i) for a in articles for i in range(len(a.sentences))]
    assert [(p.article_id, p.position) for p in found] == places
    alone = [p for a in classify(classifier.model, articles) for p in a]
    assert [p.stance for p in found] == [p.stance for p in alone]
    assert told == [(sum(s.stances.values()), False) for s in summaries]
    assert sum(sum(s.stances.values()) for s in summaries) == len(places)
    assert [f for s in summaries for f in s.faults] == [
        Fault(where=FAULT.where, expected="a text", found="none", fix="write one")
    ]
    assert {i: t for s in summaries for i, t in s.titles.items()} == {a.id: None for a in articles}


def test_parts_are_joined_as_they_are(
    opened: Callable[..., Any],
    classifier: PartClassifier,
    tmp_path: Path,
    refuses: Callable[..., InputError],
) -> None:
    joined = tmp_path / "all.jsonl"
    with opened() as store:
        classify_parts(some_news(), in_this_process(classifier), store)
        store.write_jsonl(joined)
        assert list(read_records(joined, Prediction)) == list(store.predictions())
        part = next(p for p in sorted(store.folder.glob("*.jsonl")) if b"\n{" in p.read_bytes())
        content = part.read_bytes()
        for changed in (
            content[:-1],
            content[: content[:-1].rfind(b"\n") + 1],
            content[:-4] + b"x}}\n",
        ):
            part.write_bytes(changed)
            refuses(
                f"{part}: expected a part as it was saved, found one that was changed since. To "
                "mend it: delete that file, and go on with --resume.",
                store.write_jsonl,
                tmp_path / "again.jsonl",
            )
    assert not (tmp_path / "again.jsonl").exists()


def test_an_article_at_which_the_model_fails_is_named_and_the_rest_goes_on(
    classifier: PartClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = type(classifier.model).score

    def stumbling(self: Any, texts: Any) -> Any:
        if any(text.title == "bad" for text in texts):
            raise ZeroDivisionError("no reason")
        return score(self, texts)

    monkeypatch.setattr(type(classifier.model), "score", stumbling)
    bad = Article("a9", "bad", article(9).sentences)
    content = classifier(Part(0, (article(1), FAULT, bad, article(2)))).decode()
    summary, *lines = map(json.loads, content.splitlines())
    assert [line["article_id"] for line in lines] == ["a1"] * 3 + ["a2"] * 3
    assert list(summary["titles"]) == ["a1", "a2"]
    assert [f["where"] for f in summary["faults"]] == ["a.csv, row 3", "article 'a9'"]
    assert "ZeroDivisionError: no reason" in summary["faults"][1]["found"]


def test_what_is_done_is_not_done_again(
    opened: Callable[..., Any], classifier: PartClassifier
) -> None:
    """A run that is asked to stop after two parts; the second does the rest alone."""
    classified: list[int] = []

    def engine(parts: Any) -> Iterator[tuple[Part, bytes]]:
        for part in parts:
            classified.append(part.number)
            yield part, classifier(part)

    with opened() as store:
        assert not classify_parts(some_news(), engine, store, stopping=lambda: len(classified) == 2)
    with opened(resume=True) as store:
        assert classify_parts(some_news(), engine, store)
        cut_off = list(store.predictions())
    assert classified == sorted(set(classified))
    with opened(resume=True) as store:
        assert classify_parts(some_news(), lambda parts: iter(list(parts)), store)  # type: ignore[arg-type]
        assert list(store.predictions()) == cut_off


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n: [*n[:2], article(99), *n[3:]], "found other articles or rows in part 1"),
        (lambda n: n[:-9], "found other articles or rows in part"),
        (lambda n: n[:7], "found other articles or rows in part 2"),
        (lambda n: n[:4], "found less to read: 1 parts"),
        (lambda n: [*n, article(99)], "found other articles or rows in part"),
    ],
    ids=["another", "fewer", "much fewer", "whole parts fewer", "one more"],
)
def test_another_input_is_refused(
    opened: Callable[..., Any],
    classifier: PartClassifier,
    refuses: Callable[..., InputError],
    change: Callable[[list[Any]], list[Any]],
    words: str,
) -> None:
    engine = in_this_process(classifier)
    with opened() as store:
        classify_parts(some_news(), engine, store)
    with opened(resume=True) as store:
        error = refuses(words, classify_parts, change(some_news()), engine, store)
    assert "delete the folder" in error.fix


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "found those of one that was interrupted. To mend it: go on with --resume"),
        ({"resume": True, "threshold": 0.4}, "the threshold of --abstain with which the run began"),
        ({"resume": True, "part_sentences": 11}, "the number of sentences in a part with which"),
    ],
)
def test_other_settings_are_refused(
    opened: Callable[..., Any],
    classifier: PartClassifier,
    refuses: Callable[..., InputError],
    changes: dict[str, Any],
    words: str,
) -> None:
    with opened() as store:
        classify_parts(some_news(), in_this_process(classifier), store)
    refuses(words, opened(**changes).__enter__)


def test_another_model_is_refused(
    opened: Callable[..., Any],
    tmp_path: Path,
    classifier: PartClassifier,
    tiny_model: Path,
    refuses: Callable[..., InputError],
) -> None:
    with opened() as store:
        classify_parts(some_news(), in_this_process(classifier), store)
    other = open_parts(tmp_path / "parts", tiny_model, part_sentences=10, resume=True)
    refuses("expected the SHA-256 of the model with which the run began", other.__enter__)


def test_two_runs_do_not_share_a_folder(
    opened: Callable[..., Any], refuses: Callable[..., InputError]
) -> None:
    with opened():
        refuses("found another process that is", opened(resume=True).__enter__)


def test_an_empty_folder_is_no_run(opened: Callable[..., Any]) -> None:
    """One that was cut off before its first part was whole."""
    with opened():
        pass
    with opened():
        pass


# Several processes.


def test_processes_give_what_one_gives(
    opened: Callable[..., Any], tmp_path: Path, tiny_onnx: Path, classifier: PartClassifier
) -> None:
    with opened() as store:
        classify_parts(some_news(), in_this_process(classifier), store)
        one = {p.name: p.read_bytes() for p in store.folder.glob("*.jsonl")}
    with open_parts(tmp_path / "many", tiny_onnx, part_sentences=10) as store:
        assert classify_parts(some_news(), Processes(2, tiny_onnx), store)
        assert {p.name: p.read_bytes() for p in store.folder.glob("*.jsonl")} == one
    assert len(one) > 4


def test_a_worker_that_dies_is_named(
    tiny_onnx: Path, tmp_path: Path, refuses: Callable[..., InputError]
) -> None:
    """Its model is gone when it starts."""
    engine = Processes(1, tmp_path / "nowhere")
    parts = cut_parts(some_news(), 10)
    refuses("found one that ended suddenly", lambda: list(engine(parts)))


# Runs that are cut off.

#: Kills its own process at a random moment at which a file is being written.
KILLED = """
import os, random, signal, sys
chance, seed = float(sys.argv[1]), sys.argv[2]
del sys.argv[1:3]
dice = random.Random(seed)

def deadly(function):
    def call(*arguments, **options):
        if dice.random() < chance:
            os.kill(os.getpid(), signal.SIGKILL)
        done = function(*arguments, **options)
        if dice.random() < chance:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call

os.fsync, os.replace, os.rename = map(deadly, (os.fsync, os.replace, os.rename))
from claimstance.cli import main
main()
"""


def write_news(path: Path, articles: int) -> None:
    rows = [
        {"id": f"a{i}", "text": " ".join(TEXTS[(i + j) % len(TEXTS)] for j in range(1 + i % 5))}
        for i in range(articles)
    ]
    lines = [json.dumps(row) for row in rows]
    lines.insert(5, "{broken")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_however_often_a_run_is_killed_its_output_is_the_same(
    run_cli: Run, tmp_path: Path, tiny_onnx: Path, workers: int
) -> None:
    kill_and_resume(run_cli, tmp_path, tiny_onnx, ["--workers", str(workers)])


def kill_and_resume(run_cli: Run, folder: Path, model: Path, engine: list[str]) -> None:
    """Kill a run twenty times and let it go on; its files must be those of an undisturbed one."""
    write_news(folder / "news.jsonl", 300)
    command = ["classify", "news.jsonl", "--model", str(model), "--part-size", "6", "-q"]
    outputs = ["p.jsonl", "p.csv", "p.parquet", "p.errors.jsonl"]
    for name in outputs[:3]:
        command += ["-o", name]
    assert run_cli(*command).code == 1  # there is a broken line
    undisturbed = {name: (folder / name).read_bytes() for name in outputs}
    for name in outputs:
        (folder / name).unlink()
    kills, there = 0, 0
    for attempt in range(60):
        chance = 0.08 if kills < 20 else 0.0
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                KILLED,
                str(chance),
                str(attempt),
                *command,
                *engine,
                "--resume",
            ],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=120,
        )
        if done.returncode != -signal.SIGKILL:
            break
        kills += 1
        before, there = there, len(list(parts_folder(folder / "p.jsonl").glob("0*.jsonl")))
        assert there >= before, "nothing that is done is lost"
    assert done.returncode == 1, done.stderr
    assert kills == 20
    assert {name: (folder / name).read_bytes() for name in outputs} == undisturbed
    assert not parts_folder(folder / "p.jsonl").exists()


def test_control_c_finishes_the_part_and_the_run_can_go_on(
    run_cli: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    """The input is a pipe that stays open, so that the run is sure to be under way."""
    command = [sys.executable, "-m", "claimstance", "classify", "-", "--stdin-format", "jsonl"]
    command += ["--model", str(tiny_onnx), "--part-size", "4", "-q", "-o", "p.jsonl"]
    lines = [json.dumps({"id": f"a{i}", "text": "It rained. It broke."}) for i in range(40)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write("\n".join(lines[:20]) + "\n")
        process.stdin.flush()
        parts = parts_folder(tmp_path / "p.jsonl")
        wait_until(lambda: len(list(parts.glob("0*.jsonl"))) >= 3)
        process.send_signal(signal.SIGINT)
        process.stdin.write("\n".join(lines[20:]) + "\n")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finishing the current part" in said
    assert "the same command with --resume goes on" in said
    assert "Traceback" not in said
    assert not (tmp_path / "p.jsonl").exists()
    done = run_cli(*command[3:], "--resume", stdin="\n".join(lines) + "\n")
    assert (done.code, done.err) == (0, "")
    found = read_records(tmp_path / "p.jsonl", Prediction)
    assert [p.article_id for p in found] == [f"a{i}" for i in range(40) for _ in range(2)]


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_a_full_disk_loses_nothing(
    run_here: Run, tmp_path: Path, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fourth part finds no room."""
    write_news(tmp_path / "news.jsonl", 40)
    command = ["classify", "news.jsonl", "--model", tiny_onnx, "--part-size", 6, "-o", "p.jsonl"]
    save, saved = PartFolder.save, []

    def full(self: PartFolder, part: Part, content: bytes) -> None:
        if len(saved) == 3:
            raise OSError(28, "No space left on device", str(self.folder / part.name))
        saved.append(part.number)
        save(self, part, content)

    monkeypatch.setattr(PartFolder, "save", full)
    outcome = run_here(*command)
    assert (outcome.code, "no space left on device" in outcome.err) == (2, True)
    monkeypatch.setattr(PartFolder, "save", save)
    assert len(list(parts_folder(tmp_path / "p.jsonl").glob("0*.jsonl"))) == 3
    refused = run_here(*command)
    assert (refused.code, "go on with --resume" in refused.err) == (2, True)
    assert run_here(*command, "--resume").code == 1
    resumed = (tmp_path / "p.jsonl").read_bytes()
    assert run_here(*command).code == 1
    assert (tmp_path / "p.jsonl").read_bytes() == resumed


def test_errors_are_a_file_that_goes_with_the_output(
    run_here: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    write_news(tmp_path / "news.jsonl", 10)
    command = ["classify", "news.jsonl", "--model", tiny_onnx, "-q", "-o", "p.csv"]
    outcome = run_here(*command)
    assert outcome.code == 1
    assert "1 of 11 inputs could not be used, each named in p.errors.jsonl" in outcome.err
    (fault,) = read_records(tmp_path / "p.errors.jsonl", Fault)
    assert fault.where == "news.jsonl, line 6"
    assert fault.found.startswith("broken JSON")
    (tmp_path / "news.jsonl").write_text('{"text": "It rained."}\n', encoding="utf-8")
    assert run_here(*command).code == 0
    assert not (tmp_path / "p.errors.jsonl").exists(), "it told of an earlier run"


def test_of_many_faults_the_first_are_named_on_the_terminal(
    run_here: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    (tmp_path / "news.jsonl").write_text("{\n" * 500 + '{"text": "It rained."}\n')
    outcome = run_here("classify", "news.jsonl", "--model", tiny_onnx, "-q", "-o", "p.jsonl")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 21
    assert len(read_records(tmp_path / "p.errors.jsonl", Fault)) == 500


def test_of_many_sentences_the_terminal_shows_the_counts(
    run_here: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    write_news(tmp_path / "news.jsonl", 800)
    outcome = run_here("classify", "news.jsonl", "--model", tiny_onnx, "-o", "p.jsonl")
    assert "2,400 sentences in 800 articles" in outcome.out
    assert "Who claims what" not in outcome.out
