"""Attention as one operator of ONNX Runtime, for networks that are exported.

Exporters write attention out, operator by operator, and each of them goes once through a
matrix of tokens times tokens. The runtime's own operator never makes that matrix whole
(Dao et al. 2022, "FlashAttention"). It wants windows without padding, and so without a mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import bidirectional_mask_function, eager_mask

_NAME: Final = "onnxruntime"


@contextmanager
def runtime_attention(encoder: PreTrainedModel) -> Iterator[None]:
    """While it lasts, the encoder can be exported, but not run.

    An encoder whose attention cannot be exchanged, such as MPNet's with its bias for
    distances, keeps its own.
    """
    before = encoder.config._attn_implementation
    encoder.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        encoder.set_attn_implementation(before)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention, called as transformers does.

    Args:
        module: the layer, which is not needed.
        query: shape (windows, heads, tokens, features).
        key: likewise.
        value: likewise.
        attention_mask: what is added before the softmax, where not all is seen.
        scaling: by what products are multiplied.

    Returns:
        Shape (windows, tokens, heads, features), and no shares of attention.
    """
    heads, features = query.shape[1], query.shape[3]
    scale = features**-0.5 if scaling is None else scaling
    if attention_mask is not None:
        mixed = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, scale=scale
        )
        return mixed.transpose(1, 2), None
    inputs = [x.transpose(1, 2).flatten(2) for x in (query, key, value)]
    side_by_side: Tensor = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        inputs,
        {"num_heads": heads, "scale": float(scale)},
        dtype=query.dtype,
        shape=inputs[0].shape,
        version=1,
    )
    return side_by_side.unflatten(2, (heads, features)), None


def _mask(**arguments: Any) -> Tensor | None:
    """None where every token sees every other; as written out where some see only neighbours."""
    if arguments["mask_function"] is bidirectional_mask_function:
        return None
    return eager_mask(**arguments)


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, _mask)
