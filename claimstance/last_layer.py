"""The last layer of an exported network, for the tokens that are asked about only.

Some tokens of a window are there to be read only: the title, and sentences that the window
before has classified. What the last layer makes of them counts as keys and values for the
others, and for nothing else; the rest of the layer leaves them out. No logit changes that is
read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

#: The input that says which token is which sentence's, shape (1, sentences, tokens).
MASK: Final = "sentence_mask"
#: The output with a row for each token, shape (1, tokens, tags).
TAGS: Final = "tag_logits"
_OWN: Final = "own_tokens"


def read_own_tokens_only(model: onnx.ModelProto, layers: int) -> None:
    """Change a float network in place, before it is quantised.

    Afterwards the logits of tags are 0 for tokens that are no sentence's. A network is left as
    it is where attention is not the runtime's own operator, or where the last layer is given
    more than one number per token and feature, as places are in some.

    Args:
        model: a network that reads one window.
        layers: how many layers it has.
    """
    nodes = list(model.graph.node)
    attentions = [node for node in nodes if node.op_type == "MultiHeadAttention"]
    if not attentions or len(attentions) != layers:
        return
    keys_and_values = set(attentions[-1].input[1:3])
    for_all = _makers_of(keys_and_values, nodes)
    made = {output for node in for_all for output in node.output}
    rest = [node for node in nodes if node not in for_all]
    used = {name for node in rest for name in node.input if name in made} - keys_and_values
    if len(used) != 1:
        return
    (hidden,) = used
    _rename({hidden: _own(hidden), MASK: _own(MASK)}, rest)
    for node in rest:
        node.output[:] = [_own(name) if name == TAGS else name for name in node.output]
    # What is noted of shapes no longer holds; the runtime finds them by itself.
    del model.graph.value_info[:]
    del model.graph.node[:]
    chosen = _choose(model.graph, hidden)
    model.graph.node.extend([*for_all, *chosen, *rest, *_put_back(model.graph)])


def _makers_of(names: Iterable[str], nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes that values are made by, directly or not, in the graph's order."""
    wanted = set(names)
    found = []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            found.append(node)
    return found[::-1]


def _own(name: str) -> str:
    return f"{name}_of_{_OWN}"


def _rename(names: dict[str, str], nodes: Iterable[onnx.NodeProto]) -> None:
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]


def _choose(graph: onnx.GraphProto, hidden: str) -> Iterator[onnx.NodeProto]:
    """The nodes that pick the tokens of sentences from all that there are."""
    sentences, row = f"{_OWN}_axis", f"{_OWN}_row"
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), sentences))
    graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), row))
    yield helper.make_node("ReduceMax", [MASK, sentences], [f"{_OWN}_mask"], keepdims=0)
    # For each of them the number of its window, which is 0, and its place.
    yield helper.make_node("NonZero", [f"{_OWN}_mask"], [f"{_OWN}_places"])
    yield helper.make_node("Gather", [f"{_OWN}_places", row], [_OWN], axis=0)
    yield helper.make_node("Gather", [hidden, _OWN], [_own(hidden)], axis=1)
    yield helper.make_node("Gather", [MASK, _OWN], [_own(MASK)], axis=2)


def _put_back(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes that give each tag's logits the place of its token again."""
    (output,) = (one for one in graph.output if one.name == TAGS)
    tags, window = f"{_OWN}_tags", f"{_OWN}_window"
    count = output.type.tensor_type.shape.dim[2].dim_value
    graph.initializer.append(numpy_helper.from_array(np.array([count], np.int64), tags))
    graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), window))
    yield helper.make_node("Shape", [f"{_OWN}_mask"], [f"{_OWN}_tokens"])
    yield helper.make_node("Concat", [f"{_OWN}_tokens", tags], [f"{_OWN}_shape"], axis=0)
    yield helper.make_node("ConstantOfShape", [f"{_OWN}_shape"], [f"{_OWN}_zeros"])
    yield helper.make_node("Transpose", [f"{_OWN}_places"], [f"{_OWN}_pairs"])
    yield helper.make_node("Squeeze", [_own(TAGS), window], [f"{_OWN}_rows"])
    yield helper.make_node("ScatterND", [f"{_OWN}_zeros", f"{_OWN}_pairs", f"{_OWN}_rows"], [TAGS])
