"""Where articles come from: packing, encodings, limits, and a folder of hostile files."""

from __future__ import annotations

import gzip
import html
import io
import json
import logging
import os
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimstance import articles as articles_module
from claimstance import sources
from claimstance.articles import Article, read_articles
from claimstance.batch import Fault
from claimstance.errors import InputError
from claimstance.records import Prediction, read_records
from claimstance.sources import Meter, byte_lines, find_sources, total_size

Run = Callable[..., Any]
QUOTED = "“We never signed it,” said Zoë, the mayor’s aide. It cost a million."


def zst(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


def read(*inputs: object, **options: Any) -> list[Article | InputError]:
    return list(read_articles([str(i) for i in inputs], **options))


def texts(*inputs: object, **options: Any) -> list[str]:
    found = read(*inputs, **options)
    assert all(isinstance(item, Article) for item in found), found
    return [span.text for item in found if isinstance(item, Article) for span in item.sentences]


# Packed files.


@pytest.mark.parametrize("pack", [gzip.compress, zst], ids=[".gz", ".zst"])
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv", ".parquet"])
def test_packed_files(
    tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str, request: pytest.FixtureRequest
) -> None:
    plain = tmp_path / f"news{suffix}"
    content = {
        ".txt": QUOTED,
        ".jsonl": json.dumps({"text": QUOTED}),
        ".csv": f'text\n"{QUOTED}"\n',
        ".parquet": "",
    }[suffix]
    if suffix == ".parquet":
        pq.write_table(pa.table({"text": [QUOTED]}), plain)
    else:
        plain.write_text(content, encoding="utf-8")
    packed = tmp_path / f"news{suffix}{request.node.callspec.id.split('-')[-1]}"
    packed.write_bytes(pack(plain.read_bytes()))
    assert texts(packed) == texts(plain)
    (item,) = read(tmp_path / packed.name)
    assert isinstance(item, Article)
    assert item.id.startswith(packed.name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.txt.gz", gzip.compress(QUOTED.encode() * 100, mtime=0)[:-12]),
        ("cut.jsonl.zst", zst(json.dumps({"text": QUOTED * 100}).encode())[:-9]),
        ("plain.txt.gz", b"not packed at all"),
        ("plain.csv.zst", b"not packed at all"),
        ("flipped.txt.gz", gzip.compress(QUOTED.encode(), mtime=0)[:-20] + b"\xff" * 20),
    ],
    # Bytes in the name of a test tell nobody anything.
    ids=["cut .gz", "cut .zst", "plain .gz", "plain .zst", "flipped .gz"],
)
def test_a_damaged_packed_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    (error,) = [item for item in read(tmp_path / name) if isinstance(item, InputError)]
    assert error.where == str(tmp_path / name)
    assert error.found.startswith("one that is cut off or damaged (")


def test_a_packed_file_of_an_unknown_kind(tmp_path: Path) -> None:
    (tmp_path / "a.doc.gz").write_bytes(b"")
    (error,) = read(tmp_path / "a.doc.gz")
    assert isinstance(error, InputError)
    assert error.found == "'.doc.gz'"


