"""The rivals, trained for real on a tiny encoder, and the script that measures all systems."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import parse_articles

from claimstance.articles import Article
from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.prediction import as_article
from claimstance.records import Prediction, read_records

EVALUATION = Path(__file__).parent.parent / "evaluation"
RIVALS = ("setfit", "plain")
Refuses = Callable[..., InputError]


@pytest.fixture(scope="module", autouse=True)
def _scripts() -> Iterator[None]:
    """Let the scripts import each other, as they do when they are run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EVALUATION)
        yield


@pytest.fixture(scope="module")
def backbone(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder, saved by sentence-transformers as the real one is."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import BertModel, PreTrainedTokenizerFast

    plain = tmp_path_factory.mktemp("plain")
    BertModel.from_pretrained(tiny_backbone).save_pretrained(plain)
    special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
    PreTrainedTokenizerFast(
        tokenizer_file=str(tiny_backbone / "tokenizer.json"),
        **{f"{name}_token": token for name, token in special.items()},
    ).save_pretrained(plain)
    encoder = modules.Transformer(str(plain))
    pooling = modules.Pooling(encoder.get_embedding_dimension())
    body = SentenceTransformer(modules=[encoder, pooling, modules.Normalize()], device="cpu")
    folder = tmp_path_factory.mktemp("sentence-encoder")
    body.save(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="module")
def trained(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both rivals in it. Read it, do not change it."""
    models = tmp_path_factory.mktemp("models")
    train = [a for a in parse_articles() if a.facts.split == "train"]
    setfit, plain = models / "setfit", models / "plain"
    rival("setfit").train(train, setfit, 3, backbone, max_steps=60, learning_rate=5e-3)
    rival("plain").train(train, plain, 3, backbone, epochs=40, learning_rate=5e-3)
    return models


def rival(name: str) -> ModuleType:
    return importlib.import_module(f"{name}_rival")


@pytest.fixture
def systems() -> ModuleType:
    return importlib.import_module("systems")


@pytest.fixture
def rivals(tmp_path: Path, tiny_corpus: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, at work on the tiny corpus and in a folder of the test's own."""
    module = importlib.import_module("rivals")
    monkeypatch.setattr(module, "CORPUS", tiny_corpus)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(module, "ROUNDS", 1)
    return module


def to_label(articles: list[LabelledArticle]) -> list[Article]:
    return [as_article(article) for article in articles]


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_writes_legal_records(
    name: str, trained: Path, systems: ModuleType, articles: list[LabelledArticle]
) -> None:
    found = systems.load(name, trained)(iter(to_label(articles)))
    wanted = [(s.article_id, s.position, s.text) for a in articles for s in a.sentences]
    assert [(p.article_id, p.position, p.text) for p in found] == wanted
    for p in found:
        assert Prediction.model_validate(p.model_dump()) == p
        assert (p.certainty is None) == (p.stance == "no_claim")
        assert (p.source, p.cues, p.model) == (None, (), name)
        assert tuple(p.stance_probabilities) == STANCES
        assert tuple(p.certainty_probabilities) == CERTAINTIES
        assert sum(p.stance_probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert sum(p.certainty_probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert p.stance_probabilities[p.stance] == max(p.stance_probabilities.values())
    assert len({p.stance for p in found}) > 1


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_learns_its_sentences(
    name: str, trained: Path, systems: ModuleType, articles: list[LabelledArticle]
) -> None:
    train = [a for a in articles if a.facts.split == "train"]
    gold = [s for a in train for s in a.sentences]
    found = systems.load(name, trained)(to_label(train))
    right = [g.stance == p.stance for g, p in zip(gold, found, strict=True)]
    commonest = max(sum(s.stance == stance for s in gold) for stance in STANCES)
    assert sum(right) > 1.5 * commonest


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_labels_alike_each_time_it_is_loaded_and_without_context(
    name: str, trained: Path, systems: ModuleType, articles: list[LabelledArticle]
) -> None:
    first = systems.load(name, trained)(to_label(articles))
    assert systems.load(name, trained)(to_label(articles)) == first
    alone = [Article("alone", None, (span,)) for a in to_label(articles) for span in a.sentences]
    for one, other in zip(systems.load(name, trained)(alone), first, strict=True):
        assert one.stance_probabilities == pytest.approx(other.stance_probabilities, abs=1e-3)


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_holds_no_pickle(name: str, trained: Path) -> None:
    kinds = {path.suffix for path in (trained / name).rglob("*") if path.is_file()}
    assert kinds <= {".json", ".safetensors", ".skops"}
    assert ".safetensors" in kinds


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_refuses_what_it_cannot_use(
    name: str,
    trained: Path,
    backbone: Path,
    articles: list[LabelledArticle],
    tmp_path: Path,
    refuses: Refuses,
) -> None:
    module = rival(name)
    refuses("no folder", module.load, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    refuses("do not load", module.load, tmp_path / "empty")
    refuses("found 0 and 0", module.train, [], tmp_path / "new", 3, backbone)
    refuses("new or an empty folder", module.train, articles, trained / name, 3, backbone)
    assert not (tmp_path / "new").exists()


def test_plain_refuses_a_network_with_other_labels(
    trained: Path, tmp_path: Path, refuses: Refuses
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for path in (trained / "plain").glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "stance").symlink_to(trained / "plain" / "certainty")
    (folder / "certainty").symlink_to(trained / "plain" / "stance")
    refuses("do not load (ValueError)", rival("plain").load, folder)


def test_a_rival_is_trained_by_a_recipe(
    systems: ModuleType,
    tiny_recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[Any] = []

    def train(*arguments: Any) -> None:
        calls.append(arguments)

    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["rival", str(tiny_recipe), "--out", str(out)])
    systems.train_by_recipe(train, "Trains.")
    ((articles, folder, seed, encoder),) = calls
    assert {a.facts.split for a in articles} == {"train"}
    assert (folder, seed, (encoder / "model.safetensors").is_file()) == (out, 7, True)

    other = write_baseline_recipe(tmp_path, tmp_path)
    monkeypatch.setattr(sys, "argv", ["rival", str(other), "--out", str(out)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        systems.train_by_recipe(train, "Trains.")
    assert end.value.code == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(f"{other}: expected the recipe of a transformer")
    assert "found that of a baseline" in line
    assert captured.out == ""
    assert len(calls) == 1


def test_an_unknown_system(systems: ModuleType, tmp_path: Path, refuses: Refuses) -> None:
    refuses("one of cue-rules, tfidf", systems.load, "oracle", tmp_path)
    refuses("no such folder", systems.load, "tfidf", tmp_path)


def test_what_a_command_costs(rivals: ModuleType) -> None:
    busy = (
        "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
        "time.sleep(0.5)"
    )
    cost = rivals.measure([sys.executable, "-c", busy])
    assert 0.5 <= cost.processor_seconds < cost.wall_seconds
    assert cost.wall_seconds >= 1


def test_a_training_that_fails_leaves_the_old_model(
    rivals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "models" / "tfidf"
    old.mkdir(parents=True)
    (old / "weights").write_text("old", encoding="utf-8")
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    monkeypatch.setattr(rivals, "training_command", lambda *_: failing)
    with pytest.raises(rivals.InputError):
        rivals.train_system("tfidf", tmp_path / "models", {})
    assert (old / "weights").read_text(encoding="utf-8") == "old"


def test_a_finished_folder_takes_the_place_of_an_older(rivals: ModuleType, tmp_path: Path) -> None:
    for name, word in (("model", "old"), (".model.new", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / word).touch()
    rivals.replace_folder(tmp_path / "model", tmp_path / ".model.new")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["new"]
    assert [*tmp_path.glob(".model.*")] == []


def test_logs_are_not_what_must_be_kept(rivals: ModuleType, tmp_path: Path) -> None:
    files = {"model.onnx": 5, "stance/model.safetensors": 7, "training_log.jsonl": 11}
    for name, size in (files | {"tensorboard/runs/events": 13}).items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    assert rivals.kept_bytes(tmp_path / "model") == 12


def test_speeds_are_taken_in_turns_after_a_warm_up(
    rivals: ModuleType, articles: list[LabelledArticle]
) -> None:
    now, order = [0.0], []

    def system(name: str, seconds: list[float]) -> Callable[[Any], list[Prediction]]:
        def predict(_: Any) -> list[Prediction]:
            order.append(name)
            now[0] += seconds.pop(0)
            return []

        return predict

    sentences = sum(len(a.sentences) for a in articles)
    rates = rivals.speeds(
        {"a": system("a", [9, 1, 2, 4]), "b": system("b", [9, 1, 1, 1])},
        to_label(articles),
        rounds=3,
        clock=lambda: now[0],
    )
    assert order == ["a", "b"] * 4
    assert rates == {"a": [sentences, sentences / 2, sentences / 4], "b": [sentences] * 3}
    assert rivals.as_speed(rates["a"]) == {
        "sentences_per_second": sentences / 2,
        "sentences_per_second_range": [sentences / 4, sentences],
    }


def test_an_export_costs_what_it_was_made_from_too(
    rivals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: Refuses
) -> None:
    def measure(command: list[str]) -> Any:
        Path(command[command.index("--out") + 1]).mkdir(parents=True)
        return rivals.Cost(2.0, 1.0)

    monkeypatch.setattr(rivals, "measure", measure)
    results = {"minilm": rivals.train_system("minilm", tmp_path, {})}
    entry = rivals.train_system("minilm-int8", tmp_path, results)
    assert (entry["training_processor_seconds"], entry["training_wall_seconds"]) == (4, 2)
    refuses("no training of it", rivals.train_system, "minilm-int8", tmp_path, {})
    results["minilm"]["made_of"] = "another"
    refuses("another corpus", rivals.train_system, "minilm-int8", tmp_path, results)


def test_figures_of_another_machine_are_not_kept(rivals: ModuleType, refuses: Refuses) -> None:
    path = rivals.RESULTS / "rivals.json"
    assert rivals.start_results(path, 1, keep=True) == {}
    rivals.write_results(path, {"tfidf": {"name": "tfidf"}}, 1)
    assert rivals.start_results(path, 1, keep=True) == {"tfidf": {"name": "tfidf"}}
    assert rivals.start_results(path, 1, keep=False) == {}
    refuses("without --only", rivals.start_results, path, 2, keep=True)


@pytest.mark.parametrize("threads", [0, 100_000])
def test_processors_that_are_not_there(rivals: ModuleType, threads: int, refuses: Refuses) -> None:
    refuses("the processors here", rivals.use_processors, threads)


def test_the_corpus_must_not_change_meanwhile(
    rivals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: Refuses
) -> None:
    path = rivals.CORPUS / "train.jsonl"
    change = f"open({str(path)!r}, 'a').write('\\n')"
    monkeypatch.setattr(rivals, "training_command", lambda *_: [sys.executable, "-c", change])
    refuses("a changed one", rivals.train_system, "tfidf", tmp_path, {})


def write_baseline_recipe(folder: Path, corpus: Path) -> Path:
    path = folder / "baseline.toml"
    path.write_text(
        f"kind = 'baseline'\nname = 'tfidf'\ncorpus = '{corpus}'\nseed = 1\n", encoding="utf-8"
    )
    return path


def test_systems_are_trained_label_and_are_measured(
    rivals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: Refuses
) -> None:
    recipe = write_baseline_recipe(tmp_path, rivals.CORPUS)
    train = [sys.executable, "-m", "claimstance", "train", str(recipe), "--out"]
    monkeypatch.setattr(rivals, "training_command", lambda _name, _models, made: [*train, made])
    monkeypatch.setattr(rivals, "use_processors", lambda _: None)

    def run(*arguments: str) -> dict[str, dict[str, Any]]:
        out = str(tmp_path / "models")
        monkeypatch.setattr(sys, "argv", ["rivals.py", "--out", out, *arguments])
        rivals.main()
        content = json.loads((rivals.RESULTS / "rivals.json").read_text(encoding="utf-8"))
        assert (content["threads"], content["sentences"]) == (2, 14)
        return {entry["name"]: entry for entry in content["systems"]}

    first = run("--only", "tfidf")
    both = run("--only", "cue-rules")
    again = run("--no-training")
    assert [*first] == ["tfidf"]
    assert [*both] == [*again] == ["cue-rules", "tfidf"]
    for entries in (both, again):
        assert entries["tfidf"]["training_processor_seconds"] > 0
        assert entries["cue-rules"]["training_processor_seconds"] == 0
        assert all(entry["sentences_per_second"] > 0 for entry in entries.values())
        assert all(entry["megabytes"] > 0 for entry in entries.values())
        assert len({entry["made_of"] for entry in entries.values()}) == 1
    for name in both:
        for split in ("dev", "test"):
            assert read_records(rivals.RESULTS / name / f"{split}.jsonl", Prediction)
    # A model that was put there otherwise is timed too; what its training took is not known.
    (tmp_path / "models" / "tfidf").rename(tmp_path / "models" / "minilm")
    elsewhere = run("--no-training", "--only", "minilm")["minilm"]
    assert elsewhere["training_processor_seconds"] is None
    assert elsewhere["training_wall_seconds"] is None
    assert elsewhere["sentences_per_second"] > 0
    refuses(
        "no training of it", rivals.train_system, "minilm-int8", tmp_path, {"minilm": elsewhere}
    )


@pytest.fixture
def measured_rules(
    rivals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Take the rules alone, which need no training; of tfidf there are older figures only."""
    older = {
        "name": "tfidf",
        "training_wall_seconds": 3.0,
        "sentences_per_second": 50.0,
        "sentences_per_second_range": [40.0, 60.0],
        "megabytes": 1.5,
    }
    rivals.write_results(rivals.RESULTS / "rivals.json", {"tfidf": older}, 2)
    monkeypatch.setattr(rivals, "use_processors", lambda _: None)
    models = str(tmp_path / "models")
    arguments = ["rivals.py", "--out", models, "--only", "cue-rules"]
    monkeypatch.setattr(sys, "argv", arguments)
    main: Callable[[], None] = rivals.main
    return main


def entries_of(path: Path) -> dict[str, dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in content["systems"]}


@pytest.mark.parametrize("step", ["label_splits", "speeds"])
def test_an_unfinished_call_leaves_the_figures_alone(
    rivals: ModuleType,
    measured_rules: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    path, unfinished = (rivals.RESULTS / name for name in ("rivals.json", "rivals.json.unfinished"))
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(rivals, step, stop)
        with pytest.raises(KeyboardInterrupt):
            measured_rules()
    assert path.read_bytes() == before
    begun = entries_of(unfinished)
    assert [*begun] == ["cue-rules", "tfidf"]
    assert begun["cue-rules"]["megabytes"] > 0
    assert begun["cue-rules"]["sentences_per_second"] is None

    measured_rules()
    assert not unfinished.exists()
    assert entries_of(path)["cue-rules"]["sentences_per_second"] > 0


def test_a_system_that_is_not_timed_in_a_call_has_no_speed(
    rivals: ModuleType, measured_rules: Callable[[], None]
) -> None:
    path = rivals.RESULTS / "rivals.json"
    before = entries_of(path)["tfidf"]
    measured_rules()
    after = entries_of(path)
    assert [*after] == ["cue-rules", "tfidf"]
    assert after["cue-rules"]["sentences_per_second"] > 0
    without = {"sentences_per_second": None, "sentences_per_second_range": None}
    assert after["tfidf"] == before | without
