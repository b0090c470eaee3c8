"""Fine-tuning the network by a recipe, with transformers' ``Trainer``.

The Trainer brings resuming, mixed precision, several processes (``accelerate
launch``, ``torchrun``) and logging. What is ours: the batches (`claimstance.examples`), what
is frozen and how fast the rest learns, and the score by which the best epoch is chosen.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from sklearn.metrics import f1_score
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import (
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from claimstance.backbones import find_backbone
from claimstance.calibration import calibrate
from claimstance.corpus import LabelledArticle, load_split
from claimstance.distillation import (
    DistillingTrainer,
    importance_of_neurons,
    keep_neurons,
    student_of,
)
from claimstance.encoder import load_tokenizer
from claimstance.encoder_torch import load_network
from claimstance.errors import InputError, must_be_free
from claimstance.examples import Teacher, collate, load_teacher, window_dataset, window_settings
from claimstance.inference import TOKENIZER_FILE, load_model
from claimstance.model import IGNORED, ClaimstanceModel, layers_of
from claimstance.recipes import OptimiserRecipe, TransformerRecipe
from claimstance.records import write_text
from claimstance.settings import ModelSettings, WindowSettings, save_settings
from claimstance.silver import load_silver

CHECKPOINTS = "checkpoints"
LOG_FILE = "training_log.jsonl"
TOKENIZER_CONFIG = "tokenizer_config.json"
#: The weight of a larger model where nobody else has labelled the text.
ALONE = 1.0
#: How many windows a teacher reads when it is seen which of its neurons count.
WINDOWS_TO_JUDGE_BY = 320


def train_transformer(recipe: TransformerRecipe, out: Path, *, resume: bool = False) -> None:
    """Train a model by its recipe and save it, ready to classify, in the folder ``out``.

    Args:
        recipe: what to train.
        out: a folder that is new or empty; with ``resume``, one that an interrupted
            training left.
        resume: go on from the last checkpoint in ``out``.

    Raises:
        InputError: if ``out`` is not as it must be, or the corpus or backbone is at fault.
    """
    _check_folder(out, resume)
    set_seed(recipe.seed)
    backbone = find_backbone(recipe.backbone, recipe.backbone_sha256)
    tokenizer = load_tokenizer(backbone)
    settings = window_settings(tokenizer, recipe.windows)
    articles, teacher = _to_learn_from(recipe)
    train = window_dataset(
        articles,
        tokenizer,
        settings,
        views=recipe.windows,
        seed=recipe.seed,
        teacher=teacher,
    )
    dev_articles = load_split(recipe.corpus, "dev")
    dev = window_dataset(dev_articles, tokenizer, settings)
    model, trainer_of = _network(recipe, backbone, train)
    _must_fit(settings.max_tokens, model)
    _freeze(model, recipe.optimiser)
    trainer = trainer_of(
        model=model,
        args=_arguments(recipe, out),
        train_dataset=train,
        eval_dataset=dev,
        data_collator=lambda rows: collate(rows, settings.pad_id),
        compute_metrics=score_epoch,
        preprocess_logits_for_metrics=_keep_best_labels,
        optimizers=(_optimiser(model, recipe), None),
        callbacks=[_JsonLog(out / LOG_FILE)],
    )
    trainer.remove_callback(PrinterCallback)  # the log is a file; see LOG_FILE
    trainer.train(resume_from_checkpoint=str(whole_checkpoints(out)[-1]) if resume else None)
    if trainer.is_world_process_zero():
        _save(model, tokenizer, recipe, settings, dev_articles, out)


def _to_learn_from(recipe: TransformerRecipe) -> tuple[list[LabelledArticle], Teacher | None]:
    """The articles of train, those that a larger model labelled, and what it or a teacher says."""
    articles = load_split(recipe.corpus, "train")
    if recipe.silver:
        silver = load_silver(recipe.silver)
        _must_be_others(silver.articles, articles, recipe.silver.articles)
        return articles + silver.articles, silver.said
    if recipe.teacher:
        return articles, load_teacher(recipe.teacher.predictions, articles)
    return articles, None


def _must_be_others(
    silver: Sequence[LabelledArticle], articles: Sequence[LabelledArticle], path: Path
) -> None:
    """What is said of a silver article must not be taken for what is said of one of train."""
    known = {a.facts.article_id for a in articles}
    twice = [a.facts.article_id for a in silver if a.facts.article_id in known]
    if twice:
        raise InputError(
            str(path),
            expected="ids that no article of train has",
            found=f"the id {twice[0]}",
            fix="rename it there and in the predictions",
        )


def _network(
    recipe: TransformerRecipe, backbone: Path, train: Dataset
) -> tuple[ClaimstanceModel, Callable[..., Trainer]]:
    """The network as it begins, and what trains it."""
    for other in ("student", "silver"):
        if recipe.teacher and getattr(recipe, other):
            raise InputError(
                "the recipe",
                expected=f"a table [teacher] or a table [{other}]",
                found="both",
                fix="leave one of them out: each says whom the new model learns from",
            )
    if recipe.student:
        teacher = load_network(backbone)
        model = student_of(teacher, recipe.student.layers, recipe.network)
        if recipe.student.neurons:
            layers, some = recipe.student.layers, _evenly(train, WINDOWS_TO_JUDGE_BY)
            importance = importance_of_neurons(nn.Module.eval(teacher), layers, some)
            keep_neurons(model, recipe.student.neurons, importance)
        if recipe.silver:
            model.config.teacher_weight = ALONE
        return model, partial(DistillingTrainer, teacher=teacher, recipe=recipe.student)
    network = recipe.network.model_dump()
    if recipe.teacher:
        network["teacher_weight"] = recipe.teacher.weight
    if recipe.silver:
        network["teacher_weight"] = ALONE
    return ClaimstanceModel.from_backbone(str(backbone), **network), Trainer


def _evenly(train: Dataset, count: int) -> Iterator[dict[str, Tensor]]:
    """Some windows from all over the corpus, each a batch without padding."""
    for index in range(0, len(train), max(1, len(train) // count)):
        yield collate([train[index]], pad_id=0)


def _check_folder(out: Path, resume: bool) -> None:
    """Never overwrite a model, and never resume from nothing."""
    has_checkpoint = bool(whole_checkpoints(out))
    if resume and not has_checkpoint:
        raise InputError(
            str(out),
            expected="a folder with checkpoints of an interrupted training",
            found="none",
            fix="empty it, if there is something in it, and start anew without --resume",
        )
    if not resume and has_checkpoint:
        raise InputError(
            str(out),
            expected="a new or an empty folder",
            found="a folder with checkpoints in it",
            fix="go on with --resume",
        )
    if not resume:
        must_be_free(out)


def whole_checkpoints(out: Path) -> list[Path]:
    """Checkpoints, oldest first, without those cut off while written: their state comes last."""
    states = (out / CHECKPOINTS).glob("checkpoint-*/trainer_state.json")
    return sorted((s.parent for s in states), key=lambda p: int(p.name.rpartition("-")[2]))


def _must_fit(max_tokens: int, model: ClaimstanceModel) -> None:
    """Windows must not be longer than the backbone has places for."""
    table = getattr(getattr(model.encoder, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, torch.nn.Embedding):
        return  # places are computed, not looked up
    # RoBERTa and MPNet begin to count after the place of padding.
    places = table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    if max_tokens > places:
        raise InputError(
            "windows.max_tokens in the recipe",
            expected=f"at most {places}, the longest text that the backbone reads",
            found=str(max_tokens),
            fix="make windows shorter, or choose another backbone",
        )


def _freeze(model: ClaimstanceModel, settings: OptimiserRecipe) -> None:
    """Take from the training what is to stay as it was pretrained."""
    if settings.freeze_embeddings:
        model.encoder.get_input_embeddings().requires_grad_(False)
    if settings.freeze_layers:
        embeddings, layers = _parts(model.encoder)
        if settings.freeze_layers >= len(layers):
            raise InputError(
                "optimiser.freeze_layers in the recipe",
                expected=f"fewer than {len(layers)}, the layers of the backbone",
                found=str(settings.freeze_layers),
                fix="leave some of them to be trained",
            )
        embeddings.requires_grad_(False)
        layers[: settings.freeze_layers].requires_grad_(False)


def _parts(encoder: torch.nn.Module) -> tuple[torch.nn.Module, torch.nn.ModuleList]:
    """The embeddings of an encoder and its layers, where it has them as BERT and its kin do."""
    embeddings = getattr(encoder, "embeddings", None)
    if embeddings is None:
        raise InputError(
            "optimiser.freeze_layers in the recipe",
            expected="a backbone with 'embeddings', such as BERT or MPNet",
            found=type(encoder).__name__,
            fix="set freeze_layers to 0, or choose another backbone",
        )
    return embeddings, layers_of(encoder)


def _optimiser(model: ClaimstanceModel, recipe: TransformerRecipe) -> torch.optim.Optimizer:
    """AdamW; heads have their own learning rate, biases and norms no decay."""
    settings = recipe.optimiser
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    trainable = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    for name, parameter in trainable:
        key = (name.startswith("encoder."), parameter.ndim >= 2)
        groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": settings.learning_rate if in_encoder else settings.head_learning_rate,
                "weight_decay": settings.weight_decay if is_matrix else 0.0,
            }
            for (in_encoder, is_matrix), parameters in groups.items()
        ]
    )


def _arguments(recipe: TransformerRecipe, out: Path) -> TrainingArguments:
    settings = recipe.optimiser
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(out / "tensorboard")
    return TrainingArguments(
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_windows,
        per_device_eval_batch_size=settings.batch_windows,
        learning_rate=settings.learning_rate,
        # Windows of like length share a batch, so that little of it is padding.
        train_sampling_strategy="group_by_length",
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_share,  # below 1, the Trainer takes it as a share
        seed=recipe.seed,
        bf16=has_bf16() if settings.bf16 == "auto" else settings.bf16,
        use_cpu=not torch.cuda.is_available(),  # or bf16 is refused there
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        logging_steps=0.02,
        load_best_model_at_end=True,
        metric_for_best_model="macro_f1",
        greater_is_better=True,
        label_names=["stance_labels", "certainty_labels", "tag_labels"],
        remove_unused_columns=False,
        report_to=["tensorboard"],
        disable_tqdm=not sys.stderr.isatty(),
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def has_bf16() -> bool:
    """Whether this machine multiplies in bfloat16 itself: to imitate it is slower than float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older releases of torch do not tell.
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def _keep_best_labels(logits: Any, labels: Any) -> Any:
    """Of the logits, evaluation needs only which label is best.

    The Trainer passes a tuple of tensors here, against its own annotation of one.
    """
    return tuple(part.argmax(dim=-1) for part in logits)


