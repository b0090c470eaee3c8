"""Every drawing: scores and shares become figures of matplotlib.

A figure shows itself in a notebook; `save_picture` writes it to a file. Each is white behind,
so that it can be read in a dark page too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from claimstance.evaluation import Evaluation, LabelScore
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.neutrality import PairScore
from claimstance.probabilities import ProbabilityScore
from claimstance.slices import SliceScore, in_order
from claimstance.statistics import Estimate, error_bars

#: Colours of series, one after the other.
_COLOURS: Final = ("#125ba6", "#c4520a", "#3d8f4e")
#: Marks of series where there are more than colours.
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*", "p")


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG, the same each time; folders that are missing are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def draw_confusion(evaluation: Evaluation) -> Figure:
    """Draw both confusion matrices, each row in shares of its gold label."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    wide, narrow = figure.subplots(1, 2, width_ratios=[6, 4])
    _draw_matrix(wide, evaluation.stance, STANCES, STANCES, "Stance")
    columns = (*CERTAINTIES, "no claim")
    _draw_matrix(narrow, evaluation.certainty, CERTAINTIES, columns, "Certainty")
    return figure


def _draw_matrix(
    axes: Any, score: LabelScore, rows: Sequence[str], columns: Sequence[str], name: str
) -> None:
    counts = np.asarray(score.confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="predicted", ylabel="gold", title=f"{name}, macro-F1 {score.macro_f1}")
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else "black"
        label = f"{share:.0%}\n{int(counts[row, column])}"
        axes.text(column, row, label, ha="center", va="center", color=colour, fontsize=8)


def draw_reliability(scores: Mapping[str, ProbabilityScore]) -> Figure:
    """Draw confidence against accuracy, one panel for each score."""
    figure = Figure(figsize=(4.6 * len(scores), 4.6), layout="constrained")
    panels = figure.subplots(1, len(scores), squeeze=False)[0]
    for axes, (name, score) in zip(panels, scores.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="probability given", ylabel="share right")
        axes.set_title(f"{name}\nECE {score.calibration_error}", fontsize=10)
        x = [b.confidence for b in score.bins]
        y = [b.accuracy.value for b in score.bins]
        spread = error_bars([b.accuracy for b in score.bins])
        sizes = [6 + 120 * b.sentences / score.sentences for b in score.bins]
        axes.errorbar(x, y, yerr=spread, fmt="none", ecolor="#9db7d6", elinewidth=1.5)
        axes.scatter(x, y, s=sizes, color="#125ba6", zorder=3)
    return figure


