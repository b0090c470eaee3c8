"""Where articles come from: files, folders, globs, standard input; packed or not.

A source is found by its name, opened as a stream of bytes whatever it is packed with,
and read in pieces that have an upper bound, so that nothing hostile or broken can fill
the memory.
"""

from __future__ import annotations

import codecs
import errno
import glob
import gzip
import io
import logging
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Literal

from claimstance.errors import InputError

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
#: What a file may be packed with, by the suffix after that of its format.
PACKED: Final = (".gz", ".zst")
#: The most bytes of a document, or of a line of rows; a page of HTML is far more than its text.
MOST_BYTES: Final = 16 * 2**20

SUFFIXES: Final = ", ".join(FORMATS)
_GLOB: Final = re.compile(r"[*?\[]")
_BUFFER: Final = 2**16
#: Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What English was written in before UTF-8. With more to choose from, a text with a single
#: accent or dash in it would be taken for Urdu.
_OLD: Final = ["cp1252", "mac_roman"]
_DECLARED: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """One file: how messages and ids name it, what it holds, and how it is opened.

    ``size`` is its size in bytes as it lies on the disk; 0 where nobody knows.
    """

    where: str
    id: str
    format: Format
    size: int
    raw: Callable[[], IO[bytes]] = field(repr=False)
    packed: str = ""
    is_ours: bool = True


@dataclass(slots=True)
class Meter:
    """How much of the input is read, for a display of progress.

    Attributes:
        total: bytes of all sources as they lie on the disk.
        finished: bytes of the sources that are read.
        current: the one that is being read.
    """

    total: int = 0
    finished: int = 0
    current: IO[bytes] | None = None
    _furthest: int = 0

    def fraction(self) -> float | None:
        """Share of the input that is read, from 0 to 1; None where it cannot be known."""
        here = 0
        if self.current is not None and not self.current.closed and self.current.seekable():
            here = self.current.tell()
        # A table is read from its end first.
        self._furthest = max(self._furthest, min(self.finished + here, self.total))
        return self._furthest / self.total if self.total else None


# Finding them.


def find_sources(inputs: Sequence[str], stdin_format: Format) -> Iterator[Source | InputError]:
    """The sources that inputs name, in order; in its place what is wrong with one."""
    for given in inputs:
        if given == "-":
            yield Source("standard input", "stdin", stdin_format, 0, _stdin, is_ours=False)
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


def _stdin() -> IO[bytes]:
    # A notebook's standard input has no bytes beneath it.
    buffer: IO[bytes] | None = getattr(sys.stdin, "buffer", None)
    if buffer is None:
        return io.BytesIO(sys.stdin.read().encode("utf-8", "replace"))
    return buffer


def _format_of(path: str) -> tuple[Format | None, str]:
    """The format that a name tells, and what the file is packed with."""
    name = Path(path)
    packed = name.suffix.lower() if name.suffix.lower() in PACKED else ""
    if packed:
        name = name.with_suffix("")
    return FORMATS.get(name.suffix.lower()), packed


def _file(path: str, name: str) -> Source | InputError:
    kind, packed = _format_of(path)
    if kind is None:
        suffix = "".join(Path(path).suffixes[-2:]) if packed else Path(path).suffix
        return InputError(
            path,
            expected=f"one of the suffixes {SUFFIXES}, before {' or '.join(PACKED)} if packed",
            found=repr(suffix) if suffix else "a name without a suffix",
            fix="rename the file after what it holds",
        )
    # A name that is not UTF-8 comes with surrogates, which no output file could hold.
    article_id = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return Source(path, article_id, kind, _size(path), lambda: Path(path).open("rb"), packed)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:  # reading it will say so
        return 0


def _folder(folder: str) -> Iterator[Source | InputError]:
    unreadable: list[OSError] = []
    found: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.extend(Path(parent, name).relative_to(folder).as_posix() for name in names)
    for error in unreadable:
        yield os_error(str(error.filename), error)
    known = [name for name in sorted(found) if _is_known(name)]
    root = Path(folder).resolve()
    for name in known:
        yield _fault_in_folder(root, Path(folder, name)) or _file(str(Path(folder, name)), name)
    if not known and not unreadable:
        yield _nothing_known(folder, "folder", len(found))


