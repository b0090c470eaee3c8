"""Classifying any number of articles, so that an interrupted run can go on.

What is read is cut into parts of some two thousand sentences. A part that is classified
is a file of its own, named by its number and by a hash of what was read, and written
whole or not at all. At the end the parts are joined, in order, and removed.

A run that goes on reads its input again and leaves out what is there. The parts depend
on nothing but input and model, and so does what is made of them: however often a run is
cut off, and on however many processors, its output is the same byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claimstance import __version__
from claimstance.abstention import mark_for_review
from claimstance.articles import Article
from claimstance.errors import InputError
from claimstance.inference import Model, classify, model_hash
from claimstance.labels import Stance
from claimstance.records import (
    Prediction,
    Record,
    iter_json_lines,
    record_line,
    whole_file,
    write_bytes,
    write_text,
)

#: Sentences after which a part ends: some ten seconds of work for one processor.
PART_SENTENCES: Final = 2048
RUN_FILE: Final = "run.json"


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive articles of the input, and the faults between them."""

    number: int
    items: tuple[Article | InputError, ...]

    @property
    def name(self) -> str:
        """What its file is called: its number and a hash of all that was read."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(json.dumps(_content(item)).encode() + b"\n")
        return f"{self.number:08d}-{digest.hexdigest()[:32]}.jsonl"


def _content(item: Article | InputError) -> list[object]:
    if isinstance(item, InputError):
        return [str(item)]
    return [item.id, item.title, [(s.start, s.end, s.text) for s in item.sentences]]


def cut_parts(
    items: Iterable[Article | InputError], sentences: int = PART_SENTENCES
) -> Iterator[Part]:
    """Cut what is read into parts, each the first that has that many sentences.

    >>> [p.number for p in cut_parts([Article("a", None, ()), Article("b", None, ())], 1)]
    [0, 1]
    """
    number, gathered, size = 0, [], 0
    for item in items:
        gathered.append(item)
        # A fault takes room too: a million of them must not end up in one part.
        size += max(1, len(item.sentences)) if isinstance(item, Article) else 1
        if size >= sentences:
            yield Part(number, tuple(gathered))
            number, gathered, size = number + 1, [], 0
    if gathered:
        yield Part(number, tuple(gathered))


class Fault(Record):
    """One line of the file of errors: an input that could not be used."""

    where: str
    expected: str
    found: str
    fix: str


class PartSummary(Record):
    """The first line of a part's file; the predictions follow.

    Attributes:
        titles: the title of each article, by its id.
        stances: how many sentences have each stance.
        marked: how many of them a person should read.
        faults: the inputs that could not be used.
        sha256: that of the predictions' lines.
    """

    titles: dict[str, str | None]
    stances: dict[Stance, int]
    marked: int
    faults: tuple[Fault, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class PartClassifier:
    """What is done to a part, on whatever machine.

    Attributes:
        model: the model.
        threshold: probability of the likeliest stance below which a person should
            read a sentence; None if nobody asked.
    """

    model: Model
    threshold: float | None = None

    def __call__(self, part: Part) -> bytes:
        """Classify a part.

        Returns:
            The content of its file.
        """
        labelled, faults = self._label(part.items)
        lines = b"".join(one.lines for one in labelled)
        summary = PartSummary(
            titles={one.article.id: one.article.title for one in labelled},
            stances=dict(Counter(stance for one in labelled for stance in one.stances)),
            marked=sum(one.marked for one in labelled),
            faults=tuple(map(_fault, faults)),
            sha256=hashlib.sha256(lines).hexdigest(),
        )
        return record_line(summary) + lines

    def _label(
        self, items: Sequence[Article | InputError]
    ) -> tuple[list[_Labelled], list[InputError]]:
        """Label articles together; if that fails, one by one, to find the one at fault."""
        articles = [item for item in items if isinstance(item, Article)]
        faults = [item for item in items if isinstance(item, InputError)]
        try:
            # Each is written up while the network is at work on the next ones.
            said = zip(articles, classify(self.model, articles), strict=True)
            return [self._write_up(article, predictions) for article, predictions in said], faults
        except MemoryError:
            raise
        except Exception as error:  # whatever a model stumbles over
            if len(articles) == 1:
                return [], [*faults, _stumbled(articles[0], error)]
        labelled = []
        for article in articles:
            found, stumbles = self._label([article])
            labelled += found
            faults += stumbles
        return labelled, faults

    def _write_up(self, article: Article, predictions: Sequence[Prediction]) -> _Labelled:
        if self.threshold is not None:
            predictions = mark_for_review(predictions, self.threshold)
        return _Labelled(
            article,
            lines=b"".join(map(record_line, predictions)),
            stances=[p.stance for p in predictions],
            marked=sum(bool(p.needs_review) for p in predictions),
        )


@dataclass(frozen=True, slots=True)
class _Labelled:
    """An article with what came of it: lines, stances, and how many a person should read."""

    article: Article
    lines: bytes
    stances: list[Stance]
    marked: int


def _stumbled(article: Article, error: Exception) -> InputError:
    return InputError(
        f"article {article.id!r}",
        expected="an article that the model can label",
        found=f"one at which it failed ({type(error).__name__}: {error})",
        fix="leave it out, and report this with the article",
    )


def _fault(error: InputError) -> Fault:
    return Fault(where=error.where, expected=error.expected, found=error.found, fix=error.fix)


class PartFolder:
    """The parts of a run that are done, on the disk.

    Args:
        folder: where they are.
        known: the names of those that are there, by number.
        part_sentences: as in `cut_parts`.
    """

    def __init__(self, folder: Path, known: Mapping[int, str], part_sentences: int) -> None:
        self.folder = folder
        self.part_sentences = part_sentences
        self._known = dict(known)

    def has(self, part: Part) -> bool:
        """Whether a part is done.

        Raises:
            InputError: if what was read then under this number was something else.
        """
        known = self._known.get(part.number)
        if known is not None and known != part.name:
            raise self._changed(f"other articles or rows in part {part.number + 1}")
        return known is not None

    def save(self, part: Part, content: bytes) -> None:
        """Keep what came of a part."""
        name = part.name  # a hash of all that it holds
        write_bytes(self.folder / name, content)
        self._known[part.number] = name

    def must_be_all(self, parts: int) -> None:
        """Check that there are no more parts than the input has.

        Raises:
            InputError: if there are.
        """
        if len(self._known) > parts:
            raise self._changed(f"less to read: {parts} parts, of which {len(self._known)} exist")

    def summaries(self) -> Iterator[PartSummary]:
        """What is in each part, in the order of the input."""
        for lines in self._lines():
            yield PartSummary.model_validate(next(lines))

    def predictions(self) -> Iterator[Prediction]:
        """All predictions, in the order of the input."""
        for lines in self._lines():
            next(lines)
            yield from map(Prediction.model_validate, lines)

    def write_jsonl(self, path: Path) -> None:
        """Write all predictions as JSONL: as they lie in the parts, line by line.

        Raises:
            InputError: if a part is no longer what was saved.
        """
        with whole_file(path) as file:
            for part in self._files():
                first, _, lines = part.read_bytes().partition(b"\n")
                wanted = PartSummary.model_validate_json(first).sha256
                if hashlib.sha256(lines).hexdigest() != wanted:
                    raise InputError(
                        str(part),
                        expected="a part as it was saved",
                        found="one that was changed since",
                        fix="delete that file, and go on with --resume",
                    )
                file.write(lines)

    def _files(self) -> Iterator[Path]:
        return (self.folder / name for _, name in sorted(self._known.items()))

    def _lines(self) -> Iterator[Iterator[dict[str, Any]]]:
        for path in self._files():
            yield (row for _, row in iter_json_lines(path))

    def _changed(self, found: str) -> InputError:
        return InputError(
            str(self.folder),
            expected="the input with which the run began",
            found=found,
            fix=f"give that input, or delete the folder {self.folder} to start anew",
        )


def parts_folder(output: Path) -> Path:
    """Where the parts of a run lie until it is done: hidden, so that no folder's reader sees it."""
    return output.with_name(f".{output.name}.parts")


