r"""Finds what a text claims about the options of a question.

    "A is wrong, so B."                →  excluded A; concluded B
    "Answer: b) Paris"                 →  marked B
    "The answer is either A or B"      →  marked, but none
    "The answer could be A"            →  hedged A
    "Many would think the answer is A" →  nothing

A claim says how directly a text names its answer. Which of several claims counts is not decided here.
"""

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from tasks.voting.answers.choice.letters import AFTER_BARE, REFERENCE, is_dressed, letters_of, lists
from tasks.voting.answers.choice.options import Mention, Options, lower, mentions
from tasks.voting.answers.choice.plain import places
from tasks.voting.answers.choice.target import FILLERS, read_target


class Weight(IntEnum):
    """How directly an answer is named."""

    MENTIONED = 0  # "(B)"
    HEDGED = 1  # "the answer could be B"
    CONCLUDED = 2  # "so B", "B is correct", "I choose B"
    MARKED = 3  # "the answer is B", "Answer: B", "\boxed{B}"


class Claim(NamedTuple):
    """That the answer is `letter`, or, with None, that it is no single option."""

    place: int
    weight: Weight
    letter: str | None


class Claims(NamedTuple):
    """All that a text claims.

    Attributes:
        made: in order of their place.
        excluded: letters that are denied, and the place where each is last.
        unread: last place where an answer is announced that is none of the options; -1: nowhere.
    """

    made: list[Claim]
    excluded: dict[str, int]
    unread: int


class Subject(NamedTuple):
    """Where a text speaks of options: a list of letters, an option's own text, or both ("B) Paris")."""

    start: int
    end: int
    letters: list[str]
    dressed: bool
    text_only: bool


