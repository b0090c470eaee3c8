"""Tasks to the labelling tools and back, the second pass, and the way into training."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimstance.articles import Article, spans_of
from claimstance.corpus import LabelledArticle, load_split
from claimstance.errors import InputError
from claimstance.examples import load_teacher, window_dataset
from claimstance.inference import load_model
from claimstance.labelling import doccano, label_studio, spreadsheet
from claimstance.labelling.common import Import, check_answers, instructions, suggestions
from claimstance.labels import CERTAINTIES, CERTAINTY_MEANING, STANCE_MEANING, STANCES
from claimstance.model import IGNORED
from claimstance.prediction import as_article, predict_split
from claimstance.records import LabelledSentence, Labels, read_records, write_records
from claimstance.sampling import sample
from claimstance.second_pass import Disagreement
from claimstance.settings import WindowSettings
from claimstance.tasks import Suggestion, Task, read_labels

Run = Callable[..., Any]
Refuses = Callable[..., InputError]


def make_task(text: str, position: int = 2, **changes: Any) -> Task:
    values: dict[str, Any] = {
        "article_id": "a",
        "position": position,
        "text": text,
        "start": 0,
        "end": len(text),
        "title": "Mill shuts",
        "context": ("It stood by a river.", "It was old."),
        "reason": "random",
    }
    return Task.model_validate(values | changes)


@pytest.fixture
def gold(articles: list[LabelledArticle]) -> list[LabelledSentence]:
    return [s for a in articles[:3] for s in a.sentences]


@pytest.fixture
def tasks(articles: list[LabelledArticle]) -> list[Task]:
    news = [as_article(a) for a in articles[:3]]
    return sample(news, 1000, model=None, strategy="random")


@pytest.fixture
def labels(tasks: list[Task], gold: list[LabelledSentence]) -> dict[str, Labels]:
    return by_task(tasks, gold)


def by_task(tasks: Sequence[Task], gold: Sequence[LabelledSentence]) -> dict[str, Labels]:
    places = {(s.article_id, s.position): s for s in gold}
    return {task.id: places[task.article_id, task.position] for task in tasks}


def back(tasks: Sequence[Task], answers: Any) -> Import:
    return check_answers(tasks, answers, annotator="ada", name="export")


def without_annotator(found: Import) -> list[LabelledSentence]:
    assert not found.faults
    fields = set(LabelledSentence.model_fields)
    return [LabelledSentence(**s.model_dump(include=fields)) for s in found.labels]


# Round trips.


def test_every_tool_gives_back_what_it_was_given(
    tasks: list[Task], labels: dict[str, Labels], gold: list[LabelledSentence], tmp_path: Path
) -> None:
    spreadsheet.write_sheet(tmp_path / "s.csv", tasks, labels)
    assert without_annotator(back(tasks, spreadsheet.read_sheet(tmp_path / "s.csv"))) == gold
    doccano.write_folder(tmp_path / "d", tasks, labels, reasons=True)
    found = back(tasks, doccano.read_export(tmp_path / "d" / doccano.TASKS_FILE))
    assert without_annotator(found) == gold
    label_studio.write_folder(tmp_path / "l", tasks, labels, reasons=True)
    rows = json.loads((tmp_path / "l" / label_studio.TASKS_FILE).read_text("utf-8"))
    for row in rows:
        row["annotations"] = row.pop("predictions")
    (tmp_path / "export.json").write_text(json.dumps(rows), encoding="utf-8")
    found = back(tasks, label_studio.read_export(tmp_path / "export.json"))
    assert without_annotator(found) == gold


#: What breaks spreadsheets: formulas, quotation marks, line ends, other scripts.
HOSTILE = st.text(
    st.one_of(
        st.sampled_from("=+-@'\";,\\ \t\r\n\N{NO-BREAK SPACE}＝“”é😀"),
        st.characters(codec="utf-8", exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=30,
)


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Task, Labels]:
    text = draw(HOSTILE)

    def part() -> str:
        start = draw(st.integers(0, len(text) - 1))
        return text[start : draw(st.integers(start + 1, len(text)))]

    task = make_task(
        text,
        article_id=draw(HOSTILE),
        title=draw(st.none() | HOSTILE),
        context=draw(st.lists(HOSTILE, max_size=2)),
    )
    stance = draw(st.sampled_from(STANCES))
    return task, Labels(
        stance=stance,
        certainty=None if stance == "no_claim" else draw(st.sampled_from(CERTAINTIES)),
        source=part() if draw(st.booleans()) else None,
        cues=tuple(part() for _ in range(draw(st.integers(0, 3)))),
    )


@given(labelled())
@settings(max_examples=300, deadline=None)
def test_a_spreadsheet_gives_back_any_strings(
    tmp_path_factory: pytest.TempPathFactory, given_: tuple[Task, Labels]
) -> None:
    task, labels = given_
    path = tmp_path_factory.getbasetemp() / "any.csv"
    spreadsheet.write_sheet(path, [task], {task.id: labels})
    (answer,) = spreadsheet.read_sheet(path)
    assert isinstance(answer, spreadsheet.Answer)
    assert (answer.task, answer.text) == (task.id, task.text)
    assert (answer.stance, answer.certainty or None) == (labels.stance, labels.certainty)
    assert (answer.source, answer.cues) == (labels.source, labels.cues)
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [c for c in cells if c.startswith(tuple("=+-@\t\r\n＝＋－＠"))]


@given(labelled())
@settings(max_examples=300, deadline=None)
def test_spans_of_any_strings_are_found_again(given_: tuple[Task, Labels]) -> None:
    """In units of UTF-16 as a browser counts, and in code points."""
    task, labels = given_
    regions = label_studio.regions(task.text, labels)
    data = {"task": task.id, "text": task.text}
    for counts_points in (False, True):
        if counts_points:
            for region in regions:
                value = region["value"]
                if "start" in value:
                    units = task.text.encode("utf-16-le")
                    for name in ("start", "end"):
                        before = units[: 2 * value[name]]
                        value[name] = len(before.decode("utf-16-le"))
        row = {"data": data, "annotations": [{"result": regions}]}
        (answer,) = label_studio._answers("x", row)
        assert isinstance(answer, spreadsheet.Answer)
        assert answer.stance == labels.stance
        assert answer.source == labels.source
        # Cues come back in the order of the text.
        assert sorted(answer.cues) == sorted(labels.cues)


def test_the_sheet_opens_as_utf_8_in_a_spreadsheet(tmp_path: Path) -> None:
    spreadsheet.write_sheet(tmp_path / "s.csv", [make_task("=1+1 is “two”.")], {})
    content = (tmp_path / "s.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbftask,title,context,text,stance,certainty,source,cues")
    assert "\"'=1+1" not in content.decode("utf-8-sig")
    assert ",'=1+1 is “two”.,,,,\r\n" in content.decode("utf-8-sig")


@pytest.mark.parametrize(
    ("cell", "cues"),
    [
        ("said; denied", ("said", "denied")),
        (" said ;; ", ("said",)),
        ("a\\; b;c", ("a; b", "c")),
        ("\\ x\\ ", (" x ",)),
        ("back\\\\slash\\", ("back\\slash\\",)),
        ("", ()),
    ],
)
def test_cues_as_people_write_them(cell: str, cues: tuple[str, ...]) -> None:
    assert spreadsheet.split_cues(cell) == cues


def test_what_spreadsheets_do_to_a_file(tmp_path: Path) -> None:
    """Semicolons between cells, columns moved, capitals, a blank row, other line ends."""
    path = tmp_path / "s.csv"
    path.write_text(
        "stance;task;text;certainty;cues;source;note\n"
        ";;;;;;\n"
        "No claim;a#2;So?;;;;hm\n"
        'Attributed;a#3;"’Tis late,\r\nhe said.";Certain;said;he;\n',
        encoding="utf-8",
        newline="",
    )
    tasks = [make_task("So?"), make_task("’Tis late,\nhe said.", position=3)]
    found = back(tasks, spreadsheet.read_sheet(path))
    assert found.faults == []
    assert [(s.stance, s.certainty, s.source, s.cues) for s in found.labels] == [
        ("no_claim", None, None, ()),
        ("attributed", "certain", "he", ("said",)),
    ]


def test_an_apostrophe_that_belongs_to_the_words_stays() -> None:
    assert spreadsheet.unprotect("'tis") == "'tis"
    assert spreadsheet.unprotect(spreadsheet.protect("'=x")) == "'=x"


# Blindness.


def test_nothing_tells_what_a_model_believes(
    run_here: Run, tmp_path: Path, articles: list[LabelledArticle], tiny_onnx: Path
) -> None:
    tasks = sample([as_article(articles[0])], 5, model=load_model(tiny_onnx, threads=1))
    assert suggestions(tasks).keys() == {t.id for t in tasks}
    write_records(tmp_path / "s.jsonl", tasks)
    for tool, name in (("csv", "s.csv"), ("label-studio", "l"), ("doccano", "d")):
        for suggest in (False, True):
            out = tmp_path / str(suggest) / name
            flags = ["--suggest"] if suggest else []
            done = run_here("tasks", "export", "s.jsonl", "--to", tool, "-o", out, *flags)
            assert (done.code, done.out) == (0, f"wrote {out}: 5 tasks\n")
            task_files = [out] if tool == "csv" else list(out.glob("tasks.json*"))
            said = "".join(p.read_text("utf-8") for p in task_files)
            assert ("uncertain" in said or "attributed" in said) == suggest


def test_the_instructions_name_every_label_and_its_meaning() -> None:
    for label, meaning in (STANCE_MEANING | CERTAINTY_MEANING).items():
        assert f"- `{label}`: {meaning}" in instructions()
        assert f'<Choice value="{label}" hint="{meaning}" />' in label_studio.interface()


def test_the_configurations_can_be_read(tmp_path: Path) -> None:
    doccano.write_folder(tmp_path, [make_task("So?")], {}, reasons=False)
    kinds = json.loads((tmp_path / doccano.CATEGORIES_FILE).read_text())
    assert [k["text"] for k in kinds] == [*STANCES, *CERTAINTIES]
    assert len({k["suffix_key"] for k in kinds}) == len(kinds)
    assert [k["text"] for k in json.loads((tmp_path / doccano.SPANS_FILE).read_text())] == [
        "source",
        "cue",
    ]
    view = ET.fromstring(label_studio.interface())
    assert {e.get("toName") for e in view.iter() if e.get("toName")} == {"text"}


# What is wrong with answers.


def csv_of(path: Path, *rows: str) -> Path:
    path.write_text("task,text,stance,certainty,source,cues\n" + "\n".join(rows) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "a#2,It burnt.,assertive,certain,,",
            "row 1: expected a stance: asserted, attributed, disputed, unproven, refuted, "
            "no_claim, found 'assertive'. To mend it: correct the label.",
        ),
        (
            "a#2,It burnt.,asserted,sure,,",
            "row 1: expected a certainty: certain, probable, possible, found 'sure'. To mend "
            "it: correct the label.",
        ),
        (
            "a#2,It burnt.,asserted,,,",
            "row 1: expected a certainty for every stance but no_claim, and none for that, found "
            "none for asserted. To mend it: choose how firmly the claim is made, or take the "
            "certainty out.",
        ),
        (
            "a#2,It burnt.,no_claim,certain,,",
            "found certain for no_claim. To mend it: choose",
        ),
        (
            "a#2,It burnt.,asserted,certain,he,",
            "row 1: expected a source and cues that stand in the sentence, letter for letter, "
            "found source 'he' is not a substring of the sentence. To mend it: copy them out of "
            "the sentence again.",
        ),
        ("a#2,It burnt.,asserted,certain,,Burnt", "found cue 'Burnt' is not a substring"),
        (
            "a#2,It burned.,asserted,certain,,",
            "row 1: expected the sentence of the task, 'It burnt.', found 'It burned.'. To mend "
            "it: label the text as it was exported.",
        ),
        (
            "a#2,It burnt.,,,,",
            "row 1: expected a stance for the task 'a#2', found none. To mend it: choose one of "
            "asserted, attributed,",
        ),
        (
            "a#2,It burnt.,asserted,certain",
            "row 1: expected 6 cells, as in the header, found 4. To mend it: put cells that hold",
        ),
    ],
)
def test_a_faulty_row_is_named_and_the_rest_goes_on(tmp_path: Path, row: str, words: str) -> None:
    path = csv_of(tmp_path / "s.csv", row, "a#3,So?,no_claim,,,")
    tasks = [make_task("It burnt."), make_task("So?", position=3)]
    found = back(tasks, spreadsheet.read_sheet(path))
    (fault,) = found.faults
    assert words in str(fault)
    assert [s.position for s in found.labels] == [3]
    assert found.labels[0].annotator == "ada"


def test_unknown_missing_and_labelled_twice(tmp_path: Path) -> None:
    row = "a#2,It burnt.,asserted,certain,,"
    path = csv_of(tmp_path / "s.csv", row, row, "b#1,So?,no_claim,,,")
    found = back([make_task("It burnt."), make_task("So?", 3)], spreadsheet.read_sheet(path))
    assert found.labels == []
    assert [str(f).removeprefix(str(path)) for f in found.faults] == [
        *(
            f", row {n}: expected one answer to the task 'a#2', found several. To mend it: "
            "delete all but one, or export what one person labelled."
            for n in (1, 2)
        ),
        ", row 3: expected a task of the sheet, found the unknown task 'b#1'. To mend it: name "
        "the sheet that was exported with --tasks, or delete what is not its own.",
        "export: expected an answer to the task 'a#3', found none. To mend it: label it, and "
        "export again.",
    ]


def test_csv_that_is_none(tmp_path: Path, refuses: Refuses) -> None:
    path = tmp_path / "s.csv"
    path.write_text("task,stance\n", encoding="utf-8")
    refuses(
        f"{path}: expected the columns task, title, context, text, stance, certainty, source, "
        "cues, found no text, certainty, source, cues. To mend it: fill in the file that "
        "'claimstance tasks export' wrote, header and all.",
        list,
        spreadsheet.read_sheet(path),
    )
    path.write_bytes(b"task\xff")
    refuses("save it as 'CSV UTF-8'", list, spreadsheet.read_sheet(path))
    csv_of(path, 'a#2,"It burnt.,asserted,certain,,')
    (unread,) = spreadsheet.read_sheet(path)
    assert isinstance(unread, spreadsheet.Unread)
    assert "row 1: expected cells quoted with double quotes, found broken CSV" in str(unread.fault)


def doccano_row(**changes: Any) -> dict[str, Any]:
    row = {"id": 7, "text": "He said so.", "task": "a#2", "cats": ["attributed", "certain"]}
    return row | {"entities": [[0, 2, "source"], [3, 7, "cue"]]} | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entities": [[0, 99, "cue"]]}, "expected a span in the sentence, which has 11 "
         "characters, found one from 0 to 99. To mend it: mark it again."),
        ({"entities": [[0, 2, "who"]]}, "expected spans as [start, end, label], the label source "
         'or cue, found [0, 2, "who"]. To mend it: correct or delete that span.'),
        ({"entities": [[0, 2, "source"], [3, 7, "source"]]}, "expected at most one source, found "
         "'He', 'said'. To mend it: take out all but one."),
        ({"cats": ["attributed", "disputed", "certain"]}, "expected at most one stance, found"),
        ({"cats": ["attributed", "certain", "possible"]}, "expected at most one certainty, found"),
        ({"cats": ["certain"]}, "expected a stance for the task 'a#2', found none"),
        ({"cats": ["attributed", "certain", "odd"]}, "at most one stance, found 'attributed', 'o"),
        ({"cats": None}, "expected the fields text, task, cats and entities, found 'id', 'text'"),
    ],
)  # fmt: skip
def test_faults_of_doccano(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(doccano_row(**changes)), encoding="utf-8")
    found = back([make_task("He said so.")], doccano.read_export(path))
    assert len(found.faults) == 1
    assert words in str(found.faults[0])
    assert found.labels == []


def studio(tmp_path: Path, *annotations: Any, **changes: Any) -> Import:
    row = {"data": {"task": "a#2", "text": "He said so."}, "annotations": list(annotations)}
    path = tmp_path / "l.json"
    path.write_text(json.dumps([row | changes]), encoding="utf-8")
    return back([make_task("He said so.")], label_studio.read_export(path))


def choice(name: str, *labels: str) -> dict[str, Any]:
    return {"from_name": name, "type": "choices", "value": {"choices": list(labels)}}


def span(start: Any, end: Any, label: str, **more: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label], **more}
    return {"from_name": "spans", "type": "labels", "value": value}


LEGAL = [choice("stance", "attributed"), choice("certainty", "certain")]


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([*LEGAL, span(0, 99, "cue")], "expected a span in the sentence, which has 11"),
        ([*LEGAL, span(None, 2, "cue")], "found one from None to 2"),
        ([*LEGAL, span(0, 2, "cue", text="said")], "expected the words 'said' of a span, from 0 "
         "to 2, found 'He'. To mend it: mark it again."),
        ([*LEGAL, span(0, 2, "who")], "expected results of the interface that 'claimstance tasks "
         "export' wrote, found others. To mend it: set the project's labelling interface to"),
        ([choice("mood", "glum")], "expected results of the interface"),
        ([choice("stance", "attributed", "disputed")], "expected at most one stance"),
        ([], "expected a stance for the task 'a#2', found none"),
    ],
)  # fmt: skip
def test_faults_of_label_studio(tmp_path: Path, results: list[Any], words: str) -> None:
    found = studio(tmp_path, {"result": results})
    assert len(found.faults) == 1
    assert words in str(found.faults[0])


def test_label_studio_skipped_and_several(tmp_path: Path) -> None:
    good = {"result": LEGAL}
    assert "expected an answer" in str(studio(tmp_path, good | {"was_cancelled": True}).faults[0])
    assert len(studio(tmp_path, good, {"was_cancelled": True, "result": []}).labels) == 1
    assert "found several" in str(studio(tmp_path, good, good).faults[0])
    assert "expected a task with data" in str(studio(tmp_path, good, data={}).faults[0])


@pytest.mark.parametrize("content", ["{}", "[1]", "no", "[" * 100_000])
def test_no_export_of_label_studio(tmp_path: Path, content: str, refuses: Refuses) -> None:
    (tmp_path / "l.json").write_text(content, encoding="utf-8")
    refuses(
        f"{tmp_path / 'l.json'}: expected an export of Label Studio, a JSON list of tasks, found "
        "something else. To mend it: export the project as JSON (not as JSON-MIN).",
        list,
        label_studio.read_export(tmp_path / "l.json"),
    )


# The commands.


@pytest.fixture
def loop(tasks: list[Task], labels: dict[str, Labels], run_here: Run, tmp_path: Path) -> Path:
    """A sheet, and two people's labels of it, that differ on one stance and one source."""
    write_records(tmp_path / "sheet.jsonl", tasks)
    for name in ("ada", "bea"):
        changed = dict(labels)
        if name == "bea":
            changed["t01#2"] = Labels(stance="asserted", certainty="certain")
            changed["t01#1"] = labels["t01#1"].model_copy(update={"source": None})
        spreadsheet.write_sheet(tmp_path / f"{name}.csv", tasks, changed)
        done = run_here(
            *("tasks", "import", f"{name}.csv", "--from", "csv", "--tasks", "sheet.jsonl"),
            *("--annotator", name, "-o", f"{name}.jsonl"),
        )
        assert (done.code, done.out) == (0, f"wrote {name}.jsonl: 21 labelled sentences\n")
    return tmp_path


