"""Readers of published sets: invented samples in each format, broken ones, and the real ones."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimstance.errors import InputError
from claimstance.readers import common, emergent, gum, polnear, sci_certainty, szeged
from claimstance.standoff import sentences_of_row

Reader = Callable[[Path], Iterator[dict[str, Any]]]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def expect(message: str, read: Reader, folder: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        list(read(folder))


def test_nothing_is_there(tmp_path: Path) -> None:
    expect("expected the folder data/dev/text or data/train/text", polnear.read, tmp_path)
    expect("expected files named factbank.xml, found none", szeged.read, tmp_path)
    expect("files named sentence-level-certainty.jsonl", sci_certainty.read, tmp_path)
    expect("expected files named GUM_*.rsd, found none", gum.read, tmp_path)
    expect("expected files named *train.tsv, found none", emergent.read, tmp_path)


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(b"caf\xe9")
    expect("expected text in UTF-8, found byte 0xe9", emergent.read, tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a file that can be read, found"):
        common.read_text(tmp_path)


# PolNeAR

ARTICLE = """Harbour to Close.

The mayor said the harbour would close. Boats left on Friday.

Will they come back? The crew hopes to return. Oh well.

The chairman continued:

"The harbour is safe." It was a claim about boats. Ropes and old nets lay there.
"""


def ann(*attributions: dict[str, str], kind: str = "Attribution") -> str:
    """Annotations of words of the article."""
    lines: list[str] = []
    for number, parts in enumerate(attributions, start=1):
        roles: list[str] = []
        for role, words in parts.items():
            name = f"T{len(lines) + 1}"
            start = ARTICLE.index(words)
            lines.append(f"{name}\t{role} {start} {start + len(words)}\t{words}")
            roles.append(f"{role}:{name}")
        lines.append(f"E{number}\t{kind}:T1 {' '.join(roles)}")
    return "\n".join([*lines, "T99\tDiscard 0 7\tHarbour", "#1\tAnnotatorNotes T1\ta note", ""])


def polnear_folder(tmp_path: Path, annotations: str, split: str = "dev") -> Path:
    write(tmp_path / "data" / split / "text" / "bugle_2016-01-01_harbour.txt", ARTICLE)
    name = "bugle_2016-01-01_harbour_4e07.ann"
    write(tmp_path / "data" / split / "attributions" / name, annotations)
    return tmp_path


SAID = {"Source": "The mayor", "Cue": "said", "Content": "the harbour would close"}
HOPES = {"Source": "The crew", "Cue": "hopes", "Content": "to return"}
CONTINUED = {
    "Source": "The chairman",
    "Cue": "continued:",
    "Content": '"The harbour is safe."',
}


def test_polnear(tmp_path: Path) -> None:
    folder = polnear_folder(tmp_path, ann(SAID, HOPES, CONTINUED))
    rows = list(polnear.read(folder))
    assert [(row["text"], row["label"], row["stance"], row["strict"]) for row in rows] == [
        ("Harbour to Close.", "none_short", None, False),
        ("The mayor said the harbour would close.", "content>=0.5", "attributed", True),
        ("Boats left on Friday.", "none_short", None, False),
        ("Will they come back?", "none_short", None, False),
        ("The crew hopes to return.", "attribution>=0.8", None, False),
        ("Oh well.", "none_short", None, False),
        ('The chairman continued: "The harbour is safe."', "content>=0.5", "attributed", True),
        ("It was a claim about boats.", "none", "asserted", True),
        ("Ropes and old nets lay there.", "none", "asserted", True),
    ]
    said = rows[1]
    assert said["id"] == "polnear-bugle_2016-01-01_harbour-1"
    assert said["context"] == "Harbour to Close."
    assert (said["split"], said["publisher"]) == ("dev", "bugle")
    assert (said["sources"], said["cues"]) == (["The mayor"], ["said"])
    assert said["content_frac"] == 0.571


def test_polnear_cues_that_put_no_claim_into_a_mouth(tmp_path: Path) -> None:
    folder = polnear_folder(tmp_path, ann({"Cue": "Boats", "Content": "left on Friday"}))
    row = next(r for r in polnear.read(folder) if r["text"].startswith("Boats"))
    assert (row["label"], row["stance"], row["strict"]) == ("content>=0.5", None, False)


def test_polnear_attributions_without_source(tmp_path: Path) -> None:
    cited = {"Cue": "said", "Content": "the harbour would close"}
    folder = polnear_folder(tmp_path, ann(cited, kind="Attribution-no-source"))
    row = list(polnear.read(folder))[1]
    assert (row["stance"], row["sources"]) == ("attributed", [])


def test_polnear_contents_in_pieces() -> None:
    text = "It never sank, he denied, nor burned."
    annotations = "T1\tCue 18 24\tdenied\nT2\tContent 0 13;26 37\tIt never sank nor burned.\n"
    found = polnear.parse_ann(annotations + "E1\tCue:T1 Content2:T2\n", text, "a.ann")
    assert [c.spans for c in found[0].contents] == [((0, 13), (26, 37))]


def test_polnear_denials_may_have_another_stance(tmp_path: Path) -> None:
    write(tmp_path / "data/dev/text/a_b.txt", "He denied that the boat sank.\n")
    parts = "T1\tCue 3 9\tdenied\nT2\tContent 10 28\tthat the boat sank\nE1\tCue:T1 Content:T2\n"
    write(tmp_path / "data/dev/attributions/a_b_0000.ann", parts)
    (row,) = polnear.read(tmp_path)
    assert row["stance"] == "attributed"
    assert row["alt_stance"] == ["disputed", "refuted"]


def test_polnear_doubtful_sentences_are_not_strict(tmp_path: Path) -> None:
    text = "They added a “roof” to the old harbour. Is there not a second harbour?\n"
    write(tmp_path / "data/train/text/a_b.txt", text)
    write(tmp_path / "data/train/attributions/a_b_0000.ann", "")
    rows = list(polnear.read(tmp_path))
    assert [(r["stance"], r["strict"], r["split"]) for r in rows] == [
        ("asserted", False, "train"),
        ("no_claim", True, "train"),
    ]


def test_polnear_takes_the_first_of_several_annotators(tmp_path: Path) -> None:
    folder = polnear_folder(tmp_path, ann(SAID))
    write(folder / "data/dev/attributions/bugle_2016-01-01_harbour_ef2d.ann", "")
    assert list(polnear.read(folder))[1]["stance"] == "attributed"


def test_polnear_leaves_the_test_split_unread(tmp_path: Path) -> None:
    folder = polnear_folder(tmp_path, ann(SAID))
    polnear_folder(folder, ann(SAID), split="test")
    assert {row["split"] for row in polnear.read(folder)} == {"dev"}


def test_polnear_line_ends_of_windows_do_not_move_offsets(tmp_path: Path) -> None:
    folder = polnear_folder(tmp_path, ann(SAID).replace("\n", "\r\n"))
    plain = list(polnear.read(folder))
    path = folder / "data/dev/text/bugle_2016-01-01_harbour.txt"
    write(path, "\ufeff" + ARTICLE.replace("\n", "\r\n"))
    assert list(polnear.read(folder)) == plain


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (
            "T1\tCue 4\tsaid",
            "4e07.ann, line 1: expected an annotation such as 'T1 <tab> Cue 4 8 <tab> said', "
            "found 'T1\\tCue 4\\tsaid'",
        ),
        (
            "\nT1\tCue 4 9999\tsaid",
            f"line 2: expected offsets inside the article's {len(ARTICLE)} characters, "
            "found 4 9999",
        ),
        ("T1\tCue 8 4\tsaid", "characters, found 8 4"),
        (f"T1\tCue 4 {'9' * 5000}\tsaid", "expected offsets inside the article, found 4 9"),
        ("E1\tCue T1", "line 1: expected an event such as 'E1 <tab> Cue:T2 Content:T3'"),
        ("E1\tCue:T7", "expected annotations that the file has, found T7, which it lacks"),
    ],
)
def test_polnear_malformed(tmp_path: Path, annotations: str, message: str) -> None:
    expect(message, polnear.read, polnear_folder(tmp_path, annotations))


def test_polnear_without_annotations(tmp_path: Path) -> None:
    folder = polnear_folder(tmp_path, "")
    (folder / "data/dev/attributions/bugle_2016-01-01_harbour_4e07.ann").unlink()
    expect("expected annotations of bugle_2016-01-01_harbour.txt", polnear.read, folder)


LINES = st.lists(
    st.text() | st.from_regex(r"[TE]\d\t(Cue|Cue:T\d)( \d+ ?\d*;?)*\t?.*", fullmatch=True)
).map("\n".join)


@given(LINES, st.text())
def test_polnear_annotations_of_any_kind(annotations: str, text: str) -> None:
    try:
        polnear.parse_ann(annotations, text, "any.ann")
    except InputError as error:
        assert error.where.startswith("any.ann, line ")


# Szeged

XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE Annotation PUBLIC "-//Uncertainty//DTD" "Uncertainty.dtd">
<Annotation><DocumentSet>{}</DocumentSet></Annotation>"""


