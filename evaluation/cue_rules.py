"""A rival without any training: cue words, in the order of the guidelines' six questions.

    python evaluation/cue_rules.py data/corpus/test.jsonl -o out/rules.jsonl

Reads sentences of the corpus format, writes predictions, which ``claimstance evaluate``
scores as any other. The rules were written from the guidelines, then mended by their
mistakes on the train split and on the real-news development set, so that the latter
flatters them. They look at the writer's words outside quotations, and at whether a
quotation is still open from the sentences before. They name no source.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from claimstance.articles import Article, spans_of
from claimstance.errors import run_script
from claimstance.labels import CERTAINTIES, STANCES, Certainty, Stance
from claimstance.records import LabelledSentence, Prediction, read_records, write_records


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"\b(?:{p})\b" for p in patterns), re.IGNORECASE)


#: A statement that somebody made, whether it is said or done in writing.
CLAIM = (
    r"(?:claims?|allegations?|accusations?|assertions?|reports?|rumou?rs?|suggestions?|charges?|"
    r"idea|notion|account|accounts|statements?|stor(?:y|ies)|criticisms?|version|theory|theories|"
    r"complaints?|insinuations?)"
)
SAY = (
    r"(?:said|says|saying|say|told|tells|telling|added|adds|adding|claim(?:s|ed|ing)?|"
    r"argu(?:es?|ed|ing)|alleg(?:es?|ed|ing)|insist(?:s|ed|ing)?|maintain(?:s|ed)?|"
    r"contend(?:s|ed)?|assert(?:s|ed|ing)?|stated|states that|stating|announc(?:es|ed)|"
    r"declar(?:es|ed|ing)|explain(?:s|ed)|not(?:es|ed) that|wrote|writes|writing|tweet(?:s|ed)|"
    r"warn(?:s|ed|ing)|predict(?:s|ed)|estimate[sd]?|report(?:s|ed)|suggest(?:s|ed|ing)|"
    r"conced(?:es|ed)|acknowledg(?:es|ed)|admit(?:s|ted)|recall(?:s|ed)|repl(?:ies|ied)|"
    r"testif(?:ies|ied)|continued|concluded|vow(?:s|ed)|promis(?:es|ed)|pledg(?:es|ed)|"
    r"believes?|thinks?|expects? (?:to|that|the)|hopes? (?:to|that)|describ(?:es|ed)|"
    r"call(?:s|ed) (?:it|him|her|them|the|his|a|for)|accus(?:es|ed)|"
    r"complain(?:s|ed) that|confirmed that|confirms|reveal(?:s|ed)|point(?:s|ed) out|"
    r"according to|in the words of|quoted as|put it|puts it|found that|finds that|shows? that|"
    r"showed that|reportedly|allegedly|is said to|are said to|was said to|were said to|"
    r"(?:is|are|was|were) (?:widely )?(?:believed|thought|understood|reported|expected) to|"
    r"by (?:his|her|their|its) account|in a statement|remarked|boasted|joked|quipped|"
    r"(?:poll|survey|study|report|analysis) (?:\w+ ){0,4}(?:found|finds|shows?|put|suggest\w*)|"
    r"(?:lament|cit|charg|characteri[sz]|calculat|speculat|denounc|prais|critici[sz])e?d|"
    r"disclosed that)"
)
NOT_TRUE = (
    r"(?:false|untrue|not true|a hoax|a myth|fake|bogus|fabricated|a fabrication|forged|"
    r"a forgery|wrong|incorrect|inaccurate|doctored|mislabel+ed|invented|fiction)"
)

REFUTED = _any(
    rf"(?:false|bogus|fake|debunked|discredited|fabricated|forged|doctored|hoax|erroneous) {CLAIM}",
    r"(?:falsely|wrongly|incorrectly|erroneously|mistakenly|inaccurately) \w+",
    rf"(?:is|was|are|were|turned out to be|proved to be|proved) "
    rf"(?:simply |just |plainly |entirely |completely |demonstrably |almost certainly )?{NOT_TRUE}",
    r"debunk(?:s|ed)",
    r"contrary to",
    r"no such \w+",
    r"never (?:happened|took place|existed|occurred)",
    r"not what the",
    r"there is no truth",
    r"is not true|are not true|was not true",
    r"(?:did|does|do|was|were|is|are) in fact",
    r"in reality",
    r"disprove[sdn]?",
    r"did not (?:happen|take place|exist)",
    r"does not exist|do not exist",
    r"misquot(?:es|ed)|misidentified|misattributed",
    r"(?:was|were) (?:actually|in fact) (?:filmed|taken|shot|recorded)",
    r"(?:filmed|taken|shot|recorded) in (?:19|20)\d\d",
    r"(?:repeating|repeated|repeats|spread|spreading) (?:a|the|his|her) (?:\w+ )?"
    r"(?:false|debunked)",
    r"turns? out,? (?:actually|in fact)|turned out to be false|nothing to do with|that(?:'s|’s) "
    r"(?:false|untrue|not true)",
)
DISPUTED = _any(
    r"den(?:y|ies|ied|ying) (?!bail|bond|entry|access|permission|a |parole|visas?|asylum|service|"
    r"him |her |them |his party|the progress|claims of)",
    r"rejected any (?:implication|suggestion)|calls? this a false|that would be a false",
    rf"reject(?:s|ed|ing) (?:\w+ ){{0,4}}{CLAIM}",
    rf"dismiss(?:es|ed|ing) (?:\w+ ){{0,4}}(?:{CLAIM}|as)",
    r"disput(?:es?|ed|ing) (?:the|that|this|his|her|its|their|any|suggestions?|claims?|how)",
    r"(?:is|are|was|were|remains?|hotly) disputed",
    r"contradict(?:s|ed|ing)?",
    r"contest(?:s|ed) (?:the|that|this|his|her|its|by)",
    r"rebut(?:s|ted|ting)?",
    r"refut(?:e|es|ed|ing)",
    r"push(?:es|ed|ing) back",
    r"play(?:s|ed|ing) down|downplay(?:s|ed|ing)?",
    r"took issue|takes issue|taking issue",
    r"(?:call(?:s|ed|ing)|labell?(?:s|ed)|brand(?:s|ed)|branding|says?|said) (?:\w+ ){0,5}"
    r"(?:false|untrue|nonsense|baseless|a lie|lies|absurd|ridiculous|fiction|a fabrication|"
    r"a distortion|wrong|incorrect|unfounded|misleading)",
    r"plead(?:s|ed)? not guilty|pled not guilty",
    r"disagree[sd]?",
    r"counter(?:s|ed) that|hit back|fired back|shot back|begs? to differ",
    r"(?:tell|tells|told) (?:it differently|a different story|another story)",
    r"different (?:version|account)",
    r"said (?:he|she|they|it) (?:had )?(?:never|did not|had not|has not|have not)",
)
UNPROVEN = _any(
    r"no (?:\w+ )?(?:evidence|proof|indication|confirmation)",
    r"(?:without|nor|not|never|neither|offered no|provid\w+ no) "
    r"(?:offer\w*|provid\w*|cit\w*|giv\w*|present\w*|produc\w*|any)?"
    r" ?(?:any )?(?:\w+ )?(?:evidence|proof|documentation|documents|details)",
    r"(?:unverified|unconfirmed|unsubstantiated|unproven|uncorroborated|unsupported)",
    r"(?:not|n't|n’t|never|yet to|cannot|nor) (?:yet |been |be |ever |been )*"
    r"(?:independently |immediately )?(?:been )?(?:verified|confirmed|corroborated|substantiated|"
    r"proven|proved)",
    r"(?:could|can) ?not (?:independently |immediately )?(?:verify|confirm|corroborate|establish)",
    r"(?:unclear|clear|not known|unknown|not certain|uncertain|not yet known|too early to say|"
    r"remains to be seen) (?:\w+ )?(?:whether|if)",
    r"whether .* (?:is|was|remains?) (?:still )?(?:unclear|not known|unknown|open|not clear)",
    r"yet to (?:be )?(?:confirm(?:ed)?|verif(?:y|ied)|produce|prove|provide|establish|determine)",
    r"(?:looking|look|looks|looked) into (?:whether|reports?|claims?|allegations?|the)",
    r"(?:investigating|trying to determine|examining) (?:whether|if|reports?|claims?)",
    r"(?:not|\w+n['’]t|declined to|refused to|would not) sa(?:y|id) (?:whether|if)",
    r"no one has|nobody has|none of .* has been (?:shown|published|released)",
    r"trying to establish whether|has (?:not|never) (?:released|produced|published|shown|supplied)",
)
ATTRIBUTED = _any(SAY)
NO_CLAIM = re.compile(
    r"^(?:photo(?:graph)?s?\b|image|picture|credit|read more|watch|click|here(?:’s| is|'s)|"
    r"see also|follow |subscribe|share |sign up|listen|related|updated?\b|by [A-Z]\w+ [A-Z]\w+$|"
    r"good (?:morning|evening)|thank|please|let us|let's|let’s|don't|don’t|do not|never forget|"
    r"imagine|consider|ask yourself|think of|compare|remember|look at|\d\d?[.:]\d\d\W*(?:GMT|BST|"
    r"[ap]\.?m\.?)?$)",
    re.IGNORECASE,
)
VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|will|would|can|could|may|might|must|should|do|does|did|"
    r"said|says|\w{3,}(?:ed|ies)|\w{3,}[^s\W]s)\b|['’](?:s|re|ve|ll|d)\b"
)

PROBABLE = _any(
    r"probabl[ey]",
    r"likely",
    r"appear(?:s|ed)? (?:to|that|likely|unlikely)|appears?,",
    r"seem(?:s|ed)? (?:to|that|likely|unlikely|as)|apparently",
    r"(?:is|are|was|were|be|been|widely) (?:believed|thought|expected|understood|assumed|presumed)",
    r"expect(?:s|ed|ing)? (?:to|that|the|a|an|it|him|her|them|his|its|their)",
    r"suggest(?:s|ed)? (?:that|the|a)",
    r"believes?|thinks? |thought (?:that|to|the|he|she|it|they)|i think|i believe|guess(?:es|ed)?",
    r"highly likely|viewed",
    r"almost certainly",
    r"presumabl[ey]|indicat(?:es?|ed)",
    r"estimated? (?:that|at)",
)
POSSIBLE = _any(
    r"(?-i:may)",
    r"might",
    r"could(?! not)",
    r"possibly|(?:is|it's|it’s|be) possible|possibility that",
    r"perhaps|maybe",
    r"suspect(?:s|ed)? (?:that|the|of|it|he|she|they|a)",
    r"(?:clear|known|say|said|into|establish|determine|question is|asked|wonder\w*) whether",
    r"rumou?rs?|speculat(?:e|ed|ion)|fears? that",
    r"hopes? (?:to|that|the)|hoped (?:to|that|the)|hopeful",
    r"(?:clear|known|certain|say) if",
    r"potentially",
)

OPENING, CLOSING = "“„«", "”»"


def predict(articles: Iterable[Article]) -> list[Prediction]:
    """Label every sentence of these articles, in order."""
    return [record for article in articles for record in label_article(article)]


def label_article(article: Article) -> list[Prediction]:
    """Label an article; its title is not read."""
    sentences = [span.text for span in article.sentences]
    speaking = open_quotations(sentences)
    records = []
    for position, (span, inside) in enumerate(zip(article.sentences, speaking, strict=True)):
        label, cue = stance_of(span.text, inside)
        certainty, hedge = certainty_of(span.text, label)
        cues = [c for c in dict.fromkeys((cue, hedge)) if c and c in span.text]
        records.append(
            Prediction(
                article_id=article.id,
                position=position,
                start=span.start,
                end=span.end,
                text=span.text,
                stance=label,
                certainty=certainty,
                stance_probabilities={s: float(s == label) for s in STANCES},
                certainty_probabilities={
                    c: float(c == (certainty or "certain")) for c in CERTAINTIES
                },
                source=None,
                cues=tuple(cues) if label != "no_claim" else (),
                model="cue-rules",
            )
        )
    return records


def open_quotations(sentences: Sequence[str]) -> list[bool]:
    """For each sentence, whether a quotation opened in an earlier one is still open there.

    Marks in real text are often unbalanced: a quotation counts as open only if the next
    mark, within three sentences, looks like the end of one.
    """
    inside, result = False, []
    for number, text in enumerate(sentences):
        result.append(inside and _closes(sentences[number : number + 3]))
        for mark in re.findall(rf'["{OPENING}{CLOSING}]', _plain_marks(text)):
            inside = mark in OPENING or (mark == '"' and not inside)
    return result


def _closes(sentences: Sequence[str]) -> bool:
    found = re.search(rf'(.?)(["{OPENING}{CLOSING}])', _plain_marks(" ".join(sentences)))
    if not found:
        return False
    return found[2] in CLOSING or (found[2] == '"' and found[1] in {*".,?!"})


def _plain_marks(text: str) -> str:
    return re.sub(r"``|''", '"', text)


def outside_quotations(text: str, inside: bool) -> str:
    """The writer's own words; a quotation leaves two marks behind."""
    plain = _plain_marks(text)
    if inside:
        end = re.search(rf'["{CLOSING}]', plain)
        plain = f' "" {plain[end.end() :]}' if end else ' "" '
    return re.sub(r'[“"„«][^”"»]*(?:[”"»]|$)', ' "" ', plain)


