"""Labels keep their order; records refuse what the scheme does not allow."""

from __future__ import annotations

import gzip
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from claimstance import labels
from claimstance.errors import InputError, run_script
from claimstance.records import (
    ArticleFacts,
    LabelledSentence,
    Labels,
    Prediction,
    Record,
    SentenceLabels,
    iter_json_lines,
    parse_json_object,
    read_records,
    write_bytes,
    write_records,
    write_text,
)

Refuses = Callable[..., InputError]


def sentence(**changes: Any) -> LabelledSentence:
    values = {
        "article_id": "a",
        "position": 0,
        "text": "The mill will close, the union said.",
        "stance": "attributed",
        "certainty": "certain",
        "source": "the union",
        "cues": ("said",),
    }
    return LabelledSentence.model_validate(values | changes)


def prediction(**changes: Any) -> Prediction:
    values = {
        "article_id": "a",
        "position": 3,
        "start": 10,
        "end": 14,
        "text": "“Ja”",
        "stance": "disputed",
        "certainty": "possible",
        "stance_probabilities": dict.fromkeys(labels.STANCES, 0.1667),
        "certainty_probabilities": dict.fromkeys(labels.CERTAINTIES, 0.3333),
        "source": None,
        "cues": ("Ja",),
        "model": "m",
    }
    return Prediction.model_validate(values | changes)


# A model's output vector follows these tuples: another order would relabel every old model.


def test_the_order_of_the_labels_is_fixed() -> None:
    assert labels.STANCES == (
        "asserted",
        "attributed",
        "disputed",
        "unproven",
        "refuted",
        "no_claim",
    )
    assert labels.CERTAINTIES == ("certain", "probable", "possible")
    assert labels.TAGS == ("O", "B-source", "I-source", "B-cue", "I-cue")


def test_every_label_has_a_meaning_in_the_same_order() -> None:
    assert tuple(labels.STANCE_MEANING) == labels.STANCES
    assert tuple(labels.CERTAINTY_MEANING) == labels.CERTAINTIES
    meanings = [*labels.STANCE_MEANING.values(), *labels.CERTAINTY_MEANING.values()]
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("stance", labels.STANCES)
def test_certainty_is_null_exactly_for_no_claim(stance: str) -> None:
    for certainty in (None, *labels.CERTAINTIES):
        legal = (certainty is None) == (stance == "no_claim")
        row = {"stance": stance, "certainty": certainty}
        if legal:
            assert Labels.model_validate(row).stance == stance
        else:
            with pytest.raises(ValidationError, match="certainty must be null for no_claim"):
                Labels.model_validate(row)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "the Union"}, "source 'the Union' is not a substring"),
        ({"source": ""}, "source '' is not a substring"),
        ({"cues": ("said", "denied")}, "cue 'denied' is not a substring"),
        ({"text": "", "source": None, "cues": ()}, "at least 1 character"),
        ({"position": -1}, "greater than or equal to 0"),
        ({"stance": "claimed"}, "Input should be 'asserted'"),
        ({"mood": "glum"}, "Extra inputs are not permitted"),
    ],
)
def test_a_sentence_refuses(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        sentence(**changes)


@pytest.mark.parametrize("stance", labels.STANCES)
@pytest.mark.parametrize("certainty", [None, *labels.CERTAINTIES])
def test_a_predicted_certainty_goes_with_a_claim(stance: str, certainty: str | None) -> None:
    if (certainty is None) == (stance == "no_claim"):
        found = prediction(stance=stance, certainty=certainty)
        assert (found.stance, found.certainty) == (stance, certainty)
    else:
        words = (
            "certainty must be null for no_claim and set for every other stance, "
            f"not {certainty!r} for {stance}"
        )
        with pytest.raises(ValidationError, match=words):
            prediction(stance=stance, certainty=certainty)


STANCES_IN_WORDS = "asserted, attributed, disputed, unproven, refuted, no_claim"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position": -1}, "greater than or equal to 0"),
        (
            {"stance_probabilities": {"disputed": 1.0}},
            f"probabilities must be given for {STANCES_IN_WORDS}",
        ),
        (
            {"stance_probabilities": dict.fromkeys(labels.STANCES[:-1], 0.2)},
            f"probabilities must be given for {STANCES_IN_WORDS}",
        ),
        (
            {"certainty_probabilities": {"certain": 0.4, "possible": 0.6}},
            "probabilities must be given for certain, probable, possible",
        ),
        ({"certainty_probabilities": {"certain": 1.0, "sure": 0.0}}, "Input should be 'certain'"),
    ],
)
def test_a_prediction_refuses(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        prediction(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"position": 0},
        {"stance_probabilities": {}},
        {"certainty_probabilities": {}},
        {"stance_probabilities": {}, "certainty_probabilities": {}},
        {"stance_probabilities": dict.fromkeys(reversed(labels.STANCES), 0.1667)},
    ],
)
def test_a_prediction_may_have_no_probabilities_and_them_in_any_order(
    changes: dict[str, Any],
) -> None:
    found = prediction(**changes)
    assert {name: getattr(found, name) for name in changes} == changes


def test_records_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        sentence().stance = "asserted"


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(texts, st.data())
def test_sentences_survive_being_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    written = [sentence(text=text, source=text[start:end], cues=(text[:end],), position=i)
               for i in range(2)]  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    write_records(path, written)
    assert read_records(path, LabelledSentence) == written


