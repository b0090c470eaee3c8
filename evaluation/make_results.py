"""Makes the results pages: every figure on the project's own corpus comes from here.

    python evaluation/make_results.py --models models [--ship]

Labels the test split with each model, scores it, and writes ``evaluation/results``
and the table in ``README.md``. With ``--ship`` the exported model is copied into the
package, with its model card. Called by ``make reproduce``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cue_rules

from claimstance import __version__
from claimstance.annotation import DataFolder, agreement
from claimstance.corpus import load_split
from claimstance.evaluation import (
    Evaluation,
    LabelScore,
    draw_confusion,
    evaluate,
    markdown_page,
    pair_up,
)
from claimstance.export import Gate, compare
from claimstance.inference import SHIPPED, load_model
from claimstance.prediction import as_article, predict_split
from claimstance.records import Prediction, write_records, write_text
from claimstance.settings import load_settings
from claimstance.statistics import RESAMPLES, SEED

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "evaluation" / "results"
DATA = DataFolder(ROOT / "data")

#: The rival without training.
RULES = "cue-rules"
#: Folder of each model under ``--models``, and what it is called in the table.
MODELS = {
    "tfidf": "TF-IDF + logistic regression",
    "minilm": "MiniLM, fine-tuned (fp32)",
    "minilm-int8": "MiniLM, fine-tuned (int8 ONNX, ships)",
}
LABELS = {RULES: "cue-word rules, no training", **MODELS}
SECOND_PASS = "second annotation pass, against the first"
HEAD = (
    "| on the test split | stance macro-F1 | stance accuracy | certainty macro-F1 "
    "| source overlap F1 | cue overlap F1 |\n| --- | --: | --: | --: | --: | --: |"
)


def main() -> None:
    """Score every model and write every page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of the model folders")
    parser.add_argument("--ship", action="store_true", help="put the export into the package")
    arguments = parser.parse_args()

    test = load_split(DATA.corpus, "test")
    scores = {RULES: publish(RULES, cue_rules.predict(map(as_article, test)))}
    for name in MODELS:
        scores[name] = publish(name, predict_split(load_model(arguments.models / name), test))
    gate = compare(
        arguments.models / "minilm",
        arguments.models / "minilm-int8",
        load_split(DATA.corpus, "dev"),
    )
    table = results_table(scores)
    write_text(RESULTS / "README.md", results_page(table, gate))
    fill_block(ROOT / "README.md", "results", table)
    if arguments.ship:
        ship(arguments.models / "minilm-int8", scores["minilm-int8"], gate)
        fill_block(ROOT / "README.md", "demo", f"```text\n{demo_output()}\n```")
    print(table)


def publish(name: str, predictions: list[Prediction]) -> Evaluation:
    """Keep predictions for the test split, score them, and write their page."""
    articles = load_split(DATA.corpus, "test")
    out = RESULTS / name
    write_records(out / "test.jsonl", predictions)
    gold = [s for article in articles for s in article.sentences]
    result = evaluate(pair_up(gold, predictions, name))
    write_text(out / "scores.json", json.dumps(result.as_dict(), indent=2) + "\n")
    command = (
        "claimstance evaluate --gold data/corpus/test.jsonl "
        f"--predictions evaluation/results/{name}/test.jsonl --out evaluation/results/{name}"
    )
    page = markdown_page(
        result,
        gold="data/corpus/test.jsonl",
        predictions=f"evaluation/results/{name}/test.jsonl",
        command=command,
    )
    write_text(out / "README.md", page)
    draw_confusion(result, out / "confusion.png")
    return result


def results_table(scores: dict[str, Evaluation]) -> str:
    """The models and the agreement of the two annotation passes, one row each."""
    rows = [table_row(label, scores[name]) for name, label in LABELS.items()]
    return "\n".join([HEAD, *rows, table_row(SECOND_PASS, agreement(DATA)["test"])])


def table_row(name: str, result: Evaluation) -> str:
    """A model's figures as one row under `HEAD`."""
    figures = (
        result.stance.macro_f1,
        result.stance.accuracy,
        result.certainty.macro_f1,
        result.source.overlap_f1,
        result.cues.overlap_f1,
    )
    return f"| {name} | " + " | ".join(map(str, figures)) + " |"