def decide(folder: Path, *rows: dict[str, Any]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "d.jsonl").write_text(text, encoding="utf-8")


DECISION = {
    "article_id": "t01",
    "position": 2,
    "stance": "disputed",
    "certainty": "certain",
    "source": "Mayor Oda Finch",
    "cues": ["denied"],
    "reason": "a denial of something named before",
}
SETTLE = ("tasks", "settle", "ada.jsonl", "bea.jsonl", "--decisions", "d.jsonl", "-o", "gold.jsonl")


def test_from_two_passes_to_a_corpus(
    loop: Path, run_here: Run, tiny_corpus: Path, gold: list[LabelledSentence]
) -> None:
    done = run_here("tasks", "compare", "ada.jsonl", "bea.jsonl", "-o", "todo.jsonl")
    assert done.code == 0
    assert "stance: 21 sentences, same label 0.952 [" in done.out
    assert "Cohen's kappa 0.9" in done.out
    assert "source: overlap F1" in done.out
    assert done.out.endswith("wrote todo.jsonl: 1 disagreement to settle\n")
    (found,) = read_records(loop / "todo.jsonl", Disagreement)
    assert (found.article_id, found.position) == ("t01", 2)
    assert (found.first.stance, found.second.stance) == ("disputed", "asserted")

    done = run_here(*SETTLE)
    assert done.code == 2
    assert "d.jsonl: expected a file that can be read" in done.err
    decide(loop, DECISION)
    done = run_here(*SETTLE)
    assert (done.code, done.out) == (0, "wrote gold.jsonl: 21 labelled sentences, 1 decided\n")
    assert read_labels(loop / "gold.jsonl") == gold

    more = ("--tasks", "sheet.jsonl", "--base", tiny_corpus, "--alone", "-o", "more")
    done = run_here("tasks", "corpus", "gold.jsonl", *more)
    assert done.out == "wrote more: 21 labelled sentences in train, 21 of them new\n"
    train = load_split(loop / "more", "train")
    assert [a.sentences[0].text for a in train] == [s.text for s in gold]


