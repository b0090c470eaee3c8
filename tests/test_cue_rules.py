"""The rival without training: its rules on sentences where a cue word should do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from claimstance.articles import Article, spans_of
from claimstance.records import LabelledSentence, Prediction, read_records

SCRIPT = Path(__file__).parent.parent / "evaluation" / "cue_rules.py"


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cue_rules", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("sentence", "stance", "certainty"),
    [
        ("The bridge over the Lea was closed to lorries in 2019.", "asserted", "certain"),
        ("He was denied bail on Monday.", "asserted", "certain"),
        ("The bridge is shut, the mayor said.", "attributed", "certain"),
        ("The bridge might be shut, the mayor said.", "attributed", "possible"),
        ("“It was shut on Monday and nobody told us anything about it.”", "attributed", "certain"),
        ("The mayor denied that the bridge was shut.", "disputed", "certain"),
        ("She pleaded not guilty to arson.", "disputed", "certain"),
        ("He offered no evidence for it.", "unproven", "certain"),
        ("The death was verified by two doctors.", "asserted", "certain"),
        ("Police have confirmed the death.", "asserted", "certain"),
        ("The theory has been proven.", "asserted", "certain"),
        ("The death has not been confirmed.", "unproven", "certain"),
        ("The figures could not be independently verified.", "unproven", "certain"),
        ("She didn't say whether she would run.", "unproven", "possible"),
        ("It was not immediately clear whether anyone was hurt.", "unproven", "possible"),
        ("The senator falsely claimed that the vote was stolen.", "refuted", "certain"),
        ("Contrary to the post, the dam holds.", "refuted", "certain"),
        ("Repairs will probably last until spring.", "asserted", "probable"),
        ("Who pays for it?", "no_claim", None),
        ("Read more: how the dam was built", "no_claim", None),
    ],
)
def test_a_plain_cue(rules: ModuleType, sentence: str, stance: str, certainty: str | None) -> None:
    (found,) = rules.predict([Article("one", None, spans_of([sentence]))])
    assert (found.stance, found.certainty) == (stance, certainty)
    assert all(cue in sentence for cue in found.cues)


def test_a_quotation_runs_over_several_sentences(rules: ModuleType) -> None:
    sentences = [
        "“It failed,” she said. “We ran.",
        "The gate held.",
        "Then it gave.”",
        "It rained.",
    ]
    assert rules.open_quotations(sentences) == [False, True, True, False]


def test_a_mark_that_is_never_closed_opens_nothing(rules: ModuleType) -> None:
    assert rules.open_quotations(['He called it "a gift.', "It rained.", "It snowed."]) == [
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "inside", "own"),
    [
        ("“No evidence,” he said.", False, '"" he said.'),
        ("there was none,” he said.", True, '"" he said.'),
        ("``Never,'' he said.", False, '"" he said.'),
        ("There was none.", True, '""'),
    ],
)
def test_words_outside_quotations(rules: ModuleType, text: str, inside: bool, own: str) -> None:
    assert " ".join(rules.outside_quotations(text, inside).split()) == own


def test_a_file_is_labelled_whole(
    rules: ModuleType,
    tiny_corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gold = tiny_corpus / "test.jsonl"
    out = tmp_path / "rules.jsonl"
    monkeypatch.setattr(sys, "argv", ["cue_rules.py", str(gold), "-o", str(out)])
    rules.main()
    wanted = [(s.article_id, s.position, s.text) for s in read_records(gold, LabelledSentence)]
    found = [(p.article_id, p.position, p.text) for p in read_records(out, Prediction)]
    assert found == wanted
