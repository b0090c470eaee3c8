"""A student begins as layers of its teacher, and comes to say what that says."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file

from claimstance import training
from claimstance.corpus import LabelledArticle
from claimstance.distillation import (
    distance,
    exchange_tokens,
    importance_of_neurons,
    keep_neurons,
    student_of,
)
from claimstance.encoder import EncoderModel
from claimstance.encoder_torch import load_network
from claimstance.errors import InputError
from claimstance.export import export_model
from claimstance.inference import Text, load_model
from claimstance.model import IGNORED, ClaimstanceModel, WindowOutput, layers_of
from claimstance.prediction import predict_split
from claimstance.recipes import (
    NetworkRecipe,
    StudentRecipe,
    TeacherRecipe,
    TransformerRecipe,
)
from claimstance.windows import cut_windows, encode_article, stack_windows

Refuses = Callable[..., InputError]
MakeRecipe = Callable[..., TransformerRecipe]
#: That of the tiny model.
NETWORK = NetworkRecipe(dropout=0.0)


@pytest.fixture
def student_recipe(make_recipe: MakeRecipe, tiny_model: Path) -> MakeRecipe:
    """A recipe for a student of the tiny model, with its second layer only."""

    def make(label_weight: float, **changes: object) -> TransformerRecipe:
        student = StudentRecipe(layers=(1,), label_weight=label_weight)
        update = {"backbone": str(tiny_model), "backbone_sha256": None, "student": student}
        return make_recipe(**changes).model_copy(update=update)

    return make


def a_batch(lengths: Sequence[int] = (9, 6), seed: int = 0) -> dict[str, torch.Tensor]:
    """Windows of two sentences each, padded to the longest."""
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths)
    ids = torch.randint(5, 100, (len(lengths), width), generator=generator)
    attention = torch.tensor([[int(t < n) for t in range(width)] for n in lengths])
    mask = torch.zeros(len(lengths), 2, width)
    mask[:, 0, 1:3] = mask[:, 1, 3:6] = 1
    return {"input_ids": ids, "attention_mask": attention, "sentence_mask": mask}


def test_a_student_begins_as_layers_of_its_teacher(tiny_model: Path) -> None:
    teacher = load_network(tiny_model)
    student = student_of(teacher, [1], NETWORK)
    before, after = teacher.state_dict(), student.state_dict()
    second = "encoder.encoder.layer.1."
    assert {n for n in before if not n.startswith("encoder.encoder.layer.")} < set(after)
    for name, weights in after.items():
        origin = name.replace("encoder.encoder.layer.0.", second)
        assert torch.equal(weights, before[origin]), name
    assert not any(name.startswith(second) for name in after)
    assert student.config.backbone["num_hidden_layers"] == 1
    assert teacher.encoder.config.num_hidden_layers == 2, "the teacher stays as it was"


def test_nothing_is_as_near_to_the_teacher_as_itself(tiny_model: Path) -> None:
    teacher = load_network(tiny_model)
    student = student_of(teacher, [1], NETWORK)
    batch = a_batch()
    with torch.no_grad():
        wanted = teacher(**batch, output_hidden_states=True)
        found = student(**batch, output_hidden_states=True)
        assert float(distance(wanted, wanted, [1, 2], batch)) == pytest.approx(0, abs=1e-5)
        apart = float(distance(found, wanted, [2], batch))
        assert apart > 0.005
        # What stands where the second window has ended does not count.
        batch["input_ids"][1, 6:] = 7
        wanted = teacher(**batch, output_hidden_states=True)
        found = student(**batch, output_hidden_states=True)
        assert float(distance(found, wanted, [2], batch)) == pytest.approx(apart, rel=1e-4)


def test_a_student_comes_nearer_to_its_teacher(
    student_recipe: MakeRecipe, tiny_model: Path, tmp_path: Path, articles: list[LabelledArticle]
) -> None:
    teacher = load_network(tiny_model)
    recipe = student_recipe(0.0, epochs=20)
    # Its heads are no longer noise: slow steps for both.
    slow = {"learning_rate": 3e-4, "head_learning_rate": 3e-4}
    slowly = recipe.model_copy(update={"optimiser": recipe.optimiser.model_copy(update=slow)})
    training.train_transformer(slowly, tmp_path / "student")
    students = [student_of(teacher, [1], NETWORK), load_network(tmp_path / "student")]
    texts = [Text(a.facts.title, a.texts) for a in articles if a.facts.split == "train"]
    model = load_model(tmp_path / "student")
    assert isinstance(model, EncoderModel)
    encoded = encode_article(model.tokenizer, texts[0].title, texts[0].sentences, model.windows)
    arrays = stack_windows(cut_windows(encoded, model.windows), model.windows.pad_id)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    with torch.no_grad():
        wanted = teacher(**batch, output_hidden_states=True)
        before, after = (
            float(distance(student(**batch, output_hidden_states=True), wanted, [2], batch))
            for student in students
        )
    assert after < 0.85 * before
    # What is saved has one layer, and is loaded as any other model.
    wanted_labels, found = (
        [s.stance.argmax(axis=1).tolist() for s in load_model(folder).score(texts)]
        for folder in (tiny_model, tmp_path / "student")
    )
    assert found == wanted_labels
    names = load_file(tmp_path / "student" / "model.safetensors")
    assert {name.split(".")[3] for name in names if ".layer." in name} == {"0"}


def test_tokens_are_exchanged_for_others_of_the_batch() -> None:
    torch.manual_seed(0)
    ids = torch.arange(1, 8001).reshape(4, 2000)
    labels = torch.full_like(ids, IGNORED)
    labels[:, 200:1800] = 0
    inputs = {"input_ids": ids, "tag_labels": labels}
    changed = exchange_tokens(inputs, 0.6)
    assert torch.equal(ids, torch.arange(1, 8001).reshape(4, 2000)), "the batch stays as it was"
    counts = labels != IGNORED
    assert torch.equal(changed[~counts], ids[~counts])
    assert set(changed[counts].tolist()) <= set(ids[counts].tolist())
    shares = ((changed != ids) & counts).sum(dim=1) / 1600
    assert shares.max() < 0.65
    assert len({round(float(share), 2) for share in shares}) > 2, "each window has its own share"
    assert torch.equal(exchange_tokens(inputs, 0.0), ids)
    nothing = {"input_ids": ids, "tag_labels": torch.full_like(ids, IGNORED)}
    assert torch.equal(exchange_tokens(nothing, 1.0), ids)


def test_the_student_and_its_teacher_read_the_same_noise(
    student_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[torch.Tensor] = []
    forward = ClaimstanceModel.forward

    def noted(self: ClaimstanceModel, **inputs: Any) -> WindowOutput:
        if "output_hidden_states" in inputs:
            read.append(inputs["input_ids"].clone())
        return forward(self, **inputs)

    monkeypatch.setattr(ClaimstanceModel, "forward", noted)
    recipe = student_recipe(0.3, epochs=1)
    assert recipe.student is not None
    noisy = recipe.student.model_copy(update={"noise": 1.0})
    for name, student in (("plain", recipe.student), ("noisy", noisy)):
        training.train_transformer(recipe.model_copy(update={"student": student}), tmp_path / name)
    half = len(read) // 2
    assert half > 1
    for teacher, own in zip(read[::2], read[1::2], strict=True):
        assert torch.equal(teacher, own)
    same = [torch.equal(a, b) for a, b in zip(read[:half], read[half:], strict=True)]
    assert not any(same), "the same batches, with other tokens"


def test_labels_count_by_their_weight(
    student_recipe: MakeRecipe, tmp_path: Path, tiny_corpus: Path
) -> None:
    """With labels that the teacher contradicts, the weight decides whom the student follows."""
    path = tiny_corpus / "train.jsonl"
    lines = path.read_text(encoding="utf-8")
    for stance in ("asserted", "attributed", "disputed", "unproven"):
        lines = lines.replace(f'"stance": "{stance}"', '"stance": "refuted"')
    path.write_text(lines, encoding="utf-8")
    share = {}
    for weight in (0.0, 100.0):
        folder = tmp_path / f"student-{weight}"
        training.train_transformer(student_recipe(weight, epochs=4), folder)
        found = predict_split(load_model(folder), training.load_split(tiny_corpus, "train"))
        share[weight] = np.mean([p.stance == "refuted" for p in found])
    assert share[100.0] > 0.7
    assert share[0.0] < 0.5


def test_neurons_that_do_nothing_go_first(tiny_model: Path) -> None:
    """What is cut out is what gives nothing, or is not heard; the rest computes as before."""
    teacher = load_network(tiny_model).eval()
    width = teacher.encoder.config.intermediate_size
    idle = {0: [1, width - 1, 5], 1: [0, 2, 3]}
    with torch.no_grad():
        for index, layer in enumerate(layers_of(teacher.encoder)):
            layer.intermediate.dense.weight[idle[index][:2]] = 0
            layer.intermediate.dense.bias[idle[index][:2]] = 0
            layer.output.dense.weight[:, idle[index][2]] = 0
    batch = a_batch()
    importance = importance_of_neurons(teacher, [0, 1], [batch, a_batch(seed=1)])
    assert [set(s.argsort()[:3].tolist()) for s in importance] == [set(x) for x in idle.values()]
    student = copy.deepcopy(teacher)
    keep_neurons(student, width - 3, importance)
    found, wanted = student(**batch), teacher(**batch)
    assert torch.allclose(found.stance_logits, wanted.stance_logits, atol=1e-5)
    assert student.config.backbone["intermediate_size"] == width - 3
    assert len(student.state_dict()["encoder.encoder.layer.0.intermediate.dense.bias"]) == width - 3


def test_a_student_of_some_neurons_is_trained_and_exported(
    student_recipe: MakeRecipe, tmp_path: Path, tiny_corpus: Path
) -> None:
    recipe = student_recipe(0.3, epochs=1)
    assert recipe.student is not None
    student = recipe.student.model_copy(update={"neurons": 7})
    training.train_transformer(recipe.model_copy(update={"student": student}), tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert weights["encoder.encoder.layer.0.intermediate.dense.weight"].shape[0] == 7
    dev = training.load_split(tiny_corpus, "dev")
    export_model(tmp_path / "model", tmp_path / "onnx", dev, quantise=False)
    found, wanted = (predict_split(load_model(tmp_path / n), dev) for n in ("onnx", "model"))
    assert [p.stance for p in found] == [p.stance for p in wanted]


def test_neurons_that_cannot_be_kept(tiny_model: Path, refuses: Refuses) -> None:
    teacher = load_network(tiny_model)
    width = teacher.encoder.config.intermediate_size
    refuses(
        f"student.neurons in the recipe: expected fewer than the {width} that the teacher has, "
        f"found {width}. To mend it: give fewer, or leave it out.",
        keep_neurons,
        teacher,
        width,
        importance_of_neurons(teacher, [0, 1], [a_batch()]),
    )
    layers_of(teacher.encoder)[1].intermediate = torch.nn.Identity()
    refuses(
        "expected a teacher with feed-forward blocks as BERT and MPNet have them, found BertLayer",
        importance_of_neurons,
        teacher,
        [1],
        [a_batch()],
    )


@pytest.mark.parametrize("layers", [[0, 1], [2], [0, 5], [1, 1], [1, 0]])
def test_layers_that_cannot_be_kept(tiny_model: Path, refuses: Refuses, layers: list[int]) -> None:
    refuses(
        "student.layers in the recipe: expected some of the teacher's layers, from 0 to 1, in "
        f"order, and not all, found {layers}. To mend it: name the layers to keep.",
        student_of,
        load_network(tiny_model),
        layers,
        NETWORK,
    )


def test_other_heads_than_the_teacher_has(tiny_model: Path, refuses: Refuses) -> None:
    refuses(
        "network.pooling in the recipe: expected 'attention', as the teacher has it, found 'mean'.",
        student_of,
        load_network(tiny_model),
        [1],
        NetworkRecipe(dropout=0.0, pooling="mean"),
    )


def test_a_teacher_that_was_not_trained(
    student_recipe: MakeRecipe, tiny_backbone: Path, tmp_path: Path, refuses: Refuses
) -> None:
    recipe = student_recipe(0.3).model_copy(update={"backbone": str(tiny_backbone)})
    refuses(
        "expected the weights of a claimstance network",
        training.train_transformer,
        recipe,
        tmp_path / "model",
    )


def test_a_student_has_one_teacher(
    student_recipe: MakeRecipe, tiny_model: Path, refuses: Refuses
) -> None:
    teacher = TeacherRecipe(predictions=Path("teacher.jsonl"), weight=0.5)
    refuses(
        "the recipe: expected a table [teacher] or a table [student], found both.",
        training._network,
        student_recipe(0.3).model_copy(update={"teacher": teacher}),
        tiny_model,
        Dataset.from_list([]),
    )
