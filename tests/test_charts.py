"""Drawings that are not scores' own: maps of shares, figures with intervals, training curves."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from claimstance.charts import (
    draw_estimates,
    draw_shares,
    draw_speed,
    draw_training,
    save_picture,
)
from claimstance.records import Prediction, iter_json_lines, read_records
from claimstance.statistics import Estimate

RESULTS = Path(__file__).parent.parent / "evaluation" / "results"


def test_a_map_of_shares_says_them_row_by_row() -> None:
    figure = draw_shares({"one": {"b": 3, "a": 1}, "none": {}, "two": {"c": 5}}, ("a", "b", "c"))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [
        *("25%", "75%", "0%"),
        *("0%", "0%", "0%"),
        *("0%", "0%", "100%"),
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "one (4)",
        "none (0)",
        "two (5)",
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    # Dark fields have light figures.
    assert [to_hex(text.get_color()) for text in axes.texts][1:3] == ["#ffffff", "#000000"]


def test_estimates_stand_with_their_intervals_under_one_name() -> None:
    first = {"x": Estimate(0.5, 0.25, 0.625), "y": Estimate(0.75, 0.5, 1.0)}
    figure = draw_estimates({"one": first, "two": {"y": Estimate(0.25, 0.25, 0.5)}}, "κ")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert axes.get_xlabel() == "κ"
    one, two = axes.containers
    assert list(one.lines[0].get_xdata()) == [0.5, 0.75]
    ends = [[(a[0], b[0]) for a, b in c.lines[2][0].get_segments()] for c in (one, two)]
    assert ends == [[(0.25, 0.625), (0.5, 1.0)], [(0.25, 0.5)]]
    # Side by side, each in the row of its name.
    assert two.lines[0].get_ydata() == pytest.approx([1.11])
    assert one.lines[0].get_ydata() == pytest.approx([-0.11, 0.89])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]
    assert not draw_estimates({"": first}, "κ").legends


def test_training_curves_are_those_of_the_log() -> None:
    log = [
        {"step": 0.0, "bf16": 0.0},
        {"epoch": 0.5, "loss": 2.0},
        {
            "epoch": 1.0,
            "eval_loss": 1.5,
            "eval_stance_macro_f1": 0.25,
            "eval_certainty_macro_f1": 0.5,
        },
        {"epoch": 1.5, "loss": 1.0},
    ]
    losses, scores = draw_training(log).axes
    assert [list(line.get_ydata()) for line in losses.lines] == [[2.0, 1.0], [1.5]]
    assert [list(line.get_ydata()) for line in scores.lines] == [[0.25], [0.5]]
    assert [list(line.get_xdata()) for line in losses.lines] == [[0.5, 1.5], [1.0]]


def test_a_figure_is_saved_alike_each_time(tmp_path: Path) -> None:
    for name in ("one.png", "deep/two.png"):
        save_picture(draw_shares({"r": {"a": 1}}, ("a",)), tmp_path / name)
    content = (tmp_path / "one.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content == (tmp_path / "deep" / "two.png").read_bytes()


def test_the_published_log_is_that_of_the_published_model() -> None:
    """The best epoch scored on dev what the published predictions of dev do."""
    from sklearn.metrics import f1_score

    from claimstance.corpus import load_split

    log = [line for _, line in iter_json_lines(RESULTS / "minilm" / "training_log.jsonl")]
    epochs = [line for line in log if "eval_macro_f1" in line]
    best = max(epochs, key=lambda line: line["eval_macro_f1"])
    dev = load_split(RESULTS.parent.parent / "data" / "corpus", "dev")
    gold = [s.stance for article in dev for s in article.sentences]
    given = [p.stance for p in read_records(RESULTS / "minilm" / "dev.jsonl", Prediction)]
    assert f1_score(gold, given, average="macro") == pytest.approx(best["eval_stance_macro_f1"])


def test_a_system_stands_at_its_speed_and_score() -> None:
    """One that was not scored in a panel, or not timed, is not in it."""
    score = Estimate(0.5, 0.25, 0.625)
    figure = draw_speed(
        {"fast": 10.0, "slow": 0.5}, {"test": {"fast": score, "slow": score, "other": score},
                                      "real": {"slow": score}},
    )  # fmt: skip
    both, one = figure.axes
    assert [len(axes.containers) for axes in (both, one)] == [2, 1]
    assert [bar.lines[0].get_xdata()[0] for bar in both.containers] == [10.0, 0.5]
    # Told apart by more than colour, and by the same mark in every panel.
    assert [bar.lines[0].get_marker() for bar in both.containers] == ["o", "s"]
    assert one.containers[0].lines[0].get_marker() == "s"
