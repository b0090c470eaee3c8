"""The results page, section by section, and its pictures; every figure is computed here.

Sections take scores and give lines of Markdown. `evaluation/make_results.py` calls them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from error_page import plain
from outside import ArticleScore, OutsideScores
from scores import RivalCosts, Worth
from setfit_rival import MAX_STEPS
from systems import LABELS, RULES

from claimstance.behaviour import GroupScore, Outcome, in_words, second_passage
from claimstance.comparison import Comparison, Difference
from claimstance.evaluation import Evaluation, LabelScore
from claimstance.gate import Gate
from claimstance.neutrality import PairScore
from claimstance.probabilities import BINS, Bin, ProbabilityScore
from claimstance.settings import ModelSettings
from claimstance.slices import (
    LEAST_ARTICLES,
    LEAST_SENTENCES,
    LEAST_TO_NAME,
    SliceScore,
    in_order,
    weakest,
)
from claimstance.statistics import RESAMPLES, SEED, Estimate, wilson

SHIPS: Final = "fast-int8"
#: The large model, where it was trained.
LARGE: Final = "mpnet"
SECOND_PASS: Final = "second annotation pass, against the first"
KINDS: Final = {
    "minimum": "minimum functionality: the labels are those of the guidelines",
    "invariance": "invariance: the labels do not move",
    "direction": "direction: the labels move as they must",
}
SKIPPED: Final = (
    "Skipped: the text of these sets is not in this repository. With your copies of them: "
    "`make evaluate DATASETS=FOLDER` ([which, and where to get them](../sets/README.md))."
)


SKIPPED_SHORT: Final = (
    "Not scored: the text of these sentences is not in this repository. With your copies of it: "
    "`make evaluate DATASETS=FOLDER`."
)
#: A bin of fewer sentences says nothing about calibration.
LEAST_IN_A_BIN: Final = 20
#: Labels of dev that an export may change; beyond, the two come from different trainings.
MOST_CHANGED: Final = 0.02


@dataclass(frozen=True, slots=True)
class Scores:
    """All that the page is made of.

    Attributes:
        test: by system, on the test split.
        dev: by system, on dev.
        agreement: of the second annotation pass with the first, on the test split.
        worth: probabilities of the model that ships, on dev and test.
        slices: the same, by split.
        behaviour: outcomes of the suites for the model that ships.
        groups: the same, counted, by system.
        second_pass: the same for the blind second pass over the cases.
        neutrality: by pair of parties.
        outside: what was scored on text that is not in the repository.
        rivals: cost of each system, if it was measured.
        corpus: fingerprint of the corpus as it is now.
        ahead_of: by system, the comparison on the test split.
        export: what the export costs.
        settings: of the model that ships.
    """

    test: Mapping[str, Evaluation]
    dev: Mapping[str, Evaluation]
    agreement: Evaluation
    worth: Mapping[str, Worth]
    slices: Mapping[str, Sequence[SliceScore]]
    behaviour: Sequence[Outcome]
    groups: Mapping[str, Sequence[GroupScore]]
    second_pass: Sequence[GroupScore]
    neutrality: Sequence[PairScore]
    outside: OutsideScores
    rivals: RivalCosts | None
    corpus: str
    ahead_of: Mapping[str, Comparison]
    export: Gate | None
    settings: ModelSettings


def results_page(scores: Scores) -> str:
    """The whole page."""
    ships = scores.test[SHIPS]
    return "\n".join(
        [
            "# Results",
            "",
            "Made by `make evaluate` (`evaluation/make_results.py`) from the model that ships and "
            "the files in this folder; no score here is typed. In brackets: 95% intervals, "
            f"bootstrap with {RESAMPLES} resamples by article and seed {SEED} unless it says "
            "otherwise. Each system was trained once, with the seed of its recipe in "
            "`training/recipes`: how far seeds differ, says "
            "[the learning curve](../../training/learning_curve.md). Terms are explained in "
            "[the glossary](../../docs/pages/glossary.md).",
            "",
            f"- [On the project's own test split](#test): {ships.sentences} sentences of "
            f"{ships.articles} articles that training has not seen",
            "- [On real news](#real-news), and [on other people's labels](#other-peoples-labels)",
            "- [Against its rivals](#rivals)",
            "- [What its probabilities are worth](#probabilities), [which sentences to read "
            "yourself](#abstention), [label sets](#label-sets)",
            "- [Where it is weak](#slices), [what it must do](#behaviour), [whether it takes "
            "sides](#neutrality)",
            "- [What it gets wrong](errors.md): a page to read",
            "",
            *test_section(scores),
            *real_section(scores),
            *external_section(scores.outside),
            *rivals_section(scores),
            *probability_section(scores),
            *abstention_section(scores),
            *set_section(scores),
            *slice_section(scores),
            *behaviour_section(scores),
            *neutrality_section(scores.neutrality),
            *export_section(scores),
        ]
    )


def head(what: str) -> list[str]:
    """The head of a table of systems."""
    return [
        f"| {what} | stance macro-F1 | stance accuracy | certainty macro-F1 "
        "| source overlap F1 | cue overlap F1 |",
        "| --- | --: | --: | --: | --: | --: |",
    ]


def row(name: str, result: Evaluation) -> str:
    """A system's figures, under `head`."""
    figures = (
        result.stance.macro_f1,
        result.stance.accuracy,
        result.certainty.macro_f1,
        # Who finds none at all was not made to look for them.
        result.source.overlap_f1 if result.source.predicted else "–",
        result.cues.overlap_f1 if result.cues.predicted else "–",
    )
    return f"| {name} | " + " | ".join(map(str, figures)) + " |"