@contextmanager
def open_parts(
    folder: Path,
    model_folder: Path,
    *,
    threshold: float | None = None,
    part_sentences: int = PART_SENTENCES,
    resume: bool = False,
) -> Iterator[PartFolder]:
    """Open the folder of a run's parts, for this process alone.

    Args:
        folder: the folder, from `parts_folder`.
        model_folder: the model, which must be the one with which the run began.
        threshold: as in `PartClassifier`.
        part_sentences: as in `cut_parts`.
        resume: go on with what is there; there may be nothing.

    Raises:
        InputError: if there are parts and nobody asked to go on; if another model,
            threshold or version made them; or if another process is at work on them.
    """
    told = {
        "version of claimstance": __version__,
        "SHA-256 of the model": model_hash(model_folder),
        "threshold of --abstain": threshold,
        "number of sentences in a part": part_sentences,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        known = {int(p.name[:8]): p.name for p in folder.glob("[0-9]*-*.jsonl")}
        _must_go_on(folder, told, known=bool(known), resume=resume)
        write_text(folder / RUN_FILE, json.dumps(told, indent=1) + "\n")
        yield PartFolder(folder, known, part_sentences)


def _must_go_on(folder: Path, told: Mapping[str, object], *, known: bool, resume: bool) -> None:
    if known and not resume:
        raise InputError(
            str(folder),
            expected="no parts of an earlier run",
            found="those of one that was interrupted",
            fix="go on with --resume, or delete the folder to start anew",
        )
    if not known:
        return
    before = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    for name, value in told.items():
        if before.get(name) != value:
            raise InputError(
                str(folder),
                expected=f"the {name} with which the run began, {before.get(name)}",
                found=str(value),
                fix="give the same, or delete the folder to start anew",
            )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder; the lock ends with the process, however it ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(
            str(folder),
            expected="a run that nobody else is at work on",
            found="another process that is",
            fix="wait until it has ended, or name another output",
        ) from None
    try:
        yield
    finally:
        lock.release()


#: From parts to their files' content, in any order.
Engine = Callable[[Iterable[Part]], Iterator[tuple[Part, bytes]]]


def classify_parts(
    items: Iterable[Article | InputError],
    engine: Engine,
    store: PartFolder,
    *,
    stopping: Callable[[], bool] = lambda: False,
    done: Callable[[int, bool], None] = lambda sentences, was_there: None,
) -> bool:
    """Classify what is not yet done, and keep it.

    Args:
        items: what is read; all of it, also where a part of it is done.
        engine: what classifies parts.
        store: where they are kept.
        stopping: asked before each part whether to leave it and all that follow.
        done: told how many sentences a part has, and whether it was there before.

    Returns:
        Whether the end of the input was reached.

    Raises:
        InputError: if the input is not the one with which the run began.
    """
    read, stopped = 0, False

    def missing() -> Iterator[Part]:
        nonlocal read, stopped
        for part in cut_parts(items, store.part_sentences):
            if stopping():
                stopped = True
                return
            read += 1
            if store.has(part):
                done(_sentences(part), True)
            else:
                yield part

    for part, content in engine(missing()):
        store.save(part, content)
        done(_sentences(part), False)
    if not stopped:
        store.must_be_all(read)
    return not stopped


def _sentences(part: Part) -> int:
    return sum(len(item.sentences) for item in part.items if isinstance(item, Article))
