"""Recipes: one TOML file says everything that decides what a model becomes.

Paths in a recipe are relative to the recipe's own folder, so that it gives the
same model from wherever the command is called. Unknown keys are errors.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from claimstance.errors import InputError
from claimstance.records import Record

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class WindowRecipe(Record):
    """How windows are cut; lengths in tokens."""

    max_tokens: Annotated[int, Field(ge=16, le=8192)] = 256
    title_tokens: Annotated[int, Field(ge=0)] = 32
    context_sentences: Annotated[int, Field(ge=0)] = 2
    #: How often an epoch reads the corpus, each time cut into windows anew.
    views: Annotated[int, Field(ge=1)] = 4
    #: Share of random windows that hold one sentence alone.
    single_share: Share = 0.25
    #: Share of random windows that are read without the title.
    untitled_share: Share = 0.3
    #: Whether random windows, too, may begin with sentences that are context only: a label
    #: that the sentence before decides is then seldom learnt without it.
    random_context: bool = False


class OptimiserRecipe(Record):
    """AdamW with linear warm-up and decay, as the Trainer has it."""

    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive
    #: The heads start from noise and the encoder does not: they may learn faster.
    head_learning_rate: Positive
    batch_windows: Annotated[int, Field(ge=1)] = 8
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    #: Mixed precision: faster where the processor has bfloat16, much slower where it has
    #: not; "auto" asks the processor.
    bf16: bool | Literal["auto"] = "auto"
    #: Keep the word embeddings as they were pretrained: words that the corpus does not
    #: hold then still mean what their neighbours mean.
    freeze_embeddings: bool = False
    #: How many of the lowest layers stay as they were pretrained, the embeddings with them:
    #: less to compute, and less that a small corpus can bend out of shape.
    freeze_layers: Annotated[int, Field(ge=0)] = 0


class NetworkRecipe(Record):
    """The heads on the encoder, and the weights of their losses; that of the stance is 1."""

    #: How a sentence is made of its tokens.
    pooling: Literal["mean", "attention"] = "attention"
    certainty_weight: Annotated[float, Field(ge=0)] = 1.0
    tag_weight: Annotated[float, Field(ge=0)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class TeacherRecipe(Record):
    """Distillation: a larger model's probabilities, learnt beside the labels.

    Source: Hinton et al. 2015, "Distilling the knowledge in a neural network".
    """

    #: What the teacher predicts for the train split, as ``claimstance classify`` writes it;
    #: relative to the recipe's folder, as the corpus is.
    predictions: Path
    #: How much its probabilities count; the labels count for the rest.
    weight: Share


class SilverRecipe(Record):
    """More text to learn from, of which only a larger model has said something.

    Source: Turc et al. 2019, "Well-read students learn better".
    """

    #: The articles, as ``claimstance classify`` reads them, and what the larger model predicts
    #: for them, as it writes that; relative to the recipe's folder, as the corpus is.
    articles: Path
    predictions: Path


class StudentRecipe(Record):
    """A smaller network that learns what a trained one says; that one is the ``backbone``.

    Source: Jiao et al. 2020, "TinyBERT: distilling BERT for natural language understanding".
    """

    #: Which of the teacher's layers it begins with, from 0, in order.
    layers: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    #: How many neurons of each feed-forward block it keeps: those that move the output most. All
    #: if not given.
    neurons: Annotated[int, Field(ge=1)] | None = None
    #: How much the labels count beside what the teacher says.
    label_weight: Annotated[float, Field(ge=0)]
    #: Tokens of labelled sentences are exchanged for others, and the teacher is asked what it says
    #: of that: the corpus itself it knows by heart. Each window draws the share of them anew, from
    #: 0 to this.
    noise: Share = 0.0


class TransformerRecipe(Record):
    """A fine-tuned encoder."""

    kind: Literal["transformer"]
    name: str
    corpus: Path
    seed: int
    #: A folder, or a name on the Hugging Face hub; for a student the folder of its teacher.
    backbone: str
    #: SHA-256 of the backbone's ``model.safetensors``; left out only for a folder of your own.
    backbone_sha256: str | None = None
    windows: WindowRecipe = WindowRecipe()
    optimiser: OptimiserRecipe
    network: NetworkRecipe = NetworkRecipe()
    teacher: TeacherRecipe | None = None
    student: StudentRecipe | None = None
    silver: SilverRecipe | None = None


class BaselineRecipe(Record):
    """TF-IDF and logistic regression, one sentence at a time."""

    kind: Literal["baseline"]
    name: str
    corpus: Path
    seed: int
    #: Longest word n-gram.
    ngrams: Annotated[int, Field(ge=1, le=5)] = 2
    #: Inverse strength of the regularisation.
    c: Positive = 10.0


Recipe = TransformerRecipe | BaselineRecipe

_ADAPTER: TypeAdapter[Recipe] = TypeAdapter(Annotated[Recipe, Field(discriminator="kind")])


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: if the file is missing, is not TOML, lacks a key, has an unknown
            one, or a value is out of its range.
    """
    fix = "compare it with the recipes in training/recipes"
    expected = "a recipe in TOML"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        found = (error.strerror or "an error").lower()
        raise InputError(str(path), expected=expected, found=found, fix="check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), expected=expected, found=str(error), fix=fix) from None
    try:
        recipe = _ADAPTER.validate_python(content)
    except ValidationError as error:
        raise InputError(str(path), fix=fix, **_explain(error)) from None
    return _from_its_folder(recipe, path.parent)


def _from_its_folder(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with its paths as seen from here."""
    changes: dict[str, Path | str | Record] = {"corpus": folder / recipe.corpus}
    if isinstance(recipe, TransformerRecipe):
        # A name on the hub is no folder there.
        if (folder / recipe.backbone).is_dir():
            changes["backbone"] = str(folder / recipe.backbone)
        if recipe.teacher:
            seen = {"predictions": folder / recipe.teacher.predictions}
            changes["teacher"] = recipe.teacher.model_copy(update=seen)
        if recipe.silver:
            paths = {name: folder / path for name, path in recipe.silver}
            changes["silver"] = recipe.silver.model_copy(update=paths)
    return recipe.model_copy(update=changes)


def _explain(error: ValidationError) -> dict[str, str]:
    """What the first fault of a recipe is, in words."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("transformer", "baseline")]
    key = ".".join(place) or "kind"
    if first["type"] == "extra_forbidden":
        return {"expected": "only known keys", "found": f"the unknown key {key!r}"}
    if first["type"] == "missing":
        return {"expected": f"the key {key!r}", "found": "a recipe without it"}
    return {"expected": f"a valid value of {key!r}", "found": f"{first['msg']}"}
