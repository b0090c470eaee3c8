"""The cards of the two models (Mitchell et al. 2019, "Model cards for model reporting")."""

from __future__ import annotations

from dataclasses import dataclass

from results_page import LARGE, SHIPS, Scores, head, row
from scores import DATA, ROOT

from claimstance import __version__
from claimstance.corpus import load_split
from claimstance.evaluation import LabelScore
from claimstance.inference import ONNX_FILE, SHIPPED
from claimstance.recipes import TransformerRecipe, load_recipe
from claimstance.silver import load_silver
from claimstance.statistics import RESAMPLES, SEED


@dataclass(frozen=True, slots=True)
class Subject:
    """What a card is about: a system, and where its files are.

    Attributes:
        system: its name among the systems that are compared.
        trained: the system whose training made it.
        recipe: name of its file among the recipes.
        backbone: name on the hub.
        lead: what it is, in a sentence.
        how: how it was made and can be made again, after the words on the corpus.
        root: where the repository begins, as seen from the card.
    """

    system: str
    trained: str
    recipe: str
    backbone: str
    lead: str
    how: str
    root: str


def small_card(scores: Scores) -> str:
    """The card of the model that ships."""
    megabytes = (SHIPPED / ONNX_FILE).stat().st_size / 1e6
    subject = Subject(
        system=SHIPS,
        trained="fast",
        recipe="fast.toml",
        backbone="sentence-transformers/all-MiniLM-L6-v2",
        lead=f"The model that ships with claimstance {__version__}.",
        how=f"exported to ONNX in int8 ({megabytes:.1f} MB). `make reproduce` makes it again.",
        root="../..",
    )
    return model_card(scores, subject)


def large_card(scores: Scores) -> str | None:
    """The card of the large model; None where its labels of the test split are not there."""
    if LARGE not in scores.test:
        return None
    subject = Subject(
        system=LARGE,
        trained=LARGE,
        recipe="mpnet.toml",
        backbone="sentence-transformers/all-mpnet-base-v2",
        lead="The large model: its weights (440 MB) are not in the repository. Those that the "
        "figures here are of were trained before the corpus had its last articles "
        "([training](../../../training/README.md#larger-taught)).",
        how="`claimstance train training/recipes/mpnet.toml --out models/mpnet` makes it (extra "
        "`large`).",
        root="../../..",
    )
    return model_card(scores, subject)


def model_card(scores: Scores, subject: Subject) -> str:
    """A card: how the model was made, how well it does, what it cannot do."""
    result = scores.test[subject.system]
    path = ROOT / "training" / "recipes" / subject.recipe
    recipe = load_recipe(path)
    assert isinstance(recipe, TransformerRecipe)
    train = load_split(DATA.corpus, "train")
    return "\n".join(
        [
            "---",
            "license: apache-2.0",
            "language: en",
            f"base_model: {subject.backbone}",
            "pipeline_tag: text-classification",
            "---",
            "",
            f"# {recipe.name if subject.system == subject.trained else subject.system}",
            "",
            "Says of each sentence of a news article how the text stands to its main claim (six "
            "stances), how firmly (three certainties), who makes the claim and which words "
            f"decided. {subject.lead}",
            "",
            "## How it was made",
            "",
            f"{subject.backbone.rpartition('/')[2]}, fine-tuned on the train split of the "
            f"project's corpus, now {sum(len(a.sentences) for a in train)} sentences of "
            f"{len(train)} articles ([dataset card]({subject.root}/data/dataset_card.md)); "
            f"{_reduced(recipe, subject.root)}{subject.how} "
            f"Windows of up to {recipe.windows.max_tokens} tokens, title first, "
            f"{recipe.windows.context_sentences} sentences of context.",
            "",
            *_cost(scores, subject),
            "The recipe:",
            "",
            "```toml",
            path.read_text(encoding="utf-8").rstrip(),
            "```",
            "",
            "## How well it does",
            "",
            f"On the project's own test split ({result.sentences} sentences, {result.articles} "
            f"articles; bootstrap 95% intervals by article, {RESAMPLES} resamples, seed {SEED}; "
            "command: `make evaluate`):",
            "",
            *head("on the test split"),
            row(subject.system, result),
            "",
            *_class_rows("stance", result.stance),
            *_class_rows("certainty", result.certainty),
            *_outside(scores, subject.system),
            *(_of_what_ships(scores) if subject.system == SHIPS else []),
            f"The rest is on [the results page]({subject.root}/evaluation/results/README.md): "
            "rivals, slices, behaviour, whether it takes sides, and its mistakes.",
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


def _reduced(recipe: TransformerRecipe, root: str) -> str:
    """How a student was made of its teacher; nothing for others."""
    if recipe.student is None:
        return ""
    kept = f"its layers {', '.join(map(str, recipe.student.layers))} (counted from 0)"
    if recipe.student.neurons:
        kept += f", with {recipe.student.neurons:,} neurons in each feed-forward block"
    taught = "to say what the whole says"
    if recipe.silver:
        silver = load_silver(recipe.silver).articles
        sentences = sum(len(a.sentences) for a in silver)
        taught += (
            f", and what the large model says of {sentences:,} sentences more, of {len(silver):,} "
            "articles that nobody else has labelled"
        )
    return (
        f"then reduced to {kept}, which learnt {taught} ([training]({root}/training/README.md)); "
    )


def _cost(scores: Scores, subject: Subject) -> list[str]:
    """What the training took, and whether it was on another state of the corpus."""
    cost = scores.rivals.of(subject.trained) if scores.rivals else None
    if scores.rivals is None or cost is None or cost.training_processor_seconds is None:
        return []
    minutes = cost.training_processor_seconds / 60
    earlier = (
        ""
        if cost.made_of == scores.corpus
        else " That was on an earlier state of the corpus (see the results page)."
    )
    return [
        f"Training took {minutes:.0f} minutes of processor time ({scores.rivals.machine}, no "
        f"graphics card; seed and all settings are in the recipe).{earlier}",
        "",
    ]


def _class_rows(name: str, score: LabelScore) -> list[str]:
    rows = [f"| {label} | {c.support} | {c.f1} |" for label, c in score.classes.items()]
    return [f"| {name} | sentences | F1 |", "| --- | --: | --: |", *rows, ""]


def _outside(scores: Scores, system: str) -> list[str]:
    """Scores on real news and on other people's labels."""
    found = scores.outside.systems.get(system)
    if found is None:
        return []
    lines = []
    if found.real_news:
        result = found.real_news
        lines += [
            f"On real news ({result.sentences} sentences that helped to choose it): stance "
            f"macro-F1 {result.stance.macro_f1}, certainty macro-F1 {result.certainty.macro_f1}.",
            "",
        ]
    if found.external:
        lines += ["Other people's labels, never trained on:", ""]
        lines += [f"- {s.name}, {s.measure}: {s.score} ({s.sentences})" for s in found.external]
        lines += [""]
    return lines


def _of_what_ships(scores: Scores) -> list[str]:
    """The export, and how the probabilities are calibrated."""
    lines = []
    if scores.export:
        lines += [
            f"Against the model before export, on dev: same stance on "
            f"{scores.export.stance_same:.2%}, same certainty on "
            f"{scores.export.certainty_same:.2%} of the sentences.",
            "",
        ]
    temperatures = scores.settings.temperatures
    return [
        *lines,
        f"Probabilities are calibrated on dev (temperatures: stance {temperatures.stance}, "
        f"certainty {temperatures.certainty}); expected calibration error of the stance on the "
        f"test split: {scores.worth['test'].stance.calibration_error}.",
        "",
    ]
