"""Shows the examples in docstrings as code when the Python reference is built.

In Markdown, lines that begin with ``>>>`` would be quotations.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

#: Lines from ``>>>`` to the next blank one.
EXAMPLE = re.compile(r"^>>> (?:.+\n?)+", flags=re.MULTILINE)


class Doctests(griffe.Extension):
    """Fences the examples of every docstring."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence the examples of one object's docstring."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(
                lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", obj.docstring.value
            )
