"""The exported model is the trained one: same logits, same labels, without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoConfig

from claimstance import export, quantisation
from claimstance.corpus import LabelledArticle
from claimstance.encoder import EncoderModel, load_onnx_model
from claimstance.encoder_torch import load_network, load_torch_model
from claimstance.errors import InputError
from claimstance.gate import Gate, compare_labels
from claimstance.inference import ONNX_FILE, Text, load_model
from claimstance.labels import CERTAINTIES, STANCES, TAGS, Certainty, Stance
from claimstance.model import ClaimstanceConfig, ClaimstanceModel
from claimstance.prediction import predict_split
from claimstance.records import LabelledSentence, Prediction
from claimstance.settings import load_settings
from claimstance.windows import Batch

Refuses = Callable[..., InputError]


@pytest.fixture
def dev(articles: list[LabelledArticle]) -> list[LabelledArticle]:
    return [a for a in articles if a.facts.split == "dev"]


@pytest.fixture(scope="module")
def both(tiny_model: Path, tiny_onnx: Path) -> tuple[EncoderModel, EncoderModel]:
    """The trained model in torch and in ONNX Runtime."""
    return (
        load_torch_model(tiny_model, load_settings(tiny_model)),
        load_onnx_model(tiny_onnx, load_settings(tiny_onnx)),
    )


def window(sentences: int, tokens: int, seed: int) -> Batch:
    """A random window, with sentences of random lengths, of which some may have no token."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((1, sentences, tokens), dtype=np.float32)
    mask[0, np.sort(rng.integers(0, sentences, tokens)), np.arange(tokens)] = 1
    return {
        "input_ids": rng.integers(0, 300, (1, tokens)),
        "attention_mask": np.ones((1, tokens), dtype=np.int64),
        "sentence_mask": mask,
    }


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 3), (1, 16), (9, 64), (4, 40), (3, 21), (12, 128), (4, 4)]
)
def test_logits_agree_on_every_shape(
    both: tuple[EncoderModel, EncoderModel], shape: tuple[int, int]
) -> None:
    sentences, tokens = shape
    for seed in range(3):
        wanted, found = (model.engine(window(*shape, seed=seed)) for model in both)
        widths = (len(STANCES), len(CERTAINTIES), len(TAGS))
        places = (sentences, sentences, tokens)
        for one, two, width, place in zip(wanted, found, widths, places, strict=True):
            assert one.shape == two.shape == (1, place, width)
            assert two == pytest.approx(one, abs=1e-4)


def test_several_windows_at_a_time_are_refused(both: tuple[EncoderModel, EncoderModel]) -> None:
    """Those would need padding, and the exported network has no mask to hide it with."""
    one = window(2, 8, seed=0)
    two = {name: np.concatenate([array, array]) for name, array in one.items()}
    with pytest.raises(Exception, match="Expected: 1"):
        both[1].engine(two)


def test_whole_articles_get_the_same_scores(
    both: tuple[EncoderModel, EncoderModel], articles: list[LabelledArticle]
) -> None:
    texts = [Text(a.facts.title, [s.text for s in a.sentences]) for a in articles]
    texts.append(Text(None, ["Only one."]))
    texts.append(Text("A title", ["word " * 300, "…", "And then?"]))
    for one, two in zip(*(model.score(texts) for model in both), strict=True):
        assert two.stance == pytest.approx(one.stance, abs=1e-4)
        assert two.certainty == pytest.approx(one.certainty, abs=1e-4)
        assert (two.sources, two.cues) == (one.sources, one.cues)