def szeged_folder(tmp_path: Path, *sentences: str, document: str = "a.txt") -> Path:
    parts = "".join(
        f'<DocumentPart><Sentence id="S{i}">{words}</Sentence></DocumentPart>'
        for i, words in enumerate(sentences, start=1)
    )
    name = f"<DocID>{document}</DocID>" if document else ""
    write(tmp_path / "corpora/factbank.xml", XML.format(f"<Document>{name}{parts}</Document>"))
    return tmp_path


def cue(kind: str, words: str) -> str:
    return f'<ccue type="speculation_{kind}">{words}</ccue>'


def test_szeged(tmp_path: Path) -> None:
    folder = szeged_folder(
        tmp_path,
        "The  dam held\n all night.",
        f"It {cue('modal_probable_', 'may')} burst.",
        f"It {cue('modal_possible_', 'probably')} {cue('modal_probable_', 'might')}.",
        f"{cue('hypo_condition _', 'If')} it rains, it {cue('modal_possible_', 'appears')} lost.",
        f"They {cue('hypo_doxastic _', 'believe')} in dams &amp; dykes.",
        f"They ask {cue('hypo_investigation _', 'whether')} it holds.",
    )
    rows = list(szeged.read(folder))
    keys = ("label", "stance", "certainty", "certainty_accept", "hedged", "short")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("certain", None, "certain", ["certain"], False, False),
        ("modal_probable", None, "possible", ["possible"], True, True),
        (
            "modal_possible+modal_probable",
            None,
            "possible",
            ["possible", "probable"],
            True,
            True,
        ),
        ("hypo_condition+modal_possible", None, "probable", ["probable"], True, False),
        ("hypo_doxastic", "attributed", None, [], False, False),
        ("hypo_investigation", None, None, [], False, False),
    ]
    assert rows[1]["id"] == "szeged_news-a.txt-S2"
    assert rows[1]["context"] == "The dam held all night."
    assert rows[1]["cues"] == [["modal_probable", "may"]]
    assert rows[4]["text"] == "They believe in dams & dykes."


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        (
            "It <ccue>may</ccue>",
            "a type such as 'speculation_modal_probable_', found the type None",
        ),
        (cue("odd", "may"), "found the type 'speculation_odd'"),
        ("", "line 3: expected a Sentence with an id and words, found the id 'S1' and 0 char"),
        ("It <b>broke", "factbank.xml, line 3: expected XML, found Opening and ending tag"),
    ],
)
def test_szeged_malformed(tmp_path: Path, sentence: str, message: str) -> None:
    expect(message, szeged.read, szeged_folder(tmp_path, sentence))


