r"""Finds answers behind markers.

    "Answer: b) Paris"                         →  marked B
    "the answer isn't A but B"                 →  marked B
    "The wrong answer is B"                    →  excluded B
    "Many would think the answer is A, …"      →  nothing
    "The answer is 42", which is no option     →  unread

What stands between a marker and the end of its sentence is read by target.py.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator

from tasks.voting.answers.choice.attitudes import HEDGED, HYPOTHETICAL, NEGATED, OF_OTHERS
from tasks.voting.answers.choice.claims import Claim, Claims, Weight
from tasks.voting.answers.choice.letters import DRESSED
from tasks.voting.answers.choice.options import Mention, Options
from tasks.voting.answers.choice.plain import places
from tasks.voting.answers.choice.sentences import SPLIT, STOP, begin_of, end_of, near
from tasks.voting.answers.choice.target import FILLERS, read_target

# "The answer to this question would have to be", "Answer:", "####", "<answer>", "The best choice is", "Answer" before a letter.
_MARKER = re.compile(
    r"(?P<formal>\#{4}|</?(?:final_)?answer>|\#{1,4}\s?(?:final\s)?answer\s{0,4}\n)"
    r"|(?:\b(?:answers?|ans|antwort|antwoord|lösung|respuesta|r[eé]ponse|risposta|resposta|ответ|solution|output|response)\b|答案|答え"
    r"|정답|正解|选|選|richtig(?=\sist)"
    r"|\b(?:correct|right|best|better|final|true|remaining|only|proper|appropriate|accurate|suitable|likely|valid|selected|chosen)\s"
    r"(?:option|choice|alternative|selection|letter|pick|conclusion|one|statement)\b|(?<=[\"('])choice\b|\bchoice(?=:)|\boption(?=:)"
    r"|\b(?P<weak>correct|results?|conclusion|decision|verdict|selection|pick|guess|prediction|final)(?=\s?:)"
    r"|(?:^|(?<=\n))A(?=:\s*\(?[A-Z](?:\)|\.?\s*(?:\n|$))))"
    r"(?:(?P<gap>[^.:=\n?!;#→]{0,60}?)(?:[\"']{0,2}\s{0,3}(?::|=>|=|-{1,2}>|→|⇒)"
    r"|\s-\s"
    r"|(?<=nswer)'s\b"
    r"|,?\s(?P<verb>(?:is|was|are|est|es|ist|lautet|è|é)(?:n't)?\b|(?:would|should|must|will|could|might|may|can|cannot|seems?|appears?|has"
    r"|have|had|ought|needs?)"
    r"(?:n't)?\s(?:\w{2,12}\s){0,3}be(?:en)?\b))"
    r"|(?P<near>\??\s{1,3})(?=\(?[A-Z](?:\)|[ .:!]{0,3}$|\.\s|\n))"
    r"|(?<=[答正]案)|(?<=[选選])|(?=\s?[是为為は은]))",
    re.IGNORECASE,
)
_MOST = 400  # of more markers the first and the last half count
# How a marker begins.
_HEADS = re.split(
    r"\s+",
    """answer ans antwort antwoord lösung respuesta reponse réponse risposta resposta ответ solution
output response 答案 答え 정답 正解 选 選 richtig correct right best better final true remaining
only proper appropriate accurate suitable likely valid selected chosen choice option
result conclusion decision verdict selection pick guess prediction a: # <""",
)
# What in between makes it another sentence: "the answer choices are"
_OTHER_THAN_ANSWER = re.compile(
    r"\b(?:choices|options|answers?|(?:correct|best|right) option|wrong|incorrect|false|other|another|possible)\b"
)
_OTHER_BEFORE = re.compile(r"\b(?:other|another|possible|to)\s\W*$")
# "The wrong answer is B"
_WRONG_BEFORE = re.compile(r"\b(?:wrong|incorrect|false|not)\s\W*$")
# A full stop behind these ends no sentence.
_ABBREVIATED = re.compile(r"\b(?:vs|etc|approx|no|St|Dr|Mr)\Z")
_NO = re.compile(r"\s(?:no|não|non)$")  # "la respuesta no es"
_HEDGED_VERB = re.compile(r"could|might|may|was|can\b|seem|appear")


def marked(
    text: str, low: str, options: Options, texts: list[Mention], ends: list[int], found: Claims
) -> tuple[int, list[tuple[int, int]]]:
    """Adds what follows markers; gives the last marker that nothing follows, and the spans of text that have been read."""
    unread, until = -1, 0
    taken: list[tuple[int, int]] = []
    for marker in _markers(text, low):
        if marker.start() < until:
            continue
        before = low[begin_of(ends, marker.start()) : marker.start()]
        gap, verb = (marker["gap"] or "").lower(), (marker["verb"] or "").lower()
        if _OTHER_THAN_ANSWER.search(gap) or _OTHER_BEFORE.search(before):
            continue
        is_wrong = _WRONG_BEFORE.search(before)
        until, is_question = _end_of_target(text, marker, texts, ends)
        target = read_target(text[marker.end() : until], options)
        clause = _last_clause(before)
        if is_question or (not marker["formal"] and HYPOTHETICAL.search(before + marker[0].lower())):
            pass
        elif not target:
            said = low[marker.end() : until].strip(" .\n")
            unread = (
                marker.start()
                if said
                and not marker["near"]
                and not marker["weak"]
                and not re.search(DRESSED, marker["gap"] or "")
                and not NEGATED.match(said)
                else unread
            )
            until = marker.end()
            continue
        else:
            until = next((split.start() for split in SPLIT.finditer(text, marker.end(), until)), until)
            if is_wrong or NEGATED.search(clause + gap + verb) or _NO.search(gap):
                found.excluded.update({target.letter: marker.start()} if target.letter else {})
            elif not OF_OTHERS.search(clause + gap):
                hedged = HEDGED.search(clause + gap) or _HEDGED_VERB.match(verb)
                letter = None if hedged and re.search(r"\bor\b", low[marker.end() : end_of(ends, until)]) else target.letter
                found.made.append(Claim(marker.start(), Weight.HEDGED if hedged else Weight.MARKED, letter))
        taken.append((marker.start(), until))
    return unread, taken


def _markers(text: str, low: str) -> Iterator[re.Match[str]]:
    """A marker is looked for only where one of its first words stands, which is ten times as quick as everywhere."""
    heads = places(low, _HEADS)
    for place in heads if len(heads) <= _MOST else heads[: _MOST // 2] + heads[-_MOST // 2 :]:
        if marker := _MARKER.match(text, place):
            yield marker


def _last_clause(before: str) -> str:
    """What stands before a marker in its clause: "although B seems right, the" → "the"."""
    clause = SPLIT.split(before)[-1]
    rest = clause.rpartition(", ")[2]
    return rest if len(rest) < 12 else clause


def _end_of_target(text: str, marker: re.Match[str], texts: list[Mention], ends: list[int]) -> tuple[int, bool]:
    """Where the sentence ends that a marker begins (not within an option's text), and whether it is a question."""
    filler = FILLERS.match(text, marker.end())
    begin = filler.end() if filler else marker.end()
    stop = STOP.search(text, begin)
    end = stop.start() if stop else len(text)
    if stop and _ABBREVIATED.search(text, begin, end):
        end = ends[min(bisect_right(ends, end + 1), len(ends) - 1)]
    is_question = stop is not None and stop[0] == "?" and end - begin < 200 and not marker["formal"]
    end = next((max(end, one.end) for one in near(texts, begin, begin + 5) if "\n" not in text[begin : one.start]), end)
    return min(end, begin + 400), is_question
