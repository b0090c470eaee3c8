"""Where parts of a batch are classified: in this process, or in several.

Each engine takes a stream of parts and gives what came of each, in any order
(`claimstance.batch.Engine`). A model is loaded once per process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claimstance.batch import Engine, Part, PartClassifier
from claimstance.errors import InputError
from claimstance.inference import load_model, processors

#: Parts that wait for a worker, so that none has to wait for the reading.
PARTS_AHEAD: Final = 2


def in_this_process(classifier: PartClassifier) -> Engine:
    """Classify one part after the other."""

    def engine(parts: Iterable[Part]) -> Iterator[tuple[Part, bytes]]:
        for part in parts:
            yield part, classifier(part)

    return engine


@dataclass(frozen=True, slots=True)
class Processes:
    """Classify in several processes on this machine.

    Attributes:
        workers: how many; each gets its share of the processors.
        model_folder: the model that each of them loads.
        threshold: as in `PartClassifier`.
    """

    workers: int
    model_folder: Path
    threshold: float | None = None

    def __call__(self, parts: Iterable[Part]) -> Iterator[tuple[Part, bytes]]:
        """Classify parts, in the order in which they are finished.

        Raises:
            InputError: if a worker dies.
        """
        threads = max(1, processors() // self.workers)
        pool = ProcessPoolExecutor(
            self.workers,
            # A fork would copy the threads' locks, but not the threads.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(self.model_folder, threads, self.threshold),
        )
        waiting: dict[Future[bytes], Part] = {}
        try:
            with pool:
                for part in parts:
                    waiting[pool.submit(_classify, part)] = part
                    if len(waiting) >= self.workers + PARTS_AHEAD:
                        yield from _finished(waiting)
                while waiting:
                    yield from _finished(waiting)
        except BrokenProcessPool:
            raise InputError(
                "--workers",
                expected=f"{self.workers} processes that work to the end",
                found="one that ended suddenly, as it does when memory runs out",
                fix="go on with --resume, with fewer workers",
            ) from None


def _finished(waiting: dict[Future[bytes], Part]) -> Iterator[tuple[Part, bytes]]:
    """Wait for the next parts that are done, and take them off the list."""
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield waiting.pop(future), future.result()


#: The worker's own; each process has one.
_classifier: PartClassifier | None = None


def _start_worker(model_folder: Path, threads: int, threshold: float | None) -> None:
    global _classifier
    # Ctrl-C reaches every process of the terminal; the first one decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false" if threads == 1 else "true"
    _classifier = PartClassifier(load_model(model_folder, threads=threads), threshold)


def _end_with_parent() -> None:
    """A worker whose parent is killed would wait for parts for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _classify(part: Part) -> bytes:
    assert _classifier is not None
    return _classifier(part)
