"""What the site takes from the rest of the repository when mkdocs builds it.

Some of the repository's documents become pages, with the pictures that they and the site's
own pages show, so that nothing stands in two places. Links between documents are written
as they hold in the repository; here they are made to hold in the site. A link to a file
that the site does not have becomes the file's name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink

from claimstance.labels import STANCES
from claimstance.report import MARKS

ROOT = Path(__file__).parent.parent
PAGES = "docs/pages"

#: Where the repository's documents lie in the site.
FOLDER = "repository"
DOCUMENTS = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "claimstance/shipped/README.md",
    "data/README.md",
    "data/dataset_card.md",
    "data/guidelines.md",
    "data/statistics.md",
    "evaluation/README.md",
    "evaluation/behaviour/README.md",
    "evaluation/results/README.md",
    "evaluation/results/audit.md",
    "evaluation/results/behaviour.md",
    "evaluation/results/errors.md",
    "evaluation/results/profile.md",
    "evaluation/results/speed.md",
    "evaluation/sets/README.md",
    "training/README.md",
    "training/ablations.md",
    "training/active_learning.md",
    "training/learning_curve.md",
)

LINK = re.compile(
    r"(?P<picture>!?)\[(?P<words>[^\]]*)\]\((?P<path>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)"
)
#: A label as the labels page and the guidelines print it: **disputed · certain**.
LABEL = re.compile(rf"<strong>(?={'|'.join(STANCES)})(\w+)( · \w+)?</strong>")
#: The page made from docstrings, its attributes, and what numbers lines of code.
REFERENCE = "reference.md"
ATTRIBUTE = re.compile(r'doc-object doc-attribute">\s*<h\d id="([^"]+)"')
LINE_ID = re.compile(r' id="__span-\d+-\d+"')
#: An anchor that a document has for GitHub, in a heading that has the same here.
ANCHOR = re.compile(r'(?P<heading><h\d id="(?P<id>[^"]+)">)<a id="(?P=id)"></a>')
#: A 95% interval, which should not be torn apart at the end of a line.
INTERVAL = re.compile(r"\[[+-]?\d\.\d+, [+-]?\d\.\d+\]")


def on_files(files: Files, config: Any) -> Files:
    """Add the repository's documents, the pictures shown, and the colours of the stances."""
    taken = set(DOCUMENTS)
    for path in [*DOCUMENTS, *(f"{PAGES}/{f.src_uri}" for f in files.documentation_pages())]:
        for link in LINK.finditer((ROOT / path).read_text(encoding="utf-8")):
            target = in_repository(path, link["path"])
            if link["picture"] and target and not target.startswith(PAGES):
                taken.add(target)
    for path in sorted(taken):
        files.append(File.generated(config, in_site(path), abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, "stylesheets/stances.css", content=stance_colours()))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Make the links of a page hold in the site."""
    return relink(markdown, from_site(page.file.src_uri), {f.src_uri for f in files})


def on_page_content(html: str, page: Page, config: Any, files: Files) -> str:
    """Give labels the colour of their stance, keep intervals whole, and give no id twice."""
    html = ANCHOR.sub(r"\g<heading>", html)
    if page.file.src_uri == REFERENCE:
        # Each signature would count its lines from the same number.
        html = LINE_ID.sub("", html)
        shorten(page.toc, set(ATTRIBUTE.findall(html)))
    html = LABEL.sub(r'<strong class="label" data-stance="\1">\1\2</strong>', html)
    return INTERVAL.sub(r'<span class="interval">\g<0></span>', html)


def on_post_page(output: str, page: Page, config: Any) -> str:
    """Give the theme's search a name that a screen reader can say."""
    dialog = 'data-md-component="search" role="dialog"'
    return output.replace(dialog, f'{dialog} aria-label="Search"')


def relink(markdown: str, path: str, there: set[str]) -> str:
    """Rewrite the links of a document.

    Args:
        markdown: its text.
        path: where it lies in the repository.
        there: the files of the site, relative to its root.
    """

    def rewrite(link: re.Match[str]) -> str:
        target = in_repository(path, link["path"])
        if target is None:
            return link[0]
        if in_site(target) not in there:
            named = target in link["words"]
            return link["words"] if named else f"{link['words']} (`{target}`)"
        way = posixpath.relpath(in_site(target), posixpath.dirname(in_site(path)) or ".")
        return f"{link['picture']}[{link['words']}]({way}{link['anchor'] or ''})"

    return LINK.sub(rewrite, markdown)


def in_repository(path: str, link: str) -> str | None:
    """Where in the repository a link of a document leads; None if to no file of it."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    return target if link and (ROOT / target).exists() else None


def in_site(path: str) -> str:
    """Where a file of the repository lies in the site, if it is there."""
    own = path.removeprefix(f"{PAGES}/")
    return own if own != path else f"{FOLDER}/{path}"


def from_site(path: str) -> str:
    """Where a file of the site lies in the repository."""
    taken = path.removeprefix(f"{FOLDER}/")
    return taken if taken != path else f"{PAGES}/{path}"


def shorten(contents: Iterable[AnchorLink], attributes: set[str]) -> None:
    """Leave in the contents of the reference what a reader looks for: classes and functions.

    Args:
        contents: of a page, or of a part of it.
        attributes: the anchors of what is an attribute.
    """
    for entry in contents:
        entry.children = [
            part
            for part in entry.children
            if part.id not in attributes and not part.title.startswith("__")
        ]
        shorten(entry.children, attributes)


def stance_colours() -> str:
    """The colours of the report, as a stylesheet."""
    lines = []
    for stance, mark in MARKS.items():
        lines.append(f'[data-stance="{stance}"] {{ --stance: {mark.light}; }}')
        lines.append(
            f'[data-md-color-scheme="slate"] [data-stance="{stance}"] {{ --stance: {mark.dark}; }}'
        )
    return "\n".join(lines) + "\n"
