"""The Hugging Face hub: finding a trained model there, and fetching files from it.

Of a model only weights in safetensors or ONNX are fetched, and the JSON files beside them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from claimstance.errors import InputError

#: What is fetched of a model; nothing of it can run.
FETCHED: Final = ["*.json", "*.safetensors", "*.onnx"]

_HUB_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+")


def find_model(name: str) -> Path:
    """Return the folder of a model.

    Args:
        name: a folder, or the name of a model on the hub, such as ``somebody/their-model``.
            A name that is no folder here is looked up in the hub's cache on this machine,
            then on the hub.

    Raises:
        InputError: if it is neither.
    """
    folder = Path(name)
    if folder.is_dir() or not _HUB_NAME.fullmatch(name):
        return folder  # what is not as it should be there, `load_model` says
    return fetch("model", name, FETCHED)


def fetch(kind: str, name: str, files: Sequence[str]) -> Path:
    """Fetch files of a repository on the hub, or find them in its cache on this machine.

    Args:
        kind: what is fetched, for the error.
        name: the repository's name.
        files: patterns of the files' names.

    Raises:
        InputError: if it cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except Exception as error:
        # Offline, unknown name, no rights: the hub's client has an error class for each.
        raise InputError(
            f"{kind} {name!r}",
            expected="a folder, or a name that can be fetched from the Hugging Face hub",
            found=f"no such folder, and from the hub {type(error).__name__}",
            fix="check the name and the network, or give a folder",
        ) from None
