"""The command line: what it writes, and the one line that it says of each bad input."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from claimstance import __version__
from claimstance.annotation import DataFolder, SettledLabels, load_all
from claimstance.corpus import LabelledArticle
from claimstance.inference import SHIPPED
from claimstance.records import (
    LabelledSentence,
    Prediction,
    SentenceLabels,
    read_records,
    write_records,
)
from claimstance.settings import load_settings
from claimstance.standoff import StandoffSentence, take_off

ROOT = Path(__file__).parent.parent
Run = Callable[..., Any]

ARTICLE = """Mill shuts for good

The mill will close in May, the union said. It is false that it burnt.

What happens now?
"""
COMMANDS = [
    ["classify"],
    ["report"],
    ["train"],
    ["export"],
    ["evaluate"],
    ["compare"],
    ["align"],
    ["sample"],
    ["audit"],
    ["tasks"],
    *(["tasks", name] for name in ("export", "import", "compare", "settle", "corpus")),
    ["corpus"],
    *(["corpus", name] for name in ("check", "agreement", "add", "sheets", "second", "settle")),
]
FORM = re.compile(r"claimstance: .+: expected .+, found .+\. To mend it: .+\.")


def refused(outcome: Any, words: str, code: int = 2) -> None:
    """One line of the usual form, with these words in it, and no traceback."""
    assert "Traceback" not in outcome.err
    lines = outcome.err.splitlines()
    if code == 1:
        # Of inputs that fail each is named; how many they were is said last.
        assert re.fullmatch(
            r"claimstance: \d+ of (1 input|\d+ inputs) could not be used, "
            r"each named (above|in \S+)",
            lines.pop(),
        )
    assert len(lines) == 1, outcome.err
    assert FORM.fullmatch(lines[0]), lines[0]
    assert words in lines[0]
    assert outcome.code == code


@pytest.fixture
def article(tmp_path: Path) -> Path:
    path = tmp_path / "mill.txt"
    path.write_text(ARTICLE, encoding="utf-8")
    return path


# Help.


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(run_here: Run, command: list[str]) -> None:
    outcome = run_here(*command, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith("Usage: ")
    assert " ".join(command) in outcome.out.splitlines()[0]
    assert outcome.err == ""
    if command[0] != "corpus" and command != ["tasks"]:
        assert re.search(r"Examples?:\n +claimstance ", outcome.out)


def test_help_names_every_command(run_here: Run) -> None:
    said = run_here("--help").out
    for command in COMMANDS:
        assert f"  {command[0]} " in said
    assert run_here("--version").out == f"claimstance {__version__}\n"


@pytest.mark.parametrize("group", [[], ["tasks"], ["corpus"]], ids=str)
def test_help_says_what_each_command_does_in_one_line(
    run_here: Run, group: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal of 80 columns, where longer lines would be cut."""
    monkeypatch.setenv("COLUMNS", "80")
    said = run_here(*group, "--help").out.partition("Commands:\n")[2].splitlines()
    assert len(said) > 4
    assert all(re.fullmatch(r"  [a-z]+ +[A-Z].+[^.]\.", line) for line in said), said


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from claimstance.cli import main\n"
        "sys.argv = ['claimstance', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'pyarrow', 'sklearn', 'trafilatura',\n"
        "         'numpy', 'jinja2', 'rich'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["classify", "a.txt", "--modle", "x"], "No such option: --modle"),
        (["classify"], "Missing argument 'INPUT'"),
        (["clasify", "a.txt"], "No such command 'clasify'"),
        (["classify", "a.txt", "--split", "all"], "'all' is not one of 'train', 'dev', 'test'"),
        (["evaluate", "--gold", "a.jsonl"], "Missing option '--predictions'"),
    ],
)
def test_wrong_use(run_here: Run, arguments: list[str], words: str) -> None:
    outcome = run_here(*arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert "Traceback" not in outcome.err


# Classifying.


def test_a_process_of_its_own(run_cli: Run, tiny_onnx: Path, article: Path) -> None:
    outcome = run_cli("classify", "mill.txt", "--model", tiny_onnx, "-o", "p.jsonl")
    assert (outcome.code, outcome.err) == (0, "")
    assert "mill.txt" in outcome.out
    assert outcome.out.endswith("wrote p.jsonl\n")
    outcome = run_cli("classify", "none.txt", "--model", tiny_onnx)
    refused(outcome, "none.txt: expected a file, a folder or a glob, found nothing there", code=1)
    assert outcome.out == ""
    outcome = run_cli("classify", "mill.txt", "--model", "none")
    refused(outcome, "none: expected a folder with a claimstance model", code=2)


def test_standard_input(run_cli: Run, tiny_onnx: Path) -> None:
    outcome = run_cli("classify", "-", "--model", tiny_onnx, "-o", "p.jsonl", "-q", stdin=ARTICLE)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_every_output_has_the_same_columns(
    run_here: Run, tiny_onnx: Path, article: Path, tmp_path: Path
) -> None:
    names = [f"out/p.{ending}" for ending in ("jsonl", "csv", "parquet", "html")]
    options = [part for name in names for part in ("-o", name)]
    outcome = run_here("classify", "mill.txt", "--model", tiny_onnx, *options)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-4:] == [f"wrote {name}" for name in names]

    predictions = read_records(tmp_path / "out" / "p.jsonl", Prediction)
    # Whether a person should read it is said only where somebody asks.
    columns = [name for name in Prediction.model_fields if name != "needs_review"]
    assert columns == [
        "article_id",
        "position",
        "start",
        "end",
        "text",
        "stance",
        "certainty",
        "stance_probabilities",
        "certainty_probabilities",
        "source",
        "cues",
        "model",
    ]
    assert [p.text for p in predictions] == [
        "Mill shuts for good",
        "The mill will close in May, the union said.",
        "It is false that it burnt.",
        "What happens now?",
    ]
    for p in predictions:
        assert ARTICLE[p.start : p.end] == p.text
        assert sum(p.stance_probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert sum(p.certainty_probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert (p.article_id, p.model) == ("mill.txt", "tiny")
    rows = [p.model_dump(mode="json") for p in predictions]

    table = pq.read_table(tmp_path / "out" / "p.parquet")
    assert table.column_names == columns
    assert table.to_pylist() == rows

    with (tmp_path / "out" / "p.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == columns
        for cells, row in zip(reader, rows, strict=True):
            for name, value in row.items():
                if isinstance(value, dict | list):
                    assert json.loads(cells[name]) == value
                else:
                    assert cells[name] == ("" if value is None else str(value))

    page = (tmp_path / "out" / "p.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    for p in predictions[1:]:
        assert p.text.split(",")[0] in re.sub(r"<[^>]+>", "", page)


def test_a_split_is_labelled_as_it_is_split(
    run_here: Run, tiny_onnx: Path, tiny_corpus: Path, tmp_path: Path
) -> None:
    outcome = run_here(
        "classify", tiny_corpus, "--split", "test", "--model", tiny_onnx, "-q", "-o", "p.jsonl"
    )
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    gold = read_records(tiny_corpus / "test.jsonl", LabelledSentence)
    found = read_records(tmp_path / "p.jsonl", Prediction)
    assert [(p.article_id, p.position, p.text) for p in found] == [
        (s.article_id, s.position, s.text) for s in gold
    ]


def test_columns_of_other_names(run_here: Run, tiny_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "news.csv").write_text("nr,head,body\n7,Mill,It burnt.\n", encoding="utf-8")
    outcome = run_here(
        *("classify", "news.csv", "--model", tiny_onnx, "-o", "p.jsonl"),
        *("--text-column", "body", "--id-column", "nr", "--title-column", "head"),
    )
    assert outcome.code == 0
    (prediction,) = read_records(tmp_path / "p.jsonl", Prediction)
    assert (prediction.article_id, prediction.text) == ("7", "It burnt.")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", b"", "empty.txt: expected an article, found an empty file"),
        ("empty.jsonl", b"", "empty.jsonl: expected one article per line, found an empty file"),
        (
            "binary.txt",
            b"MZ\x90\x00\x03",
            "binary.txt: expected text in UTF-8, found binary content (a NUL byte at position 3)",
        ),
        (
            "latin.txt",
            "“Über” den Flu".encode() + b"\xdf",
            "latin.txt: expected text in UTF-8, found byte 0xdf at position 19, which is not UTF-8",
        ),
        (
            "news.csv",
            b"id,body\n1,It burnt.\n",
            "news.csv: expected a column 'text' or 'sentences', found the columns 'id', 'body'. "
            "To mend it: name the column that holds the text, or rename it.",
        ),
        ("a.parquet", b"PAR1 no", "a.parquet: expected a Parquet file, found one that is cut off"),
        ("a.docx", b"PK", "a.docx: expected one of the suffixes .txt, .md, .html, .htm, .jsonl"),
    ],
)
def test_an_input_that_cannot_be_used(
    run_here: Run, tiny_onnx: Path, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    refused(run_here("classify", name, "--model", tiny_onnx, "-o", "p.jsonl"), words, code=1)
    assert not (tmp_path / "p.jsonl").exists()


def test_one_broken_line_does_not_stop_the_others(
    run_here: Run, tiny_onnx: Path, article: Path, tmp_path: Path
) -> None:
    lines = ['{"id": "a", "text": "It burnt."}', '{"id": "b", "text": ', '{"text": "It rains."}']
    (tmp_path / "news.jsonl").write_text("\n".join(lines), encoding="utf-8")
    outcome = run_here(
        "classify", "news.jsonl", "mill.txt", "--model", tiny_onnx, "-o", "p.jsonl", "-o", "p.html"
    )
    refused(
        outcome,
        "news.jsonl, line 2: expected a JSON object, found broken JSON (Expecting value at column "
        "21). To mend it: correct or delete that line.",
        code=1,
    )
    assert "1 of 4 inputs could not be used" in outcome.err
    found = read_records(tmp_path / "p.jsonl", Prediction)
    assert list(dict.fromkeys(p.article_id for p in found)) == ["a", "news.jsonl#3", "mill.txt"]
    assert (tmp_path / "p.html").exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (
            "p.xlsx",
            "p.xlsx: expected an output ending in .jsonl, .csv, .parquet, .html, found the ending "
            "'.xlsx'. To mend it: choose one of these endings.",
        ),
        ("p", "p: expected an output ending in .jsonl, .csv, .parquet, .html, found the ending ''"),
        (
            "folder.csv",
            "folder.csv: expected a file to write, found a folder of that name. To mend it: name "
            "a file in it.",
        ),
    ],
)
def test_an_output_that_cannot_be_written(
    run_here: Run, article: Path, tmp_path: Path, output: str, words: str
) -> None:
    """Said before any work is done: there is not even a model here."""
    (tmp_path / "folder.csv").mkdir()
    refused(run_here("classify", "mill.txt", "--model", "none", "-o", output), words)


def test_an_output_in_a_folder_that_cannot_be_made(
    run_cli: Run, tiny_onnx: Path, article: Path
) -> None:
    outcome = run_cli("classify", "mill.txt", "--model", tiny_onnx, "-o", "mill.txt/p.jsonl")
    refused(outcome, "mill.txt/p.jsonl")


def test_a_split_of_two_inputs(run_here: Run, tiny_onnx: Path) -> None:
    refused(
        run_here("classify", "a", "b", "--split", "dev", "--model", tiny_onnx),
        "--split: expected one corpus folder as INPUT, found 2 inputs. To mend it: for example: "
        "claimstance classify data/corpus --split dev.",
    )


# Models that are not ours, or not whole.


def test_a_model_that_is_nowhere(run_here: Run, article: Path, tmp_path: Path) -> None:
    wanted = "expected a folder with a claimstance model (claimstance.json and weights), found "
    refused(run_here("classify", "mill.txt", "--model", "none"), f"none: {wanted}no such folder")
    (tmp_path / "empty").mkdir()
    refused(
        run_here("classify", "mill.txt", "--model", "empty"),
        f"empty: {wanted}a folder without claimstance.json. To mend it: give the folder that "
        "'claimstance train' or 'claimstance export' wrote.",
    )


def test_the_folder_of_another_model(run_here: Run, article: Path, tiny_backbone: Path) -> None:
    refused(
        run_here("classify", "mill.txt", "--model", tiny_backbone),
        f"{tiny_backbone}: expected a folder with a claimstance model (claimstance.json and "
        "weights), found a folder without claimstance.json",
    )


@pytest.fixture
def copied(tiny_onnx: Path, article: Path, tmp_path: Path) -> Path:
    """A copy of the exported model that a test may spoil."""
    return shutil.copytree(tiny_onnx, tmp_path / "copy")


def change_settings(folder: Path, **changes: Any) -> None:
    path = folder / "claimstance.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), encoding="utf-8")


def test_a_model_with_labels_in_another_order(run_here: Run, copied: Path) -> None:
    order = ["attributed", "asserted", "disputed", "unproven", "refuted", "no_claim"]
    change_settings(copied, stances=order)
    outcome = run_here("classify", "mill.txt", "--model", "copy")
    refused(outcome, "copy/claimstance.json: expected the labels (('asserted', 'attributed', ")
    assert "found (('attributed', 'asserted', " in outcome.err
    assert "To mend it: train the model again with this version, or use the" in outcome.err


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda f: (f / "model.onnx").unlink(),
            "copy: expected weights beside claimstance.json (model.onnx, model.safetensors or "
            "baseline.skops), found none of them. To mend it: train or export the model again.",
        ),
        (
            lambda f: (f / "model.onnx").write_bytes(b"not ONNX"),
            "copy/model.onnx: expected a model in ONNX, found a file that ONNX Runtime cannot",
        ),
        (
            lambda f: (f / "tokenizer.json").write_text("{}"),
            "copy/tokenizer.json: expected a tokenizer as the library tokenizers saves it, found ",
        ),
        (
            lambda f: (f / "tokenizer.json").unlink(),
            "copy/tokenizer.json: expected a tokenizer as the library tokenizers saves it, found ",
        ),
        (
            lambda f: (f / "claimstance.json").write_text("{"),
            "copy/claimstance.json: expected a folder with a claimstance model",
        ),
        (
            lambda f: change_settings(f, windows=None),
            "copy: expected settings that say how windows are cut, found none",
        ),
        (
            lambda f: (f / "claimstance.json").write_bytes(b"\xff\xfe{"),
            "copy/claimstance.json: expected a folder with a claimstance model",
        ),
        (
            lambda f: change_settings(f, mood="glum"),
            "mood",
        ),
    ],
)
def test_a_spoilt_model(
    run_here: Run, copied: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(copied)
    refused(run_here("classify", "mill.txt", "--model", "copy"), words)


def test_corrupt_weights(run_here: Run, article: Path, tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "copy")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:1000])
    refused(
        run_here("classify", "mill.txt", "--model", "copy"),
        "copy/model.safetensors: expected the weights of a claimstance network, found "
        "SafetensorError: ",
    )


