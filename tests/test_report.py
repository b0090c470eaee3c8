"""The report as text: what stands in it, in which order, and what cannot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCE_MEANING, STANCES, Certainty, Stance
from claimstance.records import Prediction
from claimstance.report import (
    MARKS,
    csp_hash,
    excerpt,
    find_headline,
    find_span,
    looks_like_heading,
    mark_spans,
    percent,
    render_report,
    view_articles,
)

VOID = {"meta", "link", "input", "br", "img"}


class Element:
    """One element of a parsed page."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element | str] = []

    @property
    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()

    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text() for c in self.children)

    def find(self, tag: str = "", cls: str = "") -> list[Element]:
        """All descendants with that tag and class, in document order."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if tag in ("", child.tag) and (not cls or cls in child.classes):
                    found.append(child)
                found += child.find(tag, cls)
        return found


class Tree(HTMLParser):
    """Parses a page, and insists that every element is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(page: str) -> Element:
    tree = Tree()
    tree.feed(page)
    tree.close()
    assert tree.open == [tree.root]
    return tree.root


def predict(
    text: str,
    stance: Stance = "asserted",
    certainty: Certainty | None = "certain",
    *,
    source: str | None = None,
    cues: Sequence[str] = (),
    position: int = 0,
    article_id: str = "a",
    start: int | None = None,
    top: float = 0.8,
) -> Prediction:
    """A prediction; without ``start``, each sentence is a paragraph of its own."""
    start = 1000 * position if start is None else start
    return Prediction(
        article_id=article_id,
        position=position,
        start=start,
        end=start + len(text),
        text=text,
        stance=stance,
        certainty=None if stance == "no_claim" else certainty,
        stance_probabilities={s: top if s == stance else (1 - top) / 5 for s in STANCES},
        certainty_probabilities={"certain": 0.615, "probable": 0.3, "possible": 0.085},
        source=source,
        cues=tuple(cues),
        model="tiny-model",
    )


def article(article_id: str = "a") -> list[Prediction]:
    rows: list[tuple[str, Stance, str | None, list[str]]] = [
        ("Bridge closed after a crack", "asserted", None, []),
        ("The bridge was closed on Monday.", "asserted", None, []),
        ("The Mayor said it would open soon.", "attributed", "The Mayor", ["said"]),
        ("the mayor denied a delay.", "disputed", "the mayor", ["denied"]),
        ("It is reportedly beyond repair.", "attributed", None, ["reportedly"]),
        ("Nobody has shown a report.", "unproven", None, ["Nobody has shown"]),
        ("A video of its fall is a fake.", "refuted", None, ["a fake"]),
        ("Who is to pay?", "no_claim", None, []),
    ]
    return [
        predict(text, stance, source=source, cues=cues, position=i, article_id=article_id)
        for i, (text, stance, source, cues) in enumerate(rows)
    ]


def test_every_sentence_stands_once_and_in_order() -> None:
    predictions = article()
    page = parse(render_report(predictions[::-1]))

    assert [s.text() for s in page.find(cls="t")] == [p.text for p in predictions]
    assert [s.attributes["data-stance"] for s in page.find(cls="s")] == [
        p.stance for p in predictions
    ]


def test_text_of_an_article_is_escaped_everywhere() -> None:
    attack = "</style></script><script>alert(1)</script> \"'> & <b onclick=x>said</b>"
    prediction = predict(attack, "attributed", source=attack, cues=[attack], article_id=attack)
    page = render_report([prediction], titles={attack: attack})
    tree = parse(page)

    assert "<script>alert" not in page
    assert len(tree.find("script")) == len(tree.find("style")) == 1
    assert tree.find("b", "")[-1].attributes == {}
    assert tree.find(cls="t")[0].text() == attack


def test_page_loads_nothing_and_its_policy_names_its_script_and_style() -> None:
    page = render_report(article())
    tree = parse(page)
    policy = next(
        m.attributes["content"] for m in tree.find("meta") if "http-equiv" in m.attributes
    )

    assert not re.search(r"https?:|url\(|@import|src=", page)
    links = [e.attributes["href"] for e in tree.find() if "href" in e.attributes]
    assert all(link == "data:," or (link or "").startswith("#") for link in links)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    for tag in ("script", "style"):
        assert f"{tag}-src '{csp_hash(tree.find(tag)[0].text())}'" in policy
    assert not [e for e in tree.find() if "style" in e.attributes]
    assert not [name for e in tree.find() for name in e.attributes if name.startswith("on")]


def test_every_link_and_reference_in_the_page_leads_somewhere() -> None:
    tree = parse(render_report([*article("a"), *article("b")]))
    ids = [e.attributes["id"] for e in tree.find() if "id" in e.attributes]
    names = ("popovertarget", "aria-labelledby", "aria-describedby")
    targets = {e.attributes[n] for e in tree.find() for n in names if n in e.attributes}
    targets |= {
        (e.attributes["href"] or "")[1:]
        for e in tree.find()
        if (e.attributes.get("href") or "").startswith("#")
    }

    assert len(ids) == len(set(ids))
    assert targets <= set(ids)