def test_agreement_leaves_nothing_to_decide(loop: Path, run_here: Run) -> None:
    lines = (loop / "ada.jsonl").read_text("utf-8").replace('"ada"', '"bea"')
    (loop / "bea.jsonl").write_text(lines, encoding="utf-8")
    done = run_here(*SETTLE)
    assert (done.code, done.out) == (0, "wrote gold.jsonl: 21 labelled sentences, 0 decided\n")


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (
            DECISION | {"position": 3},
            "d.jsonl: expected a decision on every disagreement of the two passes, found none on "
            "article 't01', position 2. To mend it: decide it, with its reason.",
        ),
        (
            DECISION | {"reason": " "},
            "d.jsonl, article 't01', position 2: expected the reason of the decision, found an "
            "empty one. To mend it: say which rule of the guidelines decides.",
        ),
        (
            DECISION | {"position": 99},
            "d.jsonl, article 't01', position 99: expected a sentence of the first pass, found "
            "one that it has not. To mend it: delete that line, or correct its place.",
        ),
        (
            DECISION | {"source": "Nobody"},
            "d.jsonl, article 't01', position 2: expected labels that fit the sentence, found "
            "Value error, source 'Nobody' is not a substring of the sentence. To mend it: "
            "correct that decision.",
        ),
    ],
)
def test_decisions_that_do_not_settle(
    loop: Path, run_here: Run, decision: dict[str, Any], words: str
) -> None:
    decide(loop, decision)
    done = run_here(*SETTLE)
    assert (done.code, done.err) == (2, f"claimstance: {words}\n")
    assert not (loop / "gold.jsonl").exists()


