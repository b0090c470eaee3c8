"""What the documents say is true: examples run, links lead somewhere, figures are the files'."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from claimstance.cli import app
from claimstance.labels import STANCE_MEANING

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "node_modules", "out", "models", "build"} & set(path.parts)
)
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    if page.parent == ROOT / "data" / "demo":
        pytest.skip("the demo article shows pictures that it does not have")
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_readme_example_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) > 20


def test_readme_names_every_label() -> None:
    for stance, meaning in STANCE_MEANING.items():
        assert f"| `{stance}` | {meaning} |" in README


def test_readme_figures_are_those_of_the_results_page() -> None:
    block = README.split("<!-- results: begin -->")[1].split("<!-- results: end -->")[0].strip()
    assert block
    assert block in (ROOT / "evaluation" / "results" / "README.md").read_text(encoding="utf-8")


def test_documented_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option of every `claimstance …` line of every page."""
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    lines = re.findall(r"^\$ (?:\.venv/bin/)?claimstance (.+)$", text, flags=re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        words = re.split(r" [#|] ", line)[0].split()
        command = words[: 2 if words[0] in ("corpus", "tasks") else 1]
        app([*command, "--help"], standalone_mode=False)
        known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", capsys.readouterr().out))
        assert {word for word in words if word.startswith("-") and word != "-"} <= known, line


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text))
    assert {"demo", "test", "lint", "reproduce"} <= named
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in named)
