"""What `classify` says and does around a run: stopping, progress, the end."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import typer

from claimstance.batch import Engine, PartClassifier, PartFolder, PartSummary, parts_folder
from claimstance.engines import Processes, in_this_process
from claimstance.errors import INTERRUPTED, InputError
from claimstance.inference import Model
from claimstance.labels import Stance
from claimstance.outputs import errors_beside, write_predictions
from claimstance.records import write_records
from claimstance.report_pages import write_pages
from claimstance.sources import Format, Meter, find_sources, total_size
from claimstance.wording import counted

#: Sentences up to which the terminal shows them, and who claims what; of more, the counts.
SENTENCES_TABLED: Final = 2000


def make_engine(
    name: str,
    model: Model,
    folder: Path,
    threshold: float | None,
    workers: int | None,
    ray_address: str | None,
) -> Engine:
    """Where parts are classified.

    Raises:
        InputError: if an address is given for what is no cluster.
    """
    if name == "ray":
        from claimstance.ray_engine import RayActors

        return RayActors(folder, threshold, ray_address, workers)
    if ray_address is not None:
        raise InputError(
            "--ray-address",
            expected="an address together with --engine ray",
            found="it alone",
            fix="add --engine ray, or leave the address out",
        )
    if workers is not None and workers > 1:
        return Processes(workers, folder, threshold)
    return in_this_process(PartClassifier(model, threshold))


@contextmanager
def working_folder(outputs: Sequence[Path]) -> Iterator[Path]:
    """Where the parts lie until the end: beside the first output, or nowhere that stays."""
    if outputs:
        folder = parts_folder(outputs[0])
        yield folder
        shutil.rmtree(folder)
    else:
        with tempfile.TemporaryDirectory() as folder_name:
            yield Path(folder_name, "parts")


@dataclass
class Stop:
    """The first Ctrl-C (or termination) asks to stop after this part; the second stops at once."""

    _asked: threading.Event = field(default_factory=threading.Event)
    _before: dict[int, Any] = field(default_factory=dict)

    def asked(self) -> bool:
        """Whether somebody asked."""
        return self._asked.is_set()

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked():
            raise KeyboardInterrupt
        self._asked.set()
        typer.echo("claimstance: finishing the current part; once more stops at once", err=True)

    def say_how_to_go_on(self, parts: Path, *, kept: bool) -> NoReturn:
        """Say where the run stands, and end."""
        said = f"what is done is kept in {parts}; the same command with --resume goes on"
        typer.echo(f"claimstance: stopped; {said if kept else 'nothing is kept'}", err=True)
        raise typer.Exit(INTERRUPTED)


@contextmanager
def watched(
    inputs: Sequence[str], stdin_format: Format, meter: Meter
) -> Iterator[Callable[[int, bool], None]]:
    """Show on standard error how far the run is, while a person is watching.

    Yields:
        What is to be told of each part: its sentences, and whether it was there before.
    """
    if not sys.stderr.isatty():
        yield lambda sentences, was_there: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    meter.total = total_size(find_sources([i for i in inputs if i != "-"], stdin_format))
    columns = (
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.fields[sentences]:,} sentences"),
        TextColumn("{task.fields[speed]:.0f} per second"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("classify", total=None, sentences=0, speed=0.0)
        counts = Counter[bool]()

        def done(sentences: int, was_there: bool) -> None:
            counts[was_there] += sentences
            seconds = progress.tasks[0].elapsed or 0
            progress.update(
                task,
                total=1.0 if meter.fraction() is not None else None,
                completed=meter.fraction() or 0,
                sentences=counts.total(),
                speed=counts[False] / seconds if seconds else 0,
            )

        yield done


@dataclass(slots=True)
class _Totals:
    articles: int = 0
    marked: int = 0
    stances: Counter[Stance] = field(default_factory=Counter)
    faults: int = 0
    titles: dict[str, str | None] = field(default_factory=dict)


def end_run(
    store: PartFolder,
    outputs: Sequence[Path],
    report: Path | None,
    threshold: float | None,
    *,
    quiet: bool,
) -> int:
    """Join the parts into the outputs, and say what came of the run.

    Returns:
        The exit code: 1 if some inputs could not be used.
    """
    shown = report is not None or any(path.suffix == ".html" for path in outputs)
    totals = _add_up(store.summaries(), keep_titles=shown)
    written = [*outputs, *([report] if report else [])]
    if totals.stances:
        for path in outputs:
            if path.suffix == ".jsonl":  # as the parts are already
                store.write_jsonl(path)
            else:
                write_predictions(path, store.predictions(), totals.titles)
        if report is not None:
            write_pages(report, store.predictions(), totals.titles)
        if not quiet:
            _print(store, totals, written)
            if threshold is not None:
                _tell_marked(totals, threshold)
    errors = errors_beside(written[0]) if written else None
    if errors is not None:
        errors.unlink(missing_ok=True)  # those of an earlier run
        if totals.faults:
            write_records(errors, (fault for part in store.summaries() for fault in part.faults))
    if totals.faults:
        named = f"each named in {errors}" if errors else "each named above"
        typer.echo(
            f"claimstance: {totals.faults} of {counted(totals.faults + totals.articles, 'input')} "
            f"could not be used, {named}",
            err=True,
        )
    return 1 if totals.faults else 0


def _add_up(summaries: Iterator[PartSummary], *, keep_titles: bool) -> _Totals:
    totals = _Totals()
    for summary in summaries:
        totals.articles += len(summary.titles)
        totals.marked += summary.marked
        totals.stances.update(summary.stances)
        totals.faults += len(summary.faults)
        if keep_titles:
            totals.titles |= summary.titles
    return totals


def _print(store: PartFolder, totals: _Totals, written: Sequence[Path]) -> None:
    from claimstance.tables import print_counts, print_predictions

    if totals.stances.total() <= SENTENCES_TABLED:
        print_predictions(list(store.predictions()))
    else:
        print_counts(totals.stances, totals.articles)
    for path in written:
        typer.echo(f"wrote {path / 'index.html' if path.is_dir() else path}")


def _tell_marked(totals: _Totals, threshold: float) -> None:
    typer.echo(
        f"{totals.marked} of {counted(totals.stances.total(), 'sentence')} "
        f"{'is' if totals.marked == 1 else 'are'} marked for a person to read: "
        f"their likeliest stance has a probability below {threshold:.4g}"
    )
