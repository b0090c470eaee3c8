"""From labelled tasks to a corpus folder that a recipe can train on.

A task is one labelled sentence of an article that has no other labels. It becomes an
article of its own: the title, the sentences before it as ``context``, and the labelled
sentence after them. Context is read by the network and does not count in the loss
(`claimstance.examples`), so that nothing is lost and nothing gets a label that nobody
gave. Two labelled sentences that were neighbours become two articles, and what stands
after a labelled sentence is not kept: the labels depend on neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from claimstance.corpus import ARTICLES_FILE, LabelledArticle, load_split
from claimstance.errors import InputError
from claimstance.evaluation import must_stand_once
from claimstance.records import ArticleFacts, LabelledSentence, write_records
from claimstance.tasks import Task

UNKNOWN: Final = "unknown"
#: Spaces in a sentence from which on it must not stand in train and dev: "Good evening." may.
SHORT: Final = 3


def task_articles(
    gold: Sequence[LabelledSentence], tasks: Sequence[Task], name: str
) -> list[LabelledArticle]:
    """Labelled tasks as articles of train.

    Raises:
        InputError: if a sentence stands twice, or is none of the tasks'; ``name`` is the
            file's.
    """
    must_stand_once(gold, name)
    by_place = {(task.article_id, task.position): task for task in tasks}
    articles = []
    for sentence in gold:
        task = by_place.get((sentence.article_id, sentence.position))
        if task is None or task.text != sentence.text:
            raise InputError(
                f"{name}, article {sentence.article_id!r}, position {sentence.position}",
                expected="a sentence of the sheets",
                found="another text" if task else "one that they have not",
                fix="name every sheet that was labelled with --tasks",
            )
        articles.append(_article(task, sentence))
    return articles


def _article(task: Task, sentence: LabelledSentence) -> LabelledArticle:
    facts = ArticleFacts(
        article_id=task.id,
        title=task.title or "",
        genre=UNKNOWN,
        topic=UNKNOWN,
        split="train",
        spelling="unknown",
        origin=f"sentence {task.position} of {task.article_id}, labelled as a task",
        notes="",
        hard_cases={},
        context=task.context,
    )
    place = {"article_id": task.id, "position": len(task.context)}
    return LabelledArticle(facts, (sentence.model_copy(update=place),))


def build_corpus(
    new: Sequence[LabelledArticle], base: Path, out: Path, *, alone: bool = False
) -> list[LabelledArticle]:
    """Write a corpus folder: train with the new articles, dev as it is in another corpus.

    Args:
        new: what to add to train.
        base: the corpus folder to start from.
        out: the folder to write.
        alone: leave the train of ``base`` out.

    Returns:
        The articles of train.

    Raises:
        InputError: if ``base`` lacks a split, has one of the articles already, or has one of
            the sentences in its dev or test.
    """
    dev = load_split(base, "dev")
    test = load_split(base, "test") if (base / "test.jsonl").exists() else []
    train = [] if alone else load_split(base, "train")
    known = {a.facts.article_id for a in (*dev, *test, *train)}
    held_out = {s.text for a in (*dev, *test) for s in a.sentences if s.text.count(" ") >= SHORT}
    for article in new:
        sentence = article.sentences[0]
        if article.facts.article_id in known or sentence.text in held_out:
            raise InputError(
                f"article {article.facts.article_id!r}",
                expected=f"an article and a sentence that {base} does not hold, "
                "train's sentences aside",
                found=repr(sentence.text[:50]),
                fix="leave it out of the labels: what is trained on must not be scored",
            )
    articles = [*train, *new]
    write_records(out / ARTICLES_FILE, [a.facts for a in (*articles, *dev)])
    write_records(out / "train.jsonl", [s for a in articles for s in a.sentences])
    write_records(out / "dev.jsonl", [s for a in dev for s in a.sentences])
    return articles