def test_weights_without_heads(
    run_here: Run, article: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """As of the backbone alone: the labels would be noise."""
    path = shutil.copytree(tiny_model, tmp_path / "copy") / "model.safetensors"
    kept = {name: w for name, w in load_file(path).items() if "_head." not in name}
    save_file(kept, path, metadata={"format": "pt"})
    outcome = run_here("classify", "mill.txt", "--model", "copy")
    assert outcome.code == 2
    assert "copy/model.safetensors: expected the weights of a claimstance" in outcome.err


def test_no_progress_bar_where_nobody_watches(
    run_cli: Run, article: Path, tiny_model: Path
) -> None:
    outcome = run_cli("classify", "mill.txt", "--model", tiny_model, "-q")
    assert (outcome.code, outcome.err) == (0, "")


# Abstaining.


@pytest.fixture
def wary(run_here: Run, copied: Path, tmp_path: Path) -> list[str]:
    """Thresholds in the copied model: 0.5 marks none of four sentences, 0.9 one, 0.95 three."""
    assert run_here("classify", "mill.txt", "--model", "copy", "-q", "-o", "plain.jsonl").code == 0
    found = read_records(tmp_path / "plain.jsonl", Prediction)
    surest = sorted(p.stance_probabilities[p.stance] for p in found)
    assert len(set(surest)) == 4
    marked = {0.5: 0, 0.9: 1, 0.95: 3}
    points = [{"accuracy": a, "threshold": surest[many]} for a, many in marked.items()]
    change_settings(copied, abstention=points)
    return [p.text for p in sorted(found, key=lambda p: p.stance_probabilities[p.stance])]


@pytest.mark.parametrize(
    ("accuracy", "many"), [("0.5", 0), ("0.9", 1), ("0.8", 1), ("0.91", 3), ("0.95", 3)]
)
def test_the_sentences_that_a_person_should_read(
    run_here: Run, wary: list[str], tmp_path: Path, accuracy: str, many: int
) -> None:
    names = [f"p.{ending}" for ending in ("jsonl", "csv", "parquet", "html")]
    options = [part for name in names for part in ("-o", name)]
    outcome = run_here("classify", "mill.txt", "--model", "copy", "--abstain", accuracy, *options)
    assert (outcome.code, outcome.err) == (0, "")
    predictions = read_records(tmp_path / "p.jsonl", Prediction)
    assert {p.text for p in predictions if p.needs_review} == set(wary[:many])

    # All else is as without the option.
    plain = [json.loads(s) for s in (tmp_path / "plain.jsonl").read_text("utf-8").splitlines()]
    rows = [json.loads(s) for s in (tmp_path / "p.jsonl").read_text("utf-8").splitlines()]
    marks = [text in wary[:many] for text in (row["text"] for row in plain)]
    assert rows == [row | {"needs_review": mark} for row, mark in zip(plain, marks, strict=True)]
    assert "needs_review" not in plain[0]
    columns = [*plain[0], "needs_review"]
    assert [list(row) for row in rows] == [columns] * 4

    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column_names == columns
    assert str(table.schema.field("needs_review").type) == "bool"
    assert table.to_pylist() == rows
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == columns
        assert [cells["needs_review"] for cells in reader] == [str(mark) for mark in marks]

    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    seen = [" data-look" in s for s in re.findall(r'<span class="s" id=[^>]+>', page)]
    assert seen == marks
    assert "<dd>marked for a person to read</dd>" in page

    surest = sorted(max(row["stance_probabilities"].values()) for row in plain)
    assert outcome.out.splitlines()[-1] == (
        f"{many} of 4 sentences {'is' if many == 1 else 'are'} marked for a person to read: "
        "their likeliest stance has a "
        f"probability below {surest[many]:.4g}"
    )
    assert len(re.findall(r"\d%\?", outcome.out)) == many

    # The page can be made later from the file, with the same marks.
    assert run_here("report", "p.jsonl", "-o", "later.html").code == 0
    later = (tmp_path / "later.html").read_text(encoding="utf-8")
    assert [" data-look" in s for s in re.findall(r'<span class="s" id=[^>]+>', later)] == marks


def test_marking_without_a_word(run_here: Run, wary: list[str], tmp_path: Path) -> None:
    outcome = run_here(
        "classify", "mill.txt", "--model", "copy", "--abstain", "0.9", "-q", "-o", "p.jsonl"
    )
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    marked = [p.text for p in read_records(tmp_path / "p.jsonl", Prediction) if p.needs_review]
    assert marked == wary[:1]


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        (
            "90",
            "--abstain: expected the accuracy asked of the sentences that are not marked, between "
            "0 and 1, found 90.0. To mend it: for nine right out of ten, give 0.9.",
        ),
        ("1", "between 0 and 1, found 1.0. "),
        ("0", "between 0 and 1, found 0.0. "),
        ("-0.1", "between 0 and 1, found -0.1. "),
        ("nan", "between 0 and 1, found nan. "),
        (
            "0.97",
            "the model 'tiny': expected a threshold above which 97% of dev are right, found none "
            "above 95%. To mend it: ask for less.",
        ),
    ],
)
def test_an_accuracy_that_cannot_be_had(
    run_here: Run, wary: list[str], tmp_path: Path, accuracy: str, words: str
) -> None:
    outcome = run_here(
        "classify", "mill.txt", "--model", "copy", "--abstain", accuracy, "-o", "p.jsonl"
    )
    refused(outcome, words)
    assert outcome.out == ""
    assert not (tmp_path / "p.jsonl").exists()


