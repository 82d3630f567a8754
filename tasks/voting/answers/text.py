r"""Reads a short text as an answer: a name, a word, a phrase.

    "It borders Kel. The answer is: Mip."                       →  "mip"
    "Answer: the  Tide Gate, because it is old. It was rebuilt" →  "tide gate"
    "PARIS"                                                     →  "paris"
    "First it rises.\n\n**Red Lantern**\n"                      →  "red lantern"
    "I do not know."                                            →  null

What follows the last marker ("the answer is", "Answer:", `####`, `\boxed{`) in the part of the text before another question, up to
the end of the sentence or to a reason; else the only words in bold; else what the last line that is no courtesy says more than the
question. "Yes" and "no" count without what follows. Answers are the same when they are equal without case, quotes, surrounding
punctuation, a leading article and width of spaces, in Unicode normal form KC. Nothing else is forgiven: "blue" is not "light blue".
"""

import re
import unicodedata

import polars as pl

from tasks.voting.answers.choice.plain import places, plain, segments
from tasks.voting.answers.refusal import refuses

_LONGEST = 10_000  # characters of an answer
_MARKER = re.compile(
    r"(?im)(?:####+|<answer>|^A:|\b(?:answers?|ans)\b[\"']{0,2}\s{0,2}(?::|=|\n)|\banswer\b[^.:=\n?!]{0,40}?\s"
    r"(?:is|would be|should be|must be|was)\b:?)"
    r"(?:[\s:*\"'`#{\[]|\b(?:the )?(?:final |correct )?answer is\b|\b(?:therefore|thus|hence|simply|probably|clearly|that)\b,?)*"
)
# A clause with one of these before its marker says what the answer is not, or what others think.
_NOT_MEANT = re.compile(
    r"\b(?:if|mistake\w*|might|many|some|people|students|think|thought|not|wrong|incorrect)\b|n't\b|^\W*is\b", re.IGNORECASE
)
_CLAUSE = re.compile(r"[.!?;,\n]|\b(?:so|but|hence|thus|therefore)\b", re.IGNORECASE)
_SENTENCE_ENDS = re.compile(
    r"(?<!\b[A-Z])(?<!\b(?:St|Dr|Mr|Ms|Mt|Jr|Sr|vs|No))(?<!\bMrs)(?<!\be\.g)(?<!\bi\.e)[.!?](?=\s|[\"')}]*(?:\s|$))|\n"
)
_REASON = re.compile(
    r"(?i);|\s-\s|,? \(?(?:because|since|as it|as they|rather than|instead of|although|though)\b"
    r"|(?:,| \() ?not\b|, (?:which|who|where|as|so|but)\b|[\"'`]?\s*[}<].*$|\","
)
_COURTESY = re.compile(r"(?i)^\W*(?:i hope|let me know|hope (?:this|that)|please|feel free|is there anything|if you have|note\b|thanks?\b)")
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_YES_OR_NO = re.compile(r"(yes|no)\b(?=\W+\w)")
_IS = re.compile(r"(?:^|\s)(is|was|are|were|its)\s")
_ARTICLE = re.compile(r"^(?:the|an?) (?=\w)")
_PUNCTUATION = " .,;:!?*_()[]{}<>$#-"


def read(rows: pl.DataFrame) -> pl.Series:
    """The answer in each `text`, normalised; null where there is none. Each distinct text is read once."""
    once = rows.select("text", "question").unique().drop_nulls("text")
    once = once.with_columns(answer=pl.Series([_answer(text, question or "") for text, question in once.iter_rows()], dtype=pl.String))
    return rows.select("text", "question").join(once, on=["text", "question"], how="left", nulls_equal=True, maintain_order="left")[
        "answer"
    ]


def gold(rows: pl.DataFrame) -> pl.Series:
    """Each `gold`, normalised."""
    return pl.Series("answer", [None if text is None else _normalised(text) for text in rows["gold"]], dtype=pl.String)


def _answer(text: str, question: str) -> str | None:
    for part in segments(plain(text)):
        said = _marked(part)
        answer = _normalised(said) if said is not None else _unmarked(part, text, question)
        if answer:
            shorter = _YES_OR_NO.match(answer)
            return None if refuses(answer) else shorter[1] if shorter else answer
    return None


def _unmarked(part: str, text: str, question: str) -> str | None:
    if refuses(part.rstrip()):
        return None
    bold = _BOLD.findall(text[-_LONGEST:])
    if len(bold) == 1 and plain(bold[0]) in part:
        return _normalised(bold[0])
    lines = [line for line in part.split("\n") if line.strip() and not _COURTESY.match(line)]
    return _without_question(_normalised(_phrase(lines[-1])) or "", question) if lines else None


def _marked(text: str) -> str | None:
    """What follows the last marker that is meant; None without a marker."""
    said = None
    for place in places(text.lower(), ("####", "<answer>", "answer", "ans", "a:")):
        marker = _MARKER.match(text, place)
        if marker and not _NOT_MEANT.search(_CLAUSE.split(text[max(0, marker.start() - 200) : marker.start()])[-1]):
            said = _phrase(text[marker.end() : marker.end() + 500])
    return said


def _phrase(text: str) -> str:
    """Up to the end of the sentence, or to a reason."""
    end = _SENTENCE_ENDS.search(text)
    phrase = text[: end.start()] if end else text
    reason = _REASON.search(phrase)
    return phrase[: reason.start()] if reason and reason.start() else phrase


def _without_question(answer: str, question: str) -> str:
    """Of a sentence of its own what the question does not say: "the capital of France is Paris" → "Paris"."""
    asked = {*re.findall(r"\w+", question.casefold()), "it", "that", "this", "the", "a", "an", ""}
    before, verb, after = ([*_IS.split(answer, maxsplit=1), "", ""])[:3]
    for said, rest in ((before, after), (after, before)):
        if verb and rest and asked.issuperset(re.findall(r"\w+", said)):
            return _ARTICLE.sub("", rest)
    return answer


def _normalised(text: str) -> str | None:
    """`" The  “Tide Gate”."` → `"tide gate"`."""
    spelled = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text[:_LONGEST]).casefold())
    for dash in "‐‑‒–—−":
        spelled = spelled.replace(dash, "-")
    spelled = re.sub(r"\s+", " ", re.sub("[“”„«»‘’\"'`]", "", spelled)).strip(_PUNCTUATION)
    return _ARTICLE.sub("", spelled) or None