# Encodings.


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "mac_roman"]
)
@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".jsonl", ".csv"])
def test_encodings(
    tmp_path: Path, encoding: str, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    content = {
        ".html": f"<html><body><article><p>{QUOTED * 3}</p></article></body></html>",
        ".jsonl": json.dumps({"text": QUOTED}, ensure_ascii=False) + "\n",
        ".csv": f'text\n"{QUOTED}"\n',
    }.get(suffix, QUOTED)
    path = tmp_path / f"news{suffix}"
    path.write_bytes(content.encode(encoding))
    assert texts(path)[0] == "“We never signed it,” said Zoë, the mayor’s aide."
    guessed = f"{path}: not UTF-8; read as {encoding}"
    is_old = not encoding.startswith("utf")
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == (
        [guessed] if is_old else []
    )


def test_a_page_says_what_it_is_written_in(tmp_path: Path) -> None:
    """Without its word for it, this would be taken for Western European."""
    text = "Премьер-министр отверг обвинения. " * 3
    page = f'<html><head><meta charset="windows-1251"></head><body><p>{text}</p></body></html>'
    (tmp_path / "a.html").write_bytes(page.encode("cp1251"))
    assert texts(tmp_path / "a.html")[0] == "Премьер-министр отверг обвинения."


def test_a_wrong_word_for_it_is_passed_over(tmp_path: Path) -> None:
    page = f'<html><head><meta charset="nonsense"></head><body><p>{QUOTED * 3}</p></body></html>'
    (tmp_path / "a.html").write_bytes(page.encode("cp1252"))
    assert "Zoë" in texts(tmp_path / "a.html")[0]


def test_damaged_utf_8_is_not_taken_for_something_else(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(QUOTED.encode() + b"\xe9")
    (error,) = read(tmp_path / "a.txt")
    assert isinstance(error, InputError)
    assert "byte 0xe9" in error.found


# Limits.


def test_a_document_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_BYTES", 2**20)
    (tmp_path / "a.txt").write_bytes(b"It rained. " * 100_000)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(bytes(5 * 2**20)))  # a bomb
    for found in read(tmp_path / "a.txt", tmp_path / "b.txt.gz"):
        assert isinstance(found, InputError)
        assert found.expected == "a file of at most 1 MiB"


def test_a_line_that_is_too_long_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MOST_BYTES", 1000)
    rows = [{"text": "It rained."}, {"text": "x" * 200_000}, {"text": "It broke."}]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    first, error, last = read(path)
    assert isinstance(first, Article)
    assert isinstance(last, Article)
    assert (first.id, last.id) == ("a.jsonl#1", "a.jsonl#3")
    assert str(error).startswith(f"{path}, line 2: expected a line of at most 0 MiB")


def test_an_article_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(articles_module, "MOST_CHARACTERS", 1000)
    (tmp_path / "a.txt").write_text("It rained. " * 100)
    (tmp_path / "b.jsonl").write_text(json.dumps({"sentences": ["It rained."] * 100}))
    for found in read(tmp_path / "a.txt", tmp_path / "b.jsonl"):
        assert isinstance(found, InputError)
        assert found.expected == "an article of at most 1,000 characters"


@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), max_size=8),
    st.integers(1, 20),
)
def test_lines_have_their_offsets(lines: list[bytes], most: int) -> None:
    content = b"\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "MOST_BYTES", most)
        patch.setattr(sources, "_BUFFER", 3)
        found = list(byte_lines(io.BytesIO(content), "a"))
    whole = content.splitlines(keepends=True) if b"\r" not in content else None
    kept = [item for item in found if not isinstance(item, InputError)]
    for line, offset in kept:
        assert content[offset : offset + len(line)] == line
        assert len(line) <= most
    if whole is not None and not re.search(rb"[\x0b\x0c\x1c-\x1e\x85]", content):
        assert len(found) == len(whole)
        assert [line for line, _ in kept] == [line for line in whole if len(line) <= most]


# How far the reading is.


def test_the_meter_goes_from_nothing_to_all(tmp_path: Path) -> None:
    for number in range(3):
        lines = [json.dumps({"text": f"It rained {n} times. " * 50}) for n in range(200)]
        (tmp_path / f"{number}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "4.txt.gz").write_bytes(gzip.compress(b"It rained."))
    meter = Meter(total=total_size(find_sources([str(tmp_path)], "txt")))
    seen = [meter.fraction()]
    for _ in read_articles([str(tmp_path)], meter=meter):
        seen.append(meter.fraction())
    shares = [share for share in seen if share is not None]
    assert len(shares) == len(seen)
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.3 < shares[300] < 0.7
    assert meter.fraction() == 1


def test_of_a_pipe_nobody_knows_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"It rained.")))
    meter = Meter(total=total_size(find_sources(["-"], "txt")))
    assert list(read_articles(["-"], meter=meter))
    assert meter.fraction() is None


# Broken and hostile files.

