"""Makes the results: scores the model that ships on everything, and writes every page.

    python evaluation/make_results.py [--datasets FOLDER [--article FILE] [--models FOLDER]]

Labels dev, test, the behaviour suites and the frames for neutrality with the model that
ships, and with ``--datasets`` the real-news set and other people's (what is not there is
skipped, and said). The rivals' labels of dev and test come from `evaluation/rivals.py`;
with ``--models``, where it left their folders, they are scored on the rest as well.
Writes ``evaluation/results``, the tables in ``README.md`` and the model card.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import cue_rules
import rivals
from error_page import error_page
from matplotlib.figure import Figure
from model_card import large_card, small_card
from outside import FILE as OUTSIDE_FILE
from outside import (
    OutsideScores,
    fingerprint,
    labels_fingerprint,
    look_closer,
    missing_datasets,
    must_lose_nothing,
    read_outside,
    score_article,
    score_outside,
    shared_sentences,
    still_valid,
    write_outside,
)
from results_page import (
    LARGE,
    SHIPS,
    Scores,
    behaviour_page,
    real_table,
    relative_speeds,
    results_page,
    test_table,
)
from scores import (
    DATA,
    RESULTS,
    ROOT,
    SUITES,
    export_cost,
    read_costs,
    read_pairs,
    score_behaviour,
    score_neutrality,
    score_worth,
)
from systems import LABELS, RULES, load

from claimstance import behaviour, neutrality
from claimstance.annotation import agreement
from claimstance.articles import Article
from claimstance.charts import (
    draw_confusion,
    draw_neutrality,
    draw_reliability,
    draw_risk_coverage,
    draw_slices,
    draw_speed,
    save_picture,
)
from claimstance.comparison import compare_predictions
from claimstance.corpus import load_split
from claimstance.errors import InputError, run_script
from claimstance.evaluation import Evaluation, by_article, evaluate, markdown_page
from claimstance.inference import ONNX_FILE, SHIPPED, load_model
from claimstance.prediction import Predict, as_article, predict
from claimstance.real_news import label_real_news
from claimstance.records import Split, write_records, write_text
from claimstance.settings import SETTINGS_FILE
from claimstance.slices import score_corpus_slices

SPLITS: tuple[Split, ...] = ("dev", "test")


def main() -> None:
    """Label, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=Path, help="folder with your copies of the datasets")
    parser.add_argument("--article", type=Path, help="copy of the article with stand-off labels")
    parser.add_argument("--models", type=Path, help="folder with the rivals' model folders")
    parser.add_argument("--most", type=int, help="at most so many sentences of an external set")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the results lie")
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()

    check_arguments(arguments)
    label_everything(arguments.out)
    outside = outside_scores(arguments)
    scores = score_everything(arguments.out, outside)
    write_pages(arguments.out, scores)
    if arguments.out == RESULTS:
        publish(scores)
    for line in skipped(outside):
        print(f"skipped: {line}")


def check_arguments(arguments: argparse.Namespace) -> None:
    """Refuse what would end in half of the results.

    Raises:
        InputError: if a folder or file is not there, or part of a set would be published.
    """
    for name in ("datasets", "article", "models"):
        path = getattr(arguments, name)
        if path is not None and not path.exists():
            raise InputError(
                f"--{name}", expected="what is there", found=str(path), fix="check the path"
            )
    if (arguments.article or arguments.most) and not arguments.datasets:
        raise InputError(
            "--article and --most", expected="--datasets too", found="none", fix="give both"
        )
    if arguments.most and arguments.out == RESULTS:
        raise InputError(
            "--most", expected="another folder as --out", found=str(RESULTS), fix="give --out"
        )


def ships() -> Predict:
    """The model that ships, as a function from articles to predictions."""
    return partial(predict, load_model())


def fingerprints(results: Path) -> dict[str, str]:
    """What tells each system from another state of it: its files, or what it said of test."""
    found = {
        name: fingerprint([path])
        for name in LABELS
        if (path := results / name / "test.jsonl").exists()
    }
    rules = Path(cue_rules.__file__)
    ours = [SHIPPED / ONNX_FILE, SHIPPED / SETTINGS_FILE]
    return found | {RULES: fingerprint([rules]), SHIPS: fingerprint(ours)}


