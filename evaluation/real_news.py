"""Scores models on real news: sentences whose text the project may not copy.

    python evaluation/real_news.py --models models --datasets FOLDER [--article article.md]

``FOLDER`` holds your copies of the datasets that ``data/standoff/real-news-dev.jsonl``
labels (``polnear.jsonl``, ``gum_news.jsonl``, ``szeged_news.jsonl``); ``--article`` is a
copy of the article that ``data/standoff/belgorod.jsonl`` labels. Writes
``evaluation/results/real-news.md`` and the table in ``README.md``. Nothing is trained
or calibrated on these sentences; they are for choosing between models.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import cue_rules
from make_results import (
    DATA,
    HEAD,
    LABELS,
    MODELS,
    RESULTS,
    ROOT,
    RULES,
    SECOND_PASS,
    fill_block,
    table_row,
)

from claimstance.articles import Article, read_articles
from claimstance.evaluation import Evaluation, Pair, evaluate, markdown_page, pair_up
from claimstance.inference import Model, load_model
from claimstance.prediction import predict
from claimstance.real_news import score_real_news, score_second_pass
from claimstance.records import Prediction, read_records, write_text
from claimstance.standoff import StandoffSentence, align
from claimstance.statistics import RESAMPLES, SEED

ARTICLE = DATA.standoff / "belgorod.jsonl"
SHIPS = "minilm-int8"


def main() -> None:
    """Score every model and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of the model folders")
    parser.add_argument("--datasets", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--article", type=Path, help="copy of the article with stand-off labels")
    arguments = parser.parse_args()

    models = {name: load_model(arguments.models / name) for name in MODELS}
    scores = {
        name: score_real_news(partial(predict, model), DATA, arguments.datasets)
        for name, model in models.items()
    }
    rules = score_real_news(cue_rules.predict, DATA, arguments.datasets)
    ceiling = score_second_pass(DATA, arguments.datasets)
    table = "\n".join(
        [
            HEAD.replace("test split", "real-news development set"),
            table_row(LABELS[RULES], rules),
            *(table_row(label, scores[name]) for name, label in MODELS.items()),
            table_row(SECOND_PASS, ceiling),
        ]
    )
    sections = [page(table, scores[SHIPS])]
    if arguments.article:
        sections.append(article_section(models[SHIPS], arguments.article))
    write_text(RESULTS / "real-news.md", "\n".join(sections))
    fill_block(ROOT / "README.md", "real-news", table)
    print("\n".join(sections))


def page(table: str, shipped: Evaluation) -> str:
    """The page, without the article."""
    details = markdown_page(
        shipped,
        gold=str(DATA.real_news.relative_to(ROOT)),
        predictions="the model that ships",
        command="",
    )
    classes = details[details.index("## Stance") :]
    return "\n".join(
        [
            "# On real news",
            "",
            "Made by `python evaluation/real_news.py --models models --datasets FOLDER --article "
            "article.md` (FOLDER: your copies of the datasets; see "
            "[data/README.md](../../data/README.md)).",
            "",
            f"{shipped.sentences} sentences of real news (US political news, newswire, Wikinews), "
            "labelled by the scheme in two passes blind to each other; no model was trained or "
            "calibrated on them, but they helped to choose the model and to see what the corpus "
            "lacked, and the cue rules were mended by them: the figures flatter both. About half "
            "of the first 530 were drawn at random, the others because a cue word of a rare "
            "stance or a hedge stands in them. Both passes were made with a language model, so "
            "their agreement is an upper bound. In brackets: bootstrap 95% intervals, "
            f"{RESAMPLES} resamples by article, seed {SEED}.",
            "",
            table,
            "",
            "## The model that ships, label by label",
            "",
            classes.replace("\n## ", "\n### ").replace("## Stance", "### Stance", 1),
        ]
    )


def article_section(model: Model, path: Path) -> str:
    """How the model agrees with the stand-off labels of the article the project began with."""
    gold = align(read_records(ARTICLE, StandoffSentence), path)
    articles = [a for a in read_articles([str(path)]) if isinstance(a, Article)]
    pairs = pair_up(gold, predict(model, articles), str(path))
    result = evaluate(pairs)
    return "\n".join(
        [
            "## The article that the project began with",
            "",
            f"Labels: `{ARTICLE.relative_to(ROOT)}`, {result.sentences} sentences. Same stance "
            f"on {_share(result.stance.accuracy.value, result.stance.sentences)}, same certainty "
            f"on {_share(result.certainty.accuracy.value, result.certainty.sentences)}. One "
            "article is one resample, so there is no interval. What earlier models got wrong on "
            "it helped to decide which articles were written, and once to choose between two "
            "recipes: this is a check, no test. Where the two differ:",
            "",
            "| sentence | label | model | probability |",
            "| --: | --- | --- | --: |",
            *_differences(pairs),
            "",
        ]
    )


def _share(accuracy: float, total: int) -> str:
    return f"{round(accuracy * total)} of {total} ({accuracy:.0%})"


def _differences(pairs: list[Pair]) -> list[str]:
    return [
        f"| {g.position} | {g.stance} | {p.stance} | {p.stance_probabilities[p.stance]:.2f} |"
        for g, p in pairs
        if isinstance(p, Prediction) and g.stance != p.stance
    ]


if __name__ == "__main__":
    main()