def stance_of(text: str, inside: bool) -> tuple[Stance, str | None]:
    """The first rule that holds, in the order of the six questions, and the cue it found."""
    own = outside_quotations(text, inside)
    own_words, all_words = len(re.findall(r"\w+", own)), len(re.findall(r"\w+", text))
    if _is_no_claim(text, own):
        return "no_claim", None
    said = ATTRIBUTED.search(own)
    if (found := REFUTED.search(own)) and not (said and said.start() < found.start()):
        return "refuted", found[0]
    if found := DISPUTED.search(own):
        return "disputed", found[0]
    if found := UNPROVEN.search(own):
        return "unproven", found[0]
    if said:
        return "attributed", said[0]
    if own_words < all_words / 2:
        return "attributed", next((mark for mark in ("“", '"', "``", "''") if mark in text), None)
    return "asserted", None


def _is_no_claim(text: str, own: str) -> bool:
    bare = text.strip(" ”\"'’)")
    if bare.endswith("?") and not ATTRIBUTED.search(own):
        return True
    return bool(NO_CLAIM.match(text)) or not VERB.search(text)


def certainty_of(text: str, stance: Stance) -> tuple[Certainty | None, str | None]:
    """The weakest hedge decides; side clauses behind the main one do not count."""
    if stance == "no_claim":
        return None, None
    if side := re.search(r"(?<=\w\W)(?:who|which|because|after|although|though|despite)\b", text):
        text = text[: side.start()] if side.start() > 40 else text
    if found := POSSIBLE.search(text):
        return "possible", found[0]
    if found := PROBABLE.search(text):
        return "probable", found[0]
    return "certain", None


def main() -> None:
    """Label a file of the corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sentences", type=Path, help="labelled sentences, in article order")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .jsonl to write")
    arguments = parser.parse_args()
    rows = read_records(arguments.sentences, LabelledSentence)
    articles = (
        Article(article_id, None, spans_of([row.text for row in group]))
        for article_id, group in groupby(rows, key=lambda row: row.article_id)
    )
    write_records(arguments.output, predict(articles))


if __name__ == "__main__":
    run_script(main)
