"""A tiny world to test in: invented articles, a random encoder, a model trained for real.

Everything is made on the spot, in seconds, from the text below; nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from claimstance.annotation import DataFolder, write_corpus
from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.labels import STANCES
from claimstance.recipes import TransformerRecipe, load_recipe
from claimstance.records import (
    ArticleFacts,
    LabelledSentence,
    Prediction,
    SentenceLabels,
    write_records,
)

# Tiny networks are quickest on one thread; and no test may reach for a network.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

#: Per article a head (id, split, genre, topic), then a line per sentence, title first:
#: stance and certainty | source | cues | text.
ARTICLES = """
# t01 | train | wire report | disasters and weather
asserted certain | | | Storm floods three villages near Arlen
attributed certain | the river agency | said | The dam held all night, the river agency said.
disputed certain | Mayor Oda Finch | denied | Mayor Oda Finch denied that sirens had stayed silent.
unproven possible | | no evidence | There is no evidence yet that a gate was left open.
refuted certain | | false | A photo of a burst wall is false: it shows another country.
no_claim | | | What happens now?
asserted probable | | likely | Repairs will likely last until spring.

# t02 | train | broadsheet news | diplomacy
asserted certain | | | Envoys meet in Port Sella after a month of silence
attributed probable | one diplomat | expects | A text is close and one diplomat expects a signature.
disputed possible | Tarvia | rejects; may | Tarvia rejects the view that borders may move.
unproven certain | | could not be verified | The leaked minutes could not be verified.
refuted certain | | never took place | The secret dinner in June never took place, records show.
no_claim | | | Here is what we know.
asserted possible | | might | Talks might resume on Friday.

# t03 | train | magazine analysis | elections
asserted certain | | | Why the count in Velm took nine days
attributed possible | a clerk | Perhaps; told | Perhaps a printer jammed, a clerk told us.
disputed certain | The Reform List | disputes | The Reform List disputes every southern figure.
unproven probable | | unsupported | The charge of bought votes remains unsupported so far.
refuted certain | the court | wrong | That dead people voted is wrong, as the court found.
no_claim | | | Think of your own street for a moment.
asserted certain | | | Turnout fell by four points.

# t04 | train | local paper | local government
asserted certain | | | Library in Eastwick shuts its doors for good
attributed certain | Bram Ott | according to | It cost too much, according to Bram Ott.
disputed certain | Readers | insist | Readers insist the books were never the burden.
unproven possible | | Nobody has shown | Nobody has shown that the roof may be unsafe.
refuted probable | | not true | It is probably not true that a hotel was promised.
no_claim | | | Good morning, Eastwick!
asserted probable | | should | A van should call twice a week from May.

# t05 | train | live blog | sport
asserted certain | | | Rowing final put back by an hour
attributed probable | her coach | believes | Lena Moss is fit again, her coach believes.
disputed certain | The jury | contradicts | The jury contradicts the crew over lane five.
unproven certain | | unconfirmed | Reports of a cracked oar are unconfirmed.
refuted certain | | hoax | The message about a banned rower was a hoax.
no_claim | | | Stay with us for more.
asserted possible | | could | Rain could return before noon.

# t06 | train | fact-check | celebrity and viral stories
asserted certain | | | A singer, a shark and a shared video
attributed certain | the post | claims | Nico Vale swam with sharks, the post claims.
disputed probable | his agent | says otherwise | Probably at home, his agent says otherwise.
unproven possible | | no proof | We found no proof for the tale of a rescue.
refuted certain | | fabricated | The quote about teeth is fabricated.
no_claim | | | Please send doubtful clips to our desk.
asserted certain | | | The clip has ten million views.

# t07 | train | business news | corporate and markets
asserted certain | | | Halden Steel shares sink on a bleak forecast
attributed probable | analysts | reckon | Orders will halve by autumn, analysts reckon.
disputed certain | The firm | denies | The firm denies any plan to sell its northern mill.
unproven probable | | without support | Talk of a rescue loan is without support in the books.
refuted certain | The regulator | untrue | The regulator called rumours of fraud untrue.
no_claim | | | Buy, hold or run?
asserted possible | | may | Dividends may vanish altogether.

# t08 | train | science and health news | health and medicine
asserted certain | | | New vaccine shortens the winter fever by days
attributed possible | Dr Ines Kroll | suggests | One dose might be enough, Dr Ines Kroll suggests.
disputed possible | other teams | doubt | Whether it helps infants, other teams doubt.
unproven certain | | has not been demonstrated | A link to hair loss has not been demonstrated.
refuted certain | | debunked | The story of magnetic arms was debunked long ago.
no_claim | | | Ask your doctor first.
asserted probable | | probably | Pharmacies will probably stock it in October.

