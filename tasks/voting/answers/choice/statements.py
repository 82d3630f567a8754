r"""Finds what a text says of options without a marker.

    "A is wrong, so B."              →  excluded A; concluded B
    "(B) seems to be right"          →  hedged B
    "Paris (B), not Lyon"            →  mentioned B; excluded A
    "A is right, and so is B"        →  concluded, but none

A statement is about a subject, which is a letter, a list of letters or the text of an option.
"""

import re
import sys
from bisect import bisect_right
from typing import NamedTuple

from tasks.voting.answers.choice.attitudes import HEDGED, HYPOTHETICAL, NEGATED, OF_OTHERS
from tasks.voting.answers.choice.claims import Claim, Claims, Weight
from tasks.voting.answers.choice.letters import AFTER_BARE, REFERENCE, is_dressed, letters_of, lists
from tasks.voting.answers.choice.options import Mention, Options
from tasks.voting.answers.choice.restated import restates, words
from tasks.voting.answers.choice.sentences import REACH, SPLIT, begin_of, end_of, near


class Subject(NamedTuple):
    """Where a text speaks of options: a list of letters, an option's own text, or both ("B) Paris")."""

    start: int
    end: int
    letters: list[str]
    dressed: bool
    text_only: bool


_MOST = 600  # of more mentions of options the first and the last half count
# "A is right, and so is B": two are right.
_ANOTHER_TOO = re.compile(r"\b(?:so|as) (?:is|are)\s$|\bas well as\s$")
# "B is also correct", "B would be right, too"
_TOO = re.compile(r"^\s(?:is|are|would be|could be|may be)\s(?:also|equally)\b|\b(?:right|correct|true),? (?:too|as well)\b")
_ADVERBS = (
    r"(?:(?:therefore|thus|hence|then|clearly|probably|likely|most|definitely|indeed|actually|still|simply|just|obviously"
    r"|certainly|now|really|only|in fact|of course|option|answer|with|for|the|both)\s){0,3}"
)
# How a conclusion begins: "so B", "I choose B", "that leaves B"; "is B" is weak, since much is something.
_CUE = re.compile(
    rf"(?:\b(?:so|thus|therefore|hence|consequently|leav(?:es|ing)(?:\s(?:us|only|me|just|behind))*|left|be|it'?s|it is|that's|that is"
    rf"|this is|correspond(?:s|ing)? to"
    rf"|match(?:es|ing)?|namely|remain(?:s|ing)|indicates|points to|favou?rs?|supports|only|but|yes|choose|chose|pick|picked|select"
    rf"|selected"
    rf"|choosing|selecting|go|going|opt|settle(?: on)?"
    rf"|(?:stay|stick|remain|keep)(?:s|ing)?(?:\s(?:with|to))?|goes to|(?:sure|certain|confident)(?: that)? it was|consistent with"
    rf"|it was(?= (?:probably|likely|definitely|certainly|clearly))|(?:likely|probably|clearly) (?:has|is|was|due to|caused by)"
    rf"|(?:chang|switch)\w* (?:\w+ ){{0,3}}?(?:from \W*\w\W* )?to"
    rf"|say|guess(?: is)?|vote|lean(?:ing)?(?: towards?)?|prefer|conclude|mark|believe|think|sure|must be|should be|has to be|makes"
    rf"|meant|mean|arrive at|end up with|then"
    rf"|(?P<weak>is))\b(?:\s(?:that|it's|it is|it))?[,:]?\s{{1,3}}"
    rf"|[∴✓✔✅☑→⇒>]\ufe0f?\s{{0,2}}){_ADVERBS}[\"'(]?$",
    re.IGNORECASE,
)
# "not B", "we rule out B", "rather than B"
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|neither|nor|never|none of|eliminat\w+|rul\w{1,4}\sout|exclud\w+|discard\w*|reject\w*|dismiss\w*|cross\w*\sout"
    r"|remov\w+|unlike|rather than"
    r"|instead of|than|over|cannot(?: be)?|(?:any|every)thing but|all but|(?:wrong|incorrect|false)(?:\s(?:options?|answers?"
    r"|choices?))?)\b|n't\b|[❌✗✘✕✖]\ufe0f?)[:\s]*(?:(?:be|both|either|the|say"
    r"|choose|pick|by|even"
    r"|answers?)\s)*[\"']?$"
)
_BE = (
    r"(?:is|are|was|were|ist|est|es|è|seems?|appears?|looks?|sounds?|(?:would|could|might|must|should|can|cannot|may|has|have"
    r"|will)(?:n't)?\s(?:\w+\s){0,2}?be)\b(?:n't)?"
)
# What is said behind a subject: "B is wrong", "B: yes", "B ✓", "B fits", "which makes B the right choice"
_VERDICT = re.compile(
    rf"(?P<gap>[^;\n]{{0,60}}?)\b(?P<verb>{_BE})(?P<adverbs>[^.;,\n]{{0,30}}?)\b(?:(?P<right>(?:correct|right|true|best"
    rf"|better(?! than)|mo(?:re|st) plausible|accurate"
    rf"|valid|appropriate|likely)\b|the one\b|richtig|correct[ae]|corretta|(?:the|my|our)\s(?:\w+\s)?(?:answer|choice|option))"
    r"|(?P<wrong>wrong|mistake|error|falsch|fausse|falsa|incorrect|false|untrue|invalid|inaccurate|eliminated|ruled out|excluded|discarded"
    r"|rejected|dismissed|removed"
    r"|crossed out|out|irrelevant|impossible|implausible|unlikely)\b)"
    r"|\s?(?:as\s)?the\s(?:only\s|most\s|single\s)?(?P<direct>right|correct|best)\b"
    r"|\W{0,3}[:=(<-]+\s?(?:this\sis\s)?(?:the\s)?(?:(?P<yes>correct|true|right|yes)|(?P<no>incorrect|wrong|false|no|not\s(?:correct"
    r"|true|right)))\b"
    r"|\W{0,3}(?:(?P<tick>[✓✔✅☑])|(?P<cross>[❌✗✘✕✖]))"
    r"|\s(?:(?P<holds>holds|fits|works|remains|survives|stands|wins|gets my vote|is what i|it is(?=\W*$)|is left)\b|(?P<out>out"
    r"|(?:is|are|was|does|do)(?:\snot|n't)(?=\W*$|\s(?:fit"
    r"|work|apply|hold|match|belong)))\b)"
)
# The answer to a question for what is false.
_IS_THE_FALSE_ONE = re.compile(r"\s(?:is|must be|would be)\sthe\s(?:\w+\s)?(?:false|incorrect|wrong|untrue|exception|odd)\b")
# "It is B, isn't it?" asks nothing.
_TAG = re.compile(r",\s(?:right|no|(?:is|does|was|has|wo|do|are)n't (?:it|he|she|they|that))\?\s*$")
# "everything but B is wrong", "except for B", which say of B what is not said of the others
_EXCEPTED = re.compile(r"\b(?:all|every\w*|each|any\w*|others?|options?)\b.*\b(?:but|except(?: for)?|apart from)\s$|^\W*except(?: for)?\s$")
_RULED_OUT = re.compile(r"\b(?:wrong|incorrect|false|eliminat\w+|rul(?:es?|ed|ing) out|excluded?|discarded)\b")
_FALSE = words("false incorrect untrue wrong")
# "B? Yes."
_ANSWERED = re.compile(r"\?\s(?:(?P<yes>yes|yep|correct|right|true)|no|nope|wrong|false)\b")
# "10 % would be" before "8"; not so "that would be"
_WOULD_BE = re.compile(r"(?<!\bit)(?<!that)(?<!this)(?<!which)\swould be $")
# What makes of an answer in the words of the question a conclusion.
_CONCLUDES = re.compile(r"\b(?:so|thus|therefore|hence|consequently|overall|based on|in conclusion|in summary)\b")
_WOULD = re.compile(r"\s(?:would|could|might)\b")
# "(B) fits, whereas (A) does not"
_CONTRASTED = re.compile(r"\w.*\b(?:whereas|while|although|though)\b")
# What may stand before a letter that is all that a sentence says: "No, wait: (B)."
_LEADS = re.compile(
    r"(?:\W|\b(?:no|yes|yeah|ok|okay|sure|wait|actually|so|hence|thus|therefore|well|probably|maybe|perhaps|definitely|surely|likely"
    r"|clearly|obviously|most|hmm|finally|the|option|choice|sorry|scratch that|edit|correction|oops|now|rather|initially|doubt)\b)*"
)


