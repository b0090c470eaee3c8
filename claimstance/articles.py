"""Reading articles: documents and rows, from wherever they come (`claimstance.sources`).

Everything is lazy and in the order of the inputs. What cannot be read becomes an
`InputError` in its place, and reading goes on with the next line, row or file.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

from claimstance.errors import InputError
from claimstance.markdown import Block, read_markdown
from claimstance.records import parse_json_object
from claimstance.sentences import has_word, is_soft_wrap, split_sentences, wrap_width
from claimstance.sources import (
    MOST_BYTES,
    Format,
    Meter,
    Source,
    byte_lines,
    decode,
    decode_document,
    find_sources,
    first_line,
    open_source,
    read_all,
    rows_as_utf8,
)

#: The most code points that an article may have: a long novel.
MOST_CHARACTERS: Final = 2_000_000

_ROWS_PER_BATCH: Final = 256
_LONGEST_TITLE: Final = 150

_LINE: Final = re.compile(r"[^\r\n]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: Signs with which magazines end an article; they are no part of its last sentence.
_END_MARKS: Final = "■□▪▫◼◻●♦◆∎"
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


def read_articles(
    inputs: Sequence[str],
    *,
    text_column: str = "text",
    id_column: str = "id",
    title_column: str = "title",
    stdin_format: Format = "txt",
    meter: Meter | None = None,
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
        meter: is told how far the reading is.

    Yields:
        An article, or in its place the `InputError` that says why there is none.
        Bad content never raises.
    """
    columns = _Columns(text_column, id_column, title_column)
    taken: set[str] = set()
    for source in find_sources(inputs, stdin_format):
        if isinstance(source, InputError):
            yield source
            continue
        for found in _read_source(source, columns, taken, meter):
            if isinstance(found, Article):
                taken.add(found.id)
            yield found


def article_from_text(text: str, *, title: str | None = None, id: str = "text") -> Article:
    """An article made of a plain text, as `read_articles` would make it of a ``.txt`` file.

    Args:
        text: the text.
        title: its title; if not given, a first line that looks like a headline.
        id: the id that its predictions get.

    Raises:
        InputError: if there is no sentence in it, or it is too long.
    """
    sentences = _text_sentences(text)
    if not sentences:
        raise _nothing_to_classify(id, "give a text that has words in it")
    return _article(id, title or _first_line_title(text, sentences), sentences, id)


def _nothing_to_classify(where: str, fix: str = "leave the file out") -> InputError:
    return InputError(
        where,
        expected="an article",
        found="no sentence: nothing in it that could be classified has a letter or digit",
        fix=fix,
    )


# Reading one file.


def _read_source(
    source: Source, columns: _Columns, taken: set[str], meter: Meter | None
) -> Iterator[Article | InputError]:
    name = source.where if source.id in taken else source.id
    try:
        with open_source(source, meter) as file:
            if source.format in ("jsonl", "csv", "parquet"):
                yield from _read_rows(file, source, name, columns, taken)
                taken.add(name)
            else:
                yield _read_document(read_all(file, source.where), source, name, taken)
    except InputError as error:
        yield error


def _read_document(content: bytes, source: Source, article_id: str, taken: set[str]) -> Article:
    if article_id in taken:
        raise _duplicate(source.where, article_id)
    text = decode_document(content, source.where, source.format)
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
        raise _nothing_to_classify(source.where)
    return _article(article_id, title, sentences, source.where)


def _article(article_id: str, title: str | None, spans: Sequence[Span], where: str) -> Article:
    length = spans[-1].end
    if length > MOST_CHARACTERS:
        raise InputError(
            where,
            expected=f"an article of at most {MOST_CHARACTERS:,} characters",
            found=f"one of {length:,}",
            fix="divide it into articles, for example one per line of a .jsonl file",
        )
    return Article(article_id, title, tuple(spans))


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
    file: io.BufferedReader, source: Source, name: str, columns: _Columns, taken: set[str]
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


def _jsonl_rows(
    file: io.BufferedReader, where: str, columns: _Columns
) -> Iterator[_Row | InputError]:
    stream, encoding = rows_as_utf8(file, where)
    for number, found in enumerate(byte_lines(stream, where), start=1):
        if isinstance(found, InputError):
            yield found
            continue
        line, offset = found
        place = f"{where}, line {number}"
        try:
            written = decode(line, place, offset, encoding).rstrip("\r\n")
            if written.strip():
                yield number, place, parse_json_object(written, place)
        except InputError as error:
            yield error


def _csv_lines(file: io.BufferedReader, where: str) -> Iterator[str]:
    stream, encoding = rows_as_utf8(file, where)
    for found in byte_lines(stream, where):
        if isinstance(found, InputError):
            raise found
        line, offset = found
        yield decode(line, where, offset, encoding)


def _csv_rows(
    file: io.BufferedReader, where: str, columns: _Columns
) -> Iterator[_Row | InputError]:
    # An article can be far longer than csv's own limit.
    if csv.field_size_limit() < MOST_BYTES:
        csv.field_size_limit(MOST_BYTES)
    lines = _csv_lines(file, where)
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


def _parquet_rows(
    file: io.BufferedReader, where: str, columns: _Columns
) -> Iterator[_Row | InputError]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with _seekable(file) as seekable:
            table = pq.ParquetFile(seekable, pre_buffer=False, buffer_size=2**20)
            names = table.schema_arrow.names
            _check_columns(names, where, columns)
            wanted = [
                n for n in (columns.id, columns.title, columns.text, "sentences") if n in names
            ]
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
            found=f"one that is cut off or damaged ({first_line(error)})",
            fix="write or copy the file again",
        )


@contextmanager
def _seekable(file: io.BufferedReader) -> Iterator[IO[bytes]]:
    """A table is read from its end, which a pipe or a packed file has not: copied to the disk."""
    if isinstance(file.raw, io.FileIO) and file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        yield copy


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
        return _article(article_id, title, _given_sentences(given, where), where)
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
    return _article(article_id, title, sentences, where)


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
