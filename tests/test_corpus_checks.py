"""Each check of the corpus passes on a sound one, and finds what is planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claimstance import corpus_checks
from claimstance.annotation import DataFolder, SettledLabels, write_corpus
from claimstance.camps import CONFLICTS_FILE, Conflict
from claimstance.corpus import LabelledArticle
from claimstance.corpus_checks import (
    Finding,
    check_corpus,
    near_duplicates,
    runs,
    shortcut_f1,
    words,
)
from claimstance.corpus_figures import statistics_page
from claimstance.records import LabelledSentence, SentenceLabels, read_records, write_records
from claimstance.standoff import StandoffSentence, sentence_hash

#: In both articles one side is the source of one attributed sentence.
PIER = Conflict(
    conflict="pier",
    articles=("t01", "t02"),
    camps={"agency": ("river agency",), "envoys": ("diplomat",)},
)

Change = Callable[[LabelledSentence], dict[str, Any]]


@pytest.fixture
def data(
    tmp_path: Path,
    articles: list[LabelledArticle],
    make_data_folder: Callable[[Path, list[LabelledArticle]], DataFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> DataFolder:
    """A sound data folder; one decision, on a label that both passes share, is no fault."""
    # A dozen articles cannot have all fourteen topics, nor everything else.
    monkeypatch.setattr(corpus_checks, "TOPICS", tuple(a.facts.topic for a in articles))
    monkeypatch.setattr(corpus_checks, "HARD_CASES", ("headline", "negative-fact"))
    monkeypatch.setattr(corpus_checks, "LEAST_ARTICLES", 12)
    monkeypatch.setattr(corpus_checks, "LEAST_SENTENCES", {"train": 56, "dev": 14, "test": 14})
    monkeypatch.setattr(corpus_checks, "CHECKED_ROLES", ("claimant",))
    folder = make_data_folder(tmp_path / "data", articles)
    write_records(folder.corpus / CONFLICTS_FILE, [PIER])
    kept = articles[0].sentences[0].model_dump(exclude={"text"})
    write_records(folder.settled, [SettledLabels(reason="as both have it", **kept)])
    return folder


def finding(data: DataFolder, start: str, **options: Any) -> Finding:
    (found,) = [f for f in check_corpus(data, **options).findings if f.check.startswith(start)]
    return found


def plant(
    data: DataFolder,
    articles: list[LabelledArticle],
    change: Callable[[LabelledArticle, LabelledSentence], dict[str, Any]],
    facts: Callable[[LabelledArticle], dict[str, Any]] = lambda a: {},
) -> None:
    """Write the corpus anew, with changes; the annotations stay as they are."""
    changed = [
        LabelledArticle(
            a.facts.model_copy(update=facts(a)),
            tuple(
                LabelledSentence.model_validate(s.model_dump() | change(a, s)) for s in a.sentences
            ),
        )
        for a in articles
    ]
    write_corpus(data, changed)


def text_at(article_id: str, position: int, text: str) -> Callable[..., dict[str, Any]]:
    def change(article: LabelledArticle, sentence: LabelledSentence) -> dict[str, Any]:
        here = (sentence.article_id, sentence.position) == (article_id, position)
        return {"text": text, "source": None, "cues": ()} if here else {}

    return change


def same(article: LabelledArticle, sentence: LabelledSentence) -> dict[str, Any]:
    return {}


def test_a_sound_corpus_passes(data: DataFolder) -> None:
    report = check_corpus(data)
    failed = [f for f in report.findings if not f.passed and not f.check.startswith("shortcut")]
    assert failed == []
    assert len(report.findings) == 24
    assert len(report.articles) == 12
    assert report.passed == all(f.passed for f in report.findings)


# Shares.


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("genre", "live blog", "rarest: wire report, 0.0%"),
        ("genre", "tabloid", "rarest: wire report, 0.0%; unknown: {'tabloid'}"),
        ("topic", "gardening", "rarest: disasters and weather, 0.0%; unknown: {'gardening'}"),
    ],
)
def test_a_wrong_share(
    data: DataFolder, articles: list[LabelledArticle], field: str, value: str, found: str
) -> None:
    plant(data, articles, same,
          lambda a: {field: value} if a.facts.article_id == "t01" else {})  # fmt: skip
    result = finding(data, f"every {field} at least")
    assert (result.found, result.passed) == (found, False)


def test_a_class_that_is_rare_in_train(data: DataFolder, articles: list[LabelledArticle]) -> None:
    """Of the unproven sentences, train keeps one."""
    others = {"stance": "asserted", "certainty": "certain"}
    plant(
        data,
        articles,
        lambda a, s: (
            others if s.stance == "unproven" and s.article_id not in ("t01", "d01") else {}
        ),
    )
    result = finding(data, "every stance at least 8% of train")
    assert (result.found, result.passed) == ("rarest: unproven, 1.8%", False)


def test_a_certainty_that_is_rare_in_train(
    data: DataFolder, articles: list[LabelledArticle]
) -> None:
    plant(
        data,
        articles,
        lambda a, s: (
            {"certainty": "certain"}
            if s.certainty == "probable" and a.facts.split == "train"
            else {}
        ),
    )
    result = finding(data, "every certainty at least 8% of train")
    assert (result.found, result.passed) == ("rarest: probable, 0.0%", False)


@pytest.mark.parametrize(
    ("cases", "found"),
    [
        ({0: "headline"}, "14.3%"),
        ({0: "headline", 1: "riddle"}, "28.6%; unknown kinds: {'riddle'}"),
    ],
)
def test_hard_cases(
    data: DataFolder, articles: list[LabelledArticle], cases: dict[int, str], found: str
) -> None:
    plant(data, articles, same, lambda a: {"hard_cases": cases})
    result = finding(data, "at least 25% of the sentences")
    assert (result.found, result.passed) == (found, False)


def test_a_corpus_that_is_too_small(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_checks, "LEAST_ARTICLES", 13)
    monkeypatch.setitem(corpus_checks.LEAST_SENTENCES, "dev", 15)
    result = finding(data, "at least 13 articles")
    assert (result.found, result.passed) == ("12", False)
    result = finding(data, "at least 15 sentences in dev")
    assert (result.found, result.passed) == ("14", False)


def test_a_kind_of_hard_case_that_a_split_lacks(
    data: DataFolder, articles: list[LabelledArticle]
) -> None:
    plant(data, articles, same,
          lambda a: {"hard_cases": {0: "headline"}} if a.facts.split == "dev" else {})  # fmt: skip
    result = finding(data, "each kind of hard case")
    assert (result.found, result.passed) == ("missing: negative-fact in dev", False)


@pytest.mark.parametrize(
    ("stance", "certainty", "source", "cues", "passed"),
    [
        ("asserted", "certain", None, (), True),
        ("asserted", "certain", None, ("Repairs",), False),
        ("asserted", "certain", "Repairs", (), False),
        ("asserted", "probable", None, (), False),
        ("asserted", "probable", None, ("likely",), True),
        ("attributed", "certain", "Repairs", (), False),
        ("attributed", "certain", None, ("will",), True),
        ("no_claim", None, None, ("will",), False),
    ],
)
def test_cues_that_are_missing_or_too_many(
    data: DataFolder,
    articles: list[LabelledArticle],
    stance: str,
    certainty: str | None,
    source: str | None,
    cues: tuple[str, ...],
    passed: bool,
) -> None:
    labels = {"stance": stance, "certainty": certainty, "source": source, "cues": cues}
    plant(data, articles, lambda a, s: labels if (s.article_id, s.position) == ("t01", 6) else {})
    result = finding(data, "cues wherever")
    found = "0" if passed else "1: 'Repairs will likely last until spring.'"
    assert (result.found, result.passed) == (found, passed)


# Camps.


def test_camps_in_even_roles(data: DataFolder) -> None:
    result = finding(data, "in each conflict")
    found = "1 conflicts; most uneven: pier, claimant, agency 1 to envoys 1: 0% apart"
    assert (result.found, result.passed) == (found, True)


def test_a_camp_that_claims_more_often(data: DataFolder, articles: list[LabelledArticle]) -> None:
    more = {"stance": "attributed", "certainty": "certain", "source": "Repairs"}
    plant(data, articles, lambda a, s: more if (s.article_id, s.position) == ("t01", 6) else {})
    wider = PIER.model_copy(
        update={"camps": {"agency": ("River agency", "repairs"), "envoys": ("diplomat",)}}
    )
    write_records(data.corpus / CONFLICTS_FILE, [wider])
    result = finding(data, "in each conflict")
    found = "1 conflicts; most uneven: pier, claimant, agency 2 to envoys 1: 50% apart"
    assert (result.found, result.passed) == (found, False)


def test_a_role_that_no_camp_has(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_checks, "CHECKED_ROLES", ("claimant", "unproven accuser"))
    result = finding(data, "in each conflict")
    assert (result.found, result.passed) == ("pier: no camp is ever unproven accuser", False)


def test_no_conflict_at_all(data: DataFolder) -> None:
    (data.corpus / CONFLICTS_FILE).unlink()
    result = finding(data, "in each conflict")
    assert (result.found, result.passed) == ("no conflict is described", False)


# Annotations.


@pytest.mark.parametrize(
    ("start", "dropped", "found"),
    [
        ("100% of dev", {"d01"}, "50.0%"),
        ("100% of test", {"e02"}, "50.0%"),
        ("20% of train", {f"t0{n}" for n in range(2, 9)}, "12.5%"),
    ],
)
def test_a_split_that_was_not_labelled_twice(
    data: DataFolder, start: str, dropped: set[str], found: str
) -> None:
    labels = read_records(data.second, SentenceLabels)
    write_records(data.second, [s for s in labels if s.article_id not in dropped])
    result = finding(data, start)
    assert (result.found, result.passed) == (found, False)


def test_a_fifth_of_train_is_enough(data: DataFolder) -> None:
    labels = read_records(data.second, SentenceLabels)
    write_records(
        data.second,
        [s for s in labels if s.article_id[0] != "t" or s.article_id in ("t01", "t02")],
    )
    assert finding(data, "20% of train").passed


def test_a_missing_decision(data: DataFolder) -> None:
    labels = read_records(data.second, SentenceLabels)
    other = SentenceLabels(article_id="t02", position=6, stance="no_claim", certainty=None)
    write_records(data.second, [other if (s.article_id, s.position) == ("t02", 6) else s
                                for s in labels])  # fmt: skip
    result = finding(data, "every disagreement decided")
    assert (result.found, result.passed) == ("1 open", False)
    decisions = read_records(data.settled, SettledLabels)
    write_records(
        data.settled, [*decisions, SettledLabels(reason="it may happen", **other.model_dump())]
    )
    assert finding(data, "every disagreement decided").passed
    # Now the corpus must say what was decided.
    result = finding(data, "the corpus follows")
    assert (result.found, result.passed) == ("1 labels differ", False)


@pytest.mark.parametrize(
    "change", [{"stance": "asserted"}, {"certainty": "possible"}, {"cues": ()}, {"source": None}]
)
def test_a_corpus_that_was_changed_by_hand(
    data: DataFolder, articles: list[LabelledArticle], change: dict[str, Any]
) -> None:
    plant(data, articles,
          lambda a, s: change if (s.article_id, s.position) == ("e01", 2) else {})  # fmt: skip
    result = finding(data, "the corpus follows")
    assert (result.found, result.passed) == ("1 labels differ", False)


# Text that stands there twice.


def test_a_sentence_that_stands_twice(data: DataFolder, articles: list[LabelledArticle]) -> None:
    plant(data, articles, text_at("d02", 5, "repairs will likely last, until spring"))
    result = finding(data, "no sentence twice")
    assert (result.found, result.passed) == ("1: 'repairs will likely last until spring'", False)


def test_three_words_may_stand_twice(data: DataFolder, articles: list[LabelledArticle]) -> None:
    plant(data, articles, text_at("d02", 5, "What happens now?"))
    assert finding(data, "no sentence twice").passed


def test_a_near_duplicate_across_splits(data: DataFolder, articles: list[LabelledArticle]) -> None:
    long = "The harbour office closed all four gates on Sunday because the wind from the north "
    long += "pushed the tide far over the lower quay and into the cellars of the market"
    first, second = (text_at(i, 5, long + end) for i, end in (("t03", "."), ("e01", " square.")))
    plant(data, articles, lambda a, s: first(a, s) | second(a, s))
    result = finding(data, "no near-duplicates")
    assert not result.passed
    assert result.found.startswith("1: 'The harbour office closed all four gates")
    assert finding(data, "no sentence twice").passed


def test_near_duplicates_are_counted_by_their_trigrams() -> None:
    text = "one two three four five six seven eight nine ten"
    close = "One, two three four five six seven eight nine TEN eleven"
    far = "one two three four x six seven eight y ten"
    assert near_duplicates([text, close], 2) == [(0, 1)]
    assert near_duplicates([text, far], 2) == []
    # Two foreign sentences may be as alike as they please.
    assert near_duplicates([far, text, close], 1) == []
    # Fewer than three trigrams tell nothing.
    assert near_duplicates(["a b c d", "a b c d"], 2) == []


def test_shared_runs(data: DataFolder, articles: list[LabelledArticle]) -> None:
    assert finding(data, "fewer than 5% of the sentences share").found == "0.0%"
    phrase = "in the first days of the year"
    spread = ["t01", "t04", "t07", "d01", "e02"]
    plant(
        data,
        articles,
        lambda a, s: (
            {"text": f"{s.text[:-1]} {phrase}."}
            if s.article_id in spread and s.position == 6
            else {}
        ),
    )
    result = finding(data, "fewer than 5% of the sentences share")
    assert (result.found, result.passed) == ("6.0%", False)


def test_words_and_runs() -> None:
    assert words("“It’s OVER,” he said — twice.") == ["it’s", "over", "he", "said", "twice"]
    assert runs("A b, c d", 3) == {("a", "b", "c"), ("b", "c", "d")}
    assert runs("a b", 3) == set()


def test_a_sentence_of_a_stand_off_text(data: DataFolder, articles: list[LabelledArticle]) -> None:
    sentence = articles[3].sentences[2]
    label = StandoffSentence(
        position=0,
        start=0,
        end=len(sentence.text),
        sha256=sentence_hash(sentence.text),
        stance="asserted",
        certainty="certain",
        source=None,
        cues=(),
    )
    write_records(data.standoff / "theirs.jsonl", [label])
    result = finding(data, "no sentence of a stand-off text")
    assert (result.found, result.passed) == (f"1: {sentence.text[:60]!r}", False)


def test_a_near_duplicate_of_another_set(
    data: DataFolder, articles: list[LabelledArticle], tmp_path: Path
) -> None:
    sentence = max((s.text for s in articles[5].sentences), key=len)
    foreign = tmp_path / "foreign.jsonl"
    rows = [{"text": "Nothing of ours is here at all, not one word."}, {"id": 1}]
    foreign.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    start = "no near-duplicate of the 2 sentences of other sets"
    assert finding(data, start, foreign=[foreign]).passed
    rows[1] = {"text": sentence.upper()}
    foreign.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = finding(data, start, foreign=[foreign])
    assert (result.found, result.passed) == (f"1: {sentence[:60]!r}", False)


# Shortcuts.


def test_a_word_that_gives_the_stance_away(
    data: DataFolder, articles: list[LabelledArticle]
) -> None:
    plant(data, articles, lambda a, s: {"text": f"Zz{s.stance} {s.text}"})
    result = finding(data, "shortcut gauge: words alone")
    assert (result.found, result.passed) == ("1.000", False)


def test_each_view_sees_its_own_part_only(
    articles: list[LabelledArticle],
) -> None:
    seen = {name: view for name, view, _ in corpus_checks._VIEWS}
    article = articles[0]
    assert seen["words alone"](article, 2) == article.sentences[2].text
    assert seen["names alone"](article, 2) == "Oda Finch"
    neighbours = seen["neighbours alone"](article, 1)
    assert neighbours == " ".join(article.sentences[i].text for i in (0, 2, 3))
    assert article.sentences[1].text not in neighbours
    last = seen["neighbours alone"](article, 6)
    assert last == " ".join(article.sentences[i].text for i in (4, 5))


def test_a_gauge_is_low_where_the_view_tells_nothing(articles: list[LabelledArticle]) -> None:
    # Every sentence looks alike, so one stance is guessed for all.
    assert shortcut_f1(articles, lambda a, i: "same") < 0.1


# The page.


def test_the_page_of_figures(data: DataFolder, articles: list[LabelledArticle]) -> None:
    report = check_corpus(data)
    page = statistics_page(report)
    assert "| train | 8 | 56 |" in page
    assert "| all | 12 | 84 |" in page
    asserted = sum(s.stance == "asserted" for a in articles[:8] for s in a.sentences)
    assert f"| asserted | {asserted} ({asserted / 56:.0%}) | 4 (29%) | 4 (29%) |" in page
    assert "| headline | 8 | 2 | 2 |" in page
    assert "| pier | agency | 1 | 0 | 0 | 0 |" in page
    assert "| live blog | 1 | 8.3% | 29% | 14% | 14% | 14% | 14% | 14% |" in page
    assert "| train | stance | 56 | 100.0% | 1.000 [1.000, 1.000] |" in page
    for found in report.findings:
        assert f"| {found.check} | {found.found} | {'ok' if found.passed else 'FAILS'} |" in page
