"""Training, for real: it learns, it repeats itself, it goes on, and what it saves is whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import write_teacher
from safetensors.torch import load_file

from claimstance import examples, training
from claimstance.corpus import LabelledArticle
from claimstance.encoder import EncoderModel, load_tokenizer
from claimstance.encoder_torch import load_network
from claimstance.errors import InputError
from claimstance.inference import TORCH_FILE, Text, load_model
from claimstance.labels import STANCES, TAGS
from claimstance.model import IGNORED, ClaimstanceModel
from claimstance.prediction import predict_split
from claimstance.recipes import TransformerRecipe, WindowRecipe, load_recipe
from claimstance.settings import WindowSettings, load_settings
from claimstance.windows import cut_windows, encode_article, stack_windows

Refuses = Callable[..., InputError]
MakeRecipe = Callable[..., TransformerRecipe]


def texts_of(articles: list[LabelledArticle]) -> list[Text]:
    return [Text(a.facts.title, [s.text for s in a.sentences]) for a in articles]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / TORCH_FILE)


def same_weights(first: Path, second: Path) -> bool:
    one, two = weights(first), weights(second)
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


# What training leaves.


def test_it_learns_its_corpus(tiny_model: Path, articles: list[LabelledArticle]) -> None:
    train = [a for a in articles if a.facts.split == "train"]
    gold = [s for a in train for s in a.sentences]
    predictions = predict_split(load_model(tiny_model), train)
    pairs = list(zip(gold, predictions, strict=True))
    # The commonest stance is 2 of 7, the commonest certainty about half.
    assert np.mean([g.stance == p.stance for g, p in pairs]) > 0.7
    assert np.mean([g.certainty == p.certainty for g, p in pairs]) > 0.6
    sources = [(g.source, p.source) for g, p in pairs if g.stance in ("attributed", "disputed")]
    assert np.mean([bool(p) and (p in g or g in p) for g, p in sources if g]) > 0.5


def test_it_learns_more_than_words_of_train(
    tiny_model: Path, articles: list[LabelledArticle]
) -> None:
    held_out = [a for a in articles if a.facts.split != "train"]
    gold = [s.stance for a in held_out for s in a.sentences]
    found = [p.stance for p in predict_split(load_model(tiny_model), held_out)]
    assert np.mean([g == p for g, p in zip(gold, found, strict=True)]) > 2 / 7


def test_the_model_folder(tiny_model: Path, tiny_backbone: Path) -> None:
    names = {path.name for path in tiny_model.iterdir()}
    assert names == {
        "claimstance.json",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "tensorboard",
        "training_log.jsonl",
    }
    assert any((tiny_model / "tensorboard").rglob("events.*"))
    settings = load_settings(tiny_model)
    tokenizer = load_tokenizer(tiny_backbone)
    assert (settings.name, settings.kind) == ("tiny", "transformer")
    assert settings.windows == WindowSettings(
        max_tokens=64,
        title_tokens=12,
        context_sentences=1,
        cls_id=tokenizer.token_to_id("[CLS]"),
        sep_id=tokenizer.token_to_id("[SEP]"),
        pad_id=tokenizer.token_to_id("[PAD]"),
    )
    # Fitted, not left at 1.
    assert settings.temperatures.stance != 1
    assert settings.temperatures.certainty != 1


def test_the_log_is_json_line_by_line(tiny_model: Path) -> None:
    content = (tiny_model / "training_log.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in content.splitlines()]
    steps = [row["step"] for row in rows]
    assert steps == sorted(steps)
    assert [row["bf16"] for row in rows if "bf16" in row] == [training.has_bf16()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0] / 2
    epochs = [row for row in rows if "eval_macro_f1" in row]
    assert [row["epoch"] for row in epochs] == list(range(1, 13))
    for row in epochs:
        mean = (row["eval_stance_macro_f1"] + row["eval_certainty_macro_f1"]) / 2
        assert row["eval_macro_f1"] == pytest.approx(mean)


def test_the_best_epoch_is_kept(tiny_model: Path, articles: list[LabelledArticle]) -> None:
    dev = [a for a in articles if a.facts.split == "dev"]
    content = (tiny_model / "training_log.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in content.splitlines()]
    best = max((r for r in rows if "eval_macro_f1" in r), key=lambda r: r["eval_macro_f1"])
    gold = [s.stance for a in dev for s in a.sentences]
    found = [p.stance for p in predict_split(load_model(tiny_model), dev)]
    from sklearn.metrics import f1_score

    assert f1_score(gold, found, average="macro", zero_division=0.0) == pytest.approx(
        best["eval_stance_macro_f1"]
    )


def test_saved_and_loaded_gives_the_same_logits(
    tiny_model: Path, tmp_path: Path, articles: list[LabelledArticle]
) -> None:
    model = load_model(tiny_model)
    assert isinstance(model, EncoderModel)
    network = load_network(tiny_model)
    network.save_pretrained(tmp_path)
    again = load_network(tmp_path)
    assert not network.training
    encoded = encode_article(model.tokenizer, *_parts(articles[0]), model.windows)
    batch = stack_windows(cut_windows(encoded, model.windows), model.windows.pad_id)
    inputs = {name: torch.from_numpy(array) for name, array in batch.items()}
    with torch.inference_mode():
        one, two = network(**inputs), again(**inputs)
    for name in ("stance_logits", "certainty_logits", "tag_logits"):
        assert torch.equal(one[name], two[name])


def _parts(article: LabelledArticle) -> tuple[str, list[str]]:
    return article.facts.title, [s.text for s in article.sentences]


def test_transformers_loads_the_folder_by_itself(tiny_model: Path) -> None:
    """In a process of its own, in which nothing but ``claimstance.model`` was imported."""
    code = (
        "import sys, claimstance.model, transformers\n"
        "model = transformers.AutoModel.from_pretrained(sys.argv[1])\n"
        "print(type(model).__name__, model.config.model_type, model.config.dropout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_model)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ClaimstanceModel", "claimstance", "0.0"]


def test_an_article_is_scored_alike_alone_and_among_others(
    tiny_model: Path, articles: list[LabelledArticle]
) -> None:
    """Padding and batches must not show in the logits."""
    model = load_model(tiny_model)
    texts = texts_of(articles)
    for text, together in zip(texts, model.score(texts), strict=True):
        (alone,) = model.score([text])
        assert together.stance == pytest.approx(alone.stance, abs=1e-4)
        assert together.certainty == pytest.approx(alone.certainty, abs=1e-4)
        assert together.sources == alone.sources
        assert together.cues == alone.cues


def test_the_model_hears_the_context(tiny_model: Path, articles: list[LabelledArticle]) -> None:
    model = load_model(tiny_model)
    (whole,) = model.score(texts_of(articles[:1]))
    (single,) = model.score([Text(None, [articles[0].sentences[3].text])])
    assert np.abs(whole.stance[3] - single.stance[0]).max() > 1e-3


# Training again.


def test_the_same_seed_gives_the_same_weights(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        recipe = make_recipe(epochs=1, views=1, seed=seed)
        training.train_transformer(recipe, tmp_path / name)
    assert same_weights(tmp_path / "one", tmp_path / "two")
    assert not same_weights(tmp_path / "one", tmp_path / "three")


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Make the evaluation of that epoch fail, as an interruption would."""
    calls = []
    score = training.score_epoch

    def failing(prediction: Any) -> dict[str, float]:
        calls.append(1)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return score(prediction)

    monkeypatch.setattr(training, "score_epoch", failing)


