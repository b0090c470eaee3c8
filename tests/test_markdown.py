"""Markdown: what is text and what is a mark, and that offsets point into the file."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claimstance.markdown import Block, read_markdown

MARKS = [*"#*_`[]()!<>|-=~\\&\"' \n\t\r:.;^", "\r\n", "\n\n", "```", "<!--", "-->", "---\n", "](u)"]
PIECES = [
    "word",
    "A b.",
    "<br>",
    "<b>",
    "&amp;",
    "1. ",
    "- ",
    "> ",
    "title: x",
    "[r]: u",
    "é😀\ud800",
]
BUSY = st.lists(st.sampled_from(MARKS + PIECES), max_size=60).map("".join)
ANY_TEXT = st.text(st.characters(codec=None, categories=None))


def texts(source: str) -> list[str]:
    return [block.text.strip() for block in read_markdown(source)[1]]


def slice_of(source: str, block: Block) -> str:
    return source[block.starts[0] : block.ends[-1]]


@given(ANY_TEXT | BUSY)
@example("---\ntitle: x\n---\n<!-- a\nb --> c ![d](e) f&amp;g<br>h")
def test_offsets_are_increasing_and_point_at_the_same_characters(source: str) -> None:
    for block in read_markdown(source)[1]:
        assert len(block.text) == len(block.starts) == len(block.ends)
        assert all(0 <= s < e <= len(source) for s, e in zip(block.starts, block.ends, strict=True))
        assert block.starts == sorted(block.starts)
        for character, start, end in zip(block.text, block.starts, block.ends, strict=True):
            assert source[start:end] == character or source[start] == "&"


@given(st.lists(st.text("ab ÀЖ.,“”’éñ1", min_size=1), min_size=1))
def test_text_without_marks_is_the_slice(lines: list[str]) -> None:
    source = "\n\n".join(lines)
    for block in read_markdown(source)[1]:
        assert slice_of(source, block) == block.text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("A *b* **c** ***d*** _e_ __f__ ~~g~~.", ["A b c d e f g."]),
        ("5 * 3 and a_b_c and \\*x\\* and * y", ["5 * 3 and a_b_c and *x* and * y"]),
        ("**“Yes.”** He *left _now_*.", ["“Yes.” He left now."]),
        ("An **unclosed mark.", ["An **unclosed mark."]),
        ('See [the *page*](http://a.b/c_(d) "T").', ["See the page."]),
        ("He said [sic] that (so).", ["He said [sic] that (so)."]),
        ("See [it][R], [r] and [x].\n\n[r]: http://a.b", ["See it, r and [x]."]),
        ("A ![alt](a b.png) picture.\n![alt](x.png)", ["A picture."]),
        ("[![alt](x.png)](y) Text.", ["Text."]),
        ("Use `a *b*` and ``c`d``.", ["Use a *b* and c`d."]),
        ("A note.[^1]\n\n[^1]: It *stands* here.", ["A note.", "It stands here."]),
        ("A <b>bold</b> <!-- no --> word, a < b.", ["A bold word, a < b."]),
        ("One.<br>Two.<p class='x'>Three.</p>", ["One.", "Two.", "Three."]),
        ("<script>\nvar a;\n</script>\nText. <!-- a\n\nb -->", ["Text."]),
        ("Smith &amp; Sons &mdash; &#233;t&eacute; &nosuch;", ["Smith & Sons — été &nosuch;"]),
        ("By <http://a.b> or <a@b.c>.", ["By http://a.b or a@b.c."]),
        ("> Quoted.\n>> Deeper.", ["Quoted.", "Deeper."]),
        ("- One\n* Two\n+ [x] Three\n  - Four", ["One", "Two", "Three", "Four"]),
        ("1. One\n2. Two\n3) Three", ["One", "Two", "Three"]),
        ("Above\n\n***\n- - -\n___\nBelow", ["Above", "Below"]),
        ("```py\ncode\n```\nText\n~~~\nmore\n~~~", ["Text"]),
        ("```\nnever closed", ["never closed"]),
        ("|A|B|\n|--|:-:|\n| c \\| d | *e* |\nText", ["A", "B", "c | d", "e", "Text"]),
        ("    Indented text.", ["Indented text."]),
        ("# Head #\nText", ["Head", "Text"]),
        ("Head\n====\nText", ["Head", "Text"]),
        ("#hashtag is text", ["#hashtag is text"]),
        ("One paragraph.\nAnother one\nA third", ["One paragraph.", "Another one", "A third"]),
    ],
)
def test_marks_are_not_text(source: str, expected: list[str]) -> None:
    assert texts(source) == expected


def test_a_hard_wrapped_paragraph_is_one_block() -> None:
    source = (
        "> The bridge over the river fell on Monday, the police said, and\n"
        "> the *traffic* was stopped for hours; nobody was hurt, but the\n"
        "> mayor resigned.\n"
        "> Nobody knew why.\n"
    )
    first, second = read_markdown(source)[1]
    assert first.text == (
        "The bridge over the river fell on Monday, the police said, and\n"
        "the traffic was stopped for hours; nobody was hurt, but the\n"
        "mayor resigned."
    )
    assert slice_of(source, first).startswith("The bridge")
    assert second.text == "Nobody knew why."


def test_the_span_of_an_entity_is_all_of_it() -> None:
    (block,) = read_markdown("*A &amp;*")[1]
    assert (block.text, block.starts, block.ends) == ("A &", [1, 2, 3], [2, 3, 8])


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ('---\ntitle: "A: b"\ntags: [x]\n---\n# Head\nText', "A: b"),
        ("+++\ntitle = 'A'\n+++\nText", "A"),
        ("###### Kicker\n# The *head*\n# Second\nText", "The head"),
        ("The head\n===\nText", "The head"),
        ("## Head\nText", "Head"),
        ("Text\n## A later section\nText", None),
        ("---\nNot: front matter\nthis line shows it.\n---\nText", None),
        ("", None),
    ],
)
def test_title(source: str, title: str | None) -> None:
    assert read_markdown(source)[0] == title


def test_front_matter_is_not_text() -> None:
    assert texts("---\r\nauthor: Lee\r\n---\r\nText") == ["Text"]


@pytest.mark.parametrize("sign", ["*a _b ", "[a](b ", "![", "](   ", "`a``b", "<!--", "- ", "> "])
def test_unclosed_marks_take_no_more_than_linear_time(sign: str) -> None:
    read_markdown(sign * 20_000)  # minutes, if a rule looked at the rest of the text each time
