"""A backbone that packages carry in pieces: put together once, whole, and nothing else of it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import huggingface_hub.constants
import pytest

from claimstance import backbones
from claimstance.backbones import IN_PIECES, find_backbone
from claimstance.errors import InputError

Refuses = Callable[..., InputError]

NAME = "somebody/large-one"
PACKAGES = [f"claimstance-test-piece-{number}" for number in (1, 2, 3)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setitem(IN_PIECES, NAME, PACKAGES)
    return tmp_path / "hf" / "claimstance"


@pytest.fixture
def install(
    tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], None]:
    """Install packages with the pieces of an archive: what pip leaves of them, on the path."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in ("config.json", "tokenizer.json", "model.safetensors"):
            archive.write(tiny_backbone / file, f"large-one/{file}")
        archive.writestr("large-one/1_Pooling/config.json", "{}")
        archive.writestr("large-one/pytorch_model.bin", "a pickle")
        archive.writestr("large-one/../../outside/model.safetensors", "elsewhere")
    whole = content.getvalue()
    third = len(whole) // 3 + 1
    site = tmp_path / "site"

    def make(packages: list[str]) -> None:
        for number, package in enumerate(PACKAGES):
            if package not in packages:
                continue
            piece = site / f"part_{number + 1}" / "input" / f"large.zip.00{number + 1}"
            piece.parent.mkdir(parents=True)
            piece.write_bytes(whole[number * third : (number + 1) * third])
            facts = site / f"{package.replace('-', '_')}-1.0.dist-info"
            facts.mkdir()
            (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\n")
            (facts / "RECORD").write_text(
                f"part_{number + 1}/__init__.py,,\n{piece.relative_to(site)},,\n"
            )
        monkeypatch.syspath_prepend(str(site))

    return make


def test_pieces_become_a_backbone(
    install: Callable[[list[str]], None], cache: Path, tiny_backbone: Path
) -> None:
    install(PACKAGES)
    folder = find_backbone(NAME, backbones._sha256(tiny_backbone / "model.safetensors"))
    assert folder == cache / "somebody--large-one"
    assert {f.name for f in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    for file in folder.iterdir():
        assert file.read_bytes() == (tiny_backbone / file.name).read_bytes()
    # Nothing is left of the work, and a second call does none.
    assert [f.name for f in cache.iterdir()] == ["somebody--large-one"]
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 32
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert find_backbone(NAME, None) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written


def test_a_piece_is_missing(
    install: Callable[[list[str]], None], cache: Path, refuses: Refuses
) -> None:
    install(PACKAGES[:2])
    refuses(
        f"backbone '{NAME}': expected a folder, or a name that can be fetched",
        find_backbone,
        NAME,
        None,
    )
    assert not cache.exists()
