"""A network in ONNX, made smaller and faster: its matrices multiplied in 8-bit integers.

What goes into a matrix is rounded to 8 bits as it comes, with a scale for each token
(Yao et al. 2022, "ZeroQuant"): one scale for a whole window would follow its largest
number. Weights have a scale for each column, such that sums of two products fit into 16
bits: older processors add them up in so many, and cut off what is more. Tables of
embeddings keep one scale per row.

The products are an operator of ONNX Runtime's own, which scales their columns as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Weights = npt.NDArray[np.float32]

#: The domain of the operators that only ONNX Runtime has.
RUNTIME: Final = "com.microsoft"

#: Matrices with a side smaller than this stay as they are.
SMALLEST_SIDE: Final = 64
#: Rows from which a table of embeddings is worth storing in int8.
LARGE_TABLE: Final = 256

#: What two weights of one sign that lie beside each other may come to: 255 times as much, the
#: largest that two products of them add up to, is less than 2 ** 15.
PAIR_STEPS: Final = 128
#: An input that may be negative is a whole number from 1 to 255, and 128 stands for 0.
SIGNED_STEPS: Final = 127
#: One that is not is a whole number from 0 to 255.
UNSIGNED_STEPS: Final = 255
#: No GELU gives less than this: with it added, all is positive, and steps are half as wide.
GELU_LEAST: Final = 0.17
#: Less than any scale, so that a token of zeros divides by no zero.
TINY: Final = 1e-9


def quantise(model: onnx.ModelProto) -> None:
    """Turn the large matrices and tables of a float model into 8-bit ones, in place.

    The model must read one window at a time: scales are kept by the last axis but one.
    """
    graph = model.graph
    nodes = list(graph.node)
    constants = _Constants(graph)
    makers = {output: node.op_type for node in nodes for output in node.output}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    made: list[onnx.NodeProto] = []
    for node in nodes:
        tensor = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if tensor is not None and min(tensor.dims) >= SMALLEST_SIDE:
            is_gelu = makers.get(node.input[0]) == "Gelu"
            made += _product(node, numpy_helper.to_array(tensor), constants, is_gelu=is_gelu)
            continue
        tensor = weights.get(node.input[0]) if node.op_type == "Gather" else None
        if tensor is not None and len(tensor.dims) == 2 and tensor.dims[0] >= LARGE_TABLE:
            made += _look_up(node, numpy_helper.to_array(tensor), constants)
            continue
        if node.op_type == "LayerNormalization":
            made += _normalisation(node, constants)
            continue
        made.append(node)
    del graph.node[:]
    graph.node.extend(made)
    used = {name for node in made for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    _declare_runtime_operators(model)


def _declare_runtime_operators(model: onnx.ModelProto) -> None:
    is_declared = RUNTIME in {opset.domain for opset in model.opset_import}
    if not is_declared and any(node.domain == RUNTIME for node in model.graph.node):
        model.opset_import.append(helper.make_opsetid(RUNTIME, 1))


class _Constants:
    """Adds constants to a graph, each once."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._names: set[str] = set()

    def add(self, name: str, value: npt.NDArray[np.generic]) -> str:
        """Add a constant; returns its name."""
        if name not in self._names:
            self._names.add(name)
            self._graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def number(self, value: float) -> str:
        """Add a float."""
        return self.add(f"float_{value}", np.array(value, np.float32))


def _product(
    node: onnx.NodeProto, weights: Weights, constants: _Constants, *, is_gelu: bool
) -> Iterator[onnx.NodeProto]:
    """The nodes that stand in for a product with constant weights, shape (inputs, outputs)."""
    data, output = node.input[0], node.output[0]
    rounded, scales = _round_columns(weights)
    if not is_gelu:
        yield from _integer_product(data, rounded, scales, output, constants, signed=True)
        return
    shifted, product = f"{data}_shifted", f"{output}_shifted"
    yield helper.make_node("Add", [data, constants.number(GELU_LEAST)], [shifted])
    yield from _integer_product(shifted, rounded, scales, product, constants, signed=False)
    too_much = GELU_LEAST * (rounded * scales).sum(axis=0, dtype=np.float32)
    correction = constants.add(f"{output}_correction", -too_much)
    yield helper.make_node("Add", [product, correction], [output])


def _round_columns(weights: Weights) -> tuple[npt.NDArray[np.int8], Weights]:
    """Weights as whole numbers, and the scale of each column.

    The largest is 127 steps, or less where two neighbours of one sign would come to more
    than `PAIR_STEPS`.
    """
    even = np.pad(weights, ((0, weights.shape[0] % 2), (0, 0))).reshape(-1, 2, weights.shape[1])
    pairs = np.maximum(np.maximum(even, 0).sum(axis=1), np.maximum(-even, 0).sum(axis=1))
    scales = np.maximum(np.abs(weights).max(axis=0) / 127, pairs.max(axis=0) / (PAIR_STEPS - 1))
    scales = np.maximum(scales, TINY)
    return np.round(weights / scales).astype(np.int8), scales.astype(np.float32)