def test_szeged_without_the_name_of_a_document(tmp_path: Path) -> None:
    folder = szeged_folder(tmp_path, "It held.", document="")
    expect("line 3: expected a DocID in the Document, found none", szeged.read, folder)


def test_szeged_reads_no_other_file(tmp_path: Path) -> None:
    write(tmp_path / "secret.txt", "open sesame")
    folder = szeged_folder(tmp_path, "It says &secret; here.")
    path = folder / "corpora/factbank.xml"
    entity = f'<!DOCTYPE Annotation [<!ENTITY secret SYSTEM "{tmp_path / "secret.txt"}">]>'
    write(path, re.sub("<!DOCTYPE.*>", lambda _: entity, path.read_text(encoding="utf-8")))
    assert "sesame" not in next(szeged.read(folder))["text"]


# Certainty in science communication


def science_folder(tmp_path: Path, *rows: dict[str, Any], aspects: Any = None) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write(tmp_path / "sentence-level-certainty.jsonl", lines)
    if aspects is not None:
        line = {"id": 9, "finding": "Fish sleep.", "aspect-level-certainty": aspects}
        write(tmp_path / "aspect-level-certainty.jsonl", json.dumps(line))
    return tmp_path


def rated(rating: Any, text: str = "Fish sleep.") -> dict[str, Any]:
    return {"id": 3, "finding": text, "sentence-level-certainty": rating, "split": "val"}


