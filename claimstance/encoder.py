"""Scoring articles with an encoder: windows in, logits and spans out.

The engine that multiplies the matrices (ONNX Runtime here, torch in
`claimstance.encoder_torch`) is a plain function from a batch to logits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
        pool: threads that read windows, or batches of them, at the same time; without any, who
            asks reads them.
    """

    settings: ModelSettings
    windows: WindowSettings
    tokenizer: Tokenizer
    engine: Engine
    batch_tokens: int = BATCH_TOKENS
    pool: ThreadPoolExecutor | None = None

    def score(self, texts: Sequence[Text]) -> list[Scores]:
        """Score articles, one `Scores` each, in the same order."""
        cut: list[tuple[int, Window]] = []
        for index, text in enumerate(texts):
            encoded = encode_article(self.tokenizer, text.title, text.sentences, self.windows)
            cut += [(index, window) for window in cut_windows(encoded, self.windows)]
        read: dict[int, list[_SentenceScore]] = {}

        def read_batch(batch: Sequence[int]) -> None:
            windows = [cut[number][1] for number in batch]
            logits = self.engine(stack_windows(windows, self.windows.pad_id))
            for number, window, *own in zip(batch, windows, *logits, strict=True):
                read[number] = _read_window(window, own, texts[cut[number][0]].sentences)

        self._for_each(read_batch, self._batches([window for _, window in cut]))
        sentences: list[list[_SentenceScore]] = [[] for _ in texts]
        for number, (index, _) in enumerate(cut):
            sentences[index] += read[number]
        return [_join(article) for article in sentences]

    def _batches(self, windows: Sequence[Window]) -> list[list[int]]:
        """Numbers of windows of like length that are read together, the longest first."""
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].input_ids))
        return _by_tokens(order, windows, self.batch_tokens)[::-1]

    def _for_each(
        self, read_batch: Callable[[Sequence[int]], None], batches: Sequence[Sequence[int]]
    ) -> None:
        if self.pool is None:
            for batch in batches:
                read_batch(batch)
            return
        # While one thread does what Python does, the network is at work in another.
        deque(self.pool.map(read_batch, batches), maxlen=0)


def _by_tokens(order: Sequence[int], windows: Sequence[Window], most: int) -> list[list[int]]:
    """Group windows, given shortest first, so that no padded batch has more tokens than ``most``.

    A window that has more is a batch to itself.
    """
    batches: list[list[int]] = []
    for index in order:
        width = len(windows[index].input_ids)
        if batches and (len(batches[-1]) + 1) * width <= most:
            batches[-1].append(index)
        else:
            batches.append([index])
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
    pool: ThreadPoolExecutor | None = None,
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
        settings, settings.windows, load_tokenizer(folder), engine, batch_tokens, pool
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

    pool = ThreadPoolExecutor(threads or processors())
    return make_encoder_model(folder, settings, engine, ONNX_BATCH_TOKENS, pool)
