"""The corpus as it is published loads as the data folder's README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from claimstance.corpus import load_split
from claimstance.records import LabelledSentence

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "data" / "corpus"


def test_the_readme_loads_it_with_datasets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.chdir(ROOT)
    (example,) = re.findall(r"```python\n(from datasets.*?)```", readme(), flags=re.DOTALL)
    names: dict[str, datasets.DatasetDict] = {}
    exec(compile(example, "data/README.md", "exec"), names)
    assert capsys.readouterr().out.strip()
    for split in ("train", "dev", "test"):
        ours = [s for article in load_split(CORPUS, split) for s in article.sentences]
        theirs = names["corpus"][split]
        assert len(theirs) == len(ours)
        assert [LabelledSentence.model_validate(row) for row in theirs.select(range(50))] == ours[
            :50
        ]


def readme() -> str:
    return (ROOT / "data" / "README.md").read_text(encoding="utf-8")
