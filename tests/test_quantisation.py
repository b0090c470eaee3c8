"""Multiplying in 8-bit integers: as good as its steps allow, and the same everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from claimstance.quantisation import quantise

Floats = npt.NDArray[np.float32]
OUTPUT = ["rows", "tokens", "outputs"]


def network(weights: Floats, *, gelu: bool = False) -> onnx.ModelProto:
    """A product with constant weights, its input as it is or through a GELU."""
    nodes = [helper.make_node("MatMul", ["inner" if gelu else "x", "w"], ["y"])]
    if gelu:
        nodes.insert(0, helper.make_node("Gelu", ["x"], ["inner"]))
    shape = ["rows", "tokens", weights.shape[0]]
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, OUTPUT)],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto, **inputs: npt.NDArray[Any]) -> Floats:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (output,) = session.run(None, inputs)
    return np.asarray(output)


def some(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("inputs", [64, 384, 768, 1000, 1536])
@pytest.mark.parametrize("gelu", [False, True])
def test_a_product_is_nearly_the_same(inputs: int, gelu: bool) -> None:
    weights, x = some(inputs, 96) / np.float32(np.sqrt(inputs)), some(1, 10, inputs, seed=1)
    x[0, 0] *= 1000  # one token far larger than the others does not spoil them
    x[0, 6] = 0
    before = run(network(weights, gelu=gelu), x=x)
    model = network(weights, gelu=gelu)
    quantise(model)
    onnx.checker.check_model(model)
    after = run(model, x=x)
    size = np.abs(before).max(axis=-1, keepdims=True)
    assert np.abs(after - before).max() > 0
    assert (np.abs(after - before) / np.maximum(size, 1e-6))[size[..., 0] > 0].max() < 0.03
    assert np.allclose(after[0, 6], before[0, 6], atol=1e-3)


def test_sums_of_two_products_fit_into_16_bits() -> None:
    """Older processors add two products up in 16 bits, and cut off what is larger."""
    weights = some(64, 64) * 100
    weights[:2, 0] = 900  # two neighbours larger than all others
    model = network(weights)
    quantise(model)
    matrices = [numpy_helper.to_array(t) for t in model.graph.initializer]
    (rounded,) = [m.astype(int) for m in matrices if m.dtype == np.int8]
    pairs = rounded.reshape(-1, 2, 64)
    for sign in (1, -1):
        assert 255 * np.maximum(sign * pairs, 0).sum(axis=1).max() < 2**15
    assert np.abs(rounded).max() > 64, "most columns have more than seven bits"


def test_small_matrices_stay_as_they_are() -> None:
    model = network(some(64, 6))
    before = model.SerializeToString()
    quantise(model)
    assert model.SerializeToString() == before


def test_a_table_keeps_a_scale_per_row() -> None:
    table = some(300, 8)
    table[7] *= 1000
    graph = helper.make_graph(
        [helper.make_node("Gather", ["w", "ids"], ["y"])],
        "look up",
        [helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, OUTPUT[1:])],
        [numpy_helper.from_array(table, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    quantise(model)
    found = run(model, ids=np.arange(300))
    size = np.abs(table).max(axis=1, keepdims=True)
    assert (np.abs(found - table) / size).max() < 0.005


def test_a_normalisation_is_the_same() -> None:
    x, gain, bias = some(2, 3, 40) * 30, some(40, seed=1), some(40, seed=2)
    graph = helper.make_graph(
        [helper.make_node("LayerNormalization", ["x", "g", "b"], ["y"], epsilon=1e-12)],
        "normalisation",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 3, 40])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2, 3, 40])],
        [numpy_helper.from_array(gain, "g"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    before = run(model, x=x)
    quantise(model)
    assert "LayerNormalization" not in {n.op_type for n in model.graph.node}
    assert np.allclose(run(model, x=x), before, atol=1e-5)