_MOST = 600  # of more mentions of options the first and the last half count
_REACH = 300  # characters of a sentence that are looked at before and behind what it is about
_MARKER = re.compile(
    r"(?P<formal>\#{4}|</?(?:final_)?answer>|\#{1,4}\s?(?:final\s)?answer\s{0,4}\n)"
    r"|(?:\b(?:answers?|ans|antwort|lösung|respuesta|r[eé]ponse|risposta|resposta|ответ|solution|output|response)\b|答案|正解|选|選"
    r"|\b(?:correct|right|best|better|final|true|remaining|only|proper|appropriate|accurate|suitable|likely|valid|selected|chosen)\s"
    r"(?:option|choice|alternative|selection|letter|pick|conclusion|one|statement)\b|(?<=[\"('])choice\b|\bchoice(?=:)|\boption(?=:)"
    r"|\b(?P<weak>correct|results?|conclusion|decision|verdict|selection|pick|guess|prediction|final)(?=\s?:)"
    r"|(?:^|(?<=\n))A(?=:\s*\(?[A-Z](?:\)|\.?\s*(?:\n|$))))"
    r"(?:(?P<gap>[^.:=\n?!;#→]{0,60}?)(?:[\"']{0,2}\s{0,3}(?::|=>|=|-{1,2}>|→|⇒)"
    r"|\s-\s"
    r"|,?\s(?P<verb>(?:is|was|are|est|es|ist|è|é)(?:n't)?\b|(?:would|should|must|will|could|might|may|can|cannot|seems?|appears?|has"
    r"|have|had|ought|needs?)"
    r"(?:n't)?\s(?:\w{2,12}\s){0,3}be\b))"
    r"|(?P<near>\??\s{1,3})(?=\(?[A-Z](?:\)|[ .:!]{0,3}$|\.\s|\n))"
    r"|(?<=[答正]案)|(?<=[选選])|(?=\s?[是为為]))",
    re.IGNORECASE,
)
# How a marker begins.
_HEADS = (
    *(
        "answer",
        "ans",
        "antwort",
        "lösung",
        "respuesta",
        "reponse",
        "réponse",
        "risposta",
        "resposta",
        "ответ",
        "solution",
        "output",
        "response",
    ),
    *(
        "答案",
        "正解",
        "选",
        "選",
        "correct",
        "right",
        "best",
        "better",
        "final",
        "true",
        "remaining",
        "only",
        "proper",
        "appropriate",
        "accurate",
    ),
    *("suitable", "likely", "valid", "selected", "chosen", "choice", "option", "result", "conclusion", "decision", "verdict", "selection"),
    *("pick", "guess", "prediction", "a:", "#", "<"),
)
_OTHER_THAN_ANSWER = re.compile(
    r"\b(?:choices|options|answers?|(?:correct|best|right) option|wrong|incorrect|false|other|another|possible)\b"
)
_OTHER_BEFORE = re.compile(r"\b(?:other|another|possible)\s\W*$")
_WRONG_BEFORE = re.compile(r"\b(?:wrong|incorrect|false|not)\s\W*$")
_STOP = re.compile(  # where a sentence ends, or another one begins without a full stop
    r"[.!?](?=[\s\"')\]]|$)|\n"
    r"|\s(?=(?:The (?:\w+ )?(?:answer|option) is|(?:So|Thus|Therefore|Hence),? [Tt]he|(?:Final )?Answer:|####))"
)
_ABBREVIATED = re.compile(r"\b(?:vs|etc|approx|no|St|Dr|Mr)\Z")
_SPLIT = re.compile(
    r";|,?(?<!nything)\s(?=(?:but|so|hence|therefore|thus|whereas|while|however|yet)\b)|,\s(?=(?:which\s)?leav|it's|it is|that's|(?:and"
    r"|then)\s|I\s)|:\s(?=\()"
)
_NEGATED = re.compile(
    r"\b(?:not|cannot|never|neither|nor|hardly|no longer|far from|no way|wrong to|false that|doubt|anything but|unlikely)\b|n't\b"
)
_HYPOTHETICAL = re.compile(
    r"\b(?:if|unless|had|were|suppose|assum\w+|pretend)\b.*\b(?:would|could|might|were)\b|\bwould have been\b|\b(?:in that case"
    r"|otherwise)\b|^\W*(?:suppose|assume|let)\b(?!')"
    r"|\bcorrect if\b|\bif it were\b"
)
_IDIOM = re.compile(r"\bif i (?:had|have|were) to (?:guess|choose|pick|select|answer)\b(?: one)?,?")
_ANOTHER_TOO = re.compile(r"\b(?:so|as) (?:is|are)\s$|\bas well as\s$")
_TOO = re.compile(r"^\s(?:is|are|would be|could be|may be)\s(?:also|equally)\b|\b(?:right|correct|true),? (?:too|as well)\b")
_HEDGED_VERB = re.compile(r"could|might|may|was|can\b|seem|appear")
_HEDGED = re.compile(
    r"\b(?:might|may|could|tempting|tempted|seems?|appears?|perhaps|possible|plausible|almost|nearly|partly|partially|if)\b"
)
_OF_OTHERS = re.compile(
    r"\b(?:people|students?|whether|someone|somebody|others|(?:many|some|most)(?!\s?$|\s(?:appropriate|likely|suitable|accurate|probably"
    r"|correct|plausible|of the))|published|textbook|author|claims?|mistake(?:nly)?|mistaken|wrongly|incorrectly|falsely|misconception"
    r"|trap|distractor|at first|initially|originally|first|thought|was going|were going|considered|you (?:might|may|could|said|chose"
    r"|picked)|your|last year)\b"
)
_ADVERBS = (
    r"(?:(?:therefore|thus|hence|then|clearly|probably|likely|most|definitely|indeed|actually|still|simply|just|obviously"
    r"|certainly|now|really|only|in fact|of course|option|answer|with|for|the)\s){0,3}"
)
_CUE = re.compile(
    rf"(?:\b(?:so|thus|therefore|hence|consequently|leav(?:es|ing)(?:\s(?:us|only|me|just|behind))*|left|be|it's|it is|that's|that is"
    rf"|this is|correspond(?:s|ing)? to"
    rf"|match(?:es|ing)?|namely|remain(?:s|ing)|indicates|points to|supports|only|but|yes|choose|chose|pick|picked|select|selected"
    rf"|choosing|selecting|go|going|opt|settle(?: on)?"
    rf"|say|guess(?: is)?|vote|lean(?:ing)?(?: towards?)?|prefer|conclude|mark|believe|think|sure|must be|should be|has to be|makes"
    rf"|meant|mean|arrive at|end up with|then"
    rf"|(?P<weak>is|are))\b(?:\s(?:that|it's|it is|it))?[,:]?\s{{1,3}}"
    rf"|[∴✓✔✅☑→⇒>]\ufe0f?\s{{0,2}}){_ADVERBS}[\"'(]?$",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|neither|nor|never|none of|eliminat\w+|rul\w{1,4}\sout|exclud\w+|discard\w*|reject\w*|dismiss\w*|cross\w*\sout"
    r"|remov\w+|unlike|rather than"
    r"|instead of|than|over|cannot be|anything but)\b|n't\b|[❌✗✘✕✖]\ufe0f?)[:\s]*(?:(?:be|both|either|the|say|choose|pick|by|even"
    r"|answers?)\s)*[\"']?$"
)
_BE = (
    r"(?:is|are|was|were|seems?|appears?|looks?|sounds?|(?:would|could|might|must|should|can|cannot|may|has|have"
    r"|will)(?:n't)?\s(?:\w+\s){0,2}?be)\b(?:n't)?"
)
_VERDICT = re.compile(
    rf"(?P<gap>[^;\n]{{0,60}}?)\b(?P<verb>{_BE})(?P<adverbs>[^.;,\n]{{0,30}}?)\b(?:(?P<right>(?:correct|right|true|best|better|accurate"
    rf"|valid|appropriate|likely)\b|the one\b|(?:the|my|our)\s(?:\w+\s)?(?:answer|choice|option))"
    r"|(?P<wrong>wrong|incorrect|false|untrue|invalid|inaccurate|eliminated|ruled out|excluded|discarded|rejected|dismissed|removed"
    r"|crossed out|out|irrelevant|impossible|implausible|unlikely)\b)"
    r"|\s?(?:as\s)?the\s(?:only\s|most\s|single\s)?(?P<direct>right|correct|best)\b"
    r"|\W{0,3}[:=(<-]+\s?(?:this\sis\s)?(?:the\s)?(?:(?P<yes>correct|true|right|yes)|(?P<no>incorrect|wrong|false|no|not\s(?:correct"
    r"|true|right)))\b"
    r"|\W{0,3}(?:(?P<tick>[✓✔✅☑])|(?P<cross>[❌✗✘✕✖]))"
    r"|\s(?:(?P<holds>holds|fits|works|remains|is left|it is(?=\W*$))\b|(?P<out>out)\b)"
)
_ANSWERED = re.compile(r"\?\s(?:(?P<yes>yes|yep|correct|right|true)|no|nope|wrong|false)\b")
_LEADS = re.compile(
    r"(?:\W|\b(?:no|yes|yeah|ok|okay|sure|wait|actually|so|hence|thus|therefore|well|probably|maybe|perhaps|definitely|surely|likely"
    r"|clearly|obviously|most|hmm|finally|the|option|choice)\b)*"
)


