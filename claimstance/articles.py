"""Reading articles: files of every kind, folders, globs and standard input.

Everything is lazy and in the order of the inputs. What cannot be read becomes an
`InputError` in its place, and reading goes on with the next line, row or file.
"""

from __future__ import annotations

import csv
import glob
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

from claimstance.errors import InputError
from claimstance.markdown import Block, read_markdown
from claimstance.records import parse_json_object
from claimstance.sentences import has_word, is_soft_wrap, split_sentences, wrap_width

Format = Literal["txt", "md", "html", "jsonl", "csv", "parquet"]

#: The format of a file, by its suffix.
FORMATS: Final[dict[str, Format]] = {
    ".txt": "txt",
    ".md": "md",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}

_SUFFIXES: Final = ", ".join(FORMATS)
_BOM: Final = b"\xef\xbb\xbf"
_ROWS_PER_BATCH: Final = 256
#: The greatest limit that every platform accepts; an article can be far longer than csv's own.
_LONGEST_CELL: Final = 2**31 - 1
_LONGEST_TITLE: Final = 150

_LINE: Final = re.compile(r"[^\r\n]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: Signs with which magazines end an article; they are no part of its last sentence.
_END_MARKS: Final = "■□▪▫◼◻●♦◆∎"
_GLOB: Final = re.compile(r"[*?\[]")
_BULLET: Final = re.compile(r"[-–•|]\s+")


@dataclass(frozen=True, slots=True)
class Span:
    """One sentence of an article.

    ``start`` and ``end`` count code points in the article's own text: for text and
    Markdown the decoded file (without a byte order mark), for HTML the extracted
    text, for a row its text, for a row of sentences these joined by one space.
    ``text`` is that slice with inline marks taken out; where there are none, it is
    the slice.
    """

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """An article: an id that no other article of the same reading has, and its sentences."""

    id: str
    title: str | None
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Columns:
    text: str
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class _Source:
    """One file: how messages and ids name it, and how it is opened."""

    where: str
    id: str
    format: Format
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def read_articles(
    inputs: Sequence[str],
    *,
    text_column: str = "text",
    id_column: str = "id",
    title_column: str = "title",
    stdin_format: Format = "txt",
) -> Iterator[Article | InputError]:
    """Read articles one by one, in the order of the inputs.

    A file of text, Markdown or HTML is one article. Each line of a ``.jsonl`` file
    and each row of a ``.csv`` or ``.parquet`` file is one, with an id, a title
    (both optional) and either a text or, under ``sentences``, a list of strings (in
    CSV a JSON list), which is taken as it is, also if there is a text beside it.

    The id of a file is its name; in a folder, its path from there; the path as
    given where that id is taken. A row without an id gets ``<id of its
    file>#<number>``, where lines of JSONL count from 1 and rows of a table from 1
    below the header.

    In a text, a blank line ends a block of sentences, and so does every line end,
    unless the text looks hard-wrapped (see `claimstance.sentences.wrap_width`).

    Args:
        inputs: paths of files, of folders (read with all folders in them, sorted;
            hidden files and unknown suffixes are passed over), globs, or ``-`` for
            standard input.
        text_column: the column of a row that holds the text.
        id_column: the column that holds the id.
        title_column: the column that holds the title.
        stdin_format: what standard input holds.

    Yields:
        An article, or in its place the `InputError` that says why there is none.
        Bad content never raises.
    """
    columns = _Columns(text_column, id_column, title_column)
    taken: set[str] = set()
    for source in _sources(inputs, stdin_format):
        if isinstance(source, InputError):
            yield source
            continue
        for found in _read_source(source, columns, taken):
            if isinstance(found, Article):
                taken.add(found.id)
            yield found


# Finding the files.


def _sources(inputs: Sequence[str], stdin_format: Format) -> Iterator[_Source | InputError]:
    for given in inputs:
        if given == "-":
            yield _Source("standard input", "stdin", stdin_format, _open_stdin)
        elif given and _is(Path.is_dir, given):
            yield from _folder(given)
        elif given and _is(Path.exists, given):
            yield _file(given, Path(given).name)
        elif _GLOB.search(given):
            yield from _matches(given)
        else:
            yield InputError(
                given or "''",
                expected="a file, a folder or a glob",
                found="nothing there",
                fix="check the path",
            )


def _is(test: Callable[[Path], bool], given: str) -> bool:
    try:
        return test(Path(given))
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        return False


def _open_stdin() -> AbstractContextManager[IO[bytes]]:
    # A notebook's standard input has no bytes beneath it.
    buffer: IO[bytes] | None = getattr(sys.stdin, "buffer", None)
    if buffer is None:
        return io.BytesIO(sys.stdin.read().encode("utf-8", "replace"))
    return nullcontext(buffer)  # it is not ours to close


def _file(path: str, name: str) -> _Source | InputError:
    kind = FORMATS.get(Path(path).suffix.lower())
    if kind is None:
        return InputError(
            path,
            expected=f"one of the suffixes {_SUFFIXES}",
            found=repr(Path(path).suffix) if Path(path).suffix else "a name without a suffix",
            fix="rename the file after what it holds",
        )
    # A name that is not UTF-8 comes with surrogates, which no output file could hold.
    article_id = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _Source(path, article_id, kind, lambda: Path(path).open("rb"))


def _folder(folder: str) -> Iterator[_Source | InputError]:
    unreadable: list[OSError] = []
    found: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.extend(Path(parent, name).relative_to(folder).as_posix() for name in names)
    for error in unreadable:
        yield _os_error(str(error.filename), error)
    known = [name for name in sorted(found) if _is_known(name)]
    for name in known:
        yield _file(str(Path(folder, name)), name)
    if not known and not unreadable:
        yield _nothing_known(folder, "folder", len(found))


def _matches(pattern: str) -> Iterator[_Source | InputError]:
    # Path.glob takes no absolute pattern, and raises on some that glob takes.
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    known = [path for path in found if _is_known(path) and Path(path).is_file()]
    for path in known:
        yield _file(path, Path(path).name)
    if not known:
        yield _nothing_known(pattern, "glob", len(found))


def _is_known(path: str) -> bool:
    return Path(path).suffix.lower() in FORMATS and not Path(path).name.startswith(".")


def _nothing_known(where: str, kind: str, others: int) -> InputError:
    verb = "with" if kind == "folder" else "that matches"
    return InputError(
        where,
        expected=f"a {kind} {verb} a file of a known suffix ({_SUFFIXES})",
        found=f"{others} of other kinds" if others else "no file at all",
        fix=f"check the {'path' if kind == 'folder' else 'pattern, and its quotes'}",
    )


def _os_error(where: str, error: OSError) -> InputError:
    return InputError(
        where,
        expected="a file that can be read",
        found=(error.strerror or "an error").lower(),
        fix="check the path and the rights",
    )


# Reading one file.


def _read_source(
    source: _Source, columns: _Columns, taken: set[str]
) -> Iterator[Article | InputError]:
    name = source.where if source.id in taken else source.id
    try:
        with source.open() as file:
            if source.format in ("jsonl", "csv", "parquet"):
                yield from _read_rows(file, source, name, columns, taken)
                taken.add(name)
            else:
                yield _read_document(file.read(), source, name, taken)
    except OSError as error:
        yield _os_error(source.where, error)
    except InputError as error:
        yield error


def _read_document(content: bytes, source: _Source, article_id: str, taken: set[str]) -> Article:
    if article_id in taken:
        raise _duplicate(source.where, article_id)
    text = _decode(content, source.where)
    if not text.strip():
        raise InputError(
            source.where,
            expected="an article",
            found="an empty file",
            fix="check that the command which wrote it had finished",
        )
    match source.format:
        case "md":
            title, blocks = read_markdown(text)
            sentences = _spans(blocks)
        case "html":
            title, sentences = _read_html(text, source.where)
        case _:
            sentences = _text_sentences(text)
            title = _first_line_title(text, sentences)
    if not sentences:
        raise InputError(
            source.where,
            expected="an article",
            found="no sentence: nothing in it that could be classified has a letter or digit",
            fix="leave the file out",
        )
    return Article(article_id, title, sentences)


def _decode(content: bytes, where: str, offset: int = 0) -> str:
    """Decode UTF-8; ``offset`` is how many bytes of the file stand before ``content``."""
    skipped = len(_BOM) if not offset and content.startswith(_BOM) else 0
    # UTF-16 is full of NULs, but has a more helpful message coming.
    nul = -1 if content.startswith((b"\xff\xfe", b"\xfe\xff")) else content.find(b"\0")
    if nul >= 0:
        raise InputError(
            where,
            expected="text in UTF-8",
            found=f"binary content (a NUL byte at position {offset + nul})",
            fix="give the text itself, or rename the file after what it holds",
        )
    try:
        return content[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        position = offset + skipped + error.start
        raise InputError(
            where,
            expected="text in UTF-8",
            found=f"byte 0x{error.object[error.start]:02x} at position {position}, "
            "which is not UTF-8",
            fix="convert the file to UTF-8, for example with iconv",
        ) from None


def _duplicate(where: str, article_id: str) -> InputError:
    return InputError(
        where,
        expected="an id that no other article has",
        found=f"the id {article_id!r} again",
        fix="give each article an id of its own, and each file once",
    )


# From text to sentences.


def _text_sentences(text: str, *, wrapped: bool = True) -> tuple[Span, ...]:
    """The sentences of a plain text, which may be hard-wrapped if ``wrapped``."""
    spans: list[Span] = []
    for start, end in _text_blocks(text, wrapped=wrapped):
        for left, right in split_sentences(text[start:end]):
            sentence = _without_end_mark(text[start + left : start + right])
            if has_word(sentence):
                spans.append(Span(start + left, start + left + len(sentence), sentence))
    return tuple(spans)


def _without_end_mark(sentence: str) -> str:
    return sentence.rstrip(_END_MARKS).rstrip()


def _text_blocks(text: str, *, wrapped: bool) -> Iterator[tuple[int, int]]:
    paragraphs = _paragraphs(text)
    width = None
    if wrapped:
        width = wrap_width([text[a:b] for a, b in lines] for lines in paragraphs)
    for lines in paragraphs:
        start = lines[0][0]
        for number, (left, right) in enumerate(lines):
            following = lines[number + 1] if number + 1 < len(lines) else None
            if following and is_soft_wrap(text[left:right], text[slice(*following)], width):
                continue
            yield start, right
            start = following[0] if following else right


def _paragraphs(text: str) -> list[list[tuple[int, int]]]:
    """For each stretch without a blank line, the start and end of its lines."""
    paragraphs: list[list[tuple[int, int]]] = []
    end_before = 0
    for match in _LINE.finditer(text):
        if match[0].isspace():
            continue
        gap = text[end_before : match.start()]
        if not paragraphs or gap not in ("\n", "\r\n", "\r"):
            paragraphs.append([])
        paragraphs[-1].append(match.span())
        end_before = match.end()
    return paragraphs


def _spans(blocks: Iterable[Block]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for block in blocks:
        for start, end in split_sentences(block.text):
            sentence = _without_end_mark(block.text[start:end])
            if has_word(sentence):
                last = start + len(sentence) - 1
                spans.append(Span(block.starts[start], block.ends[last], sentence))
    return tuple(spans)


def _first_line_title(text: str, sentences: Sequence[Span]) -> str | None:
    """The first sentence, if it is a short line to itself, has no full stop, and is not all."""
    if len(sentences) < 2:
        return None
    first = sentences[0]
    alone = "\n" in text[first.end : sentences[1].start].replace("\r", "\n")
    whole = not any(sign in first.text for sign in "\r\n")
    short = len(first.text) <= _LONGEST_TITLE
    open_end = not first.text.rstrip("\"'”’»)").endswith((".", "…", ",", ";", ":"))
    return first.text if alone and whole and short and open_end else None


def _read_html(text: str, where: str) -> tuple[str | None, tuple[Span, ...]]:
    try:
        import trafilatura
        from trafilatura.settings import Document
    except ImportError as error:
        raise InputError(
            where,
            expected="the library trafilatura, which reads HTML",
            found=f"that it does not load ({error})",
            fix="run `pip install --upgrade trafilatura lxml_html_clean`",
        ) from None
    try:
        document = trafilatura.bare_extraction(text, include_comments=False, with_metadata=True)
    except Exception as error:  # a parser of wild HTML can fail in any way
        raise InputError(
            where,
            expected="a page of HTML",
            found=f"one that cannot be parsed ({type(error).__name__})",
            fix="save the article's text in a .txt file",
        ) from None
    if not isinstance(document, Document) or not document.text:
        raise InputError(
            where,
            expected="a page with an article in it",
            found="no running text",
            fix="save the article's text in a .txt file",
        )
    # Each line of the extracted text is a paragraph, a heading or a point of a list.
    spans = _text_sentences(document.text, wrapped=False)
    return document.title or None, tuple(_without_bullet(span) for span in spans)


def _without_bullet(span: Span) -> Span:
    match = _BULLET.match(span.text)
    size = match.end() if match else 0
    return Span(span.start + size, span.end, span.text[size:])


# Rows.


def _read_rows(
    file: IO[bytes], source: _Source, name: str, columns: _Columns, taken: set[str]
) -> Iterator[Article | InputError]:
    readers = {"jsonl": _jsonl_rows, "csv": _csv_rows, "parquet": _parquet_rows}
    empty = True
    for found in readers[source.format](file, source.where, columns):
        empty = False
        if isinstance(found, InputError):
            yield found
            continue
        number, where, row = found
        try:
            yield _row_article(row, where, f"{name}#{number}", columns, taken)
        except InputError as error:
            yield error
    if empty:
        yield InputError(
            source.where,
            expected="one article per line" if source.format == "jsonl" else "one article per row",
            found="an empty file" if source.format == "jsonl" else "a table without rows",
            fix="check that the command which wrote it had finished",
        )


_Row = tuple[int, str, dict[str, Any]]


def _jsonl_rows(file: IO[bytes], where: str, columns: _Columns) -> Iterator[_Row | InputError]:
    for number, (line, offset) in enumerate(_byte_lines(file), start=1):
        place = f"{where}, line {number}"
        try:
            written = _decode(line, place, offset).rstrip("\r\n")
            if written.strip():
                yield number, place, parse_json_object(written, place)
        except InputError as error:
            yield error


def _byte_lines(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    offset = 0
    for line in file:
        yield line, offset
        offset += len(line)


def _csv_rows(file: IO[bytes], where: str, columns: _Columns) -> Iterator[_Row | InputError]:
    if csv.field_size_limit() < _LONGEST_CELL:
        csv.field_size_limit(_LONGEST_CELL)
    lines = (_decode(line, where, offset) for line, offset in _byte_lines(file))
    # Strict: else a quotation mark that is never closed swallows the rest of the file.
    rows = csv.reader(lines, strict=True)
    number = 0
    try:
        header = next((cells for cells in rows if cells), [])
        if not header:
            return
        _check_columns(header, where, columns)
        for cells in rows:
            if not cells:
                continue
            number += 1
            place = f"{where}, row {number}"
            if len(cells) == len(header):
                yield number, place, dict(zip(header, cells, strict=True))
            else:
                yield InputError(
                    place,
                    expected=f"{len(header)} cells, as in the header",
                    found=str(len(cells)),
                    fix="put cells that hold a comma or a line end in double quotes",
                )
    except InputError as error:
        yield error
    except csv.Error as error:
        yield InputError(
            f"{where}, row {number + 1}",
            expected="cells divided by commas, quoted with double quotes",
            found=f"broken CSV ({error})",
            fix="correct that row; the rows below it were not read",
        )


def _check_columns(names: Sequence[str], where: str, columns: _Columns) -> None:
    if columns.text not in names and "sentences" not in names:
        raise InputError(
            where,
            expected=f"a column {columns.text!r} or 'sentences'",
            found=f"the columns {', '.join(map(repr, names)) or 'of an empty table'}",
            fix="name the column that holds the text, or rename it",
        )


def _parquet_rows(file: IO[bytes], where: str, columns: _Columns) -> Iterator[_Row | InputError]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        # A table is read from its end, and a pipe has none.
        table = pq.ParquetFile(file if file.seekable() else io.BytesIO(file.read()))
        names = table.schema_arrow.names
        _check_columns(names, where, columns)
        wanted = [n for n in (columns.id, columns.title, columns.text, "sentences") if n in names]
        for batch in table.iter_batches(batch_size=_ROWS_PER_BATCH, columns=wanted):
            for row in batch.to_pylist():
                number += 1
                yield number, f"{where}, row {number}", row
    except InputError as error:
        yield error
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        yield InputError(
            where,
            expected="a Parquet file",
            found=f"one that is cut off or damaged ({_first_line(error)})",
            fix="write or copy the file again",
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _row_article(
    row: dict[str, Any], where: str, default_id: str, columns: _Columns, taken: set[str]
) -> Article:
    article_id = _row_id(row.get(columns.id), where, columns.id) or default_id
    if article_id in taken:
        raise _duplicate(where, article_id)
    title = row.get(columns.title)
    if title is not None:
        title = _string(title, where, f"a string as {columns.title!r}").strip() or None
    given = row.get("sentences")
    if given is not None and given != "":
        return Article(article_id, title, _given_sentences(given, where))
    if columns.text not in row:
        raise InputError(
            where,
            expected=f"a text under {columns.text!r} or a list under 'sentences'",
            found=f"only {', '.join(map(repr, row)) or 'an empty object'}",
            fix="name the column that holds the text, or add it",
        )
    expected = f"a text with a sentence in it under {columns.text!r}"
    sentences = _text_sentences(_string(row[columns.text], where, expected))
    if not sentences:
        raise InputError(
            where, expected=expected, found="an empty one", fix="fill it in, or leave the row out"
        )
    return Article(article_id, title, sentences)


def _row_id(value: object, where: str, column: str) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    expected = f"a string or a whole number as {column!r}"
    return _string(value, where, expected) or None if value is not None else None


def _string(value: object, where: str, expected: str) -> str:
    if not isinstance(value, str):
        found = "null" if value is None else f"a value of type {type(value).__name__}"
        raise InputError(where, expected=expected, found=found, fix="write it as a string")
    if broken := _SURROGATE.search(value):
        raise InputError(
            where,
            expected=expected,
            found=f"half of a character, \\u{ord(broken[0]):04x}, at position {broken.start()}",
            fix="export the text again, or delete that half",
        )
    return value


def _given_sentences(value: object, where: str) -> tuple[Span, ...]:
    expected = "a list of strings that are not blank under 'sentences'"
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise InputError(
                where,
                expected=expected,
                found="text that is not a JSON list",
                fix='write the list as JSON, as in ["One.", "Two."]',
            ) from None
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else f"a value of type {type(value).__name__}"
        raise InputError(where, expected=expected, found=found, fix="write a list of strings")
    texts = [
        _string(sentence, f"{where}, sentence {number}", expected)
        for number, sentence in enumerate(value, start=1)
    ]
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            raise InputError(
                f"{where}, sentence {number}",
                expected=expected,
                found="a blank one",
                fix="take it out of the list",
            )
    return spans_of(texts)


def spans_of(sentences: Sequence[str]) -> tuple[Span, ...]:
    """The spans of sentences that are joined by one space."""
    spans: list[Span] = []
    for text in sentences:
        start = spans[-1].end + 1 if spans else 0
        spans.append(Span(start, start + len(text), text))
    return tuple(spans)
