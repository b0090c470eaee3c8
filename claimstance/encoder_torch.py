"""The torch engine: runs a model as training saved it, before any export."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from claimstance.encoder import EncoderModel, Logits, make_encoder_model
from claimstance.errors import InputError
from claimstance.inference import TORCH_FILE
from claimstance.model import ClaimstanceModel, hide_bars
from claimstance.settings import ModelSettings
from claimstance.windows import Batch


def load_torch_model(
    folder: Path, settings: ModelSettings, *, threads: int | None = None
) -> EncoderModel:
    """Load ``model.safetensors``, on the GPU if there is one."""
    if threads is not None:
        torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = load_network(folder)
    torch.nn.Module.to(network, device)

    @torch.inference_mode()
    def engine(batch: Batch) -> Logits:
        inputs = {name: torch.from_numpy(array).to(device) for name, array in batch.items()}
        output = network(**inputs)
        return (
            output.stance_logits.float().cpu().numpy(),
            output.certainty_logits.float().cpu().numpy(),
            output.tag_logits.float().cpu().numpy(),
        )

    return make_encoder_model(folder, settings, engine)


def load_network(folder: Path) -> ClaimstanceModel:
    """Read the network from a folder, in evaluation mode; safetensors only.

    Raises:
        InputError: if it is another network, or its weights are broken.
    """
    hide_bars()
    try:
        loaded: Any = ClaimstanceModel.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True
        )
        network, info = loaded
        # Without this, what is missing would be random, with no more than a warning.
        if info["missing_keys"]:
            raise ValueError(f"weights without {min(info['missing_keys'])}")
    except Exception as error:  # transformers, safetensors and torch each raise their own.
        raise InputError(
            str(folder / TORCH_FILE),
            expected="the weights of a claimstance network",
            found=f"{type(error).__name__}: {str(error).splitlines()[0][:120]}",
            fix="give the folder that 'claimstance train' wrote",
        ) from None
    torch.nn.Module.eval(network)
    return cast(ClaimstanceModel, network)
