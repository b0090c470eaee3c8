"""The documentation site: it builds, stands alone, and what its pages show is what happens."""

from __future__ import annotations

import dataclasses
import html
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_report_browser import CHROMIUM, Browser, broken_rules

from claimstance.labels import CERTAINTIES, CERTAINTY_MEANING, STANCE_MEANING, STANCES
from claimstance.records import LabelledSentence

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "pages"
WITH_EXAMPLES = sorted(
    path.name
    for path in PAGES.glob("*.md")
    if re.search(r"^```(console|python)$", path.read_text("utf-8"), flags=re.MULTILINE)
)
LABELS = (PAGES / "labels.md").read_text(encoding="utf-8")
#: What a tiny network cannot do as the page has it: lose nothing when its weights are rounded.
SUBSTITUTED = {"claimstance export ": "claimstance export --no-quantise "}
#: A sentence of the labels page, and the line under it: labels, source, cues.
LABELLED = re.compile(
    r"^> (?P<text>.+)\n\n\*\*(?P<stance>\w+)(?: · (?P<certainty>\w+))?\*\*"
    r"(?: · source: `(?P<source>[^`]+)`)?(?: · cues: (?P<cues>.+))?$",
    flags=re.MULTILINE,
)


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(ROOT / "docs")
    yield importlib.import_module("examples")
    sys.modules.pop("examples")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: a warning ends the build."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--strict", "-f", "docs/mkdocs.yml", "--site-dir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    return folder


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_print_what_the_page_shows(
    examples: Any, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    lines = (PAGES / name).read_text(encoding="utf-8").split("\n")
    found = examples.examples_of(lines)
    examples.lay_out(tmp_path / "here")
    there = {path.name for path in (tmp_path / "here").iterdir()}
    if name == examples.TRAINS:
        _make_small(tmp_path / "here", tmp_path, request)
        found = [_substituted(example) for example in found]
    outcomes = list(examples.run(found, tmp_path / "here"))

    assert [e.code for e in found if "?" in lines[e.start : e.end]] == []
    for outcome, following in zip(outcomes, [*outcomes[1:], None], strict=True):
        # A failure is looked at, or it is none.
        looked_at = following is not None and following.example.code == "echo $?"
        assert outcome.code == 0 or looked_at, (outcome.example.code, outcome.printed)
    assert examples.renewed(lines, outcomes) == lines
    # Nothing is left in the folder of whoever tries them but what git ignores.
    assert {path.name for path in (tmp_path / "here").iterdir()} - there <= {"out", "models"}


def _make_small(folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """For the page that trains: the tests' corpus, random encoder and two epochs."""
    shutil.rmtree(folder / "data" / "corpus")
    shutil.copytree(request.getfixturevalue("tiny_corpus"), folder / "data" / "corpus")
    request.getfixturevalue("make_recipe")(epochs=2)
    shutil.copy(tmp_path / "changed.toml", folder / "training" / "recipes" / "minilm.toml")


def _substituted(example: Any) -> Any:
    code = example.code
    for page_has, test_runs in SUBSTITUTED.items():
        code = code.replace(page_has, test_runs)
    return dataclasses.replace(example, code=code)


def test_examples_are_found_with_what_they_show(examples: Any, tmp_path: Path) -> None:
    page = [
        *(
            "```console",
            "$ printf 'a\\nb\\nc\\n'",
            "a",
            "…",
            "x",
            "$ false",
            "$ echo $?",
            "0",
            "```",
        ),
        *("```python", "print(1)", "```", "", "```text", "2", "```"),
        *("```python", "print(3)", "```", "Words.", "```text", "3", "```"),
    ]
    outcomes = list(examples.run(examples.examples_of(page), tmp_path))

    assert [o.printed for o in outcomes] == [["a", "b", "c"], [], ["1"], ["1"], ["3"]]
    assert [o.code for o in outcomes] == [0, 1, 0, 0, 0]
    fresh = examples.renewed(page, outcomes)
    assert fresh[:9] == ["```console", page[1], "a", "…", "c", "$ false", "$ echo $?", "1", "```"]
    # What is shown right after a program is what it prints; what stands elsewhere is not.
    assert fresh[14] == "1"
    assert fresh[16:] == page[16:]


def test_no_command_of_make_or_ray_is_run(examples: Any, tmp_path: Path) -> None:
    page = ["```console", "$ make demo", "$ claimstance classify x --engine ray", "```"]
    assert list(examples.run(examples.examples_of(page), tmp_path)) == []


def test_every_label_is_explained_with_an_example() -> None:
    examples = list(LABELLED.finditer(LABELS))
    assert {e["stance"] for e in examples} == set(STANCES)
    assert {e["certainty"] for e in examples} - {None} == set(CERTAINTIES)
    for label, meaning in (STANCE_MEANING | CERTAINTY_MEANING).items():
        assert re.search(rf"^`{label}`: (the text|it) {meaning}", LABELS, flags=re.MULTILINE)


def test_examples_of_the_labels_are_legal() -> None:
    """As sentences of a corpus: source and cues are parts of them, and go with the stance."""
    found = list(LABELLED.finditer(LABELS))
    assert len(found) == LABELS.count("\n> ")
    for number, example in enumerate(found):
        cues = tuple(re.findall("`([^`]+)`", example["cues"] or ""))
        sentence = LabelledSentence(
            article_id="labels",
            position=number,
            text=example["text"],
            stance=example["stance"],
            certainty=example["certainty"],
            source=example["source"],
            cues=cues,
        )
        plain = sentence.stance == "asserted" and sentence.certainty == "certain"
        assert bool(cues) != (plain or sentence.stance == "no_claim"), sentence.text


def test_site_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    assert len(pages) > 20
    loaded = re.compile(r"""<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=["']?(?:https?:)?//""")
    assert [found[0] for page in pages for found in loaded.finditer(page)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\([\"']?(?:https?:)?//[^)]*|@import[^;]*", styles) == []


def test_site_has_the_picture_and_the_repository_s_documents(site: Path) -> None:
    picture = "repository/evaluation/results/report.png"
    assert f'src="{picture}"' in (site / "index.html").read_text(encoding="utf-8")
    assert (site / picture).read_bytes() == (
        ROOT / picture.removeprefix("repository/")
    ).read_bytes()
    limits = (site / "limits.html").read_text(encoding="utf-8")
    assert 'href="repository/evaluation/results/index.html#real-news"' in limits


def test_every_page_of_the_contents_is_there(site: Path) -> None:
    contents = (ROOT / "docs" / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    pages = re.findall(r": (\S+)\.md$", contents, flags=re.MULTILINE)
    assert len(pages) > 25
    # A README is the index of its folder.
    built = [re.sub(r"README$", "index", page) for page in pages]
    assert [page for page in built if not (site / f"{page}.html").exists()] == []


def test_links_hold_in_the_site_or_name_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    hooks = importlib.import_module("hooks")
    there = {"labels.md", "repository/data/guidelines.md", "repository/data/README.md"}
    text = (
        "[a](../../data/guidelines.md#source) [b](labels.md) [c](../../Makefile) [Makefile]"
        "(../../Makefile) [d](https://example.org) [e](#here) x[0](y)"
    )

    assert hooks.relink(text, "docs/pages/index.md", there) == (
        "[a](repository/data/guidelines.md#source) [b](labels.md) c (`Makefile`) Makefile "
        "[d](https://example.org) [e](#here) x[0](y)"
    )
    assert hooks.relink(
        "[f](guidelines.md) [g](../docs/pages/labels.md)", "data/README.md", there
    ) == ("[f](guidelines.md) [g](../../labels.md)")
    sys.modules.pop("hooks")


def test_no_id_stands_twice_in_a_page(site: Path) -> None:
    for page in site.rglob("*.html"):
        ids = re.findall(r"""<[^>]*?\sid=["']?([^"'\s>]+)""", page.read_text(encoding="utf-8"))
        assert [name for name, times in Counter(ids).items() if times > 1] == [], page


def test_contents_of_the_reference_are_classes_and_functions(site: Path) -> None:
    reference = (site / "reference.html").read_text(encoding="utf-8")
    contents = reference.partition('data-md-type="toc"')[2].partition('class="md-content"')[0]
    shown = [
        html.unescape(re.sub(r"<[^>]+>", "", link)).strip()
        for link in re.findall(r'<a href="#[^"]+" class="md-nav__link">(.*?)</a>', contents, re.S)
    ]
    for name in ("Classifier", "load", "Prediction", "read_articles", "evaluate", "render_report"):
        assert name in shown
    assert not {"__len__", "stance", "inference", "claimstance.api", "claimstance.report"} & set(
        shown
    )
    assert not [name for name in shown if "." in name]


def test_the_glossary_is_in_order_and_has_what_links_ask_for(site: Path) -> None:
    page = (PAGES / "glossary.md").read_text(encoding="utf-8")
    anchors = re.findall(r'^<a id="([\w-]+)"></a>\*\*', page, flags=re.MULTILINE)
    assert anchors == sorted(anchors)
    built = (site / "glossary.html").read_text(encoding="utf-8")
    for anchor in anchors:
        assert re.search(rf'id="?{anchor}"?>', built), anchor
    texts = [(ROOT / "README.md"), *PAGES.glob("*.md")]
    asked = [
        name
        for path in texts
        for name in re.findall(r"glossary\.md#([\w-]+)", path.read_text(encoding="utf-8"))
    ]
    assert len(asked) > 10
    assert set(asked) <= set(anchors)


def test_index_lists_the_pages_in_reading_order() -> None:
    contents = (ROOT / "docs" / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    order = re.findall(r"^      - [^:]+: (\w[\w-]*\.md)$", contents, flags=re.MULTILINE)
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\d\. \[[^]]+\]\(([\w-]+\.md)\)", index, flags=re.MULTILINE)
    assert len(listed) == 8
    assert listed == order[: len(listed)]


def test_reference_shows_signatures_and_examples(site: Path) -> None:
    reference = (site / "reference.html").read_text(encoding="utf-8")
    for name in ("Classifier.load", "ClassifiedArticle.to_frame"):
        assert f'id="claimstance.api.{name}"' in reference
    assert "<blockquote>" not in reference


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no `chromium` on PATH to open the site in")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(Path(profile))
        yield browser
        browser.close()


@pytest.mark.parametrize("dark", [False, True])
def test_pages_open_without_complaint_and_fit_a_phone(
    browser: Browser, site: Path, dark: bool
) -> None:
    for page in sorted(site.glob("*.html")):
        if page.name == "404.html":  # is shown by a server, with addresses from its root
            continue
        browser.open(page, width=390, height=844, dark=dark)
        assert browser.run("document.documentElement.scrollWidth") <= 390, page.name
        assert browser.complaints() == []
        elsewhere = [url for url in browser.requests() if not url.startswith(("file:", "data:"))]
        assert elsewhere == []
        scheme = browser.run("document.body.dataset.mdColorScheme")
        assert scheme == ("slate" if dark else "default")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(browser: Browser, site: Path, width: int, dark: bool) -> None:
    """In a page of prose, of code, of tables and of docstrings, and in the glossary."""
    for page in ("index", "first-article", "evaluating", "reference", "glossary"):
        browser.open(site / f"{page}.html", width=width, dark=dark)
        assert broken_rules(browser) == [], page


def test_search_works_from_the_disk(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    found: list[str] = []
    for _ in range(100):  # the index loads while the page is there already
        browser.run(
            "(() => { const field = document.querySelector('.md-search__input'); field.focus();"
            "field.value = 'abstain'; field.dispatchEvent(new KeyboardEvent('keyup')); })()"
        )
        found = browser.run(
            "Array.from(document.querySelectorAll('.md-search-result__link'), a => a.href)"
        )
        if found:
            break
        time.sleep(0.1)

    assert any("/first-article.html" in address for address in found)
    assert browser.complaints() == []