def test_an_accuracy_that_is_no_number(run_here: Run) -> None:
    outcome = run_here("classify", "mill.txt", "--abstain", "most")
    assert outcome.code == 2
    assert "Invalid value for '--abstain'" in outcome.err


def test_a_model_that_keeps_no_thresholds(run_here: Run, copied: Path) -> None:
    change_settings(copied, abstention=[])
    refused(
        run_here("classify", "mill.txt", "--model", "copy", "--abstain", "0.9"),
        "the model 'tiny': expected a threshold above which 90% of dev are right, found none that "
        "was kept with the model. To mend it: train or export it again with this version.",
    )


def test_the_shipped_model_abstains(run_here: Run, article: Path, tmp_path: Path) -> None:
    for accuracy in (0.9, 0.95):
        outcome = run_here("classify", "mill.txt", "--abstain", accuracy, "-o", f"{accuracy}.jsonl")
        assert (outcome.code, outcome.err) == (0, "")
        (threshold,) = [
            p.threshold for p in load_settings(SHIPPED).abstention if p.accuracy == accuracy
        ]
        for p in read_records(tmp_path / f"{accuracy}.jsonl", Prediction):
            assert p.needs_review == (p.stance_probabilities[p.stance] < threshold)


def test_an_exported_model_has_thresholds_of_its_own(
    run_here: Run, tiny_onnx: Path, tiny_corpus: Path, tmp_path: Path
) -> None:
    """They hold on dev as the command line classifies it."""
    points = load_settings(tiny_onnx).abstention
    assert points
    gold = {
        (s.article_id, s.position): s.stance
        for s in read_records(tiny_corpus / "dev.jsonl", LabelledSentence)
    }
    for point in points[:: max(1, len(points) // 4)]:
        run_here(
            *("classify", tiny_corpus, "--split", "dev", "--model", tiny_onnx, "-q"),
            *("--abstain", point.accuracy, "-o", "p.jsonl"),
        )
        found = read_records(tmp_path / "p.jsonl", Prediction)
        right = [gold[p.article_id, p.position] == p.stance for p in found if not p.needs_review]
        assert sum(right) / len(right) >= point.accuracy


# Recipes and training.


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 7", "seed = 7\nsed = 8", "expected only known keys, found the unknown key 'sed'"),
        (
            "[network]",
            "[network]\nsmoothing = 0.1",
            "expected only known keys, found the unknown key 'network.smoothing'. To mend it: "
            "compare it with the recipes in training/recipes.",
        ),
        ("seed = 7", "", "expected the key 'seed', found a recipe without it"),
        ("epochs = 12", "", "expected the key 'optimiser.epochs', found a recipe without it"),
        (
            "epochs = 12",
            "epochs = 0",
            "expected a valid value of 'optimiser.epochs', found Input should be greater than or "
            "equal to 1",
        ),
        ("seed = 7", "seed = 'seven'", "expected a valid value of 'seed', found Input should be"),
        ('kind = "transformer"', 'kind = "forest"', "expected a valid value of 'kind', found "),
        ('kind = "transformer"', "", "expected a valid value of 'kind', found "),
        ("seed = 7", "seed = ", "expected a recipe in TOML, found Invalid value (at line 5"),
    ],
)
def test_a_faulty_recipe(
    run_here: Run, tiny_recipe: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    content = tiny_recipe.read_text(encoding="utf-8")
    assert content.count(old) == 1
    tiny_recipe.write_text(content.replace(old, new), encoding="utf-8")
    refused(run_here("train", "tiny.toml", "--out", "model"), f"tiny.toml: {words}")
    assert not (tmp_path / "model").exists()


def test_a_recipe_that_is_nowhere(run_here: Run) -> None:
    refused(
        run_here("train", "none.toml", "--out", "model"),
        "none.toml: expected a recipe in TOML, found no such file or directory. To mend it: check "
        "the path.",
    )


def test_a_recipe_without_its_corpus(run_here: Run, tiny_recipe: Path, tiny_corpus: Path) -> None:
    (tiny_corpus / "dev.jsonl").unlink()
    refused(
        run_here("train", "tiny.toml", "--out", "model"),
        f"{tiny_corpus / 'dev.jsonl'}: expected a file that can be read, found no such file",
    )


def test_training_into_a_folder_in_use(run_here: Run, tiny_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").touch()
    refused(
        run_here("train", "tiny.toml", "--out", "model"),
        "model: expected a new or an empty folder, found files in it",
    )
    refused(
        run_here("train", "tiny.toml", "--out", "model", "--resume"),
        "model: expected a folder with checkpoints of an interrupted training, found none",
    )


def test_training_into_a_file(run_here: Run, tiny_recipe: Path, article: Path) -> None:
    refused(run_here("train", "tiny.toml", "--out", "mill.txt"), "mill.txt: expected a new or")


def test_paths_of_a_recipe_start_at_the_recipe(
    run_here: Run, tiny_recipe: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    recipes = tmp_path / "recipes"
    shutil.copytree(tiny_backbone, recipes / "backbone")
    content = tiny_recipe.read_text(encoding="utf-8")
    content = content.replace(str(tiny_backbone), "backbone").replace(
        str(tmp_path / "data"), "../data"
    )
    (recipes / "own.toml").write_text(content.replace("epochs = 12", "epochs = 1"), "utf-8")
    outcome = run_here("train", "recipes/own.toml", "--out", "model")
    assert (outcome.code, outcome.out.splitlines()[-1:]) == (0, ["wrote model"])


@pytest.mark.parametrize(
    ("epoch", "words"),
    [
        (1, "no epoch was finished, so nothing is kept; empty model to begin again"),
        (2, "the epochs that were finished are kept in model; add --resume to go on"),
    ],
)
def test_ctrl_c_while_it_trains(
    epoch: int, words: str, run_here: Run, tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from claimstance import training

    score, calls = training.score_epoch, []

    def interrupted(prediction: Any) -> dict[str, float]:
        calls.append(prediction)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return score(prediction)

    monkeypatch.setattr(training, "score_epoch", interrupted)
    outcome = run_here("train", tiny_recipe, "--out", "model")
    first, *rest = outcome.err.splitlines()
    assert re.fullmatch(
        r"claimstance: \d+ steps of training; how far it is stands in model/training_log.jsonl",
        first,
    )
    assert (outcome.code, rest) == (130, ["", f"claimstance: stopped; {words}"])
    assert Path("model", "training_log.jsonl").is_file()


def test_from_recipe_to_onnx(
    run_here: Run, tiny_recipe: Path, tiny_corpus: Path, article: Path, tmp_path: Path
) -> None:
    content = tiny_recipe.read_text(encoding="utf-8")
    tiny_recipe.write_text(content.replace("epochs = 12", "epochs = 1"), encoding="utf-8")
    outcome = run_here("train", "tiny.toml", "--out", "model")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "wrote model")
    outcome = run_here("export", "model", "--out", "onnx", "--corpus", tiny_corpus, "--no-quantise")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == (
        "same stance on 100.00% and same certainty on 100.00% of 14 dev sentences"
    )
    assert re.fullmatch(r"wrote onnx \(0\.\d MB\)", outcome.out.splitlines()[-1])
    assert run_here("classify", "mill.txt", "--model", "onnx").code == 0


def test_the_baseline_from_the_command_line(
    run_here: Run, tiny_corpus: Path, article: Path, tmp_path: Path
) -> None:
    recipe = f"kind = 'baseline'\nname = 'words'\ncorpus = '{tiny_corpus}'\nseed = 1\n"
    (tmp_path / "words.toml").write_text(recipe, encoding="utf-8")
    outcome = run_here("train", "words.toml", "--out", "model")
    assert (outcome.code, outcome.out, outcome.err) == (0, "wrote model\n", "")
    assert run_here("classify", "mill.txt", "--model", "model", "-o", "p.jsonl").code == 0
    assert {p.model for p in read_records(tmp_path / "p.jsonl", Prediction)} == {"words"}


def test_only_a_trained_network_is_exported(
    run_here: Run, tiny_onnx: Path, tiny_corpus: Path
) -> None:
    refused(
        run_here("export", tiny_onnx, "--out", "out", "--corpus", tiny_corpus),
        f"{tiny_onnx}: expected a trained network (model.safetensors), found none",
    )


# Evaluating and reporting.


@pytest.fixture
def predicted(run_here: Run, tiny_onnx: Path, tiny_corpus: Path, tmp_path: Path) -> Path:
    """Predictions for the test split."""
    outcome = run_here(
        "classify", tiny_corpus, "--split", "test", "--model", tiny_onnx, "-q", "-o", "p.jsonl"
    )
    assert outcome.code == 0
    return tmp_path / "p.jsonl"


def test_evaluating(run_here: Run, predicted: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    gold = tiny_corpus / "test.jsonl"
    outcome = run_here("evaluate", "--gold", gold, "--predictions", "p.jsonl", "--out", "scores")
    assert (outcome.code, outcome.err) == (0, "")
    assert (tmp_path / "scores" / "README.md").read_text("utf-8").strip() == outcome.out.strip()
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text("utf-8"))
    assert (scores["articles"], scores["sentences"]) == (2, 14)
    labels = {(s.article_id, s.position): s.stance for s in read_records(gold, LabelledSentence)}
    right = [labels[p.article_id, p.position] == p.stance for p in read_records(
        predicted, Prediction)]  # fmt: skip
    assert scores["stance"]["accuracy"]["value"] == pytest.approx(sum(right) / 14)
    assert (tmp_path / "scores" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert f"claimstance evaluate --gold {gold} --predictions p.jsonl --out scores" in outcome.out
    assert "](confusion.png)" in outcome.out
    told = run_here("evaluate", "--gold", gold, "--predictions", "p.jsonl")
    assert (told.code, "confusion.png" in told.out) == (0, False)


def test_comparing(run_here: Run, predicted: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    gold = tiny_corpus / "test.jsonl"
    labels = {(s.article_id, s.position): s for s in read_records(gold, LabelledSentence)}
    perfect = [
        p.model_copy(
            update={
                name: getattr(labels[p.article_id, p.position], name)
                for name in ("stance", "certainty", "source", "cues")
            }
        )
        for p in read_records(predicted, Prediction)
    ]
    write_records(tmp_path / "best.jsonl", perfect)
    outcome = run_here("compare", "p.jsonl", "best.jsonl", "--gold", gold, "--out", "compared")
    assert (outcome.code, outcome.err) == (0, "")
    page = (tmp_path / "compared" / "README.md").read_text("utf-8")
    assert page.strip() == outcome.out.strip()
    result = json.loads((tmp_path / "compared" / "comparison.json").read_text("utf-8"))
    assert result["stance"][0]["second"] == 1
    assert result["stance"][1]["counts"][0] == 0
    assert 0 <= result["stance"][1]["p_value"] <= 1
    refused(
        run_here("compare", "p.jsonl", "none.jsonl", "--gold", gold),
        "none.jsonl: expected a file that can be read, found no such file or directory",
    )


def test_evaluating_what_is_not_all_there(
    run_here: Run, predicted: Path, tiny_corpus: Path
) -> None:
    found = read_records(predicted, Prediction)
    gold = tiny_corpus / "test.jsonl"

    def outcome_of(predictions: list[Prediction]) -> Any:
        write_records(predicted, predictions)
        return run_here("evaluate", "--gold", gold, "--predictions", "p.jsonl")

    refused(
        outcome_of(found[:-3]),
        "p.jsonl: expected a prediction for each of the 14 gold sentences, found none for 3 of "
        "them, the first in article 'e02', position 4. To mend it: classify the articles of the "
        "gold file, with their own sentences.",
    )
    refused(
        outcome_of([found[0].model_copy(update={"text": "Another"}), *found[1:]]),
        f"p.jsonl, article 'e01', position 0: expected the sentence {found[0].text[:50]!r}, found "
        "'Another'. To mend it: classify the sentences of the gold file, not sentences split anew.",
    )
    refused(outcome_of([*found, found[0]]), "p.jsonl: expected each sentence once, found article")
    refused(outcome_of([]), "p.jsonl: expected one Prediction record per line, found an empty")
    predicted.unlink()
    refused(
        run_here("evaluate", "--gold", gold, "--predictions", "p.jsonl"),
        "p.jsonl: expected a file that can be read, found no such file or directory",
    )


def test_gold_in_place_of_predictions(run_here: Run, tiny_corpus: Path) -> None:
    gold = tiny_corpus / "test.jsonl"
    refused(
        run_here("evaluate", "--gold", gold, "--predictions", gold),
        f"{gold}, line 1: expected a Prediction record (article_id, position, start, end, text, ",
    )


def test_reporting(run_here: Run, predicted: Path, tmp_path: Path) -> None:
    outcome = run_here("report", "p.jsonl", "-o", "r.html")
    assert (outcome.code, outcome.out, outcome.err) == (0, "wrote r.html\n", "")
    assert (tmp_path / "r.html").stat().st_size > 10_000
    refused(
        run_here("report", "p.jsonl", "-o", "r.csv"),
        "r.csv: expected a page to write, ending in .html, found the ending '.csv'. To mend it: "
        "name it, for example, report.html.",
    )
    refused(
        run_here("report", "r.html", "-o", "r2.html"),
        "r.html, line 1: expected a JSON object, found broken JSON",
    )


# Labels without their text.


def test_aligning(run_here: Run, articles: list[LabelledArticle], tmp_path: Path) -> None:
    text = "\n\n".join(s.text for s in articles[0].sentences)
    (tmp_path / "storm.md").write_text(text, encoding="utf-8")
    labels = [take_off(s, text.index(s.text)) for s in articles[0].sentences]
    write_records(tmp_path / "labels.jsonl", labels)
    outcome = run_here("align", "labels.jsonl", "storm.md", "-o", "gold.jsonl")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "wrote gold.jsonl: 7 labelled sentences\n"
    gold = read_records(tmp_path / "gold.jsonl", LabelledSentence)
    assert [s.text for s in gold] == [s.text for s in articles[0].sentences]

    refused(
        run_here("align", "labels.jsonl", "none.md", "-o", "gold2.jsonl"),
        "none.md: expected the article that the labels were made for, in UTF-8, found no file that "
        "can be read. To mend it: get a copy of the article (these labels come without its text) "
        "and name it.",
    )
    (tmp_path / "storm.md").write_text(text.replace("villages", "towns"), encoding="utf-8")
    refused(
        run_here("align", "labels.jsonl", "storm.md", "-o", "gold2.jsonl"),
        f"storm.md, characters 0 to {labels[0].end}: expected the sentence with SHA-256 "
        f"{labels[0].sha256[:12]}…, found another text (",
    )
    assert not (tmp_path / "gold2.jsonl").exists()


def test_stand_off_labels_that_the_scheme_does_not_allow(
    run_here: Run, articles: list[LabelledArticle], tmp_path: Path
) -> None:
    text = articles[0].sentences[0].text
    (tmp_path / "storm.md").write_text(text, encoding="utf-8")
    label = take_off(articles[0].sentences[0], 0)
    row = label.model_dump(mode="json") | {"stance": "no_claim"}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert StandoffSentence.model_fields
    outcome = run_here("align", "labels.jsonl", "storm.md", "-o", "gold.jsonl")
    refused(outcome, "certainty must be null for no_claim")


# The corpus.


def test_from_drafts_to_a_settled_corpus(
    run_here: Run, tiny_corpus: Path, articles: list[LabelledArticle], tmp_path: Path
) -> None:
    data = DataFolder(tiny_corpus.parent)
    second = read_records(data.second, SentenceLabels)
    write_records(data.second, [s for s in second if s.article_id != "d01"])
    outcome = run_here("corpus", "sheets", "sheets", "--data", "data", "--id", "d01", "--id", "e01")
    assert outcome.out == "wrote 2 sheets to sheets\n"
    refused(
        run_here("corpus", "sheets", "sheets", "--data", "data", "--id", "e01"),
        "sheets/e01.txt: expected a sheet that is not yet written, found one that is.",
    )
    sheets = sorted((tmp_path / "sheets").iterdir())
    assert [p.name for p in sheets] == ["d01.txt", "e01.txt"]
    blind = sheets[0].read_text(encoding="utf-8")
    sheets[0].write_text(blind.replace("= ?", "= no_claim"), encoding="utf-8")
    outcome = run_here("corpus", "second", "sheets/d01.txt", "--data", "data")
    assert outcome.out == "added the labels of 7 sentences\n"
    refused(
        run_here("corpus", "second", "sheets/e01.txt", "--data", "data"),
        "sheets/e01.txt, line 10: expected a line '= labels' after the sentence, found none",
    )

    outcome = run_here("corpus", "agreement", "data")
    assert outcome.code == 0
    assert "dev stance: 14 sentences, same label 0.571 [" in outcome.out
    assert "test stance: 14 sentences, same label 1.000 [1.000, 1.000]" in outcome.out

    write_records(data.settled, [])
    refused(
        run_here("corpus", "settle", "--data", "data"),
        "data/annotations/settled.jsonl: expected one SettledLabels record per line, found an",
    )
    first = [s for s in articles[8].sentences if s.stance != "no_claim"]
    decisions = [
        SettledLabels(reason="the first is right", **s.model_dump(exclude={"text"})) for s in first
    ]
    write_records(data.settled, decisions[:-1])
    refused(
        run_here("corpus", "settle", "--data", "data"),
        "data/annotations/settled.jsonl: expected a decision on every disagreement of the two "
        "passes, found none on article 'd01', position 6",
    )
    open_one = SentenceLabels(article_id="d01", position=6, stance="no_claim", certainty=None)
    last = SettledLabels(reason="the second is right", **open_one.model_dump())
    write_records(data.settled, [*decisions[:-1], last])
    assert run_here("corpus", "settle", "--data", "data").out == "changed 1 sentence\n"
    assert load_all(data)[8].sentences[6].stance == "no_claim"

    outcome = run_here("corpus", "check", "data", "--out", "statistics.md")
    # A dozen articles cannot have every topic: some checks fail, and the exit code says so.
    assert (outcome.code, outcome.err) == (1, "")
    assert "FAILS  every topic at least 5% of the articles: rarest: " in outcome.out
    assert "ok     the corpus follows from passes and decisions: 0 labels differ" in outcome.out
    assert (tmp_path / "statistics.md").read_text("utf-8").startswith("# The corpus in figures")


def test_adding_a_draft_twice(run_here: Run, tiny_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "b01.txt").write_text(
        "id: b01\ntitle: Bells\ngenre: local paper\ntopic: science\nsplit: dev\n"
        "spelling: British\norigin: synthetic\nnotes: short\n\n> Bells\n= asserted certain\n",
        encoding="utf-8",
    )
    outcome = run_here("corpus", "add", "b01.txt", "--data", "data")
    assert outcome.out == "added 1 article, 1 sentence\n"
    refused(
        run_here("corpus", "add", "b01.txt", "--data", "data"),
        "b01.txt: expected an article id that is not yet in the corpus, found b01",
    )


def test_a_sheet_of_an_unknown_article(run_here: Run, tiny_corpus: Path) -> None:
    refused(run_here("corpus", "sheets", "sheets", "--data", "data", "--id", "x9"), "x9")


def test_an_output_never_replaces_what_is_read(
    run_here: Run, tmp_path: Path, tiny_onnx: Path
) -> None:
    """A file in a folder that is read, one that a glob matches, the gold sentences themselves."""
    corpus, news = tmp_path / "corpus", tmp_path / "news"
    shutil.copytree(ROOT / "data" / "corpus", corpus)
    news.mkdir()
    (news / "a.csv").write_text("id,text\n1,It rained.\n", encoding="utf-8")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for inputs, output in [
        ([corpus, "--split", "test"], corpus / "test.jsonl"),
        ([news], news / "a.csv"),
        ([news / "*.csv"], news / "a.csv"),
    ]:
        outcome = run_here("classify", *inputs, "--model", tiny_onnx, "-o", output)
        refused(outcome, "expected an output that is no input")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    # A new file in the folder is nobody's.
    assert run_here("classify", news, "--model", tiny_onnx, "-o", news / "b.csv").code == 0


@pytest.mark.parametrize(
    ("command", "title"), [("evaluate", "Evaluation"), ("compare", "Comparison")]
)
def test_a_page_of_somebody_else_is_not_written_over(
    run_here: Run, tmp_path: Path, command: str, title: str
) -> None:
    page = tmp_path / "README.md"
    page.write_text("# My project\n", encoding="utf-8")
    gold = ROOT / "data" / "corpus" / "dev.jsonl"
    predictions = ROOT / "evaluation" / "results" / "fast-int8" / "dev.jsonl"
    files = ["--predictions", predictions] if command == "evaluate" else [predictions, predictions]
    outcome = run_here(command, *files, "--gold", gold, "--out", tmp_path)
    refused(outcome, f"which begins with '# {title}'")
    assert page.read_text(encoding="utf-8") == "# My project\n"


def test_a_file_of_predictions_with_a_fault_is_refused_by_name(
    run_here: Run, tmp_path: Path
) -> None:
    """A sentence missing, one too many, one twice, an unknown label: by both commands."""
    gold = ROOT / "data" / "corpus" / "dev.jsonl"
    good = ROOT / "evaluation" / "results" / "fast-int8" / "dev.jsonl"
    lines = good.read_text(encoding="utf-8").splitlines()
    second = json.loads(lines[1])
    place = f"article '{second['article_id']}', position {second['position']}"
    extra = json.dumps(second | {"article_id": "another"})
    unknown = json.dumps(second | {"stance": "doubtful"})
    faulty = tmp_path / "p.jsonl"
    for content, words in [
        ([lines[0], *lines[2:]], f"found none for 1 of them, the first in {place}"),
        ([*lines, extra], "found 1 others, the first in article 'another', position"),
        ([*lines, lines[1]], f"found {place} twice"),
        ([lines[0], unknown, *lines[2:]], f"{faulty}, line 2: expected a Prediction record"),
    ]:
        faulty.write_text("\n".join(content), encoding="utf-8")
        refused(run_here("evaluate", "--gold", gold, "--predictions", faulty), words)
        refused(run_here("compare", good, faulty, "--gold", gold), words)
    faulty.write_text("\n".join([*lines, extra]), encoding="utf-8")
    outcome = run_here("evaluate", "--gold", gold, "--predictions", faulty, "--only-gold")
    assert (outcome.code, f"{len(lines)} sentences" in outcome.out) == (0, True)