def stated(
    text: str, low: str, options: Options, texts: list[Mention], ends: list[int], taken: list[tuple[int, int]], found: Claims
) -> None:
    """Adds what the sentences of `text` say of each subject that is not in the spans `taken`."""
    subjects = [one for one in _subjects(text, low, texts, options) if not _is_within(taken, one.start)]
    if len(subjects) > _MOST:
        subjects = subjects[: _MOST // 2] + subjects[-_MOST // 2 :]
    for subject, following in zip(subjects, [*(one.start for one in subjects[1:]), len(text)], strict=False):
        end = end_of(ends, subject.end)
        before = low[begin_of(ends, subject.start) : subject.start]
        after = low[subject.end : min(end, following, subject.end + REACH)] + ("…" if following < end else "")
        _judge(subject, before, after, low[subject.end : subject.end + 12], options, found)


def _is_within(spans: list[tuple[int, int]], place: int) -> bool:
    before = bisect_right(spans, (place, sys.maxsize))
    return before > 0 and place < spans[before - 1][1]


def _subjects(text: str, low: str, texts: list[Mention], options: Options) -> list[Subject]:
    """Letters and options' texts in order; a letter and the text beside it are one."""
    found = []
    used = set()
    longest = max(map(len, options.texts), default=0)
    for match in lists(text):
        start, end = match.span()
        letters = letters_of(match[0])
        inside = any(end <= one.end for one in near(texts, start - longest, start))
        if inside or not letters or REFERENCE.search(text, max(0, start - 15), start):
            continue
        dressed = is_dressed(match[0])
        beside = next((one for one in near(texts, end, end + 4) if not low[end : one.start].strip(" :.,(-\"'")), None)
        if beside and match[0] == "A" and low[end : beside.start] == " ":
            continue  # an article
        if beside and len(letters) == 1:
            used.add(beside)
            end, dressed = beside.end, dressed or beside.letter == letters[0]
        before = next((one for one in near(texts, start - 2 - longest, start) if 0 <= start - one.end <= 2 and one.letter in letters), None)
        if before and dressed:
            used.add(before)
            start = before.start
        found.append(Subject(start, end, letters, dressed, False))
    return sorted([*found, *(Subject(one.start, one.end, [one.letter], True, True) for one in texts if one not in used)])


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
    clause = SPLIT.split(before)[-1][-120:]
    after = _TAG.sub(".", after)
    rest = SPLIT.split(after)[0]
    if clause.endswith("why is ") and re.match(r"\sthe\s(?:correct|right|best|answer)", after):
        found.made.append(Claim(subject.start, Weight.CONCLUDED, one))
        return
    if after.rstrip().endswith("?") and not (subject.start == 0 or _LEADS.fullmatch(clause)):
        return
    verdict = _verdict(subject, clause, rest)
    if options.asks_for_false and (_IS_THE_FALSE_ONE.match(rest) or (verdict == "wrong" and options.asked & _FALSE and len(letters) == 1)):
        found.made.append(Claim(subject.start, Weight.CONCLUDED, one))
        return
    if before.endswith(("but ", "except ", "for ", "from ")) and _EXCEPTED.search(before) and _RULED_OUT.search(before + after):
        found.made.append(Claim(subject.start, Weight.CONCLUDED, one))
        return
    if verdict == "wrong" or (verdict is None and _DENIED_BEFORE.search(clause)):
        if not options.asks_for_false or verdict is None:
            found.excluded.update(dict.fromkeys(letters, subject.start))
        return
    if _ANOTHER_TOO.search(clause) or _TOO.search(rest):
        found.made.append(Claim(subject.start, Weight.CONCLUDED if verdict == "right" else Weight.HEDGED, None))
        return
    if OF_OTHERS.search(clause) or HYPOTHETICAL.search(clause + rest):
        return
    if verdict == "right" and options.asks_for_false and options.asked & _FALSE:
        found.excluded.update(dict.fromkeys(letters, subject.start))
    elif verdict == "right" and not options.asks_for_false:
        found.made.append(Claim(subject.start, Weight.CONCLUDED, one))
    elif verdict == "hedged":
        found.made.append(Claim(subject.start, Weight.HEDGED, one))
    elif _is_concluded(subject, clause, rest, next_to) and not NEGATED.search(clause):
        found.made.append(Claim(subject.start, Weight.HEDGED if HEDGED.search(clause) else Weight.CONCLUDED, one))
    elif one and _restates(clause, rest, options):
        weight = Weight.CONCLUDED if _CONCLUDES.search(before) else Weight.RESTATED
        found.made.append(Claim(subject.start, weight, one))
    elif options.asks_for_false and restates(clause, rest, options.asked, asks_for_false=False):
        found.excluded.update(dict.fromkeys(letters, subject.start))
    elif (
        not subject.text_only
        and len(letters) == 1
        and not (_CONTRASTED.search(before) or _WOULD.match(rest))
        and (subject.dressed or not (clause + rest).strip(" .!\n"))
    ):
        found.made.append(Claim(subject.start, Weight.MENTIONED, one))


def _restates(clause: str, rest: str, options: Options) -> bool:
    if HEDGED.search(clause) or (NEGATED.search(clause + rest) and not options.asks_for_false):
        return False
    return restates(clause, rest, options.asked, asks_for_false=options.asks_for_false)


def _verdict(subject: Subject, clause: str, rest: str) -> str | None:
    """ "right", "wrong" or "hedged": what the words behind a subject call it."""
    match = _VERDICT.match(rest)
    if not match or (
        match["gap"] and not subject.dressed and match["gap"].strip(" ,:-()\"'") not in ("", "all", "both", "also", "alone", "then", "each")
    ):
        return None
    wrong = match["wrong"] or match["no"] or match["cross"] or match["out"]
    negated = bool(
        NEGATED.search((match["verb"] or "") + (match["adverbs"] or ""))
        or re.search(r"\b(?:neither|none of|not|(?:any|every)thing but|all but|except(?: for)?)\b", clause)
    )
    if wrong:
        return None if negated else "wrong"
    if negated:
        return "wrong"
    if re.match(r"seem|appear|look|sound|could|might|may|was|were", match["verb"] or "") or HEDGED.search(
        clause + (match["adverbs"] or "")
    ):
        return "hedged"
    return "right"


def _is_concluded(subject: Subject, clause: str, rest: str, next_to: str) -> bool:
    """Whether a subject stands where a conclusion does: after "so", "I choose", or as all that a sentence says."""
    ends = not rest.strip(" .,:;!?\"')(\n")
    if ends and not subject.text_only and (clause.strip() or "?" not in rest) and _LEADS.fullmatch(clause):
        return True
    cue = _CUE.search(clause)
    if not cue:
        return False
    if subject.text_only:
        return ends and not cue["weak"] and not _WOULD_BE.search(clause)
    if subject.letters == ["I"] and not subject.dressed:
        return ends
    return subject.dressed or len(subject.letters) > 1 or bool(AFTER_BARE.match(next_to))
