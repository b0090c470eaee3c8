"""A smaller network that learns what a trained one says.

The student starts as some layers of its teacher (Sanh et al. 2019, "DistilBERT"), or as some
neurons of these. It is trained so that each of them gives what that layer gives in the teacher,
and its heads say what the teacher's say (Jiao et al. 2020, "TinyBERT"), also of text in which words
are exchanged. Where a larger model has labelled text, its heads say what that one says. The labels
count beside that.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import Trainer

from claimstance.errors import InputError
from claimstance.model import IGNORED, ClaimstanceModel, WindowOutput, is_taught, layers_of
from claimstance.recipes import NetworkRecipe, StudentRecipe

#: Probabilities come rounded, and so may be 0, which has no logarithm.
LEAST_PROBABILITY: Final = 1e-5


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


def importance_of_neurons(
    teacher: ClaimstanceModel, layers: Sequence[int], batches: Iterable[dict[str, Tensor]]
) -> list[Tensor]:
    """How much each neuron of the feed-forward blocks moves what its block gives.

    The mean square of what the neuron gives, times the squared norm of the weights that it goes
    through next; so weights are judged in Sun et al. 2023, "A simple and effective pruning
    approach for large language models".

    Args:
        teacher: a trained network.
        layers: whose neurons are looked at, from 0.
        batches: what it reads meanwhile.

    Returns:
        For each of the layers, shape (neurons,).

    Raises:
        InputError: if its layers have no such blocks, as those of BERT and MPNet have.
    """
    blocks = [_feed_forward(layers_of(teacher.encoder)[index]) for index in layers]
    squares = [torch.zeros(inner.out_features) for inner, _ in blocks]

    def note(place: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            squares[place] += given[0].flatten(0, -2).pow(2).mean(dim=0)

        return hook

    hooks = [outer.register_forward_pre_hook(note(i)) for i, (_, outer) in enumerate(blocks)]
    with torch.no_grad():
        for batch in batches:
            teacher(**_without_labels(batch))
    for hook in hooks:
        hook.remove()
    return [
        s * outer.weight.pow(2).sum(dim=0) for s, (_, outer) in zip(squares, blocks, strict=True)
    ]


def keep_neurons(student: ClaimstanceModel, count: int, importance: Sequence[Tensor]) -> None:
    """Leave the most important neurons of each feed-forward block only.

    Args:
        student: the network, which is changed.
        count: how many neurons are kept.
        importance: of the neurons of each layer, shape (neurons,).

    Raises:
        InputError: if a layer has no more neurons than that.
    """
    for layer, score in zip(layers_of(student.encoder), importance, strict=True):
        inner, outer = _feed_forward(layer)
        if count >= len(score):
            raise InputError(
                "student.neurons in the recipe",
                expected=f"fewer than the {len(score)} that the teacher has",
                found=str(count),
                fix="give fewer, or leave it out",
            )
        kept = score.topk(count).indices.sort().values
        inner.weight = nn.Parameter(inner.weight.data[kept])
        inner.bias = nn.Parameter(inner.bias.data[kept])
        outer.weight = nn.Parameter(outer.weight.data[:, kept])
        inner.out_features = outer.in_features = count
    student.encoder.config.intermediate_size = count
    student.config.backbone = student.encoder.config.to_dict()


def _feed_forward(layer: nn.Module) -> tuple[nn.Linear, nn.Linear]:
    """The two linear maps of a layer's feed-forward block, by the names that BERT has for them."""
    parts = dict(layer.named_modules())
    inner, outer = parts.get("intermediate.dense"), parts.get("output.dense")
    if not isinstance(inner, nn.Linear) or not isinstance(outer, nn.Linear):
        raise InputError(
            "student.neurons in the recipe",
            expected="a teacher with feed-forward blocks as BERT and MPNet have them",
            found=type(layer).__name__,
            fix="leave it out",
        )
    return inner, outer


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
        wanted = heed_the_larger(wanted, inputs)
        found = model(**inputs, output_hidden_states=True)
        loss = distance(found, wanted, self._places, inputs) + self._label_weight * found.loss
        return (loss, found) if return_outputs else loss


def exchange_tokens(inputs: dict[str, Tensor], most: float) -> Tensor:
    """Put tokens of labelled sentences in the places of others of the batch, at random.

    Args:
        inputs: the batch. What a larger model says of a window holds as it is only: none of
            its tokens is exchanged.
        most: largest share of these tokens; each window draws its own, from 0 to this.

    Returns:
        The tokens, shape (windows, tokens).
    """
    ids, labels = inputs["input_ids"], inputs["tag_labels"]
    may_go = labels != IGNORED
    if "stance_teacher" in inputs:
        may_go &= ~is_taught(inputs["stance_teacher"]).any(dim=1, keepdim=True)
    share = most * torch.rand(len(ids), 1, device=ids.device)
    goes = may_go & (torch.rand(ids.shape, device=ids.device) < share)
    others = ids[may_go]
    count = int(goes.sum())
    changed = ids.clone()
    changed[goes] = others[torch.randint(max(1, len(others)), (count,), device=ids.device)]
    return changed


def heed_the_larger(wanted: WindowOutput, inputs: dict[str, Tensor]) -> WindowOutput:
    """What a student is to say: where a larger model has said something of a sentence, that.

    Args:
        wanted: what the teacher says of a batch.
        inputs: the batch, perhaps with the larger model's probabilities.
    """
    return dataclasses.replace(
        wanted,
        stance_logits=_heed(wanted.stance_logits, inputs.get("stance_teacher")),
        certainty_logits=_heed(wanted.certainty_logits, inputs.get("certainty_teacher")),
    )


def _heed(own: Tensor | None, larger: Tensor | None) -> Tensor | None:
    if own is None or larger is None:
        return own
    logits = larger.clamp(min=LEAST_PROBABILITY).log()
    return torch.where(is_taught(larger).unsqueeze(2), logits, own)


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