def label_everything(results: Path) -> None:
    """Write what the model that ships, and the rules, say of all text in the repository."""
    texts: dict[str, list[Article]] = {
        "behaviour": list(behaviour.articles_of(behaviour.read_cases(SUITES)))
    }
    for split in SPLITS:
        texts[split] = [as_article(a) for a in load_split(DATA.corpus, split)]
    filled = list(neutrality.articles_of(*neutrality.read_frames(SUITES)))
    model = ships()
    for name, articles in (texts | {"neutrality": filled}).items():
        write_records(results / SHIPS / f"{name}.jsonl", model(articles))
    for name, articles in texts.items():
        write_records(results / RULES / f"{name}.jsonl", cue_rules.predict(articles))


def outside_scores(arguments: argparse.Namespace) -> OutsideScores:
    """Score what lies outside the repository; without it, what an earlier run kept.

    Raises:
        InputError: if a folder is missing, or the run would lose scores that were kept.
    """
    prints = fingerprints(arguments.out)
    kept = still_valid(read_outside(arguments.out), prints, SHIPS)
    if arguments.datasets is None:
        return kept
    systems: dict[str, Predict] = {RULES: cue_rules.predict, SHIPS: ships()}
    if arguments.models:
        others = [n for n in LABELS if n not in systems and (arguments.models / n).is_dir()]
        systems |= {name: load(name, arguments.models) for name in others}
    systems = {name: systems[name] for name in LABELS if name in systems}
    at_hand = not missing_datasets(arguments.datasets)
    real = {
        name: label_real_news(system, DATA, arguments.datasets) if at_hand else []
        for name, system in systems.items()
    }
    dev = by_article(read_pairs(arguments.out, SHIPS, "dev"))
    found = OutsideScores(
        labels=labels_fingerprint(),
        systems={
            name: score_outside(
                system, real[name], arguments.datasets, prints.get(name, ""), arguments.most
            )
            for name, system in systems.items()
        },
        closer=(
            look_closer(real, SHIPS, dev, load_model().settings, arguments.datasets)
            if at_hand
            else None
        ),
        article=score_article(ships(), arguments.article) if arguments.article else None,
        shared=shared_sentences(arguments.datasets),
    )
    must_lose_nothing(kept, found, arguments.out / OUTSIDE_FILE)
    write_outside(arguments.out, found)
    return found


def score_everything(results: Path, outside: OutsideScores) -> Scores:
    """Score the files in the results folder."""
    names = [name for name in LABELS if (results / name / "test.jsonl").exists()]
    pairs = {
        (name, split): read_pairs(results, name, split)
        for name in names
        for split in SPLITS
        if (results / name / f"{split}.jsonl").exists()
    }
    settings = load_model().settings
    dev = by_article(pairs[SHIPS, "dev"])
    outcomes = {
        name: score_behaviour(results, name)
        for name in names
        if (results / name / "behaviour.jsonl").exists()
    }
    trained = "fast"
    return Scores(
        test={name: evaluate(pairs[name, "test"]) for name in names},
        dev={name: evaluate(pairs[name, "dev"]) for name in names if (name, "dev") in pairs},
        agreement=agreement(DATA)["test"],
        worth={
            split: score_worth(dev, by_article(pairs[SHIPS, split]), settings) for split in SPLITS
        },
        slices={
            split: score_corpus_slices(pairs[SHIPS, split], load_split(DATA.corpus, split))
            for split in SPLITS
        },
        behaviour=outcomes[SHIPS],
        groups={name: behaviour.score_groups(found) for name, found in outcomes.items()},
        second_pass=behaviour.score_groups(behaviour.judge_second_pass(SUITES)),
        neutrality=score_neutrality(results, SHIPS),
        outside=outside,
        rivals=read_costs(results),
        corpus=rivals.fingerprint(rivals.CORPUS),
        ahead_of={
            name: compare_predictions(pairs[name, "test"], pairs[SHIPS, "test"])
            for name in names
            if name != SHIPS
        },
        export=export_cost(results, trained, SHIPS) if (trained, "dev") in pairs else None,
        settings=settings,
    )


