"""From a trained model to the one that ships: ONNX, weights in int8, checked on dev.

The export is refused unless the exported model labels dev as the trained one does.
Exporters have swapped inputs and dropped masks without a word; this gate notices.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from claimstance.calibration import calibrate
from claimstance.corpus import LabelledArticle
from claimstance.encoder_torch import load_network, load_torch_model
from claimstance.errors import InputError, must_be_free
from claimstance.gate import Gate, compare_labels
from claimstance.inference import (
    ONNX_FILE,
    TOKENIZER_FILE,
    TORCH_FILE,
    load_model,
)
from claimstance.last_layer import MASK, TAGS, read_own_tokens_only
from claimstance.model import ClaimstanceModel, WindowOutput
from claimstance.prediction import predict_split
from claimstance.quantisation import quantise as quantise_model
from claimstance.runtime_attention import runtime_attention
from claimstance.settings import load_settings, save_settings

INPUTS: Final = ("input_ids", MASK)
OUTPUTS: Final = ("stance_logits", "certainty_logits", TAGS)

#: Share of dev sentences on which stance and certainty must stay the same.
LEAST_AGREEMENT: Final = 0.99
#: Points of macro-F1 on dev that int8 may cost.
MOST_POINTS_LOST: Final = 0.5
#: Largest difference of a logit that float arithmetic may explain.
MOST_LOGIT_DRIFT: Final = 1e-3


def export_model(
    trained: Path, out: Path, dev: Sequence[LabelledArticle], *, quantise: bool = True
) -> Gate:
    """Export a trained model to ``out`` and compare the two on dev.

    Args:
        trained: folder of a model that `claimstance train` wrote.
        out: a new or empty folder for ``model.onnx``, the tokenizer and the settings.
        dev: the sentences on which both must agree.
        quantise: store weights in int8, a quarter of the size, and multiply in it
            (`claimstance.quantisation`).

    Raises:
        InputError: if ``trained`` holds no network, or the exported model differs on
            more than 1% of the dev sentences, or is worse by more than half a point of
            macro-F1 there; ``out`` is then left untouched.
    """
    if not (trained / TORCH_FILE).is_file():
        raise InputError(
            str(trained),
            expected=f"a trained network ({TORCH_FILE})",
            found="none",
            fix="give the folder that 'claimstance train' wrote for a transformer",
        )
    must_be_free(out)
    settings = load_settings(trained)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        write_onnx(load_network(trained), made / ONNX_FILE, quantise=quantise)
        shutil.copyfile(trained / TOKENIZER_FILE, made / TOKENIZER_FILE)
        name = f"{settings.name}-int8" if quantise else settings.name
        save_settings(made, settings.model_copy(update={"name": name}))
        save_settings(made, calibrate(load_model(made), dev))
        gate = compare(trained, made, dev)
        _must_agree(gate, out)
        out.mkdir(parents=True, exist_ok=True)
        for file in made.iterdir():
            shutil.copyfile(file, out / file.name)
    return gate


class _Positional(nn.Module):
    """The network as the exporter wants it: positional inputs, a tuple of outputs.

    It reads one window at a time: without padding, it needs no mask.
    """

    def __init__(self, network: ClaimstanceModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, sentence_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output: WindowOutput = self.network(input_ids, None, sentence_mask)
        return cast(
            tuple[Tensor, Tensor, Tensor],
            (output.stance_logits, output.certainty_logits, output.tag_logits),
        )


def write_onnx(network: ClaimstanceModel, path: Path, *, quantise: bool) -> None:
    """Write a network as ONNX, for one window of any length with any number of sentences.

    Inputs are ``input_ids`` (1, tokens) and ``sentence_mask`` (1, sentences, tokens), outputs
    those of `WindowOutput`.
    """
    wrapped = _Positional(network).eval()
    open_end = torch.export.Dim.DYNAMIC
    with _quiet(), runtime_attention(network.encoder):
        program = torch.onnx.export(
            wrapped,
            _example(network, sentences=4, tokens=40),
            dynamo=True,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes={
                "input_ids": {1: open_end},
                "sentence_mask": {1: open_end, 2: open_end},
            },
            verbose=False,
        )
    assert program is not None
    program.save(str(path))
    _tidy(path, layers=getattr(network.encoder.config, "num_hidden_layers", 0))
    _check_parity(wrapped, path, _example(network, sentences=5, tokens=33))
    if quantise:
        _quantise(path)


def _tidy(path: Path, *, layers: int) -> None:
    """Leave out what nobody asks for, of the last layer and of the exporter's notes."""
    model = onnx.load(str(path))
    read_own_tokens_only(model, layers)
    _forget_where_it_was_made(model)
    onnx.save(model, str(path))


