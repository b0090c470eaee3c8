"""What a trained model must remember beside its weights: ``claimstance.json``.

The file lies in every model folder. It holds how windows are cut, the order of
the labels, the temperatures that calibrate the probabilities, and the thresholds below
which a person should read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES, TAGS
from claimstance.records import Record, write_text

SETTINGS_FILE = "claimstance.json"


class WindowSettings(Record):
    """How windows are cut from an article; lengths in tokens."""

    max_tokens: Annotated[int, Field(ge=16)]
    title_tokens: Annotated[int, Field(ge=0)]
    context_sentences: Annotated[int, Field(ge=0)]
    cls_id: int
    sep_id: int
    pad_id: int


class Temperatures(Record):
    """Divisors of the logits, fitted on dev (Guo et al. 2017, "On calibration of …")."""

    stance: Annotated[float, Field(gt=0)] = 1.0
    certainty: Annotated[float, Field(gt=0)] = 1.0


class AbstentionPoint(Record):
    """A probability of the stance from which on this share of dev is labelled rightly."""

    accuracy: Annotated[float, Field(gt=0, lt=1)]
    threshold: Annotated[float, Field(ge=0, le=1)]


class ModelSettings(Record):
    """The contents of ``claimstance.json``."""

    name: str
    kind: Literal["transformer", "baseline"]
    stances: tuple[str, ...] = STANCES
    certainties: tuple[str, ...] = CERTAINTIES
    tags: tuple[str, ...] = TAGS
    #: Null for a model that reads one sentence at a time.
    windows: WindowSettings | None
    temperatures: Temperatures = Temperatures()
    #: None in a model made before there were any.
    abstention: tuple[AbstentionPoint, ...] = ()


def save_settings(folder: Path, settings: ModelSettings) -> None:
    """Write ``claimstance.json`` into a model folder."""
    write_text(folder / SETTINGS_FILE, json.dumps(settings.model_dump(), indent=2) + "\n")


def load_settings(folder: Path) -> ModelSettings:
    """Read ``claimstance.json`` from a model folder.

    Raises:
        InputError: if the folder is missing, is no claimstance model, or was made
            with other labels than those of this version.
    """
    path = folder / SETTINGS_FILE
    fix = "give the folder that 'claimstance train' or 'claimstance export' wrote"
    expected = f"a folder with a claimstance model ({SETTINGS_FILE} and weights)"
    try:
        content = path.read_bytes()
    except OSError:
        found = f"a folder without {SETTINGS_FILE}" if folder.is_dir() else "no such folder"
        raise InputError(str(folder), expected=expected, found=found, fix=fix) from None
    try:
        settings = ModelSettings.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        found = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise InputError(str(path), expected=expected, found=found, fix=fix) from None
    ours = (STANCES, CERTAINTIES, TAGS)
    theirs = (settings.stances, settings.certainties, settings.tags)
    if theirs != ours:
        raise InputError(
            str(path),
            expected=f"the labels {ours}",
            found=f"{theirs}",
            fix="train the model again with this version, or use the version that made it",
        )
    return settings