def test_an_interrupted_training_goes_on(
    make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(epochs=4, views=1)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    training.train_transformer(recipe, whole)
    with monkeypatch.context() as patch:
        interrupt(patch, epoch=3)
        with pytest.raises(KeyboardInterrupt):
            training.train_transformer(recipe, broken)
    checkpoints = sorted(p.name for p in (broken / "checkpoints").iterdir())
    assert len(checkpoints) == 2
    assert not (broken / TORCH_FILE).exists()

    training.train_transformer(recipe, broken, resume=True)
    assert not (broken / "checkpoints").exists()
    log = (broken / "training_log.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in log.splitlines()]
    scored = [row["epoch"] for row in rows if "eval_macro_f1" in row]
    # Not begun anew: the first two epochs were scored before, the others after.
    assert scored == [1, 2, 3, 4]
    assert same_weights(whole, broken)


def test_a_killed_training_goes_on(
    make_recipe: MakeRecipe, tmp_path: Path, tiny_backbone: Path
) -> None:
    """As by the out-of-memory killer, right after a checkpoint was written."""
    make_recipe(epochs=3, views=1)
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from claimstance import training\n"
        "from claimstance.recipes import load_recipe\n"
        "def on_save(*args, **kwargs): os.kill(os.getpid(), signal.SIGKILL)\n"
        "training._JsonLog.on_save = on_save\n"
        "training.train_transformer(load_recipe(Path(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    recipe, out = tmp_path / "changed.toml", tmp_path / "model"
    done = subprocess.run([sys.executable, "-c", code, recipe, out], capture_output=True,
                          check=False)  # fmt: skip
    assert done.returncode == -9
    assert len(list((out / "checkpoints").glob("checkpoint-*"))) == 1
    training.train_transformer(make_recipe(epochs=3, views=1), out, resume=True)
    assert load_model(out).settings.name == "tiny"


def test_a_checkpoint_that_was_cut_off(
    make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it wrote the last checkpoint, of which this file comes last."""
    recipe, out = make_recipe(epochs=3, views=1), tmp_path / "model"
    with monkeypatch.context() as patch:
        interrupt(patch, epoch=3)
        with pytest.raises(KeyboardInterrupt):
            training.train_transformer(recipe, out)
    last = max((out / "checkpoints").iterdir(), key=lambda p: int(p.name.split("-")[1]))
    (last / "trainer_state.json").unlink()
    training.train_transformer(recipe, out, resume=True)
    assert load_model(out).settings.name == "tiny"


def test_a_folder_with_files_is_refused(
    make_recipe: MakeRecipe, tmp_path: Path, refuses: Refuses
) -> None:
    out = tmp_path / "model"
    out.mkdir()
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    refuses(
        f"{out}: expected a new or an empty folder, found files in it. To mend it: choose "
        "another folder, or empty it.",
        training.train_transformer,
        make_recipe(),
        out,
    )
    (out / "checkpoints" / "checkpoint-5").mkdir(parents=True)
    (out / "checkpoints" / "checkpoint-5" / "trainer_state.json").touch()
    refuses(
        "found a folder with checkpoints in it. To mend it: go on with --resume.",
        training.train_transformer,
        make_recipe(),
        out,
    )
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_there_must_be_something_to_resume(
    make_recipe: MakeRecipe, tmp_path: Path, refuses: Refuses
) -> None:
    refuses(
        "expected a folder with checkpoints of an interrupted training, found none. To mend it: "
        "empty it, if there is something in it, and start anew without --resume.",
        training.train_transformer,
        make_recipe(),
        tmp_path / "none",
        resume=True,
    )


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("model.safetensors", "expected a backbone with model.safetensors, found no such file"),
        ("tokenizer.json", "expected a tokenizer as the library tokenizers saves it"),
    ],
)
def test_a_backbone_that_lacks_a_file(
    make_recipe: MakeRecipe,
    tiny_backbone: Path,
    tmp_path: Path,
    refuses: Refuses,
    file: str,
    words: str,
) -> None:
    copy = shutil.copytree(tiny_backbone, tmp_path / "backbone")
    (copy / file).unlink()
    recipe = make_recipe().model_copy(update={"backbone": str(copy)})
    refuses(words, training.train_transformer, recipe, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_backbone_with_another_hash(
    make_recipe: MakeRecipe, tmp_path: Path, refuses: Refuses
) -> None:
    recipe = make_recipe().model_copy(update={"backbone_sha256": "0" * 64})
    refuses(
        f"expected weights with SHA-256 {'0' * 64}, found {make_recipe().backbone_sha256}",
        training.train_transformer,
        recipe,
        tmp_path / "model",
    )


def test_a_backbone_that_is_nowhere(
    make_recipe: MakeRecipe, tmp_path: Path, refuses: Refuses
) -> None:
    recipe = make_recipe().model_copy(update={"backbone": "nobody/nothing-of-the-kind"})
    refuses(
        "backbone 'nobody/nothing-of-the-kind': expected a folder, or a name that can be fetched",
        training.train_transformer,
        recipe,
        tmp_path / "model",
    )


def test_windows_longer_than_the_backbone_reads(
    make_recipe: MakeRecipe, tmp_path: Path, refuses: Refuses
) -> None:
    """The tiny backbone has 128 places; an article of ours has about 130 tokens."""
    recipe = make_recipe(epochs=1, max_tokens=512)
    refuses("128", training.train_transformer, recipe, tmp_path / "model")


# The rows of a data set.


@pytest.fixture
def window_settings(tiny_backbone: Path) -> WindowSettings:
    recipe = WindowRecipe(max_tokens=48, title_tokens=8, context_sentences=1)
    return examples.window_settings(load_tokenizer(tiny_backbone), recipe)


def test_every_sentence_is_learnt_once_a_view(
    tiny_backbone: Path, window_settings: WindowSettings, articles: list[LabelledArticle]
) -> None:
    tokenizer = load_tokenizer(tiny_backbone)
    sentences = [s for a in articles for s in a.sentences]
    gold = sorted(STANCES.index(s.stance) for s in sentences)
    for views in (1, 3):
        recipe = WindowRecipe(views=views)
        rows = examples.window_dataset(articles, tokenizer, window_settings, views=recipe, seed=1)
        learnt = sorted(x for row in rows for x in row["stance_labels"] if x != IGNORED)
        assert learnt == sorted(gold * views)
        claims = sum(x != IGNORED for row in rows for x in row["certainty_labels"])
        assert claims == views * sum(s.certainty is not None for s in sentences)
        for row in rows:
            assert len(row["input_ids"]) == len(row["tag_labels"]) == row["length"] <= 48
            assert len(row["stance_labels"]) == len(row["certainty_labels"]) == row["count"]


def test_the_tags_of_a_row_are_the_spans_of_its_sentences(
    tiny_backbone: Path, window_settings: WindowSettings, articles: list[LabelledArticle]
) -> None:
    tokenizer = load_tokenizer(tiny_backbone)
    rows = examples.window_dataset(articles, tokenizer, window_settings)
    begun = sum(TAGS[t] == "B-source" for row in rows for t in row["tag_labels"] if t != IGNORED)
    assert begun == sum(s.source is not None for a in articles for s in a.sentences)
    first = rows[0]
    ids = {name: tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]")}
    for token, tag in zip(first["input_ids"], first["tag_labels"], strict=True):
        if token in ids.values():
            assert tag == IGNORED


def test_a_batch_is_padded_with_what_does_not_count(
    tiny_backbone: Path, window_settings: WindowSettings, articles: list[LabelledArticle]
) -> None:
    tokenizer = load_tokenizer(tiny_backbone)
    rows = list(examples.window_dataset(articles, tokenizer, window_settings))
    batch = examples.collate(rows, window_settings.pad_id)
    windows, width = batch["input_ids"].shape
    count = batch["sentence_mask"].shape[1]
    assert windows == len(rows)
    assert batch["tag_labels"].shape == (windows, width)
    assert batch["stance_labels"].shape == batch["certainty_labels"].shape == (windows, count)
    padding = batch["attention_mask"] == 0
    assert padding.any()
    assert (batch["tag_labels"][padding] == IGNORED).all()
    for row, (stances, present) in enumerate(
        zip(batch["stance_labels"], batch["sentence_mask"].sum(dim=2) > 0, strict=True)
    ):
        assert stances[~present].tolist() == [IGNORED] * int((~present).sum())
        assert rows[row]["count"] == int(present.sum())


def test_the_loss_ignores_what_does_not_count(
    tiny_backbone: Path, window_settings: WindowSettings, articles: list[LabelledArticle]
) -> None:
    tokenizer = load_tokenizer(tiny_backbone)
    rows = list(examples.window_dataset(articles[:1], tokenizer, window_settings))
    network = ClaimstanceModel.from_backbone(str(tiny_backbone), dropout=0.0).eval()
    # The same windows beside a longer one, whose labels do not count.
    longest = max(rows, key=lambda row: row["length"])
    ignored = longest | {
        name: [IGNORED] * len(longest[name])
        for name in ("stance_labels", "certainty_labels", "tag_labels")
    }
    shorter = [row for row in rows if row is not longest]
    assert shorter
    with torch.inference_mode():
        alone = network(**examples.collate(shorter, 0)).loss
        beside = network(**examples.collate([*shorter, ignored], 0)).loss
    assert float(alone) == pytest.approx(float(beside), rel=1e-5)


def test_random_windows_may_begin_with_context(
    tiny_backbone: Path, window_settings: WindowSettings, articles: list[LabelledArticle]
) -> None:
    tokenizer = load_tokenizer(tiny_backbone)
    gold = sorted(STANCES.index(s.stance) for a in articles for s in a.sentences)
    begun = {}
    for context in (False, True):
        recipe = WindowRecipe(views=2, single_share=0.5, random_context=context)
        rows = list(
            examples.window_dataset(articles, tokenizer, window_settings, views=recipe, seed=1)
        )
        learnt = sorted(x for row in rows for x in row["stance_labels"] if x != IGNORED)
        assert learnt == sorted(gold * 2)
        assert max(row["length"] for row in rows) <= 48
        begun[context] = sum(row["stance_labels"][0] == IGNORED for row in rows)
    assert begun[True] > begun[False]


# A teacher.


def test_a_teacher_is_learnt_from_by_its_weight(
    make_recipe: MakeRecipe, tmp_path: Path, articles: list[LabelledArticle]
) -> None:
    train = [a for a in articles if a.facts.split == "train"]
    write_teacher(tmp_path / "teacher.jsonl", train, "unproven")
    share = {}
    for weight in (0.0, 1.0):
        recipe = make_recipe(epochs=6, teacher=f'"teacher.jsonl"\nweight = {weight}')
        assert recipe.teacher is not None
        assert recipe.teacher.predictions == tmp_path / "teacher.jsonl"
        training.train_transformer(recipe, tmp_path / f"model-{weight}")
        found = predict_split(load_model(tmp_path / f"model-{weight}"), train)
        share[weight] = np.mean([p.stance == "unproven" for p in found])
    assert share[1.0] == 1.0
    assert share[0.0] < 0.5


def test_a_teacher_of_weight_0_changes_nothing(
    make_recipe: MakeRecipe, tmp_path: Path, articles: list[LabelledArticle]
) -> None:
    write_teacher(
        tmp_path / "teacher.jsonl", [a for a in articles if a.facts.split == "train"], "refuted"
    )
    training.train_transformer(make_recipe(epochs=1), tmp_path / "alone")
    taught = make_recipe(epochs=1, teacher='"teacher.jsonl"\nweight = 0.0')
    training.train_transformer(taught, tmp_path / "taught")
    assert same_weights(tmp_path / "alone", tmp_path / "taught")


def test_a_teacher_of_another_corpus(
    make_recipe: MakeRecipe, tmp_path: Path, articles: list[LabelledArticle], refuses: Refuses
) -> None:
    train = [a for a in articles if a.facts.split == "train"]
    path = tmp_path / "teacher.jsonl"
    write_teacher(path, train[1:], "refuted")
    first = train[0].facts.article_id
    refuses(
        f"teacher.jsonl: expected probabilities for sentence 0 of article {first}, as it is "
        "now, found none. To mend it: classify the articles anew with the teacher",
        examples.load_teacher,
        path,
        train,
    )
    write_teacher(path, train, "refuted")
    content = path.read_text(encoding="utf-8")
    text = train[0].sentences[0].text
    path.write_text(content.replace(text[:9], "Elsewhere"), encoding="utf-8")
    refuses("found another text", examples.load_teacher, path, train)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_sentence_is_made_of_its_own_tokens(tiny_backbone: Path, pooling: str) -> None:
    network = ClaimstanceModel.from_backbone(str(tiny_backbone), pooling=pooling).eval()
    hidden = torch.randn(2, 6, 32, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(2, 3, 6)
    mask[:, 0, 1:3] = 1
    mask[:, 1, 3] = 1
    changed = hidden.clone()
    changed[:, [0, 4, 5]] = 100.0
    with torch.inference_mode():
        one, two = network._pool(hidden, mask), network._pool(changed, mask)
    for before, after in zip(one, two, strict=True):
        assert torch.equal(before, after)
        # One token is itself; no token at all, as where a batch is padded, is zero.
        assert torch.allclose(before[:, 1], hidden[:, 3])
        assert not before[:, 2].any()
        # A sentence lies between its tokens.
        low, high = hidden[:, 1:3].amin(dim=1), hidden[:, 1:3].amax(dim=1)
        assert ((before[:, 0] >= low - 1e-6) & (before[:, 0] <= high + 1e-6)).all()
    if pooling == "mean":
        assert torch.allclose(one[0][:, 0], hidden[:, 1:3].mean(dim=1))


def test_a_tokenizer_without_one_token_on_each_side(tiny_backbone: Path, refuses: Refuses) -> None:
    tokenizer = load_tokenizer(tiny_backbone)
    tokenizer.post_processor = None
    refuses(
        "the backbone's tokenizer: expected one special token before a text and one after it, "
        "found 0 in all",
        examples.window_settings,
        tokenizer,
        WindowRecipe(),
    )


def test_half_precision_and_frozen_embeddings(
    make_recipe: MakeRecipe, tiny_backbone: Path, tmp_path: Path
) -> None:
    """The options of the recipe that ships."""
    recipe = make_recipe(epochs=1)
    options = {"bf16": True, "freeze_embeddings": True}
    recipe = recipe.model_copy(update={"optimiser": recipe.optimiser.model_copy(update=options)})
    training.train_transformer(recipe, tmp_path / "model")

    name = "embeddings.word_embeddings.weight"
    before = load_file(tiny_backbone / "model.safetensors")[name]
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert torch.equal(weights[f"encoder.{name}"], before)
    assert weights["stance_head.weight"].dtype == torch.float32


def test_frozen_layers(make_recipe: MakeRecipe, tiny_backbone: Path, tmp_path: Path) -> None:
    recipe = make_recipe(epochs=1)
    frozen = recipe.optimiser.model_copy(update={"freeze_layers": 1})
    training.train_transformer(recipe.model_copy(update={"optimiser": frozen}), tmp_path / "model")
    before = load_file(tiny_backbone / "model.safetensors")
    after = load_file(tmp_path / "model" / "model.safetensors")
    same = {name for name in before if torch.equal(before[name], after[f"encoder.{name}"])}
    assert {n for n in before if n.startswith(("embeddings.", "encoder.layer.0."))} <= same
    assert "encoder.layer.1.output.dense.weight" not in same


def test_some_layer_must_learn(make_recipe: MakeRecipe, tmp_path: Path, refuses: Refuses) -> None:
    recipe = make_recipe(epochs=1)
    frozen = recipe.optimiser.model_copy(update={"freeze_layers": 2})
    refuses(
        "optimiser.freeze_layers in the recipe: expected fewer than 2, the layers of the backbone",
        training.train_transformer,
        recipe.model_copy(update={"optimiser": frozen}),
        tmp_path / "model",
    )


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "avx512_f": True}, False),
        ({"bf16": True, "neon": True}, True),
        ({}, False),
    ],
)
def test_half_precision_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert training.has_bf16() is expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert training.has_bf16() is False


def test_the_published_recipes_are_whole() -> None:
    recipes = sorted((Path(__file__).parent.parent / "training" / "recipes").glob("*.toml"))
    assert {load_recipe(path).name for path in recipes} >= {"minilm", "tfidf"}
    assert all(load_recipe(path).corpus.is_dir() for path in recipes)
