"""Words of messages: numbers with their nouns, and how to install what is missing."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claimstance import cli
from claimstance.wording import counted, install_extra

ROOT = Path(__file__).parent.parent


def test_a_number_goes_with_its_noun() -> None:
    assert [counted(n, "labelled sentence") for n in (0, 1, 2, 13_910)] == [
        "0 labelled sentences",
        "1 labelled sentence",
        "2 labelled sentences",
        "13,910 labelled sentences",
    ]


@pytest.mark.parametrize(("package", "extra"), [("torch", "train"), ("ray", "ray")])
def test_a_package_that_is_missing_is_named_with_its_extra(
    package: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise ModuleNotFoundError(name=package)

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        f"claimstance: this command: expected the package '{package}', found it is not installed. "
        f"To mend it: install claimstance with its extra '{extra}' (from a checkout: "
        f"pip install -e '.[{extra}]' -c constraints.txt).\n"
    )


def test_the_extras_named_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"train", "ray"} <= set(project["optional-dependencies"])
    assert "'.[train]'" in install_extra("train")


def test_a_model_that_needs_more_says_what(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, refuses: Callable[..., Any]
) -> None:
    from claimstance.inference import load_model

    monkeypatch.setitem(sys.modules, "claimstance.encoder_torch", None)
    refuses("with its extra 'train'", load_model, tiny_model)
