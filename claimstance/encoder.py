"""Scoring articles with an encoder: windows in, logits and spans out.

The engine that multiplies the matrices (ONNX Runtime here, torch in
`claimstance.encoder_torch`) is a plain function from a batch to logits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import Tokenizer

from claimstance.errors import InputError
from claimstance.inference import (
    ONNX_FILE,
    TOKENIZER_FILE,
    Floats,
    Scores,
    Text,
    processors,
    softmax,
)
from claimstance.settings import ModelSettings, WindowSettings
from claimstance.spans import read_spans
from claimstance.windows import Batch, Window, cut_windows, encode_article, stack_windows

#: Logits of a batch: stance and certainty of shape (windows, sentences, labels), tags of
#: shape (windows, tokens, tags).
Logits = tuple[Floats, Floats, Floats]
Engine = Callable[[Batch], Logits]
#: A window, and which of all those it is that are read at a time.
Numbered = tuple[int, Window]

#: Most tokens in a batch, padding included, where it holds more than one window.
BATCH_TOKENS: Final = 4096
#: ONNX Runtime is given windows one at a time. On a processor it is quickest when all that a layer
#: makes of its input stays in the cache; and there is no padding, and so no mask to go through.
ONNX_BATCH_TOKENS: Final = 1


@dataclass(frozen=True, slots=True)
class EncoderModel:
    """A model that reads windows.

    Attributes:
        settings: what was saved beside the weights.
        windows: how articles are cut.
        tokenizer: makes tokens of text.
        engine: the network.
        batch_tokens: most tokens that the network is given at a time, padding included, where
            these are more than one window.
        threads: how many windows, or batches of them, are read at the same time.
    """

    settings: ModelSettings
    windows: WindowSettings
    tokenizer: Tokenizer
    engine: Engine
    batch_tokens: int = BATCH_TOKENS
    threads: int = 1

    def score(self, texts: Sequence[Text]) -> Iterator[Scores]:
        """Score articles, one `Scores` each, in the same order, each as soon as it is read."""
        articles: list[list[Window]] = []

        def cut() -> Iterator[Window]:
            for text in texts:
                encoded = encode_article(self.tokenizer, text.title, text.sentences, self.windows)
                articles.append(cut_windows(encoded, self.windows))
                yield from articles[-1]

        with self._reading(cut()) as logits_of:
            numbers = count()
            for text, article in zip(texts, articles, strict=True):
                scores = [
                    score
                    for window in article
                    for score in _read_window(window, logits_of(next(numbers)), text.sentences)
                ]
                yield _join(scores)

    @contextmanager
    def _reading(self, windows: Iterable[Window]) -> Iterator[Callable[[int], list[Floats]]]:
        """While it lasts the network is at work; gives the logits of a window by its number.

        What Python does meanwhile keeps the network waiting as little as it can. Windows that
        nobody has asked for in the end are not read any more.
        """

        def read(batch: Sequence[Numbered]) -> Logits:
            return self.engine(stack_windows([w for _, w in batch], self.windows.pad_id))

        places: dict[int, tuple[Future[Logits], int]] = {}

        def logits_of(number: int) -> list[Floats]:
            result, row = places[number]
            return [part[row] for part in result.result()]

        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for batch in self._batches(enumerate(windows)):
                    result = pool.submit(read, batch)
                    places |= {number: (result, row) for row, (number, _) in enumerate(batch)}
                yield logits_of
            finally:
                for result, _ in places.values():
                    result.cancel()

    def _batches(self, windows: Iterable[Numbered]) -> Iterator[list[Numbered]]:
        """Windows that are read together: of like length, so that little is padded.

        Where each is read alone, it can be as soon as it is cut.
        """
        if self.batch_tokens == ONNX_BATCH_TOKENS:
            yield from ([window] for window in windows)
        else:
            by_length = sorted(windows, key=lambda window: len(window[1].input_ids))
            yield from _by_tokens(by_length, self.batch_tokens)


def _by_tokens(windows: Iterable[Numbered], most: int) -> list[list[Numbered]]:
    """Group windows, given shortest first, so that no padded batch has more tokens than ``most``.

    A window that has more is a batch to itself.
    """
    batches: list[list[Numbered]] = []
    for window in windows:
        width = len(window[1].input_ids)
        if batches and (len(batches[-1]) + 1) * width <= most:
            batches[-1].append(window)
        else:
            batches.append([window])
    return batches


@dataclass(frozen=True, slots=True)
class _SentenceScore:
    stance: Floats
    certainty: Floats
    source: str | None
    cues: tuple[str, ...]


def _read_window(
    window: Window, logits: Sequence[Floats], texts: Sequence[str]
) -> list[_SentenceScore]:
    """Pick out the sentences that this window is there to classify."""
    stance, certainty, tags = logits
    probabilities = softmax(tags[: len(window.input_ids)])
    owners = np.asarray(window.sentence_of)
    scores = []
    for index in range(window.context, window.count):
        # The last token of a sentence is its separator: no text of its own.
        tokens = np.flatnonzero(owners == index)[:-1]
        offsets = [window.offsets[t] for t in tokens]
        text = texts[window.first + index]
        source, cues = read_spans(text, offsets, probabilities[tokens])
        scores.append(_SentenceScore(stance[index], certainty[index], source, cues))
    return scores


def _join(sentences: Sequence[_SentenceScore]) -> Scores:
    return Scores(
        stance=np.stack([s.stance for s in sentences]),
        certainty=np.stack([s.certainty for s in sentences]),
        sources=[s.source for s in sentences],
        cues=[s.cues for s in sentences],
    )


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read ``tokenizer.json``; padding and cutting are ours, so its own are switched off.

    Raises:
        InputError: if there is none, or it is broken.
    """
    path = folder / TOKENIZER_FILE
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # The library raises bare Exceptions.
        raise InputError(
            str(path),
            expected="a tokenizer as the library tokenizers saves it",
            found=str(error).lower(),
            fix="copy the backbone's fast tokenizer there (AutoTokenizer.save_pretrained)",
        ) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def make_encoder_model(
    folder: Path,
    settings: ModelSettings,
    engine: Engine,
    batch_tokens: int = BATCH_TOKENS,
    threads: int = 1,
) -> EncoderModel:
    """Put the parts of a model that reads windows together."""
    if settings.windows is None:
        raise InputError(
            str(folder),
            expected="settings that say how windows are cut",
            found="none",
            fix="train the model again",
        )
    return EncoderModel(
        settings, settings.windows, load_tokenizer(folder), engine, batch_tokens, threads
    )


def load_onnx_model(
    folder: Path, settings: ModelSettings, *, threads: int | None = None
) -> EncoderModel:
    """Load ``model.onnx``; needs onnxruntime and tokenizers only."""
    import onnxruntime as ort

    path = folder / ONNX_FILE
    options = ort.SessionOptions()
    # Two windows by a thread each are read sooner than one after the other by both.
    options.intra_op_num_threads = 1
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # The runtime raises a class of its own for each fault.
        raise InputError(
            str(path),
            expected="a model in ONNX",
            found=f"a file that ONNX Runtime cannot load ({type(error).__name__})",
            fix="export the model again",
        ) from None

    inputs = [node.name for node in session.get_inputs()]

    def engine(batch: Batch) -> Logits:
        stance, certainty, tags = session.run(
            ["stance_logits", "certainty_logits", "tag_logits"],
            {name: batch[name] for name in inputs},
        )
        return stance, certainty, tags

    return make_encoder_model(folder, settings, engine, ONNX_BATCH_TOKENS, threads or processors())
