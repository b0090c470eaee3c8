"""Writing predictions: the same columns as JSONL, CSV and Parquet, and the report page."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from claimstance.errors import InputError
from claimstance.records import Prediction, write_bytes, write_records, write_text

Titles = Mapping[str, str | None]


def check_outputs(paths: Sequence[Path]) -> None:
    """Refuse, before any work is done, what could not be written after it.

    Raises:
        InputError: if an ending is unknown, or the place is a folder.
    """
    for path in paths:
        if path.suffix not in _WRITERS:
            raise InputError(
                str(path),
                expected=f"an output ending in {', '.join(_WRITERS)}",
                found=f"the ending {path.suffix!r}",
                fix="choose one of these endings",
            )
        if path.is_dir():
            raise InputError(
                str(path),
                expected="a file to write",
                found="a folder of that name",
                fix="name a file in it",
            )
        parent = next(p for p in path.absolute().parents if p.exists())
        if not (parent.is_dir() and os.access(parent, os.W_OK)):
            raise InputError(
                str(path),
                expected="a place that can be written to",
                found=f"{parent}, which is {'read-only' if parent.is_dir() else 'a file'}",
                fix="choose another folder",
            )


def write_predictions(path: Path, predictions: Sequence[Prediction], titles: Titles) -> None:
    """Write predictions in the format that the path's ending names; whole or not at all."""
    _WRITERS[path.suffix](path, predictions, titles)


def _write_jsonl(path: Path, predictions: Sequence[Prediction], titles: Titles) -> None:
    write_records(path, predictions)


def _write_csv(path: Path, predictions: Sequence[Prediction], titles: Titles) -> None:
    """Cells that are no plain value (probabilities, cues) hold JSON."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=_columns(predictions))
    writer.writeheader()
    for prediction in predictions:
        writer.writerow({k: _cell(v) for k, v in prediction.model_dump(mode="json").items()})
    write_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _write_parquet(path: Path, predictions: Sequence[Prediction], titles: Titles) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [p.model_dump(mode="json") for p in predictions]
    content = io.BytesIO()
    schema = _parquet_schema(_columns(predictions))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), content)
    write_bytes(path, content.getvalue())


def _columns(predictions: Sequence[Prediction]) -> list[str]:
    """The fields of a record; whether a person should read it only where somebody asked."""
    asked = any(p.needs_review is not None for p in predictions)
    return [name for name in Prediction.model_fields if asked or name != "needs_review"]


def _parquet_schema(columns: Sequence[str]) -> Any:
    """The types of the columns, so that a file without, say, any source has the same ones."""
    import pyarrow as pa

    from claimstance.labels import CERTAINTIES, STANCES

    special = {
        "position": pa.int64(),
        "start": pa.int64(),
        "end": pa.int64(),
        "stance_probabilities": pa.struct([(label, pa.float64()) for label in STANCES]),
        "certainty_probabilities": pa.struct([(label, pa.float64()) for label in CERTAINTIES]),
        "cues": pa.list_(pa.string()),
        "needs_review": pa.bool_(),
    }
    return pa.schema([(name, special.get(name, pa.string())) for name in columns])


def _write_html(path: Path, predictions: Sequence[Prediction], titles: Titles) -> None:
    from claimstance.report import render_report

    write_text(path, render_report(predictions, titles=titles))


_WRITERS: Final[dict[str, Callable[[Path, Sequence[Prediction], Titles], None]]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".html": _write_html,
}