def score_epoch(prediction: EvalPrediction) -> dict[str, float]:
    """Macro-F1 of stance and certainty on dev; ``macro_f1``, their mean, chooses the epoch."""
    scores: dict[str, float] = {}
    for index, name in enumerate(("stance", "certainty")):
        gold = np.asarray(prediction.label_ids[index])
        counts = gold != IGNORED
        predicted = np.asarray(prediction.predictions[index])[counts]
        scores[f"{name}_macro_f1"] = float(
            f1_score(gold[counts], predicted, average="macro", zero_division=0.0)
        )
    scores["macro_f1"] = (scores["stance_macro_f1"] + scores["certainty_macro_f1"]) / 2
    return scores


class _JsonLog(TrainerCallback):
    """Appends what the Trainer logs to a JSONL file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        # A recipe may leave this to the machine, and the two give models that differ a little.
        if state.is_world_process_zero:
            _log(self.path, {"step": state.global_step, "bf16": args.bf16})
            if args.disable_tqdm:  # else a bar shows it
                said = f"{state.max_steps} steps of training; how far it is stands in {self.path}"
                sys.stderr.write(f"claimstance: {said}\n")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if state.is_world_process_zero:
            _log(self.path, {"step": state.global_step, **(logs or {})})


def _log(path: Path, line: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _save(
    model: ClaimstanceModel,
    tokenizer: Tokenizer,
    recipe: TransformerRecipe,
    windows: WindowSettings,
    dev: Sequence[LabelledArticle],
    out: Path,
) -> None:
    """Write the model folder, calibrate it, and drop the checkpoints."""
    model.save_pretrained(out)
    tokenizer.save(str(out / TOKENIZER_FILE))
    # With this beside it, transformers' AutoTokenizer reads the tokenizer as it is.
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": windows.max_tokens}
    write_text(out / TOKENIZER_CONFIG, json.dumps(kind, indent=2) + "\n")
    save_settings(out, ModelSettings(name=recipe.name, kind="transformer", windows=windows))
    save_settings(out, calibrate(load_model(out), dev))
    shutil.rmtree(out / CHECKPOINTS)
