"""The lines of our files: labelled sentences, facts about articles, predictions.

Every JSONL file that the project reads or writes is a list of one of these
records, one per line, checked when it is read.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from claimstance.errors import InputError, reading
from claimstance.labels import CERTAINTIES, STANCES, Certainty, Stance

Split = Literal["train", "dev", "test"]


class Record(BaseModel):
    """What all records share: fields are fixed, and unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def certainty_goes_with_a_claim(stance: Stance, certainty: Certainty | None) -> None:
    """Refuse a certainty without a claim, or a claim without one.

    Raises:
        ValueError: which pydantic turns into an error of the record.
    """
    if (stance == "no_claim") != (certainty is None):
        raise ValueError(
            f"certainty must be null for no_claim and set for every other stance, "
            f"not {certainty!r} for {stance}"
        )


class Labels(Record):
    """What the scheme says of one sentence.

    ``certainty`` is null exactly where the stance is ``no_claim``; ``source`` is
    null in the writer's own voice or where nobody is named.
    """

    stance: Stance
    certainty: Certainty | None
    source: str | None = None
    cues: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _certainty_goes_with_a_claim(self) -> Self:
        certainty_goes_with_a_claim(self.stance, self.certainty)
        return self


class Place(Record):
    """Which sentence: its article, and its position there, counted from 0."""

    article_id: str
    position: Annotated[int, Field(ge=0)]


class Sentence(Place):
    """A sentence and where it stands."""

    text: Annotated[str, Field(min_length=1)]


class LabelledSentence(Labels, Sentence):
    """One line of the corpus: a sentence, where it stands, and its labels."""

    @model_validator(mode="after")
    def _spans_stand_in_the_text(self) -> Self:
        for name, span in [("source", self.source), *(("cue", cue) for cue in self.cues)]:
            if span is not None and (not span or span not in self.text):
                raise ValueError(f"{name} {span!r} is not a substring of the sentence")
        return self


class SentenceLabels(Labels, Place):
    """One annotator's labels for one sentence of the corpus, without its text."""


class ArticleFacts(Record):
    """One line of ``articles.jsonl``: what is known of an article as a whole."""

    article_id: str
    title: str
    genre: str
    topic: str
    split: Split
    #: Unknown, like genre and topic, where nobody looked.
    spelling: Literal["British", "American", "unknown"]
    origin: str
    notes: str
    #: Sentences chosen to break shortcuts: position to kind of hard case.
    hard_cases: dict[int, str]
    #: Sentences before the first labelled one, without labels of their own: they take the
    #: positions from 0, and the labelled ones follow. Left out of files where there are none.
    context: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _without_an_empty_context(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if not self.context:
            fields.pop("context", None)
        return fields


class Prediction(Record):
    """One classified sentence.

    ``start`` and ``end`` count code points in the article as it was read from its
    file; ``text`` is that slice, with markup inside it taken out. Probabilities
    are calibrated, keyed by label, and sum to 1. Those of the certainty are given
    that there is a claim. ``needs_review`` says whether a person should read the
    sentence; it is left out of files where nobody asked.
    """

    article_id: str
    position: Annotated[int, Field(ge=0)]
    start: int
    end: int
    text: str
    stance: Stance
    certainty: Certainty | None
    stance_probabilities: dict[Stance, float]
    certainty_probabilities: dict[Certainty, float]
    source: str | None
    cues: tuple[str, ...]
    model: str
    needs_review: bool | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        certainty_goes_with_a_claim(self.stance, self.certainty)
        for given, labels in (
            (self.stance_probabilities, STANCES),
            (self.certainty_probabilities, CERTAINTIES),
        ):
            if given and set(given) != set(labels):
                raise ValueError(f"probabilities must be given for {', '.join(labels)}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_nobody_asked(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if self.needs_review is None:
            fields.pop("needs_review", None)
        return fields


RecordT = TypeVar("RecordT", bound=Record)


def read_records(path: Path, kind: type[RecordT]) -> list[RecordT]:
    """Read a JSONL file of one kind of record.

    Raises:
        InputError: if the file is missing or empty, or a line is not such a record.
    """
    return list(iter_records(path, kind))


def iter_records(path: Path, kind: type[RecordT]) -> Iterator[RecordT]:
    """Like `read_records`, one record at a time."""
    empty = True
    for where, row in iter_json_lines(path):
        empty = False
        try:
            yield kind.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the line"
            raise InputError(
                where,
                expected=f"a {kind.__name__} record ({', '.join(kind.model_fields)})",
                found=f"{field}: {first['msg']}",
                fix="correct that line",
            ) from None
    if empty:
        raise InputError(
            str(path),
            expected=f"one {kind.__name__} record per line",
            found="an empty file",
            fix="check that the command which wrote it had finished",
        )


def iter_json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``(where, object)`` for each line of a JSONL file that is not blank.

    Args:
        path: the file, packed where its name ends in ``.gz``.

    Raises:
        InputError: if the file is missing, is packed and damaged, is not UTF-8, or a line is not a
            JSON object.
    """
    mend = "convert the file to UTF-8, for example with iconv"
    with reading(path, fix=mend), _open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where = f"{path}, line {number}"
                yield where, parse_json_object(line, where)


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    if path.suffix != ".gz":
        with path.open(encoding="utf-8-sig") as lines:
            yield lines
        return
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
            yield lines
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            str(path),
            expected="a whole file that gzip packed",
            found=str(error).lower(),
            fix="pack it anew",
        ) from None


def parse_json_object(line: str, where: str) -> dict[str, Any]:
    """Parse one line of JSONL.

    Raises:
        InputError: if the line is not a JSON object.
    """
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            where,
            expected="a JSON object",
            found=f"broken JSON ({error.msg} at column {error.colno})",
            fix="correct or delete that line",
        ) from None
    except (RecursionError, ValueError) as error:  # nested too deep; a number too long
        raise InputError(
            where,
            expected="a JSON object",
            found=f"JSON that cannot be read ({type(error).__name__})",
            fix="correct or delete that line",
        ) from None
    if not isinstance(row, dict):
        raise InputError(
            where,
            expected="a JSON object",
            found=f"a JSON {type(row).__name__}",
            fix="write one object per line, in braces",
        )
    return row


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records as JSONL, one by one; the file appears whole or not at all."""
    with whole_file(path) as file:
        for record in records:
            file.write(record_line(record))


def record_line(record: Record) -> bytes:
    """A record as its line of JSONL."""
    return f"{json.dumps(record.model_dump(mode='json'), ensure_ascii=False)}\n".encode()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file; it appears whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; it appears whole or not at all."""
    with whole_file(path) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes its name, and the place of an older one, only when it is whole.

    It is written under another name beside it and is on the disk before it is renamed,
    so that neither an error nor a loss of power leaves half of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file private; give it the rights of any new file.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        # The name that the caller knows, which errors of writing do not carry.
        raise OSError(error.errno, error.strerror, str(path)) from None
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