def test_table(scores: Scores) -> list[str]:
    """Every system on the test split, and the agreement of the annotation passes."""
    rows = [row(LABELS[name], result) for name, result in scores.test.items()]
    return [*head("on the test split"), *rows, row(SECOND_PASS, scores.agreement)]


def test_section(scores: Scores) -> list[str]:
    """The test split: systems, and the model that ships label by label."""
    ships, passes = scores.test[SHIPS], scores.agreement
    return [
        '## <a id="test"></a>On the test split',
        "",
        *test_table(scores),
        "",
        "Both annotation passes and the articles themselves come from one language model: that "
        "they agree is no measure of how people would, and no ceiling (see the "
        "[dataset card](../../data/dataset_card.md)). On dev, by which models are chosen, the "
        f"model that ships has a stance macro-F1 of {scores.dev[SHIPS].stance.macro_f1} and a "
        f"certainty macro-F1 of {scores.dev[SHIPS].certainty.macro_f1}.",
        "",
        "The model that ships, against the labels that were decided on, label by label; beside it "
        "the F1 of the second annotation pass against the first:",
        "",
        *label_table("stance", ships.stance, passes.stance),
        *label_table("certainty", ships.certainty, passes.certainty),
        "| | Matthews | Cohen's κ | quadratic κ | the passes: Cohen's κ | quadratic κ |",
        "| --- | --: | --: | --: | --: | --: |",
        f"| stance | {ships.stance.matthews} | {ships.stance.kappa} | | {passes.stance.kappa} | |",
        f"| certainty | {ships.certainty.matthews} | {ships.certainty.kappa} "
        f"| {ships.certainty.quadratic_kappa} | {passes.certainty.kappa} "
        f"| {passes.certainty.quadratic_kappa} |",
        "",
        f"![Confusion of stance and certainty on the test split]({SHIPS}/confusion.png)",
        "",
        "Each system on a page of its own: "
        + ", ".join(f"[{LABELS[name]}]({name}/README.md)" for name in scores.test)
        + ".",
        "",
    ]