def claims(text: str, options: Options) -> Claims:
    """What `text` (plain, one segment) claims about the `options`."""
    found = Claims([], {}, -1)
    low = lower(text)
    if "if i " in low:
        low = _IDIOM.sub(lambda match: " " * len(match[0]), low)
    texts = mentions(options, low)
    ends = [*(stop.end() for stop in _STOP.finditer(text)), len(text)]
    unread, taken = _marked(text, low, options, texts, ends, found)
    subjects = [one for one in _subjects(text, low, texts, options) if not _is_within(taken, one.start)]
    if len(subjects) > _MOST:
        subjects = subjects[: _MOST // 2] + subjects[-_MOST // 2 :]
    for subject, following in zip(subjects, [*(one.start for one in subjects[1:]), len(text)], strict=False):
        end = ends[bisect_left(ends, subject.end)]
        before = low[max(_begin(ends, subject.start), subject.start - _REACH) : subject.start]
        after = low[subject.end : min(end, following, subject.end + _REACH)] + ("…" if following < end else "")
        _judge(subject, before, after, low[subject.end : subject.end + 12], options, found)
    return Claims(sorted(found.made, key=lambda claim: claim.place), found.excluded, unread)


def _is_within(spans: list[tuple[int, int]], place: int) -> bool:
    before = bisect_right(spans, (place, sys.maxsize))
    return before > 0 and place < spans[before - 1][1]


def _begin(ends: list[int], place: int) -> int:
    """Where the sentence begins in which `place` is."""
    before = bisect_right(ends, place)
    return ends[before - 1] if before else 0


def _marked(
    text: str, low: str, options: Options, texts: list[Mention], ends: list[int], found: Claims
) -> tuple[int, list[tuple[int, int]]]:
    """Adds what follows markers; gives the last marker that nothing follows, and the spans of text that have been read."""
    unread, until = -1, 0
    taken: list[tuple[int, int]] = []
    for marker in _markers(text, low):
        if marker.start() < until:
            continue
        before = low[max(_begin(ends, marker.start()), marker.start() - _REACH) : marker.start()]
        gap, verb = (marker["gap"] or "").lower(), (marker["verb"] or "").lower()
        if _OTHER_THAN_ANSWER.search(gap) or _OTHER_BEFORE.search(before):
            continue
        is_wrong = _WRONG_BEFORE.search(before)
        until, is_question = _end_of_target(text, marker, texts, ends)
        target = read_target(text[marker.end() : until], options)
        clause = _last_clause(before)
        if is_question or (not marker["formal"] and _HYPOTHETICAL.search(before + marker[0].lower())):
            pass
        elif not target:
            said = low[marker.end() : until].strip(" .\n")
            unread = marker.start() if said and not marker["near"] and not marker["weak"] and not _NEGATED.match(said) else unread
            until = marker.end()
        else:
            until = next((split.start() for split in _SPLIT.finditer(text, marker.end(), until)), until)
            if is_wrong or _NEGATED.search(clause + gap + verb):
                found.excluded.update({target.letter: marker.start()} if target.letter else {})
            elif not _OF_OTHERS.search(clause + gap):
                hedged = _HEDGED.search(clause + gap) or _HEDGED_VERB.match(verb)
                letter = None if hedged and re.search(r"\bor\b", low[marker.end() : ends[bisect_left(ends, until)]]) else target.letter
                found.made.append(Claim(marker.start(), Weight.HEDGED if hedged else Weight.MARKED, letter))
        taken.append((marker.start(), until))
    return unread, taken


def _markers(text: str, low: str) -> Iterator[re.Match[str]]:
    """A marker is looked for only where one of its first words stands, which is ten times as quick as everywhere."""
    for place in places(low, _HEADS):
        if marker := _MARKER.match(text, place):
            yield marker


def _last_clause(before: str) -> str:
    """What stands before a marker in its clause: "although B seems right, the" → "the"."""
    clause = _SPLIT.split(before)[-1]
    rest = clause.rpartition(", ")[2]
    return rest if len(rest) < 12 else clause


def _end_of_target(text: str, marker: re.Match[str], texts: list[Mention], ends: list[int]) -> tuple[int, bool]:
    """Where the sentence ends that a marker begins (not within an option's text), and whether it is a question."""
    filler = FILLERS.match(text, marker.end())
    begin = filler.end() if filler else marker.end()
    stop = _STOP.search(text, begin)
    end = stop.start() if stop else len(text)
    if stop and _ABBREVIATED.search(text, begin, end):
        end = ends[min(bisect_right(ends, end + 1), len(ends) - 1)]
    is_question = stop is not None and stop[0] == "?" and end - begin < 200 and not marker["formal"]
    end = next((max(end, one.end) for one in _near(texts, begin, begin + 5) if "\n" not in text[begin : one.start]), end)
    return min(end, begin + 400), is_question


def _subjects(text: str, low: str, texts: list[Mention], options: Options) -> list[Subject]:
    """Letters and options' texts in order; a letter and the text beside it are one."""
    found = []
    used = set()
    longest = max(map(len, options.texts), default=0)
    for match in lists(text):
        start, end = match.span()
        letters = letters_of(match[0])
        inside = any(end <= one.end for one in _near(texts, start - longest, start))
        if inside or not letters or REFERENCE.search(text, max(0, start - 15), start):
            continue
        dressed = is_dressed(match[0])
        beside = next((one for one in _near(texts, end, end + 4) if not low[end : one.start].strip(" :.,(-\"'")), None)
        if beside and match[0] == "A" and low[end : beside.start] == " " and beside.letter != "A":
            continue  # an article
        if beside and len(letters) == 1:
            used.add(beside)
            end, dressed = beside.end, dressed or beside.letter == letters[0]
        before = next(
            (one for one in _near(texts, start - 2 - longest, start) if 0 <= start - one.end <= 2 and one.letter in letters), None
        )
        if before and dressed:
            used.add(before)
            start = before.start
        found.append(Subject(start, end, letters, dressed, False))
    return sorted([*found, *(Subject(one.start, one.end, [one.letter], True, True) for one in texts if one not in used)])


def _near(texts: list[Mention], first: int, last: int) -> list[Mention]:
    """The options' texts that begin between two places."""
    return texts[bisect_left(texts, first, key=_start) : bisect_right(texts, last, key=_start)]


def _start(mention: Mention) -> int:
    return mention.start


def _judge(subject: Subject, before: str, after: str, next_to: str, options: Options, found: Claims) -> None:
    """Adds what is said about one subject in its sentence, of which `before` and `after` are the rest (up to the next subject)."""
    letters = [options.letters[one] for one in subject.letters if one in options.letters]
    if not letters:
        return
    one = letters[0] if len(set(subject.letters)) == 1 else options.sets.get(frozenset(subject.letters))
    if answered := _ANSWERED.match(next_to.lstrip(" )\"'")):
        if answered["yes"] and one:
            found.made.append(Claim(subject.start, Weight.CONCLUDED, one))
        elif not answered["yes"]:
            found.excluded.update(dict.fromkeys(letters, subject.start))
        return
    clause = _SPLIT.split(before)[-1][-120:]
    rest = _SPLIT.split(after)[0]
    if clause.endswith("why is ") and re.match(r"\sthe\s(?:correct|right|best|answer)", after):
        found.made.append(Claim(subject.start, Weight.CONCLUDED, one))
        return
    if after.rstrip().endswith("?") and not (subject.start == 0 or _LEADS.fullmatch(clause)):
        return
    verdict = _verdict(subject, clause, rest)
    if verdict == "wrong" or (verdict is None and _DENIED_BEFORE.search(clause)):
        if not options.asks_for_false or verdict is None:
            found.excluded.update(dict.fromkeys(letters, subject.start))
        return
    if _ANOTHER_TOO.search(clause) or _TOO.search(rest):
        found.made.append(Claim(subject.start, Weight.CONCLUDED if verdict == "right" else Weight.HEDGED, None))
        return
    if _OF_OTHERS.search(clause) or _HYPOTHETICAL.search(clause + rest):
        return
    if verdict == "right" and not options.asks_for_false:
        found.made.append(Claim(subject.start, Weight.CONCLUDED, one))
    elif verdict == "hedged":
        found.made.append(Claim(subject.start, Weight.HEDGED, one))
    elif _is_concluded(subject, clause, rest, next_to) and not _NEGATED.search(clause):
        found.made.append(Claim(subject.start, Weight.HEDGED if _HEDGED.search(clause) else Weight.CONCLUDED, one))
    elif not subject.text_only and len(letters) == 1 and (subject.dressed or not (clause + rest).strip(" .!\n")):
        found.made.append(Claim(subject.start, Weight.MENTIONED, one))


def _verdict(subject: Subject, clause: str, rest: str) -> str | None:
    """ "right", "wrong" or "hedged": what the words behind a subject call it."""
    match = _VERDICT.match(rest)
    if not match or (
        match["gap"] and not subject.dressed and match["gap"].strip(" ,:-()\"'") not in ("", "all", "both", "also", "alone", "then", "each")
    ):
        return None
    wrong = match["wrong"] or match["no"] or match["cross"] or match["out"]
    negated = bool(_NEGATED.search((match["verb"] or "") + (match["adverbs"] or "")) or re.search(r"\b(?:neither|none of|not)\b", clause))
    if wrong:
        return None if negated else "wrong"
    if negated:
        return "wrong"
    if re.match(r"seem|appear|look|sound|could|might|may|was|were", match["verb"] or "") or _HEDGED.search(
        clause + (match["adverbs"] or "")
    ):
        return "hedged"
    return "right"


def _is_concluded(subject: Subject, clause: str, rest: str, next_to: str) -> bool:
    """Whether a subject stands where a conclusion does: after "so", "I choose", or as all that a sentence says."""
    ends = not rest.strip(" .,:;!?\"')(\n")
    if ends and not subject.text_only and clause.strip() and _LEADS.fullmatch(clause):
        return True
    cue = _CUE.search(clause)
    if not cue:
        return False
    if subject.text_only:
        return ends and not cue["weak"]
    if subject.letters == ["I"] and not subject.dressed:
        return ends
    return subject.dressed or len(subject.letters) > 1 or bool(AFTER_BARE.match(next_to))