def write_pages(results: Path, scores: Scores) -> None:
    """Write every page and picture into the results folder."""
    write_text(results / "README.md", results_page(scores))
    write_text(results / "errors.md", error_page(read_pairs(results, SHIPS, "dev")))
    write_text(results / "behaviour.md", behaviour_page(scores.behaviour))
    for name, result in scores.test.items():
        write_system_page(results / name, name, result)
    test = scores.worth["test"]
    closer = scores.outside.closer
    real = {"real news: stance": closer.worth.stance} if closer else {}
    pictures = {
        "reliability": draw_reliability(
            {"test: stance": test.stance, "test: certainty": test.certainty} | real
        ),
        "risk-coverage": draw_risk_coverage(
            {"dev": scores.worth["dev"].stance, "test split": test.stance}
            | ({"real news": closer.worth.stance} if closer else {})
        ),
        "slices": draw_slices(scores.slices),
        "neutrality": draw_neutrality(scores.neutrality),
        "speed": speed_picture(scores),
    }
    for name, picture in pictures.items():
        save_picture(picture, results / f"{name}.png")


def speed_picture(scores: Scores) -> Figure:
    """Speed against accuracy, on the test split and on real news."""
    real = {
        LABELS[name]: outside.real_news.stance.macro_f1
        for name, outside in scores.outside.systems.items()
        if outside.real_news
    }
    found = {
        "test split: stance macro-F1": {
            LABELS[name]: result.stance.macro_f1 for name, result in scores.test.items()
        },
        "real news: stance macro-F1": real,
    }
    speeds = {LABELS[name]: speed for name, speed in relative_speeds(scores).items()}
    return draw_speed(speeds, {title: of for title, of in found.items() if of})


def write_system_page(folder: Path, name: str, result: Evaluation) -> None:
    """A system's scores on the test split, as a page, a picture and JSON."""
    write_text(folder / "scores.json", json.dumps(result.as_dict(), indent=2) + "\n")
    predictions = f"evaluation/results/{name}/test.jsonl"
    command = (
        f"claimstance evaluate --gold data/corpus/test.jsonl --predictions {predictions} "
        f"--out evaluation/results/{name}"
    )
    page = markdown_page(
        result,
        gold="data/corpus/test.jsonl",
        predictions=predictions,
        command=command,
        picture="confusion.png",
    )
    write_text(folder / "README.md", page)
    save_picture(draw_confusion(result), folder / "confusion.png")


def publish(scores: Scores) -> None:
    """Write the tables in the project's README, what `make demo` prints, and the model cards."""
    readme = ROOT / "README.md"
    blocks = {
        "results": "\n".join(test_table(scores)),
        "demo": f"```text\n{demo_output()}\n```",
        "real-news": "\n".join(real_table(scores.outside)),
    }
    write_text(readme, fill_blocks(readme.read_text(encoding="utf-8"), blocks))
    write_text(SHIPPED / "README.md", small_card(scores))
    large = large_card(scores)
    if large:
        write_text(RESULTS / LARGE / "model_card.md", large)


def fill_blocks(page: str, blocks: Mapping[str, str]) -> str:
    """Replace what stands between the two markers of each block in a page."""
    for name, content in blocks.items():
        start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        page = f"{before}{start}\n{content}\n{end}{after}"
    return page


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


def skipped(outside: OutsideScores) -> Iterable[str]:
    """What was not scored for want of its text."""
    of_ships = outside.systems.get(SHIPS)
    if of_ships is None:
        return ["real news and other people's labels: no --datasets"]
    article = [] if outside.article else ["the article with stand-off labels: no --article"]
    return [*of_ships.skipped, *article]


if __name__ == "__main__":
    run_script(main)