# d01 | dev | court report | courts and crime
asserted certain | | | Two men in the dock over stolen bells
attributed certain | a witness | said | They came with a lorry at dawn, a witness said.
disputed certain | The defence | denied | The defence denied that either man could drive.
unproven possible | | no evidence | There was no evidence of a third thief.
refuted certain | | false | An alibi from a barber turned out to be false.
no_claim | | | Would you have woken up?
asserted probable | | likely | A verdict is likely within the week.

# d02 | dev | interview write-up | climate and energy
asserted certain | | | The woman who counts dying larches
attributed probable | she | expects | Half the slope will be bare by 2040, she expects.
disputed possible | Foresters | reject | Foresters reject her count and say it may mislead.
unproven certain | | could not be verified | Her oldest maps could not be verified.
refuted certain | | wrong | That goats ate the saplings is wrong.
no_claim | | | Come and see for yourself.
asserted possible | | might | Snow might cover the plots tonight.

# e01 | test | explainer | technology rumours
asserted certain | | | What the folding tablet can and cannot do
attributed possible | a supplier | perhaps; told | It perhaps bends twice, a supplier told bloggers.
disputed certain | Its maker | disputes | Its maker disputes all talk of a broken hinge.
unproven probable | | unsupported | The rumoured price looks unsupported.
refuted certain | | not true | It is not true that batteries swell in the cold.
no_claim | | | So, should you wait?
asserted certain | | | Sales open in March.

# e02 | test | broadcast script | migration
asserted certain | | | Good evening: a boat with sixty people reached Cape Dorn
attributed certain | coastguards | according to | All are safe, according to coastguards tonight.
disputed certain | The ministry | contradicts | The ministry contradicts them on who gave the alarm.
unproven possible | | unconfirmed | Word of a second boat is unconfirmed.
refuted certain | | hoax | A recording of gunfire proved to be a hoax.
no_claim | | | Over to our reporter at the pier.
asserted probable | | should | Buses should arrive before midnight.
"""

#: Every article marks its headline, and one sentence that is hard for another reason.
HARD_CASES = {0: "headline", 4: "negative-fact"}


def parse_articles(text: str = ARTICLES) -> list[LabelledArticle]:
    """Read articles in the short form above."""
    articles = []
    for block in text.strip().split("\n\n"):
        head, *lines = block.splitlines()
        article_id, split, genre, topic = (part.strip() for part in head[1:].split("|"))
        sentences = tuple(_sentence(article_id, i, line) for i, line in enumerate(lines))
        facts = ArticleFacts(
            article_id=article_id,
            title=sentences[0].text,
            genre=genre,
            topic=topic,
            split=split,
            spelling="British",
            origin="synthetic",
            notes="written for the tests",
            hard_cases=HARD_CASES,
        )
        articles.append(LabelledArticle(facts, sentences))
    return articles


def _sentence(article_id: str, position: int, line: str) -> LabelledSentence:
    parts = [part.strip() for part in line.split("|")]
    # The labels of no claim have no source and no cues, and need no fields for them.
    label, source, cues, text = parts if len(parts) == 4 else (parts[0], "", "", parts[-1])
    stance, _, certainty = label.partition(" ")
    return LabelledSentence(
        article_id=article_id,
        position=position,
        text=text,
        stance=stance,
        certainty=certainty or None,
        source=source or None,
        cues=tuple(cue.strip() for cue in cues.split(";") if cue.strip()),
    )


def _labels_of(sentence: LabelledSentence) -> SentenceLabels:
    """The labels of a sentence, without its text."""
    return SentenceLabels.model_validate(sentence.model_dump(exclude={"text"}))


def write_data_folder(root: Path, articles: list[LabelledArticle]) -> DataFolder:
    """A whole data folder; the second pass repeats the first."""
    data = DataFolder(root)
    write_corpus(data, articles)
    labels = [_labels_of(s) for a in articles for s in a.sentences]
    write_records(data.first, labels)
    write_records(data.second, labels)
    return data


@pytest.fixture
def articles() -> list[LabelledArticle]:
    """The dozen articles, as read from a corpus."""
    return parse_articles()


@pytest.fixture
def labels_of() -> Callable[[LabelledSentence], SentenceLabels]:
    """From a sentence to its labels alone."""
    return _labels_of


@pytest.fixture
def make_data_folder() -> Callable[[Path, list[LabelledArticle]], DataFolder]:
    """Write a data folder of other articles."""
    return write_data_folder


@pytest.fixture
def tiny_corpus(tmp_path: Path) -> Path:
    """A corpus folder of the test's own."""
    return write_data_folder(tmp_path / "data", parse_articles()).corpus


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers, with a tokenizer that knows the commonest words."""
    import torch
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece
    from transformers import BertConfig, BertModel

    found = Counter(re.findall(r"\w+", ARTICLES.lower()))
    common = sorted(found, key=lambda word: (-found[word], word))[:300]
    characters = sorted(set(ARTICLES.lower()) - set(" \n")) + list("“”’—")
    pieces = [*characters, *(f"##{c}" for c in characters), *common]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(pieces)]
    vocabulary = {piece: number for number, piece in enumerate(names)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    folder = tmp_path_factory.mktemp("backbone")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def recipe_text(corpus: Path, backbone: Path, **changes: Any) -> str:
    """A recipe that trains in seconds; ``changes`` replace values by key."""
    values: dict[str, Any] = {
        "epochs": 12,
        "seed": 7,
        "views": 2,
        "max_tokens": 64,
        "learning_rate": 5e-3,
        **changes,
    }
    teacher = f"\n[teacher]\npredictions = {values['teacher']}\n" if "teacher" in values else ""
    if "silver" in values:
        teacher += f"\n[silver]\n{values['silver']}\n"
    return f"""