def results_page(table: str, gate: Gate) -> str:
    """The page in ``evaluation/results``."""
    articles = load_split(DATA.corpus, "test")
    sentences = sum(len(a.sentences) for a in articles)
    links = [f"- [{label}]({name}/README.md)" for name, label in LABELS.items()]
    links.append("- [on real news](real-news.md), [on other people's labels](external.md)")
    return "\n".join(
        [
            "# Results",
            "",
            "Made by `make reproduce` (`evaluation/make_results.py`); no number here is typed.",
            "",
            f"Test split: {sentences} sentences of {len(articles)} articles, which training has "
            f"not seen. In brackets: bootstrap 95% intervals, {RESAMPLES} resamples by article, "
            f"seed {SEED}. The models were trained with the seeds of their recipes in "
            "`training/recipes`.",
            "",
            table,
            "",
            "Both annotation passes and the articles themselves come from one language model, so "
            "their agreement flatters the scheme: see the "
            "[dataset card](../../data/dataset_card.md). On real news expect less.",
            "",
            "## Page of each model",
            "",
            *links,
            "",
            "## What the export costs",
            "",
            f"On dev ({gate.sentences} sentences) the int8 model gives the same stance as the "
            f"trained one on {gate.stance_same:.2%} and the same certainty on "
            f"{gate.certainty_same:.2%}. Macro-F1 lost: stance {gate.stance_drop:+.2f}, certainty "
            f"{gate.certainty_drop:+.2f} points. Size of the weights: {gate.megabytes:.1f} MB.",
            "",
        ]
    )


def demo_output() -> str:
    """What `make demo` prints, in a terminal of 110 columns."""
    command = [sys.executable, "-m", "claimstance", "classify", "data/demo/article.md"]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "110", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in run.stdout.splitlines())


def fill_block(path: Path, name: str, content: str) -> None:
    """Replace what stands between the two markers of a block in a page."""
    start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(start)
    _, _, after = rest.partition(end)
    write_text(path, f"{before}{start}\n{content}\n{end}{after}")


def ship(folder: Path, result: Evaluation, gate: Gate) -> None:
    """Copy the exported model into the package, with its card."""
    SHIPPED.mkdir(exist_ok=True)
    for file in sorted(folder.iterdir()):
        shutil.copyfile(file, SHIPPED / file.name)
    write_text(SHIPPED / "README.md", model_card(folder, result, gate))


def model_card(folder: Path, result: Evaluation, gate: Gate) -> str:
    """The card of the model that ships (Mitchell et al. 2019, "Model cards for …")."""
    settings = load_settings(folder)
    windows = settings.windows
    assert windows is not None
    recipe = (ROOT / "training" / "recipes" / "minilm.toml").read_text(encoding="utf-8")
    train = load_split(DATA.corpus, "train")
    return "\n".join(
        [
            "---",
            "license: apache-2.0",
            "language: en",
            "base_model: sentence-transformers/all-MiniLM-L6-v2",
            "pipeline_tag: text-classification",
            "---",
            "",
            f"# {settings.name}",
            "",
            "Says of each sentence of a news article how the text stands to its main claim (six "
            "stances), how firmly (three certainties), who makes the claim and which words "
            "decided. "
            f"The model that ships with claimstance {__version__}.",
            "",
            "## How it was made",
            "",
            f"MiniLM-L6, fine-tuned on {sum(len(a.sentences) for a in train)} "
            f"sentences of {len(train)} articles, exported to ONNX with weights in int8 "
            f"({gate.megabytes:.1f} MB). Windows of up to {windows.max_tokens} tokens, title "
            f"first, {windows.context_sentences} sentences of context. `make "
            "reproduce` trains one like it; how like, says "
            "[training/README.md](../../training/README.md). The recipe:",
            "",
            "```toml",
            recipe.rstrip(),
            "```",
            "",
            "## How well it does",
            "",
            f"On the project's own test split ({result.sentences} sentences, {result.articles} "
            f"articles; bootstrap 95% intervals by article, {RESAMPLES} resamples, seed {SEED}; "
            "command: `make reproduce`):",
            "",
            HEAD,
            table_row(settings.name, result),
            "",
            *_class_rows("stance", result.stance),
            *_class_rows("certainty", result.certainty),
            f"Against the model before export, on dev: same stance on {gate.stance_same:.2%}, "
            f"same certainty on {gate.certainty_same:.2%} of the sentences. Probabilities are "
            f"calibrated on dev (temperatures: stance {settings.temperatures.stance}, certainty "
            f"{settings.temperatures.certainty}).",
            "",
            "## Limits",
            "",
            "- Trained on synthetic articles: written with a language model for this project, and "
            "labelled by the same means. On real news expect lower scores than these.",
            "- English only; news reporting only; one label per sentence, that of its main claim.",
            "- It says how a text stands to a claim, never whether the claim is true.",
            "- Read the probabilities: the report flags sentences that deserve a second look.",
            "",
        ]
    )


def _class_rows(name: str, score: LabelScore) -> list[str]:
    rows = [f"| {label} | {c.support} | {c.f1} |" for label, c in score.classes.items()]
    return [f"| {name} | sentences | F1 |", "| --- | --: | --: |", *rows, ""]


if __name__ == "__main__":
    main()