def test_headings_go_down_one_step_at_a_time() -> None:
    tree = parse(render_report([*article("a"), *article("b")]))
    levels = [int(e.tag[1]) for e in tree.find() if re.fullmatch(r"h\d", e.tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_legend_filters_and_probabilities_follow_the_order_of_the_labels() -> None:
    tree = parse(render_report(article()))
    legend = tree.find("dl", "stances")[0]
    boxes = tree.find(cls="by-stance")[0].find("input")
    rows = tree.find(cls="card")[0].find(cls="r")
    spoken = [stance.replace("_", " ") for stance in STANCES]

    assert [dt.text().lower() for dt in legend.find("dt")] == spoken
    assert [dd.text() for dd in legend.find("dd")] == list(STANCE_MEANING.values())
    assert [box.attributes["value"] for box in boxes] == list(STANCES)
    assert [row.find("span")[0].text() for row in rows] == [*spoken, *CERTAINTIES]
    assert tuple(MARKS) == STANCES


def test_probabilities_are_shown_as_numbers_and_bars() -> None:
    card = parse(render_report([predict("It rains.")])).find(cls="card")[0]
    shown = {row.find("span")[0].text(): row for row in card.find(cls="r")}

    assert shown["asserted"].find("i")[0].text() == "80%"
    assert shown["asserted"].find("rect")[0].attributes["width"] == "80.0%"
    assert shown["refuted"].find("i")[0].text() == "4%"
    assert shown["probable"].find("i")[0].text() == "30%"


def test_source_and_cues_are_marked_in_the_sentence() -> None:
    sentence = predict(
        "He, the head, reportedly said so.",
        "attributed",
        source="the head",
        cues=["reportedly", "said"],
    )
    text = parse(render_report([sentence])).find(cls="t")[0]

    assert [e.text() for e in text.find("span", "src")] == ["the head"]
    assert [e.text() for e in text.find("b")] == ["reportedly", "said"]


@pytest.mark.parametrize(
    ("text", "source", "cues", "expected"),
    [
        ("The chief, he said.", "he", [], "The chief, [he] said."),
        ("They said he said it.", None, ["said", "said"], "They *said* he *said* it."),
        ("It is said to be so.", None, ["said", "is said to"], "It *is said to* be so."),
        ("The army said no.", "The army", ["army said"], "[The *army*]* said* no."),
        ("Gone.", "nobody", ["never"], "Gone."),
        ("Gone.", "", [""], "Gone."),
        ("100%?", None, ["%?"], "100*%?*"),
    ],
)
def test_spans_are_found(text: str, source: str | None, cues: list[str], expected: str) -> None:
    shown = ""
    for run in mark_spans(text, source, cues):
        inside = "".join(f"*{piece}*" if is_cue else piece for piece, is_cue in run.pieces)
        shown += f"[{inside}]" if run.is_source else inside

    assert shown == expected


def test_span_falls_back_on_a_part_of_a_word() -> None:
    assert find_span("undenied", "denied", [0] * 8) == (2, 8)


def test_sources_are_grouped_without_regard_to_case() -> None:
    predictions = [*article(), predict("Mayor: no.", "attributed", source="Mayor", position=8)]
    rows = parse(render_report(predictions)).find("table", "who")[0].find("tbody")[0].find("tr")
    table = {
        row.find("th")[0].text(): (
            [li.text().strip() for li in row.find(cls="counts")[0].find("li")],
            [a.text() for a in row.find("a")],
        )
        for row in rows
    }

    assert list(table) == ["The Mayor", "Unnamed source", "The article itself"]
    assert table["The Mayor"] == (
        ["2 attributed", "1 disputed"],
        ["The Mayor said it would open soon.", "the mayor denied a delay.", "Mayor: no."],
    )
    assert table["Unnamed source"][1] == ["It is reportedly beyond repair."]
    assert table["The article itself"][0] == ["2 asserted", "1 unproven", "1 refuted"]


def test_claims_link_to_their_place_in_the_text() -> None:
    tree = parse(render_report(article()))
    place = {s.attributes["id"]: s.find(cls="t")[0].text() for s in tree.find(cls="s")}

    for link in tree.find("table", "who")[0].find("a"):
        assert place[(link.attributes["href"] or "")[1:]] == link.text()


def test_doubtful_sentences_are_flagged() -> None:
    tree = parse(
        render_report(
            [predict("It rains.", top=0.59), predict("It pours.", top=0.6, position=1)],
        )
    )
    flagged = [s.find(cls="t")[0].text() for s in tree.find(cls="s") if s.find(cls="look")]

    assert flagged == ["It rains."]
    assert tree.find(cls="look")[-1].text() == "second look: 59%"


def test_bars_have_a_text_alternative() -> None:
    bar = parse(render_report(article())).find("svg", "stack")[0]

    assert bar.attributes["role"] == "img"
    assert bar.attributes["aria-label"] == (
        "2 asserted, 2 attributed, 1 disputed, 1 unproven, 1 refuted, 1 no claim"
    )


def test_several_articles_get_contents_and_a_summary_over_all() -> None:
    page = parse(
        render_report([*article("a"), *article("b")], titles={"a": "Title of its own", "b": None})
    )
    contents = [link.text() for link in page.find("nav")[0].find("a")]

    assert contents == ["Title of its own", "Bridge closed after a crack"]
    assert len(page.find("article")) == 2
    assert "4 sentences in 2 articles" in page.find("table", "who")[0].text()
    assert not parse(render_report(article())).find("nav")


def test_first_sentence_that_is_the_title_stands_in_the_heading() -> None:
    given = parse(render_report(article(), titles={"a": "Bridge  closed after a CRACK"}))
    other = parse(render_report(article(), titles={"a": "Something else"}))

    assert given.find("article")[0].find("h2")[0].find(cls="t")
    assert not other.find("article")[0].find("h2")[0].find(cls="t")
    assert other.find("article")[0].find("h2")[0].text() == "Something else"


def test_what_stands_before_the_title_stands_above_it() -> None:
    """As on the page of a newspaper: the name of the series, then the headline."""
    sentences = [predict("Bridges of the north", "no_claim"), *article()[:3]]
    sentences = [p.model_copy(update={"position": n}) for n, p in enumerate(sentences)]
    section = parse(render_report(sentences, titles={"a": "Bridge closed after a crack"})).find(
        "article"
    )[0]

    assert [s.text() for s in section.find("p", "above")[0].find(cls="t")] == [sentences[0].text]
    assert [s.text() for s in section.find("h2")[0].find(cls="t")] == [sentences[1].text]
    assert [s.text() for s in section.find(cls="t")] == [p.text for p in sentences]
    assert section.find(cls="text")[0].find(cls="t")[0].text() == sentences[2].text


@pytest.mark.parametrize(
    ("texts", "title", "place"),
    [
        (["Rain", "It rained."], None, 0),
        (["It rained."], None, None),
        (["A series", "RAIN today?", "It rained."], "Rain today?", 1),
        (["It rained.", "Rain"], "Rain", None),
        (["A series", "A line"], "Rain", None),
    ],
)
def test_the_headline_is_found(texts: list[str], title: str | None, place: int | None) -> None:
    assert find_headline(texts, title) == place


def test_sentences_have_the_numbers_of_the_files() -> None:
    """Counted from 0, and by position: a sentence that is not there takes its number along."""
    sentences = [p for p in article() if p.position != 1]
    sentences[-1] = sentences[-1].model_copy(update={"needs_review": True})
    tree = parse(render_report(sentences))

    assert [s.attributes["id"] for s in tree.find(cls="s")] == [
        f"a1-{p.position}" for p in sentences
    ]
    assert [s.text() for s in tree.find(cls="which")] == [
        f"Sentence {p.position}" for p in sentences
    ]
    names = [m.attributes["aria-label"] or "" for m in tree.find(cls="m")]
    assert [name.partition(":")[0] for name in names] == [
        f"Sentence {p.position}" for p in sentences
    ]
    assert [a.text() for a in tree.find(cls="again")[0].find("a")] == ["sentence 7"]


def test_paragraphs_come_from_offsets_and_headings_from_shape() -> None:
    rows = [
        ("One.", 0),
        ("Two.", 5),
        ("A heading", 10),
        ("Three.", 20),
        ("Four.", 28),
        ("- milk", 34),
        ("- bread", 41),
        ("Five.", 49),
        ("Photo by hand", 56),
    ]
    predictions = [predict(t, position=i, start=start) for i, (t, start) in enumerate(rows)]
    blocks = view_articles(predictions, {})[0].blocks

    assert [
        (block.is_heading, " ".join(s.prediction.text for s in block.sentences)) for block in blocks
    ] == [
        (False, "One. Two."),
        (True, "A heading"),
        (False, "Three."),
        (False, "Four."),
        (False, "- milk"),
        (False, "- bread"),
        (False, "Five."),
        (False, "Photo by hand"),
    ]


def test_headings_are_told_by_length_and_ending() -> None:
    assert looks_like_heading("What comes next")
    assert not looks_like_heading("“It is over.”")
    assert not looks_like_heading("word " * 30)


def test_numbers_and_excerpts() -> None:
    assert [percent(p) for p in (0.0, 0.004, 0.5, 0.996, 1.0)] == [
        "0%",
        "<1%",
        "50%",
        ">99%",
        "100%",
    ]
    assert excerpt("short") == "short"
    assert excerpt("some words to be cut", 12) == "some words…"
    assert len(excerpt("x" * 500)) <= 160


def test_nothing_to_report_is_an_input_error() -> None:
    with pytest.raises(InputError) as caught:
        render_report([])

    assert str(caught.value) == (
        "the report: expected at least one classified sentence, found none. "
        "To mend it: classify an article that has text in it."
    )


def test_two_predictions_for_one_sentence_are_an_input_error() -> None:
    with pytest.raises(InputError, match="article 'a', position 0: expected one prediction"):
        render_report([predict("It rains."), predict("It pours.")])
