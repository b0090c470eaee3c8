"""Reading articles: every format, every kind of input, and the words of every error."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from claimstance.articles import Article, read_articles
from claimstance.errors import InputError
from claimstance.sources import FORMATS

PAGE = """<html><head><title>A bridge fell</title></head><body><nav><a href="/">Home</a></nav>
<article><h1>A bridge fell</h1>
<p>The bridge over the river fell on Monday, the police said. Nobody was hurt &amp; the
traffic was stopped for several hours, according to the mayor of the town.</p>
<p>“It broke. We ran,” said a witness who did not want to be named in the paper.</p>
<ul><li>The bridge was built in 1931.</li></ul></article><footer>Imprint</footer></body></html>"""


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, content: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def write_table(name: str, columns: dict[str, Any]) -> str:
    pq.write_table(pa.table(columns), name)
    return name


def read(*inputs: str, **options: Any) -> list[Article | InputError]:
    return list(read_articles(inputs, **options))


def one(*inputs: str, **options: Any) -> Article:
    (article,) = read(*inputs, **options)
    assert isinstance(article, Article), article
    return article


def texts(article: Article | InputError) -> list[str]:
    assert isinstance(article, Article), article
    return [span.text for span in article.sentences]


def ids(found: list[Article | InputError]) -> list[str]:
    return [item.id if isinstance(item, Article) else str(item) for item in found]


# Plain text.


def test_text_has_blocks_title_and_offsets() -> None:
    content = "A bridge fell\r\nIt broke. “We ran.”\r\nBy Ann Lee\r\n\r\nThen it rained. ■\r\n"
    article = one(write("a.txt", b"\xef\xbb\xbf" + content.encode()))
    assert (article.id, article.title) == ("a.txt", "A bridge fell")
    assert texts(article) == [
        "A bridge fell",
        "It broke.",
        "“We ran.”",
        "By Ann Lee",
        "Then it rained.",
    ]
    assert all(content[span.start : span.end] == span.text for span in article.sentences)


def test_a_hard_wrapped_text_is_read_across_its_lines() -> None:
    content = (
        "A bridge fell\n"
        "The bridge over the river fell on Monday, the police said, and the\n"
        "traffic was stopped for hours; nobody was hurt, but the mayor and\n"
        "her deputy resigned.\n"
    )
    article = one(write("a.txt", content))
    assert texts(article) == ["A bridge fell", content[14:-1]]
    assert article.title == "A bridge fell"


@pytest.mark.parametrize(
    "content",
    ["It broke.\n\nWe ran.", "It broke\n", "It broke in May. We ran", f"{'long ' * 40}\n\nWe ran."],
)
def test_a_first_line_that_is_no_title(content: str) -> None:
    assert one(write("a.txt", content)).title is None


def test_lines_of_signs_are_not_sentences() -> None:
    assert texts(one(write("a.txt", "It broke.\n\n* * *\n\nWe ran.\n\n■"))) == [
        "It broke.",
        "We ran.",
    ]


# Markdown and HTML.


def test_markdown() -> None:
    content = "# A *bridge* fell\n> May 25th 2023\n\n**It broke.** See [this](u) now. “We ran.” ■\n"
    article = one(write("a.md", content))
    assert article.title == "A bridge fell"
    assert texts(article) == [
        "A bridge fell",
        "May 25th 2023",
        "It broke.",
        "See this now.",
        "“We ran.”",
    ]
    slices = [content[span.start : span.end] for span in article.sentences]
    assert slices[0] == "A *bridge* fell"
    assert slices[1:3] == ["May 25th 2023", "It broke."]
    assert slices[3:] == ["See [this](u) now.", "“We ran.”"]


def test_html() -> None:
    article = one(write("a.html", PAGE))
    assert article.title == "A bridge fell"
    assert "Nobody was hurt & the traffic was stopped" in texts(article)[2]
    assert texts(article)[3:5] == [
        "“It broke.",
        "We ran,” said a witness who did not want to be named in the paper.",
    ]
    assert texts(article)[-1] == "The bridge was built in 1931."
    assert not {"Home", "Imprint"} & set(texts(article))
    assert all(span.end - span.start == len(span.text) for span in article.sentences)


def test_html_without_text() -> None:
    assert ids(read(write("a.htm", "<html><body></body></html>"))) == [
        "a.htm: expected a page with an article in it, found no running text. "
        "To mend it: save the article's text in a .txt file."
    ]


def test_html_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    (error,) = ids(read(write("a.html", PAGE)))
    assert "expected the library trafilatura, which reads HTML" in error
    assert "run `pip install --upgrade trafilatura lxml_html_clean`" in error


# Rows.

ROWS: list[dict[str, Any]] = [
    {"id": "x", "title": "A bridge fell", "text": "It broke. We ran."},
    {"id": None, "title": None, "text": "Then it rained."},
]


def write_rows(format_: str, rows: list[dict[str, Any]]) -> str:
    name = f"rows.{format_}"
    if format_ == "parquet":
        return write_table(name, {key: [row[key] for row in rows] for key in rows[0]})
    if format_ == "jsonl":
        return write(name, "".join(json.dumps(row) + "\n" for row in rows))
    cells = [list(rows[0]), *(["" if v is None else v for v in row.values()] for row in rows)]
    lines = [",".join('"' + str(cell).replace('"', '""') + '"' for cell in row) for row in cells]
    return write(name, "\r\n".join(lines))


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_rows(format_: str) -> None:
    first, second = read(write_rows(format_, ROWS))
    assert isinstance(first, Article) and isinstance(second, Article)
    assert (first.id, first.title, texts(first)) == ("x", "A bridge fell", ["It broke.", "We ran."])
    assert (second.id, second.title) == (f"rows.{format_}#2", None)
    assert [(span.start, span.end) for span in first.sentences] == [(0, 9), (10, 17)]


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_given_sentences_are_not_split_again(format_: str) -> None:
    given_: Any = ["It broke. We ran.", " ■", "Then"]
    value: Any = json.dumps(given_) if format_ == "csv" else given_
    article = one(write_rows(format_, [{"id": "x", "sentences": value}]))
    assert texts(article) == given_
    joined = " ".join(given_)
    assert all(joined[span.start : span.end] == span.text for span in article.sentences)


def test_columns_by_other_names() -> None:
    name = write("rows.jsonl", '{"url": 7, "head": "A bridge", "body": "It broke."}')
    article = one(name, text_column="body", id_column="url", title_column="head")
    assert (article.id, article.title, texts(article)) == ("7", "A bridge", ["It broke."])


def test_a_cell_may_be_longer_than_csv_allows_by_itself() -> None:
    assert len(one(write("rows.csv", f'text\n"{"It broke. " * 20_000}"')).sentences) == 20_000


def test_a_csv_cell_may_hold_line_ends() -> None:
    assert texts(one(write("rows.csv", 'text\n"A bridge\n\nIt broke."\n'))) == [
        "A bridge",
        "It broke.",
    ]


# Inputs.


def test_order_and_ids_of_files_folders_and_globs() -> None:
    for name in [
        "f/b.txt",
        "f/a/z.md",
        "f/x.log",
        "f/.hidden.txt",
        "f/.git/c.txt",
        "b.txt",
        "c.TXT",
    ]:
        write(name, "It broke.")
    assert ids(read("c.TXT", "f", "*.txt", "f/**/*.md", "f/b.txt")) == [
        "c.TXT",
        "a/z.md",
        "b.txt",
        "b.txt: expected an id that no other article has, found the id 'b.txt' again. "
        "To mend it: give each article an id of its own, and each file once.",
        "z.md",
        "f/b.txt",
    ]


def test_rows_of_two_files_of_one_name() -> None:
    for folder in "ab":
        write(f"{folder}/rows.csv", "text\nIt broke.\n")
    assert ids(read("a/rows.csv", "b/rows.csv")) == ["rows.csv#1", "b/rows.csv#1"]


@pytest.mark.parametrize(
    ("format_", "content", "expected"),
    [("txt", "It broke. # x", "stdin"), ("jsonl", '{"text": "It broke."}', "stdin#1")],
)
def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, format_: Any, content: str, expected: str
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(content.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert one("-", stdin_format=format_).id == expected
    assert not stdin.buffer.closed


def test_parquet_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    content = Path(write_table("rows.parquet", {"text": ["It broke."]})).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert texts(one("-", stdin_format="parquet")) == ["It broke."]


def test_standard_input_without_bytes_beneath(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("It broke."))
    assert texts(one("-")) == ["It broke."]


def test_reading_is_lazy() -> None:
    reading = read_articles([write("a.txt", "It broke."), "b.txt"])
    assert isinstance(next(reading), Article)
    write("b.txt", "We ran.")
    assert isinstance(next(reading), Article)


def test_importing_loads_no_heavy_library() -> None:
    code = (
        "import sys, claimstance.articles; "
        "sys.exit(bool({'pyarrow', 'trafilatura', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Errors: the words of each, and that reading goes on.

SUFFIXES = ".txt, .md, .html, .htm, .jsonl, .csv, .parquet"
NO_LIST = "a list of strings that are not blank under 'sentences'"


def parquet_cut_off() -> str:
    name = write_table("t.parquet", {"text": ["It broke."]})
    return write(name, Path(name).read_bytes()[:-20])


def folder(name: str, *files: str) -> str:
    Path(name).mkdir()
    for file in files:
        write(f"{name}/{file}", "x")
    return name


ERRORS: list[tuple[Callable[[], str], str]] = [
    (
        lambda: "no.txt",
        "no.txt: expected a file, a folder or a glob, found nothing there. "
        "To mend it: check the path.",
    ),
    (
        lambda: "",
        "'': expected a file, a folder or a glob, found nothing there. To mend it: check the path.",
    ),
    (
        lambda: write("a.pdf", "x"),
        f"a.pdf: expected one of the suffixes {SUFFIXES}, before .gz or .zst if packed, "
        "found '.pdf'. To mend it: rename the file after what it holds.",
    ),
    (
        lambda: write("article", "x"),
        f"article: expected one of the suffixes {SUFFIXES}, before .gz or .zst if packed, "
        "found a name without a suffix. To mend it: rename the file after what it holds.",
    ),
    (
        lambda: folder("f"),
        f"f: expected a folder with a file of a known suffix ({SUFFIXES}), found no file at all. "
        "To mend it: check the path.",
    ),
    (
        lambda: folder("f", "a.log", "b.log"),
        f"f: expected a folder with a file of a known suffix ({SUFFIXES}), "
        "found 2 of other kinds. To mend it: check the path.",
    ),
    (
        lambda: "*.txt",
        f"*.txt: expected a glob that matches a file of a known suffix ({SUFFIXES}), "
        "found no file at all. To mend it: check the pattern, and its quotes.",
    ),
    (
        lambda: write("a.txt", " \n"),
        "a.txt: expected an article, found an empty file. "
        "To mend it: check that the command which wrote it had finished.",
    ),
    (
        lambda: write("a.md", "---\n\n![x](y)"),
        "a.md: expected an article, found no sentence: nothing in it that could be classified "
        "has a letter or digit. To mend it: leave the file out.",
    ),
    (
        lambda: write("a.txt", "abc\0"),
        "a.txt: expected text in UTF-8, found binary content (a NUL byte at position 3). "
        "To mend it: give the text itself, or rename the file after what it holds.",
    ),
    (
        lambda: write("a.txt", b"\xef\xbb\xbfcaf\xe9."),
        "a.txt: expected text in UTF-8, found byte 0xe9 at position 6, which is not UTF-8. "
        "To mend it: convert the file to UTF-8, for example with iconv.",
    ),
    (
        lambda: write("a.txt", "“It broke.” caf".encode() + b"\xe9."),
        "a.txt: expected text in UTF-8, found byte 0xe9 at position 19, which is not UTF-8. "
        "To mend it: convert the file to UTF-8, for example with iconv.",
    ),
    (
        lambda: write("a.txt", "It broke.".encode("utf-16")[:-1]),
        "a.txt: expected text in UTF-16, as its first bytes say, found other bytes at position 18. "
        "To mend it: convert the file to UTF-8, for example with iconv.",
    ),
    (
        lambda: write("a.jsonl", "\n"),
        "a.jsonl: expected one article per line, found an empty file. "
        "To mend it: check that the command which wrote it had finished.",
    ),
    (
        lambda: write("a.csv", "text\n"),
        "a.csv: expected one article per row, found a table without rows. "
        "To mend it: check that the command which wrote it had finished.",
    ),
    (
        lambda: write("a.csv", "id,body\n1,It broke.\n"),
        "a.csv: expected a column 'text' or 'sentences', found the columns 'id', 'body'. "
        "To mend it: name the column that holds the text, or rename it.",
    ),
    (
        lambda: write_table("a.parquet", {"body": ["It broke."]}),
        "a.parquet: expected a column 'text' or 'sentences', found the columns 'body'. "
        "To mend it: name the column that holds the text, or rename it.",
    ),
    (
        parquet_cut_off,
        "t.parquet: expected a Parquet file, found one that is cut off or damaged (Parquet magic "
        "bytes not found in footer. Either the file is corrupted or this is not a parquet file). "
        "To mend it: write or copy the file again.",
    ),
    (
        lambda: write("a.csv", 'text\n"It broke.\n'),
        "a.csv, row 1: expected cells divided by commas, quoted with double quotes, found broken "
        "CSV (unexpected end of data). "
        "To mend it: correct that row; the rows below it were not read.",
    ),
    (
        lambda: write("a.csv", "text\nIt broke, we ran.\n"),
        "a.csv, row 1: expected 1 cells, as in the header, found 2. "
        "To mend it: put cells that hold a comma or a line end in double quotes.",
    ),
]

ROW_ERRORS: list[tuple[str, str]] = [
    (
        '{"text": ',
        "expected a JSON object, found broken JSON (Expecting value at column 10). "
        "To mend it: correct or delete that line.",
    ),
    (
        "[" * 100_000,
        "expected a JSON object, found JSON that cannot be read (RecursionError). "
        "To mend it: correct or delete that line.",
    ),
    (
        '{"text": "\\ud800"}',
        "expected a text with a sentence in it under 'text', found half of a character, \\ud800, "
        "at position 0. To mend it: export the text again, or delete that half.",
    ),
    (
        '{"id": "x", "body": "It broke."}',
        "expected a text under 'text' or a list under 'sentences', found only 'id', 'body'. "
        "To mend it: name the column that holds the text, or add it.",
    ),
    (
        '{"text": " "}',
        "expected a text with a sentence in it under 'text', found an empty one. "
        "To mend it: fill it in, or leave the row out.",
    ),
    (
        '{"text": null}',
        "expected a text with a sentence in it under 'text', found null. "
        "To mend it: write it as a string.",
    ),
    (
        '{"text": 5}',
        "expected a text with a sentence in it under 'text', found a value of type int. "
        "To mend it: write it as a string.",
    ),
    (
        '{"id": 1.5, "text": "It broke."}',
        "expected a string or a whole number as 'id', found a value of type float. "
        "To mend it: write it as a string.",
    ),
    (
        '{"title": [], "text": "It broke."}',
        "expected a string as 'title', found a value of type list. "
        "To mend it: write it as a string.",
    ),
    (
        '{"id": "first", "text": "It broke."}',
        "expected an id that no other article has, found the id 'first' again. "
        "To mend it: give each article an id of its own, and each file once.",
    ),
    (
        '{"sentences": []}',
        f"expected {NO_LIST}, found an empty list. To mend it: write a list of strings.",
    ),
    (
        '{"sentences": {"a": 1}}',
        f"expected {NO_LIST}, found a value of type dict. To mend it: write a list of strings.",
    ),
    (
        '{"sentences": "It broke."}',
        f"expected {NO_LIST}, found text that is not a JSON list. "
        'To mend it: write the list as JSON, as in ["One.", "Two."].',
    ),
]

SENTENCE_ERRORS: list[tuple[str, str]] = [
    ("[1]", f"expected {NO_LIST}, found a value of type int. To mend it: write it as a string."),
    ('[" "]', f"expected {NO_LIST}, found a blank one. To mend it: take it out of the list."),
]


@pytest.mark.parametrize(("make", "words"), ERRORS)
def test_words_of_errors_and_reading_goes_on(make: Callable[[], str], words: str) -> None:
    name = make()
    after = write("after/after.txt", "It broke.")
    assert ids(read(name, after)) == [words, "after.txt"]


@pytest.mark.parametrize(("line", "words"), ROW_ERRORS)
def test_words_of_row_errors_and_the_other_rows_go_on(line: str, words: str) -> None:
    rows = ['{"id": "first", "text": "It broke."}', line, '{"id": "last", "text": "We ran."}']
    found = ids(read(write("a.jsonl", "\n".join(rows))))
    assert found == ["first", f"a.jsonl, line 2: {words}", "last"]


@pytest.mark.parametrize(("value", "words"), SENTENCE_ERRORS)
def test_words_of_errors_in_given_sentences(value: str, words: str) -> None:
    (error,) = ids(read(write("a.jsonl", f'{{"sentences": {value}}}')))
    assert error == f"a.jsonl, line 1, sentence 1: {words}"


def test_a_line_that_is_not_utf_8_is_named_by_its_place_in_the_file() -> None:
    content = '{"text": "“It broke.”"}\n'.encode() + b'{"text": "caf\xe9"}\n{"text": "We ran."}\n'
    first, error, last = ids(read(write("a.jsonl", content)))
    assert (first, last) == ("a.jsonl#1", "a.jsonl#3")
    assert error.startswith(
        "a.jsonl, line 2: expected text in UTF-8, found byte 0xe9 at position 41"
    )


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    name = write("a.txt", "It broke.")
    monkeypatch.setattr(Path, "open", refuse)
    assert ids(read(name)) == [
        "a.txt: expected a file that can be read, found permission denied. "
        "To mend it: check the path and the rights."
    ]


ROW_BYTES = [b'{"text": "', b'"}', b'{"sentences": [', b"]}", b"text,id", b"\n", b"\r", b'"', b","]
OTHER_BYTES = [
    b"It broke. ",
    b"\xff",
    b"\0",
    b"PAR1",
    b"\xef\xbb\xbf",
    b"<p>",
    b"</p>",
    b"#",
    b"- ",
]
BYTES = st.binary(max_size=200) | st.lists(
    st.sampled_from(ROW_BYTES + OTHER_BYTES), max_size=30
).map(b"".join)


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=60, deadline=None)
@given(content=BYTES)
@example(content=b"text\r\r\n")
def test_no_content_raises(suffix: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder_:
        path = Path(folder_, f"a{suffix}")
        path.write_bytes(content)
        found = read(str(path))
    assert found
    for item in found:
        assert isinstance(item, InputError) or item.sentences


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_sentences_of_any_text_are_its_slices(content: str) -> None:
    with tempfile.TemporaryDirectory() as folder_:
        path = Path(folder_, "a.txt")
        path.write_bytes(content.encode())
        (found,) = read(str(path))
    if isinstance(found, Article):
        own = content.removeprefix("\ufeff")
        assert all(own[span.start : span.end] == span.text for span in found.sentences)
