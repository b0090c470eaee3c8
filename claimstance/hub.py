"""Finding a trained model: a folder, or a name on the Hugging Face hub.

Only weights in safetensors or ONNX are ever fetched, and the JSON files beside them.
"""

from __future__ import annotations

import re
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
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=FETCHED))
    except Exception as error:
        # Offline, unknown name, no rights: the hub's client has an error class for each.
        raise InputError(
            f"model {name!r}",
            expected="the folder of a model, or a model that can be fetched from the hub",
            found=f"no such folder, and from the hub {type(error).__name__}",
            fix="check the path or the name, and the network",
        ) from None
