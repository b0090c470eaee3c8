"""The one kind of error that a user's input can cause.

Every message says where it happened, what was expected, what was found and how
to mend it, so that the command line can print it as one line, with no traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

#: Exit code of a command that somebody interrupted, as a shell expects it.
INTERRUPTED: Final = 130


class InputError(Exception):
    """Input that cannot be used.

    Args:
        where: file, line, row or option at fault, for example ``"news.csv, row 3"``.
        expected: what would have been right.
        found: what was there instead.
        fix: what the user can do about it, as an imperative.
    """

    def __init__(self, where: str, *, expected: str, found: str, fix: str) -> None:
        self.where = where
        self.expected = expected
        self.found = found
        self.fix = fix
        super().__init__(f"{where}: expected {expected}, found {found}. To mend it: {fix}.")

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments are lost on the way out of another process without this.
        return _rebuild, (self.where, self.expected, self.found, self.fix)


def _rebuild(where: str, expected: str, found: str, fix: str) -> InputError:
    return InputError(where, expected=expected, found=found, fix=fix)


@contextmanager
def reading(path: Path, *, fix: str) -> Iterator[None]:
    """Turn what goes wrong while a file of text in UTF-8 is read into an `InputError`.

    Args:
        path: the file.
        fix: how to mend a file that is not in UTF-8.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            str(path),
            expected="a file that can be read",
            found=(error.strerror or "an error").lower(),
            fix="check the path",
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            str(path),
            expected="text in UTF-8",
            found=f"byte 0x{error.object[error.start]:02x}, which is not UTF-8",
            fix=fix,
        ) from None


def run_script(main: Callable[[], None]) -> None:
    """Run a script's main function; a fault of the input is one line and exit code 2."""
    try:
        main()
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def must_be_free(folder: Path) -> None:
    """Refuse to write a model where something is already: nothing is ever overwritten.

    Raises:
        InputError: if ``folder`` is a file, or is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            str(folder),
            expected="a new or an empty folder",
            found="files in it" if folder.is_dir() else "a file of that name",
            fix="choose another folder, or empty it",
        )


def must_be_new(path: Path) -> None:
    """Refuse to write over labels or tasks: somebody's work may be in them.

    Raises:
        InputError: if there is something of that name.
    """
    if path.exists():
        raise InputError(
            str(path),
            expected="a file that is not yet there",
            found="one of that name",
            fix="name another file, or move that one away",
        )
