"""A smaller network that learns what a trained one says.

The student starts as some layers of its teacher (Sanh et al. 2019, "DistilBERT"). It is
trained so that each of them gives what that layer gives in the teacher, and its heads say what
the teacher's say (Jiao et al. 2020, "TinyBERT"), also of text in which words are exchanged. The
labels count beside that.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer

from claimstance.errors import InputError
from claimstance.model import IGNORED, ClaimstanceModel, WindowOutput, layers_of
from claimstance.recipes import NetworkRecipe, StudentRecipe


def student_of(
    teacher: ClaimstanceModel, layers: Sequence[int], network: NetworkRecipe
) -> ClaimstanceModel:
    """A copy of a network with some of its layers only.

    Args:
        teacher: a trained network.
        layers: which are kept, from 0, in order.
        network: weights of the losses; its heads are those of the teacher.

    Raises:
        InputError: if the teacher has no such layer or no such heads, or nothing is left out.
    """
    student = copy.deepcopy(teacher)
    own = layers_of(student.encoder)
    is_in_order = list(layers) == sorted(set(layers))
    if not is_in_order or not set(layers) < set(range(len(own))):
        raise InputError(
            "student.layers in the recipe",
            expected=f"some of the teacher's layers, from 0 to {len(own) - 1}, in order, and "
            "not all",
            found=f"{list(layers)}",
            fix="name the layers to keep",
        )
    _must_be_the_same(teacher, network)
    for index in reversed(range(len(own))):
        if index not in layers:
            del own[index]
    student.encoder.config.num_hidden_layers = len(own)
    student.config.backbone = student.encoder.config.to_dict()
    for name, value in network.model_dump().items():
        setattr(student.config, name, value)
    return student


def _must_be_the_same(teacher: ClaimstanceModel, network: NetworkRecipe) -> None:
    for name in ("pooling", "dropout"):
        own, asked = getattr(teacher.config, name), getattr(network, name)
        if own != asked:
            raise InputError(
                f"network.{name} in the recipe",
                expected=f"{own!r}, as the teacher has it",
                found=f"{asked!r}",
                fix="give the same",
            )


class DistillingTrainer(Trainer):
    """Trains a student: the loss is how far it is from its teacher, and from the labels.

    Args:
        teacher: the trained network.
        recipe: which of its layers the student has, how much the labels count, and the noise.
        arguments: those of ``Trainer``.
    """

    def __init__(self, *, teacher: ClaimstanceModel, recipe: StudentRecipe, **arguments: Any):
        super().__init__(**arguments)
        self._teacher = nn.Module.requires_grad_(teacher, False)
        nn.Module.eval(self._teacher)
        nn.Module.to(self._teacher, self.args.device)
        # The first of the hidden states are the embeddings.
        self._places = [layer + 1 for layer in recipe.layers]
        self._label_weight = recipe.label_weight
        self._noise = recipe.noise

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a batch; when it is not training, that of the labels alone."""
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if self._noise:
            inputs = inputs | {"input_ids": exchange_tokens(inputs, self._noise)}
        with torch.no_grad():
            wanted = self._teacher(**_without_labels(inputs), output_hidden_states=True)
        found = model(**inputs, output_hidden_states=True)
        loss = distance(found, wanted, self._places, inputs) + self._label_weight * found.loss
        return (loss, found) if return_outputs else loss


def exchange_tokens(inputs: dict[str, Tensor], most: float) -> Tensor:
    """Put tokens of labelled sentences in the places of others of the batch, at random.

    Args:
        inputs: the batch.
        most: largest share of these tokens; each window draws its own, from 0 to this.

    Returns:
        The tokens, shape (windows, tokens).
    """
    ids, labels = inputs["input_ids"], inputs["tag_labels"]
    may_go = labels != IGNORED
    share = most * torch.rand(len(ids), 1, device=ids.device)
    goes = may_go & (torch.rand(ids.shape, device=ids.device) < share)
    others = ids[may_go]
    count = int(goes.sum())
    changed = ids.clone()
    changed[goes] = others[torch.randint(max(1, len(others)), (count,), device=ids.device)]
    return changed


def distance(
    found: WindowOutput, wanted: WindowOutput, places: Sequence[int], inputs: dict[str, Tensor]
) -> Tensor:
    """How far a student is from its teacher in a batch, a scalar.

    Args:
        found: what the student says, with its hidden states.
        wanted: what the teacher says, likewise.
        places: where, among the teacher's hidden states, those of the student's layers are.
        inputs: the batch; padding does not count, nor do sentences without tokens.
    """
    tokens = inputs["attention_mask"].bool()
    sentences = inputs["sentence_mask"].sum(dim=2) > 0
    own, theirs = _states(found)[1:], [_states(wanted)[place] for place in places]
    apart = [
        nn.functional.mse_loss(one[tokens], other[tokens]) / other[tokens].var()
        for one, other in zip(own, theirs, strict=True)
    ]
    kinds = (("stance", sentences), ("certainty", sentences), ("tag", tokens))
    apart += [
        _divergence(getattr(found, f"{kind}_logits"), getattr(wanted, f"{kind}_logits"), counts)
        for kind, counts in kinds
    ]
    return torch.stack(apart).sum()


def _states(output: WindowOutput) -> tuple[Tensor, ...]:
    if output.hidden_states is None:
        raise ValueError("ask for the hidden states")
    return output.hidden_states


def _divergence(found: Tensor, wanted: Tensor, counts: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence of the probabilities, where they count."""
    return nn.functional.kl_div(
        found[counts].log_softmax(dim=-1),
        wanted[counts].log_softmax(dim=-1),
        reduction="batchmean",
        log_target=True,
    )


def _without_labels(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value
        for name, value in inputs.items()
        if not name.endswith("_labels") and not name.endswith("_teacher")
    }