def test_passes_that_are_no_two_passes(loop: Path, run_here: Run) -> None:
    compare = ("tasks", "compare", "ada.jsonl", "bea.jsonl", "-o", "todo.jsonl")
    lines = (loop / "bea.jsonl").read_text("utf-8").splitlines()
    first = json.loads(lines[0])
    for changes, words in (
        ({"annotator": "ada"}, "expected labels of somebody else than 'ada', found labels of"),
        ({"position": 50}, "expected sentences that the first pass has labelled, found article "
         "'t01', position 50. To mend it: give two passes over the same sheet."),
        ({"text": "Storm."}, "found article 't01', position 0, with another text."),
        ({"position": 1}, "bea.jsonl: expected each sentence once, found article 't01', position"),
    ):  # fmt: skip
        changed = [json.dumps(first | {"source": None, "cues": []} | changes), *lines[1:]]
        (loop / "bea.jsonl").write_text("\n".join(changed), encoding="utf-8")
        done = run_here(*compare)
        assert done.code == 2
        assert words in done.err
    (loop / "bea.jsonl").write_text("\n".join(lines[:5]), encoding="utf-8")
    done = run_here(*compare)
    assert "labelled in ada.jsonl only: 16 sentences\n" in done.out


def test_import_lists_faults_and_writes_the_rest(loop: Path, run_here: Run) -> None:
    rows = (loop / "ada.csv").read_text("utf-8-sig").splitlines()
    (loop / "less.csv").write_text("\n".join(rows[:1]) + "\n", encoding="utf-8")
    arguments = ("--from", "csv", "--tasks", "sheet.jsonl", "--annotator", "cy", "-o", "cy.jsonl")
    done = run_here("tasks", "import", "less.csv", *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.count("expected an answer to the task") == 20
    assert done.err.endswith("and 1 more\nclaimstance: 21 answers could not be used\n")
    assert not (loop / "cy.jsonl").exists()
    done = run_here("tasks", "import", "less.csv", *arguments[:-3], " ", "-o", "cy.jsonl")
    assert "--annotator: expected a name, found an empty one" in done.err


def test_work_is_never_written_over(loop: Path, run_here: Run) -> None:
    for command in (
        ("tasks", "export", "sheet.jsonl", "--to", "csv", "-o", "ada.csv"),
        ("tasks", "import", "ada.csv", "--from", "csv", "--tasks", "sheet.jsonl",
         "--annotator", "ada", "-o", "ada.jsonl"),
        (*SETTLE[:-1], "ada.jsonl"),
    ):  # fmt: skip
        done = run_here(*command)
        assert (done.code, done.out) == (2, "")
        assert "expected a file that is not yet there" in done.err
    done = run_here("tasks", "export", "sheet.jsonl", "--to", "doccano", "-o", ".")
    assert "expected a new or an empty folder" in done.err


# Into training.


@pytest.fixture
def mixed_corpus(tiny_corpus: Path, run_here: Run, tmp_path: Path) -> Path:
    """The tiny corpus, and three sentences of another article with what stands before them."""
    texts = ["Quay opens", "It took a year.", "It will probably last, she said.", "Is it deep?"]
    tasks = sample([Article("new", texts[0], spans_of(texts))], 9, model=None, strategy="random")
    labels = {
        "new#0": Labels(stance="asserted", certainty="certain"),
        "new#2": Labels(stance="attributed", certainty="probable", source="she", cues=("said",)),
        "new#3": Labels(stance="no_claim", certainty=None),
    }
    tasks = [t for t in tasks if t.id in labels]
    write_records(tmp_path / "new.jsonl", tasks)
    spreadsheet.write_sheet(tmp_path / "new.csv", tasks, labels)
    run_here("tasks", "import", "new.csv", "--from", "csv", "--tasks", "new.jsonl",
             "--annotator", "ada", "-o", "new-labels.jsonl")  # fmt: skip
    done = run_here("tasks", "corpus", "new-labels.jsonl", "--tasks", "new.jsonl",
                    "--base", tiny_corpus, "-o", "mixed")  # fmt: skip
    assert done.out == "wrote mixed: 59 labelled sentences in train, 3 of them new\n"
    return tmp_path / "mixed"


def test_a_task_is_an_article_with_context(mixed_corpus: Path, tiny_corpus: Path) -> None:
    train = load_split(mixed_corpus, "train")
    assert train[:8] == load_split(tiny_corpus, "train")
    assert load_split(mixed_corpus, "dev") == load_split(tiny_corpus, "dev")
    first, third, fourth = train[8:]
    assert [a.facts.article_id for a in train[8:]] == ["new#0", "new#2", "new#3"]
    assert first.texts == ["Quay opens"]
    assert third.texts == ["Quay opens", "It took a year.", "It will probably last, she said."]
    assert (third.sentences[0].position, third.sentences[0].source) == (2, "she")
    assert fourth.facts.context == ("It took a year.", "It will probably last, she said.")
    assert fourth.facts.title == "Quay opens"


def test_context_is_read_and_does_not_count(mixed_corpus: Path, tiny_model: Path) -> None:
    from claimstance.encoder import load_tokenizer
    from claimstance.recipes import WindowRecipe
    from claimstance.settings import load_settings

    article = load_split(mixed_corpus, "train")[9]
    windows = load_settings(tiny_model).windows
    assert isinstance(windows, WindowSettings)
    tokenizer = load_tokenizer(tiny_model)
    views = WindowRecipe(max_tokens=64, views=40, context_sentences=2)
    wide = windows.model_copy(update={"context_sentences": 2})
    rows = list(window_dataset([article], tokenizer, wide, views=views, seed=1))
    assert {row["count"] for row in rows} == {1, 2, 3}
    for row in rows:
        assert row["stance_labels"] == [IGNORED] * (row["count"] - 1) + [1]
        assert row["certainty_labels"] == [IGNORED] * (row["count"] - 1) + [1]
        owners = [o for o, tag in zip(row["sentence_of"], row["tag_labels"], strict=True)
                  if tag != IGNORED]  # fmt: skip
        assert set(owners) == {row["count"] - 1}
        assert len(set(row["tag_labels"])) > 2


def test_a_window_of_context_alone_is_left_out(mixed_corpus: Path, tiny_model: Path) -> None:
    from claimstance.encoder import load_tokenizer
    from claimstance.settings import load_settings

    article = load_split(mixed_corpus, "train")[9]
    windows = load_settings(tiny_model).windows
    assert windows is not None
    narrow = windows.model_copy(update={"max_tokens": 28})
    rows = list(window_dataset([article], load_tokenizer(tiny_model), narrow))
    assert [row["stance_labels"][-1] for row in rows] == [1]


def test_predictions_are_of_the_labelled_sentence_in_its_context(
    mixed_corpus: Path, tiny_model: Path, run_here: Run, tmp_path: Path
) -> None:
    train = load_split(mixed_corpus, "train")
    found = predict_split(load_model(tiny_model, threads=1), train)
    gold = [s for a in train for s in a.sentences]
    assert [(p.article_id, p.position, p.text) for p in found] == [
        (s.article_id, s.position, s.text) for s in gold
    ]
    done = run_here("classify", "mixed", "--split", "train", "--model", tiny_model,
                    "-q", "-o", "p.jsonl")  # fmt: skip
    assert done.code == 0
    done = run_here("evaluate", "--gold", "mixed/train.jsonl", "--predictions", "p.jsonl",
                    "--only-gold")  # fmt: skip
    assert done.code == 0
    teacher = load_teacher(tmp_path / "p.jsonl", train)
    assert [p.position for p in teacher["new#2"]] == [0, 1, 2]


def test_a_model_is_trained_and_calibrated_on_it(
    mixed_corpus: Path, make_recipe: Callable[..., Any], tmp_path: Path
) -> None:
    from claimstance.training import train_transformer

    # Its dev holds tasks as well: they are calibrated on as they are read.
    for split in ("train", "dev"):
        assert (mixed_corpus / f"{split}.jsonl").exists()
    rows = (mixed_corpus / "articles.jsonl").read_text("utf-8").splitlines()
    moved = [r.replace('"split": "train"', '"split": "dev"') if '"new#3"' in r else r for r in rows]
    (mixed_corpus / "articles.jsonl").write_text("\n".join(moved), encoding="utf-8")
    lines = (mixed_corpus / "train.jsonl").read_text("utf-8").splitlines()
    (mixed_corpus / "train.jsonl").write_text("\n".join(lines[:-1]), encoding="utf-8")
    with (mixed_corpus / "dev.jsonl").open("a", encoding="utf-8") as file:
        file.write(lines[-1] + "\n")
    recipe = make_recipe(epochs=1).model_copy(update={"corpus": mixed_corpus})
    train_transformer(recipe, tmp_path / "model")
    dev = load_split(mixed_corpus, "dev")
    assert len(predict_split(load_model(tmp_path / "model"), dev)) == 15


def test_what_is_scored_is_not_trained_on(
    mixed_corpus: Path, tiny_corpus: Path, run_here: Run, tmp_path: Path
) -> None:
    corpus = ("tasks", "corpus", "new-labels.jsonl", "--tasks", "new.jsonl", "-o", "again")
    done = run_here(*corpus, "--base", mixed_corpus)
    assert (done.code, done.err) == (
        2,
        f"claimstance: article 'new#0': expected an article and a sentence that {mixed_corpus} "
        "does not hold, train's sentences aside, found 'Quay opens'. To mend it: leave it "
        "out of the labels: what is trained on must not be scored.\n",
    )
    for split, title in (
        ("dev", "Two men in the dock over stolen bells"),
        ("test", "What the folding tablet can and cannot do"),
    ):
        before = (tiny_corpus / f"{split}.jsonl").read_text("utf-8")
        changed = before.replace(title, "It will probably last, she said.")
        (tiny_corpus / f"{split}.jsonl").write_text(changed, encoding="utf-8")
        done = run_here(*corpus, "--base", tiny_corpus)
        assert "article 'new#2': expected an article and a sentence that" in done.err
        (tiny_corpus / f"{split}.jsonl").write_text(before, encoding="utf-8")
    done = run_here(*corpus[:3], "--tasks", "new-labels.jsonl", *corpus[5:], "--base", tiny_corpus)
    assert done.code == 2
    assert not (tmp_path / "again").exists()


def test_labels_without_their_sheet(mixed_corpus: Path, tiny_corpus: Path, run_here: Run) -> None:
    sheet = (mixed_corpus.parent / "new.jsonl").read_text("utf-8").splitlines()
    (mixed_corpus.parent / "less.jsonl").write_text(sheet[0], encoding="utf-8")
    done = run_here("tasks", "corpus", "new-labels.jsonl", "--tasks", "less.jsonl",
                    "--base", tiny_corpus, "-o", "again")  # fmt: skip
    assert done.err == (
        "claimstance: new-labels.jsonl, article 'new', position 2: expected a sentence of the "
        "sheets, found one that they have not. To mend it: name every sheet that was labelled "
        "with --tasks.\n"
    )


def test_a_suggestion_is_checked_as_labels_are() -> None:
    with pytest.raises(ValueError, match="certainty must be null for no_claim"):
        Suggestion(stance="no_claim", certainty="certain", stance_probabilities={}, model="m")
