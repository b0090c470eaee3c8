"""Words of messages that depend on a number, or on how the package was installed."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun; for nouns whose plural ends in s.

    >>> counted(1, "article"), counted(2_500, "sentence")
    ('1 article', '2,500 sentences')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def install_extra(name: str) -> str:
    """How to mend that a package of an extra is missing, as an imperative.

    Args:
        name: the extra, as ``pyproject.toml`` names it.
    """
    return (
        f"install claimstance with its extra '{name}' "
        f"(from a checkout: pip install -e '.[{name}]' -c constraints.txt)"
    )