def _forget_where_it_was_made(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes: they hold stack traces, and so the paths of this machine."""
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""


def _example(network: ClaimstanceModel, *, sentences: int, tokens: int) -> tuple[Tensor, Tensor]:
    """A window whose last sentence has no tokens, as in a batch of windows."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = network.encoder.config.vocab_size
    input_ids = torch.randint(0, vocabulary, (1, tokens), generator=generator)
    sentence_mask = torch.zeros(1, sentences, tokens)
    for index in range(sentences - 1):
        sentence_mask[:, index, 1 + index * 4 : 5 + index * 4] = 1
    return input_ids, sentence_mask


def _check_parity(network: nn.Module, path: Path, window: tuple[Tensor, Tensor]) -> None:
    """Compare logits before and after the export, on shapes the exporter has not seen."""
    with torch.inference_mode():
        wanted = network(*window)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = {name: t.numpy() for name, t in zip(INPUTS, window, strict=True)}
    of_sentences = inputs[MASK].max(axis=1, keepdims=True).swapaxes(1, 2)
    read = {name: of_sentences if name == TAGS else np.float32(1) for name in OUTPUTS}
    for name, tensor, array in zip(OUTPUTS, wanted, session.run(OUTPUTS, inputs), strict=True):
        drift = float(np.abs((tensor.numpy() - array) * read[name]).max())
        if drift > MOST_LOGIT_DRIFT:
            raise InputError(
                str(path),
                expected=f"{name} as the trained network gives them",
                found=f"a difference of {drift:.3g}",
                fix="use the versions in constraints.txt; the exporter has changed",
            )


def _quantise(path: Path) -> None:
    model = onnx.load(str(path))
    quantise_model(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


class _quiet:  # noqa: N801 - used as a verb
    """Silence notes that exporters print about packages that are not needed here."""

    def __enter__(self) -> None:
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        self._disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *exc: object) -> None:
        logging.disable(self._disabled)
        self._warnings.__exit__(None, None, None)


def compare(trained: Path, exported: Path, dev: Sequence[LabelledArticle]) -> Gate:
    """Label dev with both models and set the results side by side."""
    before, after = (
        predict_split(model, dev)
        for model in (load_torch_model(trained, load_settings(trained)), load_model(exported))
    )
    return compare_labels([s for article in dev for s in article.sentences], before, after)


def _must_agree(gate: Gate, out: Path) -> None:
    worst = min(gate.stance_same, gate.certainty_same)
    if worst < LEAST_AGREEMENT:
        raise InputError(
            str(out),
            expected=f"the labels of the trained model on {LEAST_AGREEMENT:.0%} of dev",
            found=f"{worst:.2%} of {gate.sentences} sentences",
            fix="export without int8 (--no-quantise), or train a model that is surer of itself",
        )
    lost = max(gate.stance_drop, gate.certainty_drop)
    if lost > MOST_POINTS_LOST:
        raise InputError(
            str(out),
            expected=f"at most {MOST_POINTS_LOST} points of macro-F1 less than the trained model",
            found=f"{lost:.2f} points less on {gate.sentences} sentences",
            fix="export without int8 (--no-quantise), or train a model that is surer of itself",
        )
