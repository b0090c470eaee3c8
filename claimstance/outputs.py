"""Writing predictions: the same columns as in JSONL as CSV and Parquet, and the report page.

Predictions come as a stream and are written as they come; only the report holds
them all. Every file appears whole or not at all.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from claimstance.errors import InputError
from claimstance.inference import chunks
from claimstance.records import Prediction, whole_file, write_text

Titles = Mapping[str, str | None]

#: Predictions in a row group of a Parquet file.
ROW_GROUP: Final = 8192


def check_outputs(paths: Sequence[Path]) -> None:
    """Refuse, before any work is done, what could not be written after it.

    Raises:
        InputError: if an ending is unknown, or the place is a folder.
    """
    for path in paths:
        if path.suffix not in _ENDINGS:
            raise InputError(
                str(path),
                expected=f"an output ending in {', '.join(_ENDINGS)}",
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


def errors_beside(output: Path) -> Path:
    """Where the faults of a run are written: beside its first output.

    >>> errors_beside(Path("news/predictions.csv")).name
    'predictions.errors.jsonl'
    """
    return output.with_name(f"{output.stem}.errors.jsonl")


def write_predictions(path: Path, predictions: Iterable[Prediction], titles: Titles) -> None:
    """Write predictions in the format that the path's ending names; whole or not at all.

    Not as JSONL: the parts of a run are that already (`claimstance.batch.PartFolder`).
    """
    _WRITERS[path.suffix](path, predictions, titles)


def _write_csv(path: Path, predictions: Iterable[Prediction], titles: Titles) -> None:
    """Cells that are no plain value (probabilities, cues) hold JSON."""
    columns, stream = _columns(predictions)
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, fieldnames=columns)
        writer.writeheader()
        for prediction in stream:
            writer.writerow({k: _cell(v) for k, v in prediction.model_dump(mode="json").items()})
        text.flush()
        text.detach()  # whole_file closes it


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _write_parquet(path: Path, predictions: Iterable[Prediction], titles: Titles) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, stream = _columns(predictions)
    schema = _parquet_schema(columns)
    with whole_file(path) as file, pq.ParquetWriter(file, schema) as writer:
        for group in chunks(stream, ROW_GROUP):
            rows = [p.model_dump(mode="json") for p in group]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _columns(predictions: Iterable[Prediction]) -> tuple[list[str], Iterator[Prediction]]:
    """The fields of a record, and the stream again.

    Whether a person should read a sentence is said of all or of none.
    """
    stream = iter(predictions)
    first = next(stream, None)
    asked = first is not None and first.needs_review is not None
    columns = [name for name in Prediction.model_fields if asked or name != "needs_review"]
    return columns, stream if first is None else chain([first], stream)


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


def _write_html(path: Path, predictions: Iterable[Prediction], titles: Titles) -> None:
    from claimstance.report import render_report

    write_text(path, render_report(list(predictions), titles=titles))


_WRITERS: Final[dict[str, Callable[[Path, Iterable[Prediction], Titles], None]]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".html": _write_html,
}
_ENDINGS: Final = (".jsonl", *_WRITERS)