def draw_risk_coverage(scores: Mapping[str, ProbabilityScore]) -> Figure:
    """Draw the share wrong against the share kept, all scores in one panel."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, score in scores.items():
        coverage, risk = zip(*score.curve, strict=True)
        axes.plot(coverage, risk, label=f"{name}, area {score.risk_coverage_area}")
    axes.set(
        xlim=(0, 1),
        ylim=(0, None),
        xlabel="share of sentences kept, surest first",
        ylabel="share of the kept that is wrong",
    )
    axes.legend(fontsize=8, loc="upper left")
    axes.grid(alpha=0.3)
    return figure


def draw_slices(scores: Mapping[str, Sequence[SliceScore]]) -> Figure:
    """Draw the accuracy of each slice, one colour for each file."""
    labels = in_order((s.group, s.name) for found in scores.values() for s in found)
    figure = Figure(figsize=(7.2, 0.21 * len(labels) + 1.4), layout="constrained")
    axes = figure.subplots()
    rows = {label: -place for place, label in enumerate(labels)}
    for number, (name, found) in enumerate(scores.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        y = [rows[s.group, s.name] + 0.15 - 0.3 * number for s in found]
        x = [s.accuracy.value for s in found]
        bars = error_bars([s.accuracy for s in found])
        axes.errorbar(x, y, xerr=bars, fmt="o", markersize=3.5, color=colour, label=name)
    axes.set_yticks(list(rows.values()), [f"{group}: {name}" for group, name in labels], fontsize=8)
    for before, after in pairwise(labels):
        if before[0] != after[0]:
            axes.axhline(rows[after] + 0.5, color="grey", linewidth=0.5)
    axes.set(xlabel="stance accuracy", ylim=(-len(labels) + 0.4, 0.6))
    axes.grid(axis="x", alpha=0.3)
    figure.legend(fontsize=8, loc="outside upper right", ncols=len(scores))
    return figure


def draw_speed(speeds: Mapping[str, float], scores: Mapping[str, Mapping[str, Estimate]]) -> Figure:
    """Draw what each system scores against its speed, one panel for each kind of score.

    Args:
        speeds: by system, in any unit.
        scores: by the title of the panel, then by system; those without a speed are left out.
    """
    figure = Figure(figsize=(4.9 * len(scores), 4.4), layout="constrained")
    panels = figure.subplots(1, len(scores), squeeze=False)[0]
    for axes, (title, found) in zip(panels, scores.items(), strict=True):
        for number, (name, speed) in enumerate(speeds.items()):
            if name not in found:
                continue
            axes.errorbar(
                [speed],
                [found[name].value],
                yerr=error_bars([found[name]]),
                fmt=_MARKERS[number % len(_MARKERS)],
                markersize=6,
                color=_COLOURS[number % len(_COLOURS)],
                label=name,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="sentences a second, against the model that ships")
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=2)
    return figure


def draw_neutrality(scores: Sequence[PairScore]) -> Figure:
    """Draw how far each pair leans and how often it flips."""
    figure = Figure(figsize=(9.2, 0.32 * len(scores) + 1.3), layout="constrained")
    lean, flip = figure.subplots(1, 2, sharey=True)
    y = -np.arange(len(scores))
    for axes, estimates, title in (
        (
            lean,
            [s.leaning for s in scores],
            "leaning: more doubt with the second (left)\nor first party (right) in the first place",
        ),
        (flip, [s.flips for s in scores], "share of frames whose stance flips"),
    ):
        x = [e.value for e in estimates]
        axes.errorbar(x, y, xerr=error_bars(estimates), fmt="o", markersize=4, color="#125ba6")
        axes.set_title(title, fontsize=9)
        axes.grid(axis="x", alpha=0.3)
    lean.axvline(0, color="grey", linewidth=1)
    flip.set_xlim(0, None)
    names = [f"{s.pair.a.name} / {s.pair.b.name}" for s in scores]
    lean.set_yticks(y, names, fontsize=8)
    return figure


def draw_shares(counts: Mapping[str, Mapping[str, int]], columns: Sequence[str]) -> Figure:
    """Draw a map of shares: a row for each group, in which they sum to 1.

    Args:
        counts: by group, how often each label occurs; labels that do not may be left out.
        columns: the labels, in their order.
    """
    table = np.asarray([[row.get(column, 0) for column in columns] for row in counts.values()])
    totals = table.sum(axis=1)
    shares = table / np.maximum(totals, 1)[:, None]
    figure = Figure(figsize=(2.8 + 0.85 * len(columns), 1.1 + 0.34 * len(counts)))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=max(0.5, shares.max()), aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks(range(len(counts)), [f"{g} ({n})" for g, n in zip(counts, totals, strict=True)])
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.65 * max(0.5, shares.max()) else "black"
        axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=9)
    return figure


def draw_estimates(series: Mapping[str, Mapping[str, Estimate]], label: str) -> Figure:
    """Draw figures with their intervals, a line for each name and a colour for each series.

    Args:
        series: by series, the figures by name; not every series needs every name.
        label: what is measured.
    """
    names = list(dict.fromkeys(name for found in series.values() for name in found))
    figure = Figure(figsize=(7.2, 0.42 * len(names) + 1.3), layout="constrained")
    axes = figure.subplots()
    for number, (title, found) in enumerate(series.items()):
        shift = 0.22 * (number - (len(series) - 1) / 2)
        y = [names.index(name) + shift for name in found]
        x = [estimate.value for estimate in found.values()]
        bars = error_bars(list(found.values()))
        colour = _COLOURS[number % len(_COLOURS)]
        axes.errorbar(x, y, xerr=bars, fmt="o", markersize=4, color=colour, label=title)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.grid(axis="x", alpha=0.3)
    if len(series) > 1:
        figure.legend(fontsize=8, loc="outside upper right", ncols=len(series))
    return figure


def draw_training(log: Sequence[Mapping[str, float]]) -> Figure:
    """Draw the loss of a training, and what each epoch scored on dev.

    Args:
        log: the lines of a model's ``training_log.jsonl``.
    """
    figure = Figure(figsize=(9.2, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, curves, title in (
        (left, {"train": "loss", "dev": "eval_loss"}, "loss"),
        (
            right,
            {"stance": "eval_stance_macro_f1", "certainty": "eval_certainty_macro_f1"},
            "macro-F1 on dev",
        ),
    ):
        for number, (name, key) in enumerate(curves.items()):
            points = [(line["epoch"], line[key]) for line in log if key in line]
            marker = "o" if key.startswith("eval") else ""
            colour = _COLOURS[number]
            axes.plot(*zip(*points, strict=True), marker=marker, color=colour, label=name)
        axes.set(xlabel="epoch", title=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