def test_science(tmp_path: Path) -> None:
    aspects = {"Number": "NotPresent", "Probability": "Certain"}
    folder = science_folder(
        tmp_path, rated(5.0), rated(4.5, "Fish dream."), rated(3, "Fish sing."), aspects=aspects
    )
    rows = list(sci_certainty.read(folder))
    assert rows[0] == {
        "id": "sci-3",
        "text": "Fish sleep.",
        "label": 5.0,
        "stance": None,
        "certainty": "certain",
        "split": "val",
        "aspect_probability": "Certain",
        "aspects": aspects,
    }
    assert [row["certainty"] for row in rows[1:]] == ["probable", "possible"]
    assert rows[1]["aspects"] is None


def test_science_without_aspects(tmp_path: Path) -> None:
    assert [r["aspects"] for r in sci_certainty.read(science_folder(tmp_path, rated(2.5)))] == [
        None
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (rated("5"), "line 1: expected 'sentence-level-certainty' from 1 to 6, found '5'"),
        (rated(7), "from 1 to 6, found 7"),
        (rated(True), "from 1 to 6, found True"),
        ({"id": 1}, "expected an 'id' and the text of a 'finding', found the fields ['id']"),
    ],
)
def test_science_malformed(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    expect(message, sci_certainty.read, science_folder(tmp_path, row))


def test_science_malformed_aspects(tmp_path: Path) -> None:
    folder = science_folder(tmp_path, rated(5), aspects=["Certain"])
    message = "aspect-level-certainty.jsonl, line 1: expected an object as 'aspect-level-certainty'"
    expect(message, sci_certainty.read, folder)


# GUM


def conllu(*sentences: tuple[str, str]) -> str:
    blocks = [
        f"# newpar\n# sent_id = x-{i}\n# s_type = {kind}\n# text = {text}\n"
        + "".join(f"{n}\t{word}" + "\t_" * 8 + "\n" for n, word in enumerate(text.split(), start=1))
        for i, (kind, text) in enumerate(sentences, start=1)
    ]
    return "# newdoc id = x\n# meta::genre = news\n" + "\n".join(blocks) + "\n"


def rsd(*units: tuple[int, str, int, str]) -> str:
    return "".join(
        f"{n}\t{text}\t0\t_\t_\tpos1=NP|sid={sid}|len=4\t{head}\t{relation}\t_\t_\n"
        for n, (sid, text, head, relation) in enumerate(units, start=1)
    )


NEWS = conllu(
    ("frag", "Monday, May 1"),
    ("decl", "The bridge fell at noon."),
    ("decl", "The mayor said it was old."),
    ("decl", '"It was not old.'),
    ("decl", 'It was new", said the builder.'),
    ("sub", "It might fall again."),
    ("wh", "Who built it?"),
    ("decl", "The mayor announced a plan."),
    ("frag", "Image: A Builder."),
    ("other", "Bridge lost to river"),
    ("decl", "Nobody believes that."),
)
TREE = rsd(
    (1, "Monday , May 1", 2, "context_r"),
    (2, "The bridge fell at noon .", 0, "ROOT"),
    (3, "The mayor said", 4, "attribution-positive_r"),
    (3, "it was old .", 2, "elaboration_r"),
    (4, '" It was not old .', 2, "elaboration_r"),
    (5, 'It was new " ,', 5, "joint_m"),
    (5, "said the builder .", 5, "attribution-positive_r"),
    (6, "It might fall again .", 2, "elaboration_r"),
    (7, "Who built it ?", 2, "elaboration_r"),
    (8, "The mayor announced a plan .", 2, "elaboration_r"),
    (9, "Image :", 2, "elaboration_r"),
    (9, "A Builder .", 11, "attribution-positive_r"),
    (10, "Bridge lost to river", 2, "elaboration_r"),
    (11, "Nobody believes", 15, "attribution-negative_r"),
    (11, "that .", 2, "elaboration_r"),
)


def gum_folder(tmp_path: Path, name: str = "GUM_news_x", tree: str = TREE) -> Path:
    write(tmp_path / "dep" / f"{name}.conllu", NEWS)
    write(tmp_path / "rst/dependencies" / f"{name}.rsd", tree)
    return tmp_path


def test_gum(tmp_path: Path) -> None:
    rows = list(gum.read(gum_folder(tmp_path)))
    assert [(row["label"], row["stance"], row["strict"]) for row in rows] == [
        ("frag", "no_claim", True),
        ("decl_no_attribution", "asserted", True),
        ("attribution", "attributed", True),
        ("attribution", "attributed", True),
        ("attribution", "attributed", True),
        ("decl_no_attribution", None, False),
        ("question", "no_claim", True),
        ("decl_no_attribution", "asserted", False),
        ("attribution", "attributed", False),
        ("other", None, False),
        ("attribution", None, False),
    ]
    assert rows[2]["id"] == "gum-GUM_news_x-3"
    assert rows[2]["source_edu"] == ["The mayor said"]
    assert rows[2]["context"] == "Monday, May 1 The bridge fell at noon."
    assert rows[3]["attr"] == ["attribution-positive_xsent"]
    assert rows[4]["attr"] == ["attribution-positive"]
    assert {row["genre"] for row in rows} == {"news"}


def test_gum_headings_and_captions(tmp_path: Path) -> None:
    tree = TREE.replace("sid=2|", "sid=2|heading=heading|").replace(
        "sid=1|", "sid=1|caption=caption|caption|"
    )
    rows = list(gum.read(gum_folder(tmp_path, tree=tree)))
    assert [row["heading"] for row in rows[:3]] == [False, True, False]
    assert (rows[0]["label"], rows[0]["strict"]) == ("frag/caption", False)


def test_gum_interviews_have_no_voice_of_a_writer(tmp_path: Path) -> None:
    rows = list(gum.read(gum_folder(tmp_path, "GUM_interview_hill")))
    assert {row["stance"] for row in rows} == {"no_claim", "attributed", None}
    assert not any(row["strict"] for row in rows)
    assert {row["split"] for row in rows} == {"test"}


def test_gum_reads_no_other_genre(tmp_path: Path) -> None:
    gum_folder(tmp_path)
    write(tmp_path / "dep/GUM_fiction_x.conllu", "not read")
    assert {row["genre"] for row in gum.read(tmp_path)} == {"news"}


def test_gum_takes_the_published_files_of_a_whole_repository(tmp_path: Path) -> None:
    gum_folder(tmp_path)
    write(tmp_path / "zz_build/src/dep/GUM_news_x.conllu", "a source, not read")
    assert len(list(gum.read(tmp_path))) == 11


def test_gum_in_one_folder(tmp_path: Path) -> None:
    write(tmp_path / "GUM_news_x.conllu", NEWS)
    write(tmp_path / "GUM_news_x.rsd", TREE)
    assert len(list(gum.read(tmp_path))) == 11


def test_gum_without_relations(tmp_path: Path) -> None:
    write(tmp_path / "dep/GUM_news_x.conllu", NEWS)
    expect("expected files named GUM_*.rsd, found none", gum.read, tmp_path)
    write(tmp_path / "rst/dependencies/GUM_news_y.rsd", TREE)
    expect("expected GUM_news_x.rsd in the same folder or another", gum.read, tmp_path)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("1\ttwo\tcolumns", "GUM_news_x.rsd, line 1: expected 8 columns or more, found 3"),
        (
            TREE.replace("sid=1|", ""),
            "line 1: expected the number of the sentence (sid=), found ''",
        ),
        ("\n" + TREE.replace("1\t", "one\t", 1), "line 2: expected the number of the unit, found"),
        (rsd((12, "a", 0, "ROOT")), "unit 1: expected one of the document's 11 sentences, found"),
    ],
)
def test_gum_malformed_relations(tmp_path: Path, tree: str, message: str) -> None:
    expect(message, gum.read, gum_folder(tmp_path, tree=tree))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\tone", "x.conllu, line 1: expected 10 columns, split by tabs, found 2"),
        (NEWS.replace("# s_type = frag\n", "", 1), "expected a comment '# s_type = ...'"),
        (NEWS.replace("# text = M", "# M", 1), "expected a comment '# text = ...' in the sentence"),
    ],
)
def test_gum_malformed_sentences(text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        gum.parse_conllu(text, "x.conllu")


COLUMNS = st.lists(st.text(alphabet="1ab=|# ") | st.just("sid=1"), max_size=12).map("\t".join)
TABLES = st.lists(st.text() | COLUMNS | st.just("# text = a") | st.just("# s_type = decl"))


@given(TABLES.map("\n".join))
def test_gum_files_of_any_kind(text: str) -> None:
    for parse in (gum.parse_conllu, gum.parse_rsd):
        try:
            parse(text, "any")
        except InputError as error:
            assert error.where.startswith("any, line ")


# Emergent

HEADER = "sentence1\tsentence2\tlabel\n"


def test_emergent(tmp_path: Path) -> None:
    lines = "a moon fell\tmoon falls\tfor\na moon fell\tno moon fell\tagainst\n"
    write(tmp_path / "pragmeval-train.tsv", HEADER + lines)
    write(tmp_path / "dev.tsv", HEADER + "a cat won\tdid a cat win?\tobserving\n")
    rows = list(emergent.read(tmp_path))
    assert [(row["id"], row["label"], row["stance"], row["alt_stance"]) for row in rows] == [
        ("emg-pe-train-0", "for", "asserted", []),
        ("emg-pe-train-1", "against", "refuted", ["disputed"]),
        ("emg-pe-dev-0", "observing", "attributed", ["unproven", "no_claim"]),
    ]
    assert sentences_of_row(rows[0]) == ["CLAIM: a moon fell", "moon falls"]


def test_emergent_leaves_its_test_split_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "train.tsv", HEADER + "a moon fell\tmoon falls\tfor\na\tb\tfor\n")
    # The first digits of the SHA-256 of "a moon fell".
    monkeypatch.setattr(emergent, "_HELD_OUT", "00000000 b8fb8525")
    assert [row["id"] for row in emergent.read(tmp_path)] == ["emg-pe-train-1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\n", "train.tsv, line 1: expected the header 'sentence1\\tsentence2\\tlabel', found"),
        (HEADER + "a\tb\n", "line 2: expected rumour, headline and label, split by tabs, found"),
        (HEADER + "a\t \tfor\n", "line 2: expected rumour, headline and label, split by tabs"),
        (HEADER + "a\tb\tpro\n", "expected one of the labels for, against, observing, found 'pro'"),
    ],
)
def test_emergent_malformed(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "train.tsv", text)
    expect(message, emergent.read, tmp_path)