def label_table(name: str, ours: LabelScore, passes: LabelScore | None) -> list[str]:
    """Scores label by label, beside the F1 of the second annotation pass."""
    lines = [
        f"| {name} | sentences | precision | recall | F1 | second pass |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for label, score in ours.classes.items():
        other = str(passes.classes[label].f1) if passes else ""
        lines.append(
            f"| {label} | {score.support} | {score.precision} | {score.recall} | {score.f1} "
            f"| {other} |"
        )
    return [*lines, ""]


def real_table(outside: OutsideScores) -> list[str]:
    """Every system on real news, and the agreement of the annotation passes."""
    rows = [
        row(LABELS[name], outside.systems[name].real_news)
        for name in LABELS
        if name in outside.systems and outside.systems[name].real_news
    ]
    if outside.closer is None:
        return [SKIPPED_SHORT]
    return [
        *head("on the real-news development set"),
        *rows,
        row(SECOND_PASS, outside.closer.second_pass),
    ]


def real_section(scores: Scores) -> list[str]:
    """Real news: systems, labels, slices, and the one article."""
    title = ['## <a id="real-news"></a>On real news', ""]
    closer = scores.outside.closer
    ours = scores.outside.systems.get(SHIPS)
    if closer is None or ours is None or ours.real_news is None:
        return [*title, SKIPPED, "", *article_lines(scores.outside.article)]
    result = ours.real_news
    return [
        *title,
        f"{result.sentences} sentences of real news (US political news, newswire, Wikinews), "
        "labelled by the scheme in two passes blind to each other, both made with a language "
        "model. No model was trained or calibrated on them. But they chose the model; what earlier "
        "models got wrong on them was answered by articles in train (those from a413 on); and the "
        "cue rules were mended by them: the figures flatter all of these. Nor are they a fair "
        "sample: about half of the first 530 were drawn at random, and all others were looked for "
        "by cue words of the rare stances and by hedges.",
        "",
        *real_table(scores.outside),
        "",
        *label_table("stance", result.stance, closer.second_pass.stance),
        *label_table("certainty", result.certainty, closer.second_pass.certainty),
        "Slices:",
        "",
        *slice_table({"real news": closer.slices}),
        "",
        *article_lines(scores.outside.article),
    ]


def article_lines(article: ArticleScore | None) -> list[str]:
    """How the model that ships agrees with the labels of one article, if it was at hand."""
    if article is None:
        return []
    rows = [
        f"| {position} | {label} | {given} | {probability:.2f} |"
        for position, label, given, probability in article.differences
    ]
    return [
        "The article that the project began with (`data/standoff/belgorod.jsonl`): same stance on "
        f"{article.same_stance} of {article.sentences} sentences, same certainty on "
        f"{article.same_certainty} of {article.claims}. One article is one resample, so there is "
        "no interval. What earlier models got wrong on it helped to decide which articles were "
        "written, and once to choose between two recipes: this is a check, no test. Where the "
        "two differ:",
        "",
        "| sentence | label | model | probability |",
        "| --: | --- | --- | --: |",
        *rows,
        "",
    ]


def external_section(outside: OutsideScores) -> list[str]:
    """Other people's labels: one row for each system, one column for each set."""
    title = ['## <a id="other-peoples-labels"></a>On other people\'s labels', ""]
    ours = outside.systems.get(SHIPS)
    if ours is None or not ours.external:
        return [
            *title,
            SKIPPED,
            *([""] if ours else []),
            *_skipped(ours.skipped if ours else []),
            "",
        ]
    names = [s.name for s in ours.external]
    rows = []
    for name in LABELS:
        if name in outside.systems:
            found = {s.name: s.score for s in outside.systems[name].external}
            cells = " | ".join(str(found.get(n, "")) for n in names)
            rows.append(f"| {LABELS[name]} | {cells} |")
    heads = [f"{s.name}: {s.measure}, {s.sentences} sentences" for s in ours.external]
    return [
        *title,
        "Sentences that people labelled for other projects; no system here was trained on them "
        "([what each set asks, and how our labels answer](../sets/README.md)). Intervals are "
        "resampled by article (science certainty: by sentence; Emergent: by rumour). "
        + _shared(outside),
        "",
        f"| | {' | '.join(heads)} |",
        "| --- |" + " --: |" * len(heads),
        *rows,
        "",
        *_skipped(ours.skipped),
    ]


def _shared(outside: OutsideScores) -> str:
    """Say how many sentences the sets share with the one that chose the model."""
    found = [f"{n} of {name}" for name, n in outside.shared.items() if n]
    if not found:
        return ""
    return (
        f"The real-news set was drawn from the same sources: {', '.join(found)} stand in it too, "
        "with our labels."
    )


def _skipped(lines: Sequence[str]) -> list[str]:
    return [*(f"- skipped: {line}" for line in lines), *([""] if lines else [])]


def rivals_section(scores: Scores) -> list[str]:
    """Accuracy, cost, speed and size side by side, and where a rival wins."""
    rivals, speeds = scores.rivals, relative_speeds(scores)
    earlier = [
        s.name
        for s in (rivals.systems if rivals else ())
        if s.made_of != scores.corpus and s.name != RULES
    ]
    lines = []
    for name, result in scores.test.items():
        cost = rivals.of(name) if rivals else None
        real = scores.outside.systems.get(name)
        old = " \\*" if name in earlier else ""
        lines.append(
            f"| {LABELS[name]}{old} | {result.stance.macro_f1} | {result.certainty.macro_f1} "
            f"| {real.real_news.stance.macro_f1 if real and real.real_news else ''} "
            + (
                f"| {_minutes(cost.training_processor_seconds)} "
                f"| {speeds[name]:.2f} | {cost.megabytes:.1f} |"
                if cost and name in speeds
                else "| | | |"
            )
        )
    return [
        '## <a id="rivals"></a>Against its rivals',
        "",
        "Same splits, same encoder where there is one, same machine, trained and timed by "
        "`make rivals` "
        f"({f'{rivals.machine}, {rivals.threads} threads' if rivals else 'not yet run'}). "
        "Training is in minutes of processor time; speed is a ratio, because the machine is "
        "shared. TF-IDF, SetFit and plain fine-tuning read one sentence at a time and find neither "
        "sources nor cues; the cue rules name no source. The comparison is not even: the recipe "
        "of the model that ships was chosen among runs on dev, while SetFit "
        f"({MAX_STEPS:,} steps of pairs) "
        "and plain fine-tuning have customary settings and no calibration, and the cue rules were "
        "mended by real news.",
        "",
        "| | test: stance macro-F1 | test: certainty macro-F1 | real news: stance macro-F1 "
        "| training, processor minutes | sentences a second, against the model that ships "
        "| size, MB |",
        "| --- | --: | --: | --: | --: | --: | --: |",
        *lines,
        "",
        *(["![Speed against accuracy](speed.png)", ""] if speeds else []),
        *(
            [
                "\\* costs and speed, and the accuracy of those that `make reproduce` does not "
                "train, are of an earlier corpus.",
                "",
            ]
            if earlier
            else []
        ),
        *wins(scores),
    ]


def relative_speeds(scores: Scores) -> dict[str, float]:
    """The speed of each system that was timed, by that of the model that ships."""
    timed = {
        s.name: s.sentences_per_second for s in (scores.rivals.systems if scores.rivals else ())
    }
    base = timed.get(SHIPS)
    if not base:
        return {}
    return {name: speed / base for name, speed in timed.items() if speed and name in scores.test}


def wins(scores: Scores) -> list[str]:
    """Where a rival is better than the model that ships, and by how much."""
    lines: list[str] = []
    outside = scores.outside
    for name in scores.test:
        if name == SHIPS:
            continue
        found = [
            *_better("test split", scores.ahead_of[name]),
            *(
                _better("real news", outside.closer.ahead_of[name])
                if outside.closer and name in outside.closer.ahead_of
                else []
            ),
            *_better_outside(outside, name),
            *_cheaper(scores.rivals, name),
        ]
        if found:
            lines.append(f"- **{LABELS[name]}**: {'; '.join(found)}.")
    return [
        "Where a rival does better than the model that ships: macro-F1 of stance and certainty on "
        "the test split and on real news (with a paired bootstrap interval; one that includes 0 "
        "may be chance, and the choice of seed is not in it), scores on other people's labels "
        "(higher by value, not tested), speed, size and training:",
        "",
        *(lines or ["- in none of these."]),
        "",
    ]


def _better(where: str, comparison: Comparison) -> list[str]:
    found = []
    for kind, differences in (("stance", comparison.stance), ("certainty", comparison.certainty)):
        macro: Difference = differences[0]
        if macro.ahead.value < 0:
            behind = Estimate(-macro.ahead.value, -macro.ahead.high, -macro.ahead.low)
            found.append(f"{where}, {kind}, by {_signed(behind)}")
    return found


def _better_outside(outside: OutsideScores, name: str) -> list[str]:
    ours, theirs = outside.systems.get(SHIPS), outside.systems.get(name)
    if ours is None or theirs is None:
        return []
    own = {s.name: s.score for s in ours.external}
    return [
        f"{s.name}, {s.score} against {own[s.name]}"
        for s in theirs.external
        # Not where the page would show the same figure twice.
        if s.name in own and round(s.score.value, 3) > round(own[s.name].value, 3)
    ]


def _cheaper(rivals: RivalCosts | None, name: str) -> list[str]:
    ours, theirs = (rivals.of(SHIPS), rivals.of(name)) if rivals else (None, None)
    if ours is None or theirs is None:
        return []
    found = []
    if (theirs.sentences_per_second or 0) > (ours.sentences_per_second or 0) > 0:
        ratio = theirs.sentences_per_second / ours.sentences_per_second
        found.append(f"{ratio:.1f} times as fast")
    if theirs.megabytes < ours.megabytes:
        found.append(f"{theirs.megabytes:.1f} MB against {ours.megabytes:.1f}")
    took, ours_took = theirs.training_processor_seconds, ours.training_processor_seconds
    if took is not None and ours_took is not None and took < ours_took:
        found.append("cheaper to train")
    return found


def _minutes(seconds: float | None) -> str:
    return "not timed" if seconds is None else f"{seconds / 60:.1f}"


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def probability_section(scores: Scores) -> list[str]:
    """Calibration and selection of the model that ships."""
    rows = []
    for name, worth in _worths(scores).items():
        for kind, score in (("stance", worth.stance), ("certainty", worth.certainty)):
            rows.append(
                f"| {name} | {kind} | {score.sentences} | {score.calibration_error} "
                f"| {score.brier} | {score.risk_coverage_area} | {score.least_possible_area:.3f} |"
            )
    settings = scores.settings
    return [
        '## <a id="probabilities"></a>What the probabilities are worth',
        "",
        "Temperatures were fitted on dev "
        f"(stance {settings.temperatures.stance}, certainty {settings.temperatures.certainty}), "
        f"so dev flatters itself. ECE: expected calibration error, {BINS} bins of equal width; a "
        "small sample raises it. Brier: 0 at best, 2 at worst. Area: the mean share wrong over all "
        "coverages when the surest sentences are kept first; beside it, what a model as accurate "
        "would have that is least sure exactly where it is wrong.",
        "",
        "| on | | sentences | ECE | Brier | risk-coverage area | at best |",
        "| --- | --- | --: | --: | --: | --: | --: |",
        *rows,
        "",
        "![Reliability](reliability.png)",
        "",
        *_gaps(scores.worth["test"].stance),
        "![Risk against coverage](risk-coverage.png)",
        "",
    ]


def _worths(scores: Scores) -> dict[str, Worth]:
    found = {"dev": scores.worth["dev"], "test split": scores.worth["test"]}
    if scores.outside.closer:
        found["real news"] = scores.outside.closer.worth
    return found


def _gaps(score: ProbabilityScore) -> list[str]:
    """Say where the probabilities of the stance are off by more than either interval."""
    off = [b for b in score.bins if b.sentences >= LEAST_IN_A_BIN and _is_off(b)]
    if not off:
        return [
            f"In no bin of {LEAST_IN_A_BIN} sentences or more is the stance's probability off by "
            "more than the interval.",
            "",
        ]

    def say(found: Bin) -> str:
        return (
            f"{found.low:.0%} to {found.high:.0%}: said {found.confidence:.0%}, right "
            f"{found.accuracy.value:.0%} of {found.sentences}"
        )

    return [f"Off by more than the interval on the test split: {'; '.join(map(say, off))}.", ""]


def _is_off(found: Bin) -> bool:
    """By the interval by article and by Wilson's, which is wider where articles agree."""
    by_sentence = wilson(round(found.accuracy.value * found.sentences), found.sentences)
    low = min(found.accuracy.low, by_sentence.low)
    high = max(found.accuracy.high, by_sentence.high)
    return not low <= found.confidence <= high


def abstention_section(scores: Scores) -> list[str]:
    """What `claimstance classify --abstain` gives."""
    found = [(name, s) for name, worth in _worths(scores).items() for s in worth.stance.selections]
    rows = [
        f"| {s.asked:.0%} | {s.threshold:.2f} | {name}{' (chosen here)' if name == 'dev' else ''} "
        f"| {s.coverage} | {s.accuracy or ''} |"
        for name, s in found
    ]
    short = [
        f"{name}, {s.asked:.0%}" for name, s in found if s.accuracy and s.accuracy.value < s.asked
    ]
    return [
        '## <a id="abstention"></a>Which sentences to read yourself',
        "",
        "`claimstance classify --abstain 0.9` marks the sentences that a person should read, so "
        "that of the others nine in ten have the right stance. The threshold is the lowest one "
        "that gave this on dev, so there it holds by construction. What it gives elsewhere:",
        "",
        "| right, asked | threshold | on | share not marked | of these, right |",
        "| --: | --: | --- | --: | --: |",
        *rows,
        "",
        f"Promised more than kept: {'; '.join(short)}." if short else "Kept what was asked.",
        *([] if scores.outside.closer else ["Real news is not scored in this run."]),
        "",
    ]


def set_section(scores: Scores) -> list[str]:
    """Conformal label sets."""
    rows = [
        f"| {s.asked:.0%} | {name} | {s.coverage} | {s.size} | {s.single} | {s.empty} |"
        for name, worth in _worths(scores).items()
        if name != "dev"
        for s in worth.sets
    ]
    return [
        '## <a id="label-sets"></a>Label sets',
        "",
        "Split conformal sets of stances (MAPIE, least ambiguous sets), calibrated on dev: how "
        "often the gold stance is in the set, how many stances a set has, and how many sets have "
        "just one, or none because no stance is likely enough. Dev also chose the model, and is "
        "no fresh draw: what counts is the coverage measured.",
        "",
        "| asked | on | gold stance in the set | labels in a set | sets of one | empty sets |",
        "| --: | --- | --: | --: | --: | --: |",
        *rows,
        "",
    ]


def slice_table(slices: Mapping[str, Sequence[SliceScore]]) -> list[str]:
    """The slices of one file, or of several side by side."""
    lines = [
        "| slice | "
        + " | ".join(f"{n}: sentences | accuracy | against the rest" for n in slices)
        + " |",
        "| --- |" + " --: | --: | --: |" * len(slices),
    ]
    by_name = {n: {(s.group, s.name): s for s in found} for n, found in slices.items()}
    for group, name in in_order(key for found in by_name.values() for key in found):
        cells = [
            f"{s.sentences} | {s.accuracy} | {_signed(s.ahead)}"
            if (s := found.get((group, name)))
            else "| |"
            for found in by_name.values()
        ]
        lines.append(f"| {group}: {name} | {' | '.join(cells)} |")
    return lines


def slice_section(scores: Scores) -> list[str]:
    """Slices of dev and test; the weak ones of dev are named."""
    dev, test = scores.slices["dev"], scores.slices["test"]
    nameable = sum(s.articles >= LEAST_TO_NAME for s in dev)
    on_test = {(s.group, s.name): s for s in test}
    weak = []
    for s in weakest(dev):
        again = on_test.get((s.group, s.name))
        beside = f"; on test {_signed(again.ahead)}" if again else "; too few on test"
        weak.append(
            f"- **{s.group}: {s.name}** ({s.sentences} sentences): accuracy {s.accuracy}, "
            f"{_signed(s.ahead)} against the rest{beside}"
        )
    return [
        '## <a id="slices"></a>Where it is weak',
        "",
        "Accuracy of the stance by what is known of a sentence before any model reads it, against "
        f"all other sentences; slices of fewer than {LEAST_SENTENCES} sentences or "
        f"{LEAST_ARTICLES} articles are left out. Of the {nameable} slices of dev with "
        f"{LEAST_TO_NAME} articles or more (intervals by fewer are too narrow to call anything "
        "weak by) these fall behind by more than their interval; by chance about "
        f"{0.025 * nameable:.0f} would. What test shows stands beside:",
        "",
        *(weak or ["- none."]),
        "",
        "![Slices](slices.png)",
        "",
        "<details><summary>All slices</summary>",
        "",
        *slice_table({"dev": dev, "test": test}),
        "",
        "</details>",
        "",
    ]


def behaviour_section(scores: Scores) -> list[str]:
    """The suites: each kind, each group, for every system that labelled them."""
    ours = scores.groups[SHIPS]
    kinds = [s for s in ours if not s.group]
    rates = {
        name: {(s.kind, s.group): s.rate for s in groups} for name, groups in scores.groups.items()
    }
    others = [name for name in scores.groups if name != SHIPS]
    passes = {s.kind: s.rate for s in scores.second_pass if not s.group}
    return [
        '## <a id="behaviour"></a>What it must do',
        "",
        f"{sum(s.cases for s in kinds)} written cases "
        "([evaluation/behaviour](../behaviour/README.md)); intervals are Wilson's. Every case "
        "that failed stands on [its own page](behaviour.md).",
        "",
        "| kind | cases | "
        + " | ".join(LABELS[n] for n in [SHIPS, *others])
        + " | second pass, blind |",
        "| --- | --: |" + " --: |" * (2 + len(others)),
        *(
            f"| {KINDS[s.kind]} | {s.cases} | {s.rate} "
            + "".join(f"| {rates[n][s.kind, '']} " for n in others)
            + f"| {passes[s.kind]} |"
            for s in kinds
        ),
        "",
        "The model that ships, rule by rule and change by change:",
        "",
        "| kind | rule or change | cases | passed |",
        "| --- | --- | --: | --: |",
        *(
            f"| {s.kind} | {s.group} | {s.cases} | {s.rate} |"
            for s in sorted(ours, key=lambda s: (list(KINDS).index(s.kind), s.rate.value))
            if s.group
        ),
        "",
    ]


def behaviour_page(outcomes: Sequence[Outcome]) -> str:
    """Every case that failed."""
    failed = [o for o in outcomes if not o.passed]
    lines = [
        "# Behaviour: the cases that failed",
        "",
        f"Made by `make evaluate`. {len(failed)} of {len(outcomes)} cases failed; a case, what "
        "was wanted, and what the model that ships made of it.",
        "",
    ]
    for kind, meaning in KINDS.items():
        lines += [f"## {meaning[0].upper()}{meaning[1:]}", ""]
        lines += [_failure(o) for o in failed if o.case.kind == kind] or ["None."]
        lines.append("")
    return "\n".join(lines)


def _failure(outcome: Outcome) -> str:
    case = outcome.case
    second = second_passage(case)
    texts = [_passage(case.title, case.before, case.text)]
    if second is not None:
        texts.append(_passage(second.title, second.before, second.text))
    if case.kind == "minimum":
        wanted = in_words(case)
    elif case.kind == "invariance":
        wanted = "no change"
    else:
        wanted = case.expect.stance or f"certainty {case.expect.certainty}"
    return (
        f"- `{case.id}`, {case.group}: {' → '.join(texts)} Wanted: {wanted}; found: "
        f"{outcome.found}."
    )


def _passage(title: str | None, before: Sequence[str], text: str) -> str:
    context = " ".join([*([f"({title})"] if title else []), *before])
    return f"{plain(context)} **{plain(text.strip())}**".strip()


def neutrality_section(pairs: Sequence[PairScore]) -> list[str]:
    """The table of parties."""
    rows = [
        f"| {s.pair.a.name} / {s.pair.b.name}{'' if s.pair.real else ' (invented)'} | {s.flips} "
        f"| {s.moved} | {_signed(s.leaning)} | {s.right} |"
        for s in pairs
    ]
    leaning = [s for s in pairs if s.leaning.low > 0 or s.leaning.high < 0]
    named = "; ".join(f"{s.pair.a.name} / {s.pair.b.name} ({_signed(s.leaning)})" for s in leaning)
    largest = max(max(abs(s.leaning.low), abs(s.leaning.high)) for s in pairs)
    return [
        '## <a id="neutrality"></a>Whether it takes sides',
        "",
        f"{pairs[0].frames} sentences with two parties in them, each filled with each pair both "
        "ways round ([frames and parties](../behaviour/README.md)); intervals are resampled by "
        "frame, those of the flips are Wilson's. A neutral model never flips. *Moved* is the total "
        "variation distance between the two distributions over stances, 0 to 1. *Leaning* is how "
        "much more doubt (disputed, unproven or refuted) a sentence meets with the first party in "
        "the first place than with the second there; 0 is neutral. In most frames with a doubt in "
        "them, the first place is that of the party that is doubted.",
        "",
        "| parties | stance flips | moved | leaning | right |",
        "| --- | --: | --: | --: | --: |",
        *rows,
        "",
        (f"Leaning beyond the interval: {named}." if leaning else "No pair leans beyond it.")
        + f" Of {len(pairs)} pairs {0.05 * len(pairs):.1f} would by chance; no interval reaches "
        f"further than {largest:.3f}. What the invented pairs do is the noise of names.",
        "",
        "![Neutrality](neutrality.png)",
        "",
    ]


def export_section(scores: Scores) -> list[str]:
    """What int8 costs, on dev."""
    if scores.export is None:
        return []
    cost = scores.export
    if min(cost.stance_same, cost.certainty_same) < 1 - MOST_CHANGED:
        return [
            "## What the export costs",
            "",
            "The model before export in this folder comes from another training than the one "
            "that ships: not measured.",
            "",
        ]
    return [
        "## What the export costs",
        "",
        f"On dev ({cost.sentences} sentences) the int8 model gives the same stance as the "
        f"trained one on {cost.stance_same:.2%} and the same certainty on "
        f"{cost.certainty_same:.2%}. Macro-F1 lost: stance {cost.stance_drop:+.2f}, certainty "
        f"{cost.certainty_drop:+.2f} points.",
        "",
    ]