def test_the_other_pooling_is_exported_too(
    tiny_model: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    assert load_network(tiny_model).config.pooling == "attention"
    network = ClaimstanceModel.from_backbone(str(tiny_backbone), pooling="mean").eval()
    # Compares the logits itself, on shapes that the exporter has not seen.
    export.write_onnx(network, tmp_path / ONNX_FILE, quantise=False)
    assert (tmp_path / ONNX_FILE).stat().st_size > 100_000


def test_the_exported_folder(tiny_onnx: Path, tiny_model: Path) -> None:
    names = {path.name for path in tiny_onnx.iterdir()}
    assert names == {"claimstance.json", "model.onnx", "tokenizer.json"}
    one, two = load_settings(tiny_model), load_settings(tiny_onnx)
    assert (one.name, one.windows) == (two.name, two.windows)
    assert two.temperatures.stance == pytest.approx(one.temperatures.stance, rel=1e-2)


def test_exported_and_trained_label_alike(
    tiny_onnx: Path, tiny_model: Path, articles: list[LabelledArticle]
) -> None:
    one, two = (predict_split(load_model(f), articles) for f in (tiny_model, tiny_onnx))
    for a, b in zip(one, two, strict=True):
        assert (a.stance, a.certainty, a.source, a.cues) == (
            b.stance,
            b.certainty,
            b.source,
            b.cues,
        )


def test_int8_is_smaller_and_labels_nearly_alike(
    tiny_model: Path,
    tiny_onnx: Path,
    tmp_path: Path,
    articles: list[LabelledArticle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Processors round int8 differently; of 84 sentences some may lie on the border.
    monkeypatch.setattr(export, "LEAST_AGREEMENT", 0.9)
    monkeypatch.setattr(export, "MOST_POINTS_LOST", 10)
    # The tiny network's matrices and tables are smaller than a real one's.
    monkeypatch.setattr(quantisation, "SMALLEST_SIDE", 16)
    monkeypatch.setattr(quantisation, "LARGE_TABLE", 16)
    gate = export.export_model(tiny_model, tmp_path / "int8", articles)
    small, large = (f / ONNX_FILE for f in (tmp_path / "int8", tiny_onnx))
    assert small.stat().st_size < large.stat().st_size * 0.75
    assert gate.sentences == 84
    assert gate.stance_same > 0.9
    assert gate.certainty_same > 0.9
    assert load_model(tmp_path / "int8").settings.name == "tiny-int8"
    assert {p.model for p in predict_split(load_model(tmp_path / "int8"), articles[:1])} == {
        "tiny-int8"
    }


def test_an_export_does_not_tell_where_it_was_made(tiny_onnx: Path) -> None:
    content = (tiny_onnx / ONNX_FILE).read_bytes()
    for place in (Path(export.__file__).parent, Path(torch.__file__).parent):
        assert str(place).encode() not in content
    assert b"stack_trace" not in content


# The gate.


def other_network(folder: Path) -> ClaimstanceModel:
    """The trained network with its stances turned round, as by a faulty exporter."""
    network = load_network(folder)
    with torch.no_grad():
        network.stance_head.weight.neg_()
    return network


def predictions(*labels: tuple[Stance, Certainty]) -> list[Prediction]:
    """The certainty is the likeliest one, which the record holds only for a claim."""
    return [
        Prediction(
            article_id="a",
            position=place,
            start=0,
            end=1,
            text="x",
            stance=stance,
            certainty=None if stance == "no_claim" else certainty,
            stance_probabilities={},
            certainty_probabilities={c: 0.8 if c == certainty else 0.1 for c in CERTAINTIES},
            source=None,
            cues=(),
            model="m",
        )
        for place, (stance, certainty) in enumerate(labels)
    ]


def test_labels_are_compared_by_hand() -> None:
    before = predictions(
        ("asserted", "certain"),
        ("asserted", "certain"),
        ("refuted", "possible"),
        ("no_claim", "probable"),
    )
    gold = [
        LabelledSentence(
            article_id="a", position=p.position, text="x", stance=p.stance, certainty=p.certainty
        )
        for p in before
    ]
    # One stance changes; one certainty, and that which stands behind the sentence without a claim.
    after = predictions(
        ("asserted", "certain"),
        ("refuted", "certain"),
        ("refuted", "certain"),
        ("no_claim", "certain"),
    )
    assert compare_labels(gold, before, before) == Gate(4, 1.0, 1.0, 0.0, 0.0)
    found = compare_labels(gold, before, after)
    assert (found.sentences, found.stance_same, found.certainty_same) == (4, 3 / 4, 2 / 4)
    # F1 of asserted and of refuted 2/3, of no_claim 1; of certain 4/5, of possible 0.
    assert found.stance_drop == pytest.approx(100 * (1 - (2 / 3 + 2 / 3 + 1) / 3))
    assert found.certainty_drop == pytest.approx(100 * (1 - (4 / 5 + 0) / 2))
    # A second model that is better drops by less than nothing.
    other = compare_labels(gold, after, before)
    assert (other.stance_drop, other.certainty_drop) == (-found.stance_drop, -found.certainty_drop)


def test_a_model_whose_labels_change_is_refused(
    tiny_model: Path,
    tmp_path: Path,
    dev: list[LabelledArticle],
    monkeypatch: pytest.MonkeyPatch,
    refuses: Refuses,
) -> None:
    monkeypatch.setattr(export, "load_network", other_network)
    out = tmp_path / "out"
    error = refuses(
        f"{out}: expected the labels of the trained model on 99% of dev, found ",
        export.export_model,
        tiny_model,
        out,
        dev,
        quantise=False,
    )
    assert error.found.endswith("% of 14 sentences")
    assert "--no-quantise" in error.fix
    assert list(tmp_path.iterdir()) == []


def test_an_export_overwrites_nothing(
    tiny_model: Path, tmp_path: Path, dev: list[LabelledArticle], refuses: Refuses
) -> None:
    (tmp_path / ONNX_FILE).write_text("the one before", encoding="utf-8")
    words = f"{tmp_path}: expected a new or an empty folder, found files in it."
    refuses(words, export.export_model, tiny_model, tmp_path, dev)
    assert (tmp_path / ONNX_FILE).read_text(encoding="utf-8") == "the one before"


def test_the_gate_counts_what_changes(
    tiny_model: Path, tiny_onnx: Path, tmp_path: Path, articles: list[LabelledArticle]
) -> None:
    same = export.compare(tiny_model, tiny_onnx, articles)
    assert (same.stance_same, same.certainty_same) == (1, 1)
    assert (same.stance_drop, same.certainty_drop) == (0, 0)
    changed = shutil.copytree(tiny_model, tmp_path / "changed")
    other_network(tiny_model).save_pretrained(changed)
    export.write_onnx(load_network(changed), changed / ONNX_FILE, quantise=False)
    gate = export.compare(tiny_model, changed, articles)
    one, two = (predict_split(load_model(f), articles) for f in (tiny_model, changed))
    pairs = list(zip(one, two, strict=True))
    assert gate.stance_same == np.mean([a.stance == b.stance for a, b in pairs]) < 0.5
    # The best certainty is compared, also where one of the two models sees no claim.
    assert gate.certainty_same == 1
    assert gate.stance_drop > 10


def test_logits_that_drift_are_noticed(tiny_model: Path, tiny_onnx: Path, refuses: Refuses) -> None:
    wrapped = export._Positional(other_network(tiny_model)).eval()
    example = export._example(wrapped.network, sentences=5, tokens=33)
    refuses(
        "expected stance_logits as the trained network gives them, found a difference of ",
        export._check_parity,
        wrapped,
        tiny_onnx / ONNX_FILE,
        example,
    )
    honest = export._Positional(load_network(tiny_model)).eval()
    export._check_parity(honest, tiny_onnx / ONNX_FILE, example)


def test_dropped_sentences_would_be_noticed(tiny_model: Path, tiny_onnx: Path) -> None:
    """The example shows whether both inputs count."""
    ids, mask = (
        t.numpy() for t in export._example(load_network(tiny_model), sentences=5, tokens=33)
    )
    engine = load_onnx_model(tiny_onnx, load_settings(tiny_onnx)).engine
    right = engine({"input_ids": ids, "sentence_mask": mask})
    for wrong in ({"input_ids": ids[:, ::-1], "sentence_mask": mask},
                  {"input_ids": ids, "sentence_mask": mask[..., ::-1]}):  # fmt: skip
        assert np.abs(right[0] - engine(wrong)[0]).max() > export.MOST_LOGIT_DRIFT


def test_a_folder_without_a_network(
    tiny_onnx: Path, tmp_path: Path, dev: list[LabelledArticle], refuses: Refuses
) -> None:
    refuses(
        f"{tiny_onnx}: expected a trained network (model.safetensors), found none. To mend it: "
        "give the folder that 'claimstance train' wrote for a transformer.",
        export.export_model,
        tiny_onnx,
        tmp_path / "out",
        dev,
    )


def test_a_broken_onnx_file(tiny_onnx: Path, tmp_path: Path, refuses: Refuses) -> None:
    folder = shutil.copytree(tiny_onnx, tmp_path / "broken")
    content = (folder / ONNX_FILE).read_bytes()
    (folder / ONNX_FILE).write_bytes(content[: len(content) // 2])
    refuses(
        f"{folder / ONNX_FILE}: expected a model in ONNX, found a file that ONNX Runtime cannot "
        "load (",
        load_model,
        folder,
    )


def test_classifying_with_onnx_needs_no_torch(tiny_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Mill shuts\n\nIt will close, a clerk said.", encoding="utf-8")
    code = (
        "import sys\n"
        "from claimstance.cli import main\n"
        "sys.argv[0] = 'claimstance'\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "heavy = {'torch', 'transformers', 'datasets', 'accelerate', 'sklearn', 'scipy'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    arguments = ["classify", "a.txt", "--model", str(tiny_onnx), "-q", "-o", "p.parquet"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "loaded: []\n", "")
    assert (tmp_path / "p.parquet").is_file()


@pytest.mark.parametrize(
    ("kind", "more", "fused", "is_cut"),
    [
        ("bert", {}, 2, True),
        ("electra", {"embedding_size": 16}, 2, True),
        ("mpnet", {}, 0, False),  # a bias for distances: it keeps its own attention
        # Every second layer sees neighbours only.
        ("modernbert", {"local_attention": 8, "global_attn_every_n_layers": 2}, 1, False),
        # Its last layer is given places, too.
        ("modernbert", {"global_attn_every_n_layers": 1}, 2, False),
    ],
)
def test_other_encoders_are_exported_too(
    kind: str, more: dict[str, int], fused: int, is_cut: bool, tmp_path: Path
) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 32, "vocab_size": 300}
    backbone = AutoConfig.for_model(
        kind, num_hidden_layers=2, num_attention_heads=4, pad_token_id=0, **sizes, **more
    )
    network = ClaimstanceModel(ClaimstanceConfig(backbone=backbone.to_dict())).eval()
    # Compares the logits itself, over more tokens than a neighbourhood has.
    export.write_onnx(network, tmp_path / ONNX_FILE, quantise=False)
    made = onnx.load(str(tmp_path / ONNX_FILE)).graph.node
    assert sum(node.op_type == "MultiHeadAttention" for node in made) == fused
    assert any(node.op_type == "ScatterND" for node in made) == is_cut


def test_what_is_there_to_be_read_only(both: tuple[EncoderModel, EncoderModel]) -> None:
    """It counts for the tokens of sentences, and has no logits of its own."""
    batch = window(4, 40, seed=0)
    # The mask leaves out a title, a sentence in between, and the end.
    rest = np.r_[0:6, 15:20, 38:40]
    batch["sentence_mask"][..., rest] = 0
    wanted, found = (model.engine(batch) for model in both)
    for one, two in zip(wanted[:2], found[:2], strict=True):
        assert two == pytest.approx(one, abs=1e-4)
    own = np.setdiff1d(np.arange(40), rest)
    assert found[2][:, own] == pytest.approx(wanted[2][:, own], abs=1e-4)
    assert not found[2][:, rest].any()
    batch["input_ids"][:, rest] = 1
    assert np.abs(both[1].engine(batch)[0] - found[0]).max() > export.MOST_LOGIT_DRIFT
