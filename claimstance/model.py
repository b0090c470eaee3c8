"""The network: one encoder pass over a window, three heads.

Each sentence is made of its own tokens, by their mean or by an attention that is
learned; from it come stance and certainty. From each token comes a tag, from which
sources and cues are read.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput
from transformers.utils.hub import cached_file
from transformers.utils.logging import disable_progress_bar

from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES, TAGS

#: Label of what does not count in the loss: padding, context, the certainty of no claim.
IGNORED = -100

#: Files that a model cannot do without: how its windows are cut, and its tokenizer.
COMPANIONS: Final = ("claimstance.json", "tokenizer.json", "tokenizer_config.json")
#: What tells transformers where on the hub to look, in the words of its own arguments.
_WHERE: Final = ("cache_dir", "force_download", "local_files_only", "revision", "token")


class ClaimstanceConfig(PretrainedConfig):
    """Configuration of the network: that of its backbone, and the weights of the losses.

    Args:
        backbone: the backbone's own configuration, as a dictionary.
        dropout: share of a sentence's features dropped before the heads.
        certainty_weight: weight of the certainty loss beside that of the stance.
        tag_weight: weight of the tag loss beside that of the stance.
        label_smoothing: share of the probability mass spread over all labels.
        teacher_weight: how much a teacher's probabilities count against the labels, 0 to 1,
            where a batch holds them.
        pooling: how a sentence is made of its tokens: their "mean", or their mean
            weighted by an "attention" that is learned.
    """

    model_type = "claimstance"

    def __init__(
        self,
        backbone: dict[str, Any] | None = None,
        dropout: float = 0.1,
        certainty_weight: float = 1.0,
        tag_weight: float = 1.0,
        label_smoothing: float = 0.0,
        teacher_weight: float = 0.0,
        pooling: str = "mean",
        **kwargs: Any,
    ) -> None:
        self.backbone = backbone or {}
        self.dropout = dropout
        self.certainty_weight = certainty_weight
        self.tag_weight = tag_weight
        self.label_smoothing = label_smoothing
        self.teacher_weight = teacher_weight
        self.pooling = pooling
        super().__init__(**kwargs)


@dataclass
class WindowOutput(ModelOutput):
    """What the network says of a batch of windows.

    Attributes:
        loss: scalar, only when labels are given.
        stance_logits: shape (windows, sentences, stances).
        certainty_logits: shape (windows, sentences, certainties).
        tag_logits: shape (windows, tokens, tags).
        hidden_states: only when asked for: what goes into the first layer and what comes out
            of each, shape (windows, tokens, width).
    """

    loss: Tensor | None = None
    stance_logits: Tensor | None = None
    certainty_logits: Tensor | None = None
    tag_logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class ClaimstanceModel(PreTrainedModel):
    """The encoder with its three heads; saved, loaded and pushed as any transformers model.

    What lies beside the weights (`COMPANIONS`) stays with them: it is read by
    ``from_pretrained``, from a folder or from the hub, and written by ``save_pretrained``
    and so by ``push_to_hub``.

    >>> model = ClaimstanceModel.from_pretrained("models/minilm")  # doctest: +SKIP
    >>> model.push_to_hub("somebody/their-model")  # doctest: +SKIP
    """

    config_class = ClaimstanceConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: ClaimstanceConfig) -> None:
        super().__init__(config)
        settings = dict(config.backbone)
        backbone = AutoConfig.for_model(settings.pop("model_type"), **settings)
        # SDPA is the default here; an encoder without it, such as MPNet, must take its own default.
        attention = config._attn_implementation
        self.encoder = AutoModel.from_config(
            backbone, attn_implementation=None if attention == "sdpa" else attention
        )
        width = backbone.hidden_size
        self.dropout = nn.Dropout(config.dropout)
        self.attention = nn.Linear(width, 2) if config.pooling == "attention" else None
        self.stance_head = nn.Linear(width, len(STANCES))
        self.certainty_head = nn.Linear(width, len(CERTAINTIES))
        self.tag_head = nn.Linear(width, len(TAGS))
        self.companions: dict[str, bytes] = {}
        self.post_init()  # type: ignore[no-untyped-call]

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: Any, *model_args: Any, **kwargs: Any
    ) -> Any:
        """Load a model by folder or hub name: as transformers does, safetensors only."""
        name, kwargs["use_safetensors"] = pretrained_model_name_or_path, True
        where = {key: kwargs[key] for key in _WHERE if key in kwargs}
        loaded: Any = super().from_pretrained(name, *model_args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        for file in COMPANIONS:
            path = cached_file(name, file, _raise_exceptions_for_missing_entries=False, **where)
            if path:
                model.companions[file] = Path(path).read_bytes()
        return loaded

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """Save a model: as transformers does, and what belongs to it beside the weights."""
        super().save_pretrained(save_directory, *args, **kwargs)
        for file, content in self.companions.items():
            (Path(save_directory) / file).write_bytes(content)

    @classmethod
    def from_backbone(cls, backbone: str, **settings: Any) -> ClaimstanceModel:
        """Put fresh heads on a pretrained encoder, by hub name or folder (safetensors only)."""
        encoder = AutoModel.from_pretrained(backbone, use_safetensors=True)
        model = cls(ClaimstanceConfig(backbone=encoder.config.to_dict(), **settings))
        missing, _ = model.encoder.load_state_dict(encoder.state_dict(), strict=False)
        if missing:
            raise RuntimeError(f"the backbone {backbone} lacks the weights {missing}")
        return model

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        sentence_mask: Tensor,
        stance_labels: Tensor | None = None,
        certainty_labels: Tensor | None = None,
        tag_labels: Tensor | None = None,
        stance_teacher: Tensor | None = None,
        certainty_teacher: Tensor | None = None,
        output_hidden_states: bool = False,
    ) -> WindowOutput:
        """Read a batch of windows.

        Args:
            input_ids: shape (windows, tokens).
            attention_mask: shape (windows, tokens), 1 for a token, 0 for padding; None if there
                is no padding.
            sentence_mask: shape (windows, sentences, tokens), 1 where the token is the sentence's.
            stance_labels: shape (windows, sentences); ``IGNORED`` does not count.
            certainty_labels: likewise.
            tag_labels: shape (windows, tokens); likewise.
            stance_teacher: a teacher's probabilities, shape (windows, sentences, stances); they
                count where the labels do, and not where all are 0.
            certainty_teacher: likewise, shape (windows, sentences, certainties).
            output_hidden_states: whether to give what comes out of each layer, too.
        """
        asked = {"output_hidden_states": True} if output_hidden_states else {}
        encoded = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **asked)
        hidden = encoded.last_hidden_state
        for_stance, for_certainty = self._pool(hidden, sentence_mask.to(hidden.dtype))
        output = WindowOutput(
            stance_logits=self.stance_head(self.dropout(for_stance)),
            certainty_logits=self.certainty_head(self.dropout(for_certainty)),
            tag_logits=self.tag_head(self.dropout(hidden)),
            hidden_states=encoded.hidden_states if output_hidden_states else None,
        )
        if stance_labels is not None:
            output.loss = (
                self._loss(output.stance_logits, stance_labels, stance_teacher)
                + self.config.certainty_weight
                * self._loss(output.certainty_logits, certainty_labels, certainty_teacher)
                + self.config.tag_weight * self._loss(output.tag_logits, tag_labels)
            )
        return output

    def _pool(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Each sentence's vector for the stance and for the certainty head.

        Shapes: (windows, tokens, width) and (windows, sentences, tokens) to twice
        (windows, sentences, width).
        """
        if self.attention is None:
            mean = torch.bmm(mask, hidden) / mask.sum(dim=2, keepdim=True).clamp(min=1)
            return mean, mean
        heads = self.attention(hidden).unbind(dim=2)
        first, second = (self._attend(scores, hidden, mask) for scores in heads)
        return first, second

    @staticmethod
    def _attend(scores: Tensor, hidden: Tensor, mask: Tensor) -> Tensor:
        outside = (1 - mask) * -1e4
        weights = torch.softmax(scores.unsqueeze(1) + outside, dim=2) * mask
        return torch.bmm(weights.to(hidden.dtype), hidden)

    def _loss(
        self, logits: Tensor | None, labels: Tensor | None, teacher: Tensor | None = None
    ) -> Tensor:
        """Mean cross-entropy over the labels that count; 0 where none does.

        Where a teacher says something, a weighted mean of that against the labels and that against
        the teacher's probabilities.
        """
        if logits is None or labels is None:
            raise ValueError("give all three kinds of labels, or none")
        against = partial(nn.functional.cross_entropy, reduction="sum")
        smoothing = self.config.label_smoothing
        total = against(
            logits.flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORED,
            label_smoothing=smoothing,
        )
        counts = labels != IGNORED
        if teacher is not None:
            taught = counts & is_taught(teacher)
            by_labels = against(logits[taught], labels[taught], label_smoothing=smoothing)
            by_teacher = against(logits[taught], teacher[taught])
            total = total + self.config.teacher_weight * (by_teacher - by_labels)
        return total / counts.sum().clamp(min=1)


def is_taught(teacher: Tensor) -> Tensor:
    """Where a teacher says something.

    Shape (windows, sentences, labels) to (windows, sentences).
    """
    return teacher.sum(dim=2) > 0


def layers_of(encoder: nn.Module) -> nn.ModuleList:
    """The layers of an encoder, where it has one list of them, as BERT and its kin do.

    Raises:
        InputError: if it has not.
    """
    lists = (m for m in encoder.modules() if isinstance(m, nn.ModuleList))
    layers = next(lists, nn.ModuleList())
    if len(layers) != getattr(encoder.config, "num_hidden_layers", None):
        raise InputError(
            "the backbone in the recipe",
            expected="an encoder with one list of layers, such as BERT or MPNet",
            found=type(encoder).__name__,
            fix="choose another backbone, or leave its layers as they are (freeze_layers = 0)",
        )
    return layers


def hide_bars() -> None:
    """Switch off transformers' progress bars where nobody watches."""
    if not sys.stderr.isatty():
        disable_progress_bar()


AutoConfig.register("claimstance", ClaimstanceConfig)
AutoModel.register(ClaimstanceConfig, ClaimstanceModel)