def _fault_in_folder(root: Path, path: Path) -> InputError | None:
    """Why a file that was found in a folder is not to be read, if so."""
    try:
        target = path.resolve(strict=True)
    except OSError as error:
        return os_error(str(path), error)
    except RuntimeError:  # Python 3.11 and 3.12 say so of a link that leads to itself
        return os_error(str(path), OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    if root not in target.parents:
        found, fix = "a link that leads out of it", "name the file itself, or copy it there"
    elif not target.is_file():
        found, fix = "a pipe or a device", "take it out of the folder"
    else:
        return None
    return InputError(str(path), expected="a file of the folder", found=found, fix=fix)


def _matches(pattern: str) -> Iterator[Source | InputError]:
    # Path.glob takes no absolute pattern, and raises on some that glob takes.
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    known = [path for path in found if _is_known(path) and Path(path).is_file()]
    for path in known:
        yield _file(path, Path(path).name)
    if not known:
        yield _nothing_known(pattern, "glob", len(found))


def _is_known(path: str) -> bool:
    return _format_of(path)[0] is not None and not Path(path).name.startswith(".")


def _nothing_known(where: str, kind: str, others: int) -> InputError:
    verb = "with" if kind == "folder" else "that matches"
    return InputError(
        where,
        expected=f"a {kind} {verb} a file of a known suffix ({SUFFIXES})",
        found=f"{others} of other kinds" if others else "no file at all",
        fix=f"check the {'path' if kind == 'folder' else 'pattern, and its quotes'}",
    )


def os_error(where: str, error: OSError) -> InputError:
    """What to say of a file that the system does not let us read."""
    return InputError(
        where,
        expected="a file that can be read",
        found=(error.strerror or "an error").lower(),
        fix="check the path and the rights",
    )


# Opening them.


@contextmanager
def open_source(source: Source, meter: Meter | None = None) -> Iterator[io.BufferedReader]:
    """A source's bytes, unpacked.

    Raises:
        InputError: if it cannot be read, or what it is packed with is damaged.
    """
    raw: IO[bytes] | None = None
    stream: io.BufferedReader | None = None
    try:
        raw = source.raw()
        if meter is not None:
            meter.current = raw
        stream = _unpacked(raw, source.packed)
        yield stream
    # zlib's error is what damaged data gives, the others what is cut off or no archive at all.
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(source, error) from None
    except OSError as error:
        if source.packed and error.errno is None:
            raise _damaged(source, error) from None
        raise os_error(source.where, error) from None
    finally:
        if meter is not None:
            meter.finished += source.size
            meter.current = None
        if raw is not None and source.is_ours:
            raw.close()
        elif stream is not None and stream is not raw:
            stream.detach()  # else it would close standard input behind it


def _unpacked(raw: IO[bytes], packed: str) -> io.BufferedReader:
    stream: Any = raw
    if packed == ".gz":
        stream = gzip.GzipFile(fileobj=raw)
    elif packed == ".zst":
        import pyarrow as pa

        stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    if isinstance(stream, io.BufferedReader):
        return stream
    return io.BufferedReader(stream, _BUFFER)


def _damaged(source: Source, error: Exception) -> InputError:
    return InputError(
        source.where,
        expected=f"a whole file packed as {source.packed or 'its name says'}",
        found=f"one that is cut off or damaged ({first_line(error)})",
        fix="write or copy the file again",
    )


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


# Reading them.


def read_all(file: IO[bytes], where: str) -> bytes:
    """All that a stream holds.

    Raises:
        InputError: if that is more than `MOST_BYTES`.
    """
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _too_long(where, "file")
    return content


def byte_lines(file: IO[bytes], where: str) -> Iterator[tuple[bytes, int] | InputError]:
    """The lines of a stream, and how many bytes of it come before each.

    A line of more than `MOST_BYTES` is passed over, with an `InputError` in its place.
    """
    offset, number = 0, 0
    while line := file.readline(MOST_BYTES + 1):
        number += 1
        start, offset = offset, offset + len(line)
        if len(line) <= MOST_BYTES:
            yield line, start
            continue
        while not line.endswith(b"\n") and (line := file.readline(_BUFFER)):
            offset += len(line)
        yield _too_long(f"{where}, line {number}", "line")


def _too_long(where: str, what: str) -> InputError:
    return InputError(
        where,
        expected=f"a {what} of at most {MOST_BYTES // 2**20} MiB",
        found="a longer one",
        fix="divide it into articles, for example one per line of a .jsonl file",
    )


def decode(content: bytes, where: str, offset: int = 0, encoding: str = "utf-8") -> str:
    """Decode bytes that must be of one encoding.

    Args:
        content: the bytes; a byte order mark at the beginning of the file is left out.
        where: how to name them.
        offset: how many bytes of the file stand before them.
        encoding: the encoding.

    Raises:
        InputError: if they are not of that encoding.
    """
    marked = not offset and content.startswith(codecs.BOM_UTF8)
    skipped = len(codecs.BOM_UTF8) if marked else 0
    nul = content.find(b"\0")
    if nul >= 0:
        raise InputError(
            where,
            expected="text in UTF-8",
            found=f"binary content (a NUL byte at position {offset + nul})",
            fix="give the text itself, or rename the file after what it holds",
        )
    try:
        return content[skipped:].decode(encoding)
    except UnicodeDecodeError as error:
        position = offset + skipped + error.start
        name = "UTF-8" if encoding == "utf-8" else encoding
        raise InputError(
            where,
            expected=f"text in {name}",
            found=f"byte 0x{error.object[error.start]:02x} at position {position}, "
            f"which is not {name}",
            fix="convert the file to UTF-8, for example with iconv",
        ) from None


def decode_document(content: bytes, where: str, format: Format) -> str:
    """Decode a whole document, whatever its encoding.

    A byte order mark decides, then UTF-8 if the bytes are, then what a page of HTML
    declares, then what charset-normalizer takes it for. Bytes that are UTF-8 but for
    a few are damaged, and not of another encoding.

    Raises:
        InputError: if they are damaged or binary, or nobody can tell what they are.
    """
    for mark, encoding in _MARKS[1:]:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError as error:
                raise InputError(
                    where,
                    expected=f"text in {encoding.upper()}, as its first bytes say",
                    found=f"other bytes at position {error.start}",
                    fix="convert the file to UTF-8, for example with iconv",
                ) from None
    try:
        return decode(content, where)
    except InputError:
        guess = legacy_encoding(content, format)
        if guess is None:
            raise
    _log.warning("%s: not UTF-8; read as %s", where, guess)
    return content.decode(guess)


def legacy_encoding(content: bytes, format: Format) -> str | None:
    """The encoding of bytes that are not UTF-8, or None if nobody can tell."""
    if b"\0" in content or content.startswith(codecs.BOM_UTF8) or _is_damaged_utf8(content):
        return None
    declared = _DECLARED.search(content[:4096]) if format == "html" else None
    candidates = [declared[1].decode("ascii").lower()] if declared else []
    return next((c for c in (*candidates, _guess(content)) if c and _decodes(content, c)), None)


def _is_damaged_utf8(content: bytes) -> bool:
    """Whether most of what is not ASCII is good UTF-8: text of old encodings never is."""
    text = content.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = len(re.findall(r"[^\x00-\x7f\ufffd]", text))
    return good > bad


def _guess(content: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(content[: 2**18], cp_isolation=_OLD).best()
    return best.encoding if best is not None else None


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def rows_as_utf8(file: io.BufferedReader, where: str) -> tuple[IO[bytes], str]:
    """A stream of lines in UTF-8 or another encoding that is ASCII below 128, and which.

    Decided by the stream's first bytes, which stay in it: UTF-16 and UTF-32 are turned
    into UTF-8 as they are read.
    """
    head = file.peek(_BUFFER)
    for mark, encoding in _MARKS[1:]:
        if head.startswith(mark):
            return io.BufferedReader(_AsUtf8(file, encoding), _BUFFER), "utf-8"
    # The head may end in the middle of a character.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        if guess := legacy_encoding(head, "txt"):
            _log.warning("%s: not UTF-8; read as %s", where, guess)
            return file, guess
    return file, "utf-8"


class _AsUtf8(io.RawIOBase):
    """A stream of another encoding, turned into UTF-8 as it is read."""

    def __init__(self, file: io.BufferedReader, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            read = self._file.read1(_BUFFER)
            self._left = self._decoder.decode(read, final=not read).encode("utf-8")
            if not read:
                break
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def total_size(sources: Iterable[Source | InputError]) -> int:
    """Bytes of all sources as they lie on the disk; 0 if one of them has no size."""
    sizes = [source.size for source in sources if isinstance(source, Source)]
    return sum(sizes) if all(sizes) else 0
