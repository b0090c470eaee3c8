"""Classifying the parts of a batch on a Ray cluster.

The process that was started reads the input, hands parts to actors and keeps what
comes back; so resuming is the same as on one machine. An actor loads the model once, which
reaches it through Ray's object store: the machines need Ray and this package, and no
folder in common. When a machine is lost, its parts go to another.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from claimstance import __version__
from claimstance.batch import Part, PartClassifier
from claimstance.errors import InputError
from claimstance.inference import TOKENIZER_FILE, load_model, weights_in
from claimstance.settings import SETTINGS_FILE

#: Parts in the hands of each actor, so that none waits for the reading.
PARTS_EACH: Final = 2
#: Seconds in which a cluster must answer.
SECONDS_TO_ANSWER: Final = 10.0
#: Seconds after which an actor that does not start is given up, if no other works.
SECONDS_TO_START: Final = 300.0


@dataclass(frozen=True, slots=True)
class RayActors:
    """Classify on a Ray cluster.

    Attributes:
        model_folder: the model.
        threshold: as in `claimstance.batch.PartClassifier`.
        address: of a cluster that runs, for example ``auto`` or ``ray://host:10001``;
            None starts one on this machine.
        workers: actors, each on one processor; None for as many as the cluster has.
    """

    model_folder: Path
    threshold: float | None = None
    address: str | None = None
    workers: int | None = None

    def __call__(self, parts: Iterable[Part]) -> Iterator[tuple[Part, bytes]]:
        """Classify parts, in the order in which they are finished.

        Raises:
            InputError: if the cluster cannot be reached, or has no room.
        """
        with _connected(self.address) as ray:
            count = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            model = ray.put({p.name: p.read_bytes() for p in _files_of(self.model_folder)})
            crew = _Crew(ray, ray.remote(num_cpus=1)(_Worker), (model, self.threshold, __version__))
            for _ in range(count):
                crew.hire()
            for part in parts:
                crew.give(part)
                while crew.is_full():
                    yield from crew.take()
            while crew.is_busy():
                yield from crew.take()


def _files_of(folder: Path) -> list[Path]:
    names = (SETTINGS_FILE, TOKENIZER_FILE, "config.json", weights_in(folder).name)
    return [folder / name for name in names if (folder / name).is_file()]


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    try:
        _must_answer(address)
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            configure_logging=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"--ray-address {address}",
            expected="a Ray cluster that can be reached",
            found=f"none ({(str(error).splitlines() or ['no answer'])[0][:100]})",
            fix="start one with `ray start --head`, or leave the address out",
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _must_answer(address: str | None) -> None:
    """Ray itself would try for minutes to reach a machine that is not there.

    Raises:
        OSError: if nobody answers at an address that names host and port.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), SECONDS_TO_ANSWER).close()


class _Worker:
    """What an actor does; it lives on one processor of some machine."""

    def __init__(self, files: dict[str, bytes], threshold: float | None, version: str) -> None:
        if version != __version__:
            raise RuntimeError(f"claimstance {__version__} is installed here, not {version}")
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                Path(folder, name).write_bytes(content)
            self._classify = PartClassifier(load_model(Path(folder), threads=1), threshold)

    def ready(self) -> None:
        """Answers once the model is loaded."""

    def classify(self, part: Part) -> bytes:
        """Classify a part."""
        return self._classify(part)


@dataclass
class _Crew:
    """The actors, and which part is in whose hands.

    An actor works once it has said that it is ready. One that dies is replaced: the new
    one starts when the cluster has room for it.
    """

    ray: Any
    worker: Any
    arguments: tuple[Any, ...]
    _starting: dict[Any, Any] = field(default_factory=dict)
    _working: list[Any] = field(default_factory=list)
    _given: dict[Any, tuple[Part, Any]] = field(default_factory=dict)
    _waiting: list[Part] = field(default_factory=list)

    def hire(self) -> None:
        """Ask for another actor."""
        actor = self.worker.remote(*self.arguments)
        self._starting[actor.ready.remote()] = actor

    def give(self, part: Part) -> None:
        """Take on a part."""
        self._waiting.append(part)
        self._hand_out()

    def is_full(self) -> bool:
        """Whether each actor has enough to do."""
        return bool(self._waiting)

    def is_busy(self) -> bool:
        """Whether something is not finished."""
        return bool(self._waiting or self._given)

    def take(self) -> Iterator[tuple[Part, bytes]]:
        """Wait until something happens; what is finished by then."""
        refs = [*self._starting, *self._given]
        done, _ = self.ray.wait(refs, timeout=None if self._working else SECONDS_TO_START)
        if not done:
            raise self._no_room("no room for an actor on one processor")
        for ref in done:
            if ref in self._starting:
                self._welcome(ref)
            else:
                yield from self._collect(ref)
        self._hand_out()

    def _hand_out(self) -> None:
        loads = Counter(id(actor) for _, actor in self._given.values())
        while self._waiting and self._working:
            actor = min(self._working, key=lambda a: loads[id(a)])
            if loads[id(actor)] == PARTS_EACH:
                return
            part = self._waiting.pop(0)
            self._given[actor.classify.remote(part)] = (part, actor)
            loads[id(actor)] += 1

    def _welcome(self, ref: Any) -> None:
        actor = self._starting.pop(ref)
        try:
            self.ray.get(ref)
        except self.ray.exceptions.RayActorError as error:
            cause = str(error).strip().splitlines()[-1]
            if "claimstance" in cause:  # it will be the same with the next
                raise self._no_room(cause) from None
            self.hire()
        else:
            self._working.append(actor)

    def _collect(self, ref: Any) -> Iterator[tuple[Part, bytes]]:
        part, actor = self._given.pop(ref)
        try:
            content = self.ray.get(ref)
        except self.ray.exceptions.RayActorError:
            self._waiting.insert(0, part)
            if actor in self._working:  # each of its parts says so
                self._working.remove(actor)
                self.hire()
        else:
            yield part, content

    def _no_room(self, found: str) -> InputError:
        return InputError(
            "--engine ray",
            expected=f"a cluster on which claimstance {__version__} can start",
            found=found,
            fix="look at `ray status`; install the same version on each machine",
        )