SCRIPT = "<script>alert('no')</script>"
#: What is good in the folder: file name and content.
GOOD: dict[str, bytes] = {
    "arabic.txt": "قال الوزير إن السد صمد. ونفى أن أحدا غادر.".encode(),
    "zero-width.txt": "It\u200bra\u200dined.\ufeff He said\u2060 so.\u202e Never!\u202c".encode(),
    "controls.txt": b"It rained\x0b.\x1b[31m He left\x07 early.\x7f",
    "accents.txt": ("e" + "\u0301" * 5000 + " rose. It fell.").encode(),
    "emoji.txt": "👩\u200d👩\u200d👧\u200d👦 said so. 🏳️\u200d🌈 won.".encode(),
    "endless-sentence.txt": b"and it rained " * 20_000,
    "no-sentence-end.md": b"word\n" * 30_000,
    "script.md": f"# {SCRIPT}\n\nIt rained, {SCRIPT} said. “{SCRIPT}”\n".encode(),
    "entities.html": b"<html><body><p>It rained &#0; &#xD800; &bogus; all day long.</p></body>",
    "attributes.jsonl": json.dumps(
        {"id": f'"><img src=x onerror=alert(1)>{SCRIPT}', "title": SCRIPT, "text": f"{SCRIPT} won."}
    ).encode(),
    "../outside.jsonl": json.dumps({"id": "../../outside", "text": "It rained."}).encode(),
    f"{SCRIPT.replace('/', '')}.txt": b"It rained.",
    "line\nend.txt": b"It rained.",
}
#: What is broken: file name, content, and a part of what must be said of it.
BROKEN: dict[str, tuple[bytes, str]] = {
    "random.txt": (bytes(range(256)) * 4, "binary content"),
    "random.md": (random.Random(0).randbytes(3000) + b"\0", "binary content"),
    "random.html": (bytes(range(256)) * 4, "binary content"),
    "random.jsonl": (bytes(range(255, -1, -1)) * 4, "broken JSON"),
    "random.csv": (bytes(range(255, -1, -1)) * 4, "the columns"),
    "random.parquet": (bytes(range(256)) * 4, "damaged"),
    "random.txt.gz": (bytes(range(256)) * 4, "damaged"),
    "random.txt.zst": (bytes(range(256)) * 4, "damaged"),
    "empty.txt": (b"", "an empty file"),
    "empty.jsonl": (b"", "an empty file"),
    "empty.parquet": (b"", "damaged"),
    "blank.md": (b" \n\t\n", "an empty file"),
    "signs.txt": ("*** — …\n".encode(), "no sentence"),
    "empty.html": (b"<html><body><script>var a = 1</script></body></html>", "no running text"),
    "nested.html": (
        b"<html><body>" + b"<div>" * 3000 + b"<p>It rained all day in the town. </p>" * 5,
        "no running text|cannot be parsed",
    ),
    "deep.jsonl": (b"[" * 200_000, "JSON that cannot be read|broken JSON|a JSON list"),
    "number.jsonl": (b'{"text": ' + b"9" * 5000 + b"}", "JSON that cannot be read"),
    "list.jsonl": (b'["It rained."]', "a JSON list"),
    "object.jsonl": (b'{"text": {"a": 1}}', "a value of type dict"),
    "half.jsonl": (b'{"text": "\\ud800 rained."}', "half of a character"),
    "infinite.jsonl": (b'{"text": Infinity}', "a value of type float"),
    "id.jsonl": (b'{"id": [1], "text": "It rained."}', "a value of type list"),
    "quote.csv": (b'text\n"It rained.\n', "broken CSV"),
    "nul.csv": (b"text\nIt ra\0ined.\n", "binary content"),
    "columns.csv": (b"a,b\n1,2\n", "the columns 'a', 'b'"),
}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder of the above, and of links and pipes that lead out of it or nowhere."""
    folder = tmp_path / "in" / "hostile"
    folder.mkdir(parents=True)
    for name, content in GOOD.items():
        (folder / name.removeprefix("../")).write_bytes(content)
    for name, (content, _) in BROKEN.items():
        (folder / name).write_bytes(content)
    (tmp_path / "secret.txt").write_text("The secret is out.")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    (folder / "folder-loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.txt")
    return folder


def test_hostile_files_are_named_and_stop_nothing(
    hostile: Path, run_here: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    outcome = run_here(
        "classify", "in/hostile", "--model", tiny_onnx, "-o", "p.jsonl", "-o", "p.csv",
        "-o", "p.parquet", "-o", "p.html",
    )  # fmt: skip
    assert outcome.code == 1, outcome.err
    assert "Traceback" not in outcome.err
    faults = read_records(tmp_path / "p.errors.jsonl", Fault)
    said = {Path(f.where.split(", ")[0]).name: f for f in faults}
    for name, (_, words) in BROKEN.items():
        assert re.search(words, said.pop(name).found), name
    assert said.pop("link.txt").found == "a link that leads out of it"
    assert said.pop("pipe.txt").found == "a pipe or a device"
    assert "loop.txt" in said
    assert set(said) <= {"loop.txt"}
    found = read_records(tmp_path / "p.jsonl", Prediction)
    assert len({p.article_id for p in found}) == len(GOOD)
    assert "The secret is out." not in (tmp_path / "p.jsonl").read_text()
    assert pq.read_table(tmp_path / "p.parquet").num_rows == len(found)
    # Nothing is written but what was asked for.
    written = {p.relative_to(tmp_path).name for p in set(tmp_path.rglob("*")) - before}
    assert written == {"p.jsonl", "p.csv", "p.parquet", "p.html", "p.errors.jsonl"}


def test_nothing_hostile_runs_in_the_report(
    hostile: Path, run_here: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    run_here("classify", "in/hostile", "--model", tiny_onnx, "-q", "-o", "p.html")
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert html.escape("<script>alert(") in page
    assert "<script>alert(" not in page
    assert "<img src=x" not in page


def test_sentences_of_hostile_text_are_slices(hostile: Path) -> None:
    for name in GOOD:
        path = hostile / name.removeprefix("../")
        if path.suffix != ".txt":
            continue
        (item,) = read(path)
        assert isinstance(item, Article)
        content = path.read_bytes().decode()
        assert all(content[s.start : s.end] == s.text for s in item.sentences)