def _integer_product(
    data: str,
    rounded: npt.NDArray[np.int8],
    scales: Weights,
    output: str,
    constants: _Constants,
    *,
    signed: bool,
) -> Iterator[onnx.NodeProto]:
    """Round the input to 8 bits, token by token, multiply, and undo the scales.

    The runtime does what several products have in common, as queries, keys and values do, once.
    """
    steps, zero = (SIGNED_STEPS, SIGNED_STEPS + 1) if signed else (UNSIGNED_STEPS, 0)
    last = constants.add("last_axis", np.array([-1], np.int64))
    zero_point = constants.add(f"zero_{zero}", np.array(zero, np.uint8))

    def name(what: str) -> str:
        return f"{output}_{what}"

    size = data
    if signed:
        size = name("size")
        yield helper.make_node("Abs", [data], [size])
    yield helper.make_node("ReduceMax", [size, last], [name("largest")], keepdims=1)
    yield helper.make_node("Max", [name("largest"), constants.number(TINY)], [name("range")])
    yield helper.make_node("Mul", [name("range"), constants.number(1 / steps)], [name("step")])
    yield _as_vector(name("step"), name("steps"), constants)
    yield helper.make_node("Shape", [name("steps")], [name("rows")])
    yield helper.make_node("Expand", [zero_point, name("rows")], [name("zeros")])
    yield helper.make_node(
        "QuantizeLinear", [data, name("steps"), name("zeros")], [name("uint8")], axis=-2
    )
    matrix = constants.add(name("weights"), rounded)
    columns = constants.add(name("scales"), (scales / steps).astype(np.float32))
    yield helper.make_node(
        "MatMulIntegerToFloat",
        [name("uint8"), matrix, constants.number(1.0), columns, zero_point],
        [name("columns")],
        domain=RUNTIME,
    )
    yield helper.make_node("Mul", [name("columns"), name("range")], [output])


def _as_vector(column: str, output: str, constants: _Constants) -> onnx.NodeProto:
    """The node that makes a vector of a number for each row."""
    all_rows = constants.add("all_rows", np.array([-1], np.int64))
    return helper.make_node("Reshape", [column, all_rows], [output])


def _normalisation(node: onnx.NodeProto, constants: _Constants) -> Iterator[onnx.NodeProto]:
    """The nodes that stand in for a layer normalisation over the last axis.

    Taken apart it is quicker: the runtime's own goes through the numbers one by one.
    """
    data, gain, bias = node.input
    (epsilon,) = (a.f for a in node.attribute if a.name == "epsilon")
    last = constants.add("last_axis", np.array([-1], np.int64))

    def name(what: str) -> str:
        return f"{node.output[0]}_{what}"

    yield helper.make_node("ReduceMean", [data, last], [name("mean")], keepdims=1)
    yield helper.make_node("Sub", [data, name("mean")], [name("centred")])
    yield helper.make_node("Mul", [name("centred"), name("centred")], [name("squares")])
    yield helper.make_node("ReduceMean", [name("squares"), last], [name("variance")], keepdims=1)
    yield helper.make_node("Add", [name("variance"), constants.number(epsilon)], [name("positive")])
    yield helper.make_node("Sqrt", [name("positive")], [name("deviation")])
    yield helper.make_node("Reciprocal", [name("deviation")], [name("factor")])
    yield helper.make_node("Mul", [name("centred"), name("factor")], [name("normal")])
    yield helper.make_node("Mul", [name("normal"), gain], [name("scaled")])
    yield helper.make_node("Add", [name("scaled"), bias], [node.output[0]])


def _look_up(
    node: onnx.NodeProto, table: Weights, constants: _Constants
) -> Iterator[onnx.NodeProto]:
    """The nodes that stand in for looking up rows of a table, shape (rows, features)."""
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), TINY) / 127
    small = constants.add(f"{node.input[0]}_int8", np.round(table / scales).astype(np.int8))
    factors = constants.add(f"{node.input[0]}_scales", scales.astype(np.float32))
    ids, output = node.input[1], node.output[0]
    yield helper.make_node("Gather", [small, ids], [f"{output}_int8"])
    yield helper.make_node("Gather", [factors, ids], [f"{output}_scale"])
    yield _as_vector(f"{output}_scale", f"{output}_row_scales", constants)
    yield helper.make_node(
        "DequantizeLinear", [f"{output}_int8", f"{output}_row_scales"], [output], axis=-2
    )
