"""The card of the model that ships (Mitchell et al. 2019, "Model cards for model reporting")."""

from __future__ import annotations

from results_page import SHIPS, Scores, head, row
from scores import DATA, ROOT

from claimstance import __version__
from claimstance.corpus import load_split
from claimstance.evaluation import LabelScore
from claimstance.inference import ONNX_FILE, SHIPPED
from claimstance.statistics import RESAMPLES, SEED


def model_card(scores: Scores) -> str:
    """The card: how it was made, how well it does, what it cannot do."""
    settings, result = scores.settings, scores.test[SHIPS]
    windows = settings.windows
    assert windows is not None
    recipe = (ROOT / "training" / "recipes" / "minilm.toml").read_text(encoding="utf-8")
    train = load_split(DATA.corpus, "train")
    megabytes = (SHIPPED / ONNX_FILE).stat().st_size / 1e6
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
            f"decided. The model that ships with claimstance {__version__}.",
            "",
            "## How it was made",
            "",
            f"MiniLM-L6, fine-tuned on {sum(len(a.sentences) for a in train)} sentences of "
            f"{len(train)} articles, exported to ONNX with weights in int8 ({megabytes:.1f} MB). "
            f"Windows of up to {windows.max_tokens} tokens, title first, "
            f"{windows.context_sentences} sentences of context. `make reproduce` makes it again. "
            "The recipe:",
            "",
            "```toml",
            recipe.rstrip(),
            "```",
            "",
            "## How well it does",
            "",
            f"On the project's own test split ({result.sentences} sentences, {result.articles} "
            f"articles; bootstrap 95% intervals by article, {RESAMPLES} resamples, seed {SEED}; "
            "command: `make evaluate`):",
            "",
            *head("on the test split"),
            row(settings.name, result),
            "",
            *_class_rows("stance", result.stance),
            *_class_rows("certainty", result.certainty),
            *_real_news(scores),
            *_export(scores),
            "Probabilities are calibrated on dev (temperatures: stance "
            f"{settings.temperatures.stance}, certainty {settings.temperatures.certainty}); "
            "expected calibration error of the stance on the test split: "
            f"{scores.worth['test'].stance.calibration_error}. The rest is on "
            "[the results page](../../evaluation/results/README.md): rivals, slices, behaviour, "
            "whether it takes sides, and its mistakes.",
            "",
            "## Limits",
            "",
            "- Trained on synthetic articles: written with a language model for this project, and "
            "labelled by the same means. On real news expect lower scores than on the test split.",
            "- English only; news reporting only; one label per sentence, that of its main claim.",
            "- It says how a text stands to a claim, never whether the claim is true.",
            "- Read the probabilities: `claimstance classify --abstain 0.9` marks the sentences "
            "that deserve a person.",
            "",
        ]
    )


def _class_rows(name: str, score: LabelScore) -> list[str]:
    rows = [f"| {label} | {c.support} | {c.f1} |" for label, c in score.classes.items()]
    return [f"| {name} | sentences | F1 |", "| --- | --: | --: |", *rows, ""]


def _real_news(scores: Scores) -> list[str]:
    ours = scores.outside.systems.get(SHIPS)
    if ours is None or ours.real_news is None:
        return []
    result = ours.real_news
    return [
        f"On real news ({result.sentences} sentences that helped to choose it): stance macro-F1 "
        f"{result.stance.macro_f1}, certainty macro-F1 {result.certainty.macro_f1}.",
        "",
    ]


def _export(scores: Scores) -> list[str]:
    if scores.export is None:
        return []
    return [
        f"Against the model before export, on dev: same stance on {scores.export.stance_same:.2%}, "
        f"same certainty on {scores.export.certainty_same:.2%} of the sentences.",
        "",
    ]