kind = "transformer"
name = "tiny"
corpus = '{corpus}'
seed = {values["seed"]}
backbone = '{backbone}'
backbone_sha256 = "{_sha256(backbone)}"

[windows]
max_tokens = {values["max_tokens"]}
title_tokens = 12
context_sentences = 1
views = {values["views"]}

[optimiser]
epochs = {values["epochs"]}
learning_rate = {values["learning_rate"]}
head_learning_rate = 1e-2
batch_windows = 8

[network]
dropout = 0.0
{teacher}"""


def write_teacher(path: Path, articles: list[LabelledArticle], stance: str) -> None:
    """Predictions of somebody who takes every sentence for the same."""
    rest = {name: 0.02 for name in STANCES if name != stance}
    sentences = [s for a in articles for s in a.sentences]
    write_records(
        path,
        [
            Prediction(
                article_id=s.article_id,
                position=s.position,
                start=0,
                end=len(s.text),
                text=s.text,
                stance=stance,
                certainty="certain",
                stance_probabilities={stance: 0.9, **rest},
                certainty_probabilities={"certain": 0.8, "probable": 0.1, "possible": 0.1},
                source=None,
                cues=(),
                model="teacher",
            )
            for s in sentences
        ],
    )


def _sha256(backbone: Path) -> str:
    return hashlib.sha256((backbone / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture
def make_recipe(
    tmp_path: Path, tiny_corpus: Path, tiny_backbone: Path
) -> Callable[..., TransformerRecipe]:
    """A recipe for the corpus and the backbone above, some of its values replaced."""

    def make(**changes: Any) -> TransformerRecipe:
        path = tmp_path / "changed.toml"
        path.write_text(recipe_text(tiny_corpus, tiny_backbone, **changes), encoding="utf-8")
        loaded = load_recipe(path)
        assert isinstance(loaded, TransformerRecipe)
        return loaded

    return make


@pytest.fixture
def tiny_recipe(tmp_path: Path, tiny_corpus: Path, tiny_backbone: Path) -> Path:
    """A recipe for the corpus and the backbone above."""
    path = tmp_path / "tiny.toml"
    path.write_text(recipe_text(tiny_corpus, tiny_backbone), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """The folder of a model trained for real. Read it, do not change it."""
    from claimstance.training import train_transformer

    root = tmp_path_factory.mktemp("trained")
    data = write_data_folder(root / "data", parse_articles())
    recipe = root / "tiny.toml"
    recipe.write_text(recipe_text(data.corpus, tiny_backbone), encoding="utf-8")
    loaded = load_recipe(recipe)
    assert isinstance(loaded, TransformerRecipe)
    train_transformer(loaded, root / "model")
    return root / "model"


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The same model as ONNX, in full precision. Read it, do not change it."""
    from claimstance.export import export_model

    out = tmp_path_factory.mktemp("exported") / "model"
    dev = [a for a in parse_articles() if a.facts.split == "dev"]
    export_model(tiny_model, out, dev, quantise=False)
    return out


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run_cli(tmp_path: Path) -> Run:
    """Run ``python -m claimstance`` as a process of its own, in the test's folder."""

    def run(*arguments: object, stdin: str = "") -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "claimstance", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def run_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the same entry point in this process, which is quicker, in the test's folder."""
    from claimstance.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["claimstance", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run


@pytest.fixture
def refuses() -> Callable[..., InputError]:
    """Call a function that must raise `InputError` with these words in it."""

    def check(words: str, function: Callable[..., object], *args: Any, **kw: Any) -> InputError:
        with pytest.raises(InputError) as caught:
            function(*args, **kw)
        assert words in str(caught.value)
        return caught.value

    return check
