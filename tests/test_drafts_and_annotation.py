"""From drafts to a corpus: reading, adding, a blind second pass, and settling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claimstance.annotation import (
    DataFolder,
    SettledLabels,
    add_drafts,
    add_second_pass,
    agreement,
    disagreements,
    load_all,
    settle,
)
from claimstance.corpus import ARTICLES_FILE, LabelledArticle, load_split
from claimstance.drafts import read_draft, write_sheet
from claimstance.errors import InputError
from claimstance.labels import STANCES
from claimstance.records import LabelledSentence, SentenceLabels, read_records, write_records

Refuses = Callable[..., InputError]
LabelsOf = Callable[[LabelledSentence], SentenceLabels]

DRAFT = """\
id: b01
title: Harbour board at odds over ferry deal
genre: local paper
topic: local government
split: train
spelling: British
origin: synthetic
notes: denials that are told: not named

> Harbour board at odds over ferry deal
= asserted certain
! headline

> “We never signed it,” said the chair.
= disputed certain | source: the chair | cues: never; said

> Was it worth it?
= no_claim

> No paper has been shown that | as the clerk put it | settles this.
! scope
= unproven possible | cues: No paper
"""


def write_draft(path: Path, text: str = DRAFT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def as_draft(article: LabelledArticle) -> str:
    """An article in the format of drafts, written here independently of the reader."""
    facts = article.facts
    lines = [
        f"id: {facts.article_id}",
        f"title: {facts.title}",
        f"genre: {facts.genre}",
        f"topic: {facts.topic}",
        f"split: {facts.split}",
        f"spelling: {facts.spelling}",
        f"origin: {facts.origin}",
        f"notes: {facts.notes}",
    ]
    for s in article.sentences:
        label = f"= {s.stance} {s.certainty or ''}".rstrip()
        source = f" | source: {s.source}" if s.source else ""
        cues = f" | cues: {'; '.join(s.cues)}" if s.cues else ""
        lines += ["", f"> {s.text}", label + source + cues]
        if s.position in facts.hard_cases:
            lines.append(f"! {facts.hard_cases[s.position]}")
    return "\n".join(lines) + "\n"


# Drafts.


def test_a_draft(tmp_path: Path) -> None:
    article = read_draft(write_draft(tmp_path / "b01.txt"))
    assert article.facts.article_id == "b01"
    assert article.facts.notes == "denials that are told: not named"
    assert article.facts.hard_cases == {0: "headline", 3: "scope"}
    rows = [(s.position, s.stance, s.certainty, s.source, s.cues) for s in article.sentences]
    assert rows == [
        (0, "asserted", "certain", None, ()),
        (1, "disputed", "certain", "the chair", ("never", "said")),
        (2, "no_claim", None, None, ()),
        (3, "unproven", "possible", None, ("No paper",)),
    ]
    assert article.sentences[3].text.count(" | ") == 2


def test_drafts_hold_all_that_a_corpus_holds(
    articles: list[LabelledArticle], tmp_path: Path
) -> None:
    for article in articles:
        path = write_draft(tmp_path / "draft.txt", as_draft(article))
        assert read_draft(path) == article


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("genre: local paper\n", "", "expected a header with id, title, genre, topic, split, "
         "spelling, origin, notes, found no genre"),
        ("topic: local government", "topic:", "found no topic"),
        ("split: train", "split: training", "expected a legal header, found Input should be "
         "'train', 'dev' or 'test'"),
        ("notes:", "mood: glum\nnotes:", "expected a legal header, found Extra inputs are not"),
        ("title: Harbour", "title: Our harbour", "expected the title as first sentence, found "
         "another text, or none"),
        ("= no_claim\n", "", "line 17: expected a line '= labels' after the sentence, found none"),
        ("= no_claim", "= ?", "line 17: expected a line '= labels' after the sentence"),
        ("= no_claim", "= no_claim certain", "line 17: expected legal labels, found Value error, "
         "certainty must be null for no_claim"),
        ("= disputed certain", "= disputed", "line 14: expected legal labels"),
        ("= disputed certain", "= denied certain", "expected legal labels, found Input should be"),
        ("source: the chair", "source: a chair", "found Value error, source 'a chair' is not a"),
        ("cues: never; said", "cues: never; says", "found Value error, cue 'says' is not a"),
        ("source: the chair", "who: the chair", "line 14: expected 'source: …' or 'cues: …', "
         "found 'who: the chair'"),
        ("! scope", "! hope", "line 21: expected '> sentence', one '= labels', '! kind of hard "
         "case' or a header 'key: value', found '! hope'"),
        ("> Was it", "Was it", "line 17: expected '> sentence'"),
        ("= no_claim", "= no_claim\n= no_claim", "line 19: expected '> sentence'"),
    ],
)  # fmt: skip
def test_a_faulty_draft(tmp_path: Path, refuses: Refuses, old: str, new: str, words: str) -> None:
    assert DRAFT.count(old) == 1
    path = write_draft(tmp_path / "b01.txt", DRAFT.replace(old, new))
    error = refuses(words, read_draft, path)
    assert error.where.startswith(str(path))
    assert error.fix == "see the format in data/README.md"


def test_a_draft_that_cannot_be_read(tmp_path: Path, refuses: Refuses) -> None:
    refuses("expected a draft in UTF-8, found FileNotFoundError", read_draft, tmp_path / "none")
    (tmp_path / "latin").write_bytes(DRAFT.replace("“", "\u00e9").encode("latin-1", "replace"))
    refuses("expected a draft in UTF-8, found UnicodeDecodeError", read_draft, tmp_path / "latin")
    refuses("found no id, title", read_draft, write_draft(tmp_path / "empty", ""))


# Adding drafts to a corpus.


def test_the_first_drafts_make_a_corpus(articles: list[LabelledArticle], tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    paths = [
        write_draft(tmp_path / f"{a.facts.article_id}.txt", as_draft(a)) for a in articles[::-1]
    ]
    assert len(add_drafts(data, paths)) == 12
    found = load_all(data)
    assert {a.facts.article_id: a for a in found} == {a.facts.article_id: a for a in articles}
    assert [a.facts.article_id for a in load_split(data.corpus, "train")] == [
        f"t0{n}" for n in range(1, 9)
    ]
    assert {a.facts.article_id for a in load_all(data)} == {a.facts.article_id for a in articles}
    first = read_records(data.first, SentenceLabels)
    places = [(s.article_id, s.position) for s in first]
    assert places == sorted(places)
    assert len(places) == 84


def test_drafts_are_added_to_what_is_there(
    tiny_corpus: Path, articles: list[LabelledArticle], tmp_path: Path
) -> None:
    data = DataFolder(tiny_corpus.parent)
    (added,) = add_drafts(data, [write_draft(tmp_path / "b01.txt")])
    assert added.facts.article_id == "b01"
    found = {a.facts.article_id: a for a in load_all(data)}
    assert found == {a.facts.article_id: a for a in [*articles, added]}
    first = {(s.article_id, s.position): s for s in read_records(data.first, SentenceLabels)}
    assert first["b01", 1].source == "the chair"
    assert len(first) == 84 + 4


@pytest.mark.parametrize("article_id", ["t01", "b01"])
def test_an_id_that_is_taken_adds_nothing(
    tiny_corpus: Path, tmp_path: Path, refuses: Refuses, article_id: str
) -> None:
    """Taken in the corpus, or by another of the drafts."""
    data = DataFolder(tiny_corpus.parent)
    before = {p: p.read_bytes() for p in data.root.rglob("*.jsonl")}
    good = write_draft(tmp_path / "b01.txt")
    again = write_draft(tmp_path / "c.txt", DRAFT.replace("id: b01", f"id: {article_id}"))
    refuses(
        f"{again}: expected an article id that is not yet in the corpus, found {article_id}. "
        "To mend it: choose another id.",
        add_drafts,
        data,
        [good, again],
    )
    assert {p: p.read_bytes() for p in data.root.rglob("*.jsonl")} == before


# Sheets and the second pass.


def test_a_sheet_tells_no_label(tmp_path: Path) -> None:
    article = read_draft(write_draft(tmp_path / "b01.txt"))
    ((name, sheet),) = write_sheet([article])
    assert name == "b01.txt"
    for sentence in article.sentences:
        assert f"\n> {sentence.text}\n= ?\n" in sheet
    rest = [line for line in sheet.splitlines() if not line.startswith("> ")]
    told = "\n".join(rest)
    for secret in (*STANCES, "certain", "probable", "possible", "source:", "cues:", "!", "scope",
                   "headline", article.facts.notes):  # fmt: skip
        assert secret not in told


def test_a_sheet_that_is_not_filled_in_is_refused(
    tiny_corpus: Path, tmp_path: Path, refuses: Refuses
) -> None:
    data = DataFolder(tiny_corpus.parent)
    ((name, sheet), *_) = write_sheet(load_all(data))
    path = write_draft(tmp_path / name, sheet)
    refuses("expected a line '= labels' after the sentence", add_second_pass, data, [path])


def fill_in(article: LabelledArticle, labels: list[str]) -> str:
    ((_, sheet),) = write_sheet([article])
    for label in labels:
        sheet = sheet.replace("= ?", f"= {label}", 1)
    assert "= ?" not in sheet
    return sheet


#: Of these seven labels for t01, the second differs in certainty and the fourth in stance.
SECOND = [
    "asserted certain",
    "attributed probable | source: the river agency | cues: said",
    "disputed certain | source: Mayor Oda Finch | cues: denied that",
    "refuted possible",
    "refuted certain | cues: false",
    "no_claim",
    "asserted probable | cues: likely",
]


@pytest.fixture
def two_passes(tiny_corpus: Path, articles: list[LabelledArticle], tmp_path: Path) -> DataFolder:
    """The tiny corpus with a second pass over one article, which differs twice."""
    data = DataFolder(tiny_corpus.parent)
    data.second.unlink()
    sheet = write_draft(tmp_path / "t01.txt", fill_in(articles[0], SECOND))
    assert add_second_pass(data, [sheet]) == 7
    return data


def test_the_second_pass_is_kept_beside_the_first(
    two_passes: DataFolder, articles: list[LabelledArticle], labels_of: LabelsOf
) -> None:
    second = read_records(two_passes.second, SentenceLabels)
    assert [(s.article_id, s.position) for s in second] == [("t01", i) for i in range(7)]
    assert second[3].stance == "refuted"
    first = read_records(two_passes.first, SentenceLabels)
    assert first == [labels_of(s) for a in articles for s in a.sentences]
    # The corpus itself has not changed.
    assert load_split(two_passes.corpus, "train")[0].sentences[3].stance == "unproven"


def test_a_raw_pass_is_never_changed(
    two_passes: DataFolder, articles: list[LabelledArticle], tmp_path: Path, refuses: Refuses
) -> None:
    before = two_passes.second.read_bytes()
    labels = [*SECOND[:3], "unproven possible", *SECOND[4:]]
    other = ["asserted certain", *["no_claim"] * 6]
    paths = [
        write_draft(tmp_path / "other.txt", fill_in(articles[1], other)),
        write_draft(tmp_path / "again.txt", fill_in(articles[0], labels)),
    ]
    words = "again.txt: expected an article without a second pass, found labels of "
    refuses(words, add_second_pass, two_passes, paths)
    assert two_passes.second.read_bytes() == before
    assert add_second_pass(two_passes, paths[:1]) == 7


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("id: t01", "id: t99", "an unknown article"),
        ("What happens now?", "What happens next?", "other text"),
        ("\n\n> What happens now?\n= no_claim", "", "other text"),
    ],
)
def test_a_sheet_of_another_text(
    tiny_corpus: Path,
    articles: list[LabelledArticle],
    tmp_path: Path,
    refuses: Refuses,
    old: str,
    new: str,
    found: str,
) -> None:
    data = DataFolder(tiny_corpus.parent)
    before = data.second.read_bytes()
    sheet = fill_in(articles[0], SECOND)
    assert old in sheet
    path = write_draft(tmp_path / "t01.txt", sheet.replace(old, new))
    refuses(
        f"{path}: expected the sentences of an article in the corpus, unchanged, found {found}. "
        "To mend it: label a sheet that 'claimstance corpus sheets' wrote.",
        add_second_pass,
        data,
        [path],
    )
    assert data.second.read_bytes() == before


# Disagreements and decisions.


def test_disagreements_are_those_of_stance_and_certainty(two_passes: DataFolder) -> None:
    found = [(a.position, a.stance, b.stance) for a, b in disagreements(two_passes)]
    assert found == [(1, "attributed", "attributed"), (3, "unproven", "refuted")]


def decision(position: int, **changes: Any) -> SettledLabels:
    values = {"article_id": "t01", "position": position, "stance": "unproven",
              "certainty": "certain", "reason": "because"}  # fmt: skip
    return SettledLabels.model_validate(values | changes)


def test_settling(two_passes: DataFolder, articles: list[LabelledArticle]) -> None:
    kept = {"stance": "attributed", "certainty": "certain"}
    source = {"source": "the river agency", "cues": ["said"]}
    write_records(two_passes.settled, [decision(1, **kept, **source), decision(3)])
    raw = two_passes.first.read_bytes(), two_passes.second.read_bytes()
    # The first decision is for the first pass: one label changes.
    assert settle(two_passes) == 1
    sentences = load_split(two_passes.corpus, "train")[0].sentences
    assert (sentences[3].stance, sentences[3].certainty, sentences[3].cues) == (
        "unproven",
        "certain",
        (),
    )
    assert sentences[3].text == articles[0].sentences[3].text
    assert [s for s in sentences if s.position != 3] == [
        s for s in articles[0].sentences if s.position != 3
    ]
    assert (two_passes.first.read_bytes(), two_passes.second.read_bytes()) == raw
    assert settle(two_passes) == 0


def test_an_open_disagreement_is_not_settled(two_passes: DataFolder, refuses: Refuses) -> None:
    write_records(two_passes.settled, [decision(3)])
    before = (two_passes.corpus / "train.jsonl").read_bytes()
    refuses(
        f"{two_passes.settled}: expected a decision on every disagreement of the two passes, "
        "found none on article 't01', position 1. To mend it: decide it, with its reason.",
        settle,
        two_passes,
    )
    assert (two_passes.corpus / "train.jsonl").read_bytes() == before


def test_a_decision_needs_a_reason(two_passes: DataFolder, refuses: Refuses) -> None:
    write_records(two_passes.settled, [SentenceLabels.model_validate(
        decision(1).model_dump(exclude={"reason"}))])  # fmt: skip
    refuses("found reason: Field required", settle, two_passes)


def test_a_decision_whose_source_is_not_in_the_sentence(
    two_passes: DataFolder, refuses: Refuses
) -> None:
    write_records(two_passes.settled, [decision(1, source="nobody"), decision(3)])
    refuses("source 'nobody' is not a substring", settle, two_passes)


def test_agreement(two_passes: DataFolder) -> None:
    (split,) = agreement(two_passes).items()
    assert split[0] == "train"
    result = split[1]
    assert (result.articles, result.sentences) == (1, 7)
    assert result.stance.accuracy.value == pytest.approx(6 / 7)
    # By hand: labels agree on 6 of 7, and by chance on (2·2 + 1·1 + 1·1 + 1·0 + 1·2 + 1·1) / 49.
    chance = 9 / 49
    assert result.stance.kappa.value == pytest.approx((6 / 7 - chance) / (1 - chance))
    # Six sentences have a claim in the first pass; one is held for probable instead of certain.
    assert result.certainty.sentences == 6
    assert result.certainty.accuracy.value == pytest.approx(5 / 6)
    assert result.source.exact_f1.value == 1
    assert (result.cues.gold, result.cues.predicted) == (5, 4)
    assert result.cues.exact_f1.value == pytest.approx(2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5))
    assert result.cues.overlap_f1.value == pytest.approx(2 * 1 * (4 / 5) / (1 + 4 / 5))


def test_agreement_of_like_passes_split_by_split(tiny_corpus: Path) -> None:
    result = agreement(DataFolder(tiny_corpus.parent))
    assert {split: e.articles for split, e in result.items()} == {"train": 8, "dev": 2, "test": 2}
    assert all(e.stance.kappa.value == 1 for e in result.values())


# The corpus that all this makes is read strictly.


def test_a_split_is_read_article_by_article(
    tiny_corpus: Path, articles: list[LabelledArticle]
) -> None:
    assert load_split(tiny_corpus, "dev") == [a for a in articles if a.facts.split == "dev"]


def rewrite(
    corpus: Path, change: Callable[[list[LabelledSentence]], list[LabelledSentence]]
) -> None:
    path = corpus / "dev.jsonl"
    write_records(path, change(read_records(path, LabelledSentence)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s[1:], "article d01: expected positions 0, 1, 2 and so on, found 1, 2, 3"),
        (lambda s: [s[1], s[0], *s[2:]], "expected positions 0, 1, 2 and so on, found 1, 0, 2"),
        (lambda s: [*s, s[0]], "article d01: expected the sentences of an article together, "
         "found other articles between them. To mend it: put the article in one piece."),
        (lambda s: [s[0].model_copy(update={"article_id": "x"})],
         "article x: expected an article that articles.jsonl puts in dev, found no line about it"),
        (lambda s: [s[0].model_copy(update={"article_id": "t01"})],
         "article t01: expected an article that articles.jsonl puts in dev, found split train"),
    ],
)  # fmt: skip
def test_a_faulty_split(tiny_corpus: Path, refuses: Refuses, change: Any, words: str) -> None:
    rewrite(tiny_corpus, change)
    refuses(words, load_split, tiny_corpus, "dev")


def test_a_folder_without_a_corpus(tmp_path: Path, refuses: Refuses) -> None:
    refuses(f"{tmp_path / ARTICLES_FILE}: expected a file that can be read, found no such file",
            load_split, tmp_path, "dev")  # fmt: skip