def test_emergent_twice(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", HEADER)
    write(tmp_path / "old" / "train.tsv", HEADER)
    expect(
        "expected one file named train.tsv, found old/train.tsv and train", emergent.read, tmp_path
    )


# The real sets


@pytest.fixture(scope="module")
def real() -> Path:
    """The folder with the mapped sets and, under raw/, pieces in the publishers' formats."""
    folder = os.environ.get("CLAIMSTANCE_EXTERNAL")
    if not folder:
        pytest.skip("CLAIMSTANCE_EXTERNAL does not name a folder with the published sets")
    return Path(folder)


def mapped_rows(real: Path, file: str) -> dict[str, dict[str, Any]]:
    lines = (real / file).read_text(encoding="utf-8").splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


@pytest.mark.parametrize(
    ("read", "name", "file", "least"),
    [
        (szeged.read, "szeged", "szeged_news.jsonl", 3129),
        (sci_certainty.read, "sci_certainty", "sci_certainty.jsonl", 1551),
        (gum.read, "gum", "gum_news.jsonl", 57),
        (emergent.read, "emergent", "emergent.jsonl", 1661),
    ],
)
def test_real_rows_are_the_mapped_ones(
    real: Path, read: Reader, name: str, file: str, least: int
) -> None:
    mapped = mapped_rows(real, file)
    rows = list(read(real / "raw" / name))
    assert len(rows) >= least
    for row in rows:
        assert row == {key: mapped[row["id"]].get(key, "missing") for key in row}


def test_real_polnear_differs_only_where_sentences_end(real: Path) -> None:
    mapped = {row["text"]: row for row in mapped_rows(real, "polnear.jsonl").values()}
    rows = list(polnear.read(real / "raw" / "polnear"))
    known = [row for row in rows if row["text"] in mapped]
    assert len(known) >= 0.9 * len(rows)
    for row in known:
        # Where sentences end elsewhere, their numbers and what stands before them shift.
        same = row.keys() - {"id", "context"}
        assert {k: row[k] for k in same} == {k: mapped[row["text"]][k] for k in same}