def test_predictions_survive_being_written_and_read(tmp_path: Path) -> None:
    written = prediction()
    write_records(tmp_path / "p.jsonl", [written])
    assert "“Ja”" in (tmp_path / "p.jsonl").read_text(encoding="utf-8")
    assert read_records(tmp_path / "p.jsonl", Prediction) == [written]


def test_hard_cases_keep_their_positions_as_numbers(tmp_path: Path) -> None:
    facts = ArticleFacts(
        article_id="a",
        title="T",
        genre="explainer",
        topic="science",
        split="dev",
        spelling="American",
        origin="synthetic",
        notes="",
        hard_cases={2: "scope"},
    )
    write_records(tmp_path / "f.jsonl", [facts])
    assert read_records(tmp_path / "f.jsonl", ArticleFacts)[0].hard_cases == {2: "scope"}


def test_blank_lines_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf\n{"a": 1}\n \n{"b": 2}\n')
    assert list(iter_json_lines(path)) == [
        (f"{path}, line 2", {"a": 1}),
        (f"{path}, line 4", {"b": 2}),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected one SentenceLabels record per line, found an empty file"),
        (b"\n\n", "found an empty file. To mend it: check that the command"),
        (b'{"a": 1', "line 1: expected a JSON object, found broken JSON (Expecting ',' "),
        (b"\n[1]", "line 2: expected a JSON object, found a JSON list. To mend it: write one"),
        (b"\xff\xfe", "expected text in UTF-8, found byte 0xff, which is not UTF-8"),
        (
            b'{"stance": "asserted", "certainty": "certain", "article_id": "a", "position": "x"}',
            "line 1: expected a SentenceLabels record (article_id, position, "
            "stance, certainty, source, cues), found position: Input should be a valid integer",
        ),
        (
            b'{"stance": "no_claim", "certainty": "certain", "article_id": "a", "position": 0}',
            "found the line: Value error, certainty must be null for no_claim",
        ),
    ],
)
def test_a_file_of_records_refuses(
    tmp_path: Path, refuses: Refuses, content: bytes, words: str
) -> None:
    path = tmp_path / "faulty.jsonl"
    path.write_bytes(content)
    error = refuses(words, read_records, path, SentenceLabels)
    assert error.where.startswith(str(path))


def test_packed_records(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n\n{"b": "\xc3\xbc"}\n'))
    assert list(iter_json_lines(path)) == [
        (f"{path}, line 1", {"a": 1}),
        (f"{path}, line 3", {"b": "ü"}),
    ]


@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b"none", lambda b: b[:20] + b"xx"])
def test_damaged_packed_records(
    tmp_path: Path, refuses: Refuses, spoil: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "records.jsonl.gz"
    whole = gzip.compress(b"".join(b'{"a": %d}\n' % n for n in range(99)))
    path.write_bytes(spoil(whole))
    refuses(
        f"{path}: expected a whole file that gzip packed, found ",
        lambda: list(iter_json_lines(path)),
    )


def test_a_missing_file_of_records(tmp_path: Path, refuses: Refuses) -> None:
    missing = tmp_path / "none.jsonl"
    refuses("found no such file or directory. To mend it: check the path", read_records,
            missing, SentenceLabels)  # fmt: skip


def test_the_message_says_where_expected_found_and_fix() -> None:
    error = InputError("a.csv, row 3", expected="x", found="y", fix="do z")
    assert str(error) == "a.csv, row 3: expected x, found y. To mend it: do z."
    assert (error.where, error.expected, error.found, error.fix) == (
        "a.csv, row 3",
        "x",
        "y",
        "do z",
    )


def test_a_script_that_runs_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    run_script(lambda: print("done"))  # noqa: T201
    assert capsys.readouterr() == ("done\n", "")


def test_a_script_says_a_fault_of_the_input_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> None:
        raise InputError("a.csv, row 3", expected="x", found="y", fix="do z")

    with pytest.raises(SystemExit) as end:
        run_script(main)
    assert end.value.code == 2
    assert capsys.readouterr() == ("", "a.csv, row 3: expected x, found y. To mend it: do z.\n")


def test_a_script_keeps_the_traceback_of_its_own_faults() -> None:
    def main() -> None:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        run_script(main)


def test_json_of_one_line(refuses: Refuses) -> None:
    assert parse_json_object('{"a": [1]}', "here") == {"a": [1]}
    refuses("here: expected a JSON object, found a JSON str", parse_json_object, '"a"', "here")


# A file appears whole or not at all.


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write_text(path, "old\n")

    def records() -> Any:
        yield sentence()
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_records(path, records())
    assert path.read_text(encoding="utf-8") == "old\n"
    assert os.listdir(tmp_path) == ["out.jsonl"]  # noqa: PTH208


def test_a_failed_replacement_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises((OSError, InputError), match="out"):
        write_bytes(tmp_path / "out", b"x")
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "ours", "x")
    (tmp_path / "theirs").write_text("x", encoding="utf-8")
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("deep/ours", "theirs")]
    assert modes[0] == modes[1]


def test_lines_are_json_in_the_order_of_the_fields(tmp_path: Path) -> None:
    write_records(tmp_path / "a.jsonl", [sentence()])
    row = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
    assert list(row) == list(LabelledSentence.model_fields)
    assert issubclass(LabelledSentence, Record)
