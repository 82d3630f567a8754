r"""Decides which option one text answers.

    read_text("A is wrong because …; B is tempting; so C", "?", ("w", "x", "y", "z"))        →  "C"
    read_text("Answer: B. Wait, that is wrong. It should be C.", "?", ("w", "x", "y", "z"))  →  "C"
    read_text("The answer is B.\n\nQuestion: … Answer: D", "?", ("w", "x", "y", "z"))        →  "B"
    read_text("Either A or B", "?", ("w", "x", "y", "z"))                                    →  None
    read_text("It is Paris.", "?", ("Lyon", "Paris"))                                        →  "B"

In this order: the last marked answer ("the answer is …"), or what corrects it; the letter with which a text begins; the last
conclusion ("so B", "B is correct"), or an answer in the words of the question ("the capital is Paris"); a guess, if there is only
one; what is left when all other options are denied; a letter that is only mentioned, if it is the only one or ends or begins the
text; the option that the last sentence names by its text, or that the text paraphrases. Two options at once are none. Where
letter and text disagree the letter counts, since the letter was asked for.
"""

import re

from tasks.voting.answers.choice.attitudes import HEDGED, NEGATED, OF_OTHERS
from tasks.voting.answers.choice.claims import Claim, Claims, Weight
from tasks.voting.answers.choice.letters import LIST, letters_of
from tasks.voting.answers.choice.lists import without_lists
from tasks.voting.answers.choice.markers import marked
from tasks.voting.answers.choice.options import LETTERS, Options, above, lower, mentions, options_of
from tasks.voting.answers.choice.plain import plain, segments
from tasks.voting.answers.choice.sentences import ends_of
from tasks.voting.answers.choice.statements import stated
from tasks.voting.answers.choice.unmarked import read_unmarked
from tasks.voting.answers.refusal import refuses

_IDIOM = re.compile(r"\bif i (?:had|have|were) to (?:guess|choose|pick|select|answer)\b(?: one)?,?")  # no condition
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_ORDINAL = re.compile(
    rf"\b[Tt]he ({'|'.join(_ORDINALS)}|last) (?:option|choice|alternative|one(?=[.!]?\s*$|\sis (?:correct|right|wrong)))\b"
)
# No answer, or a question back.
_ASKS_BACK = re.compile(
    r"(?i)\b(?:(?:not|un)\s?(?:sure|certain)|unable to|as an ai\b|(?:could|can|would) you (?:please )?(?:clarify|provide|specify|explain)"
    r"|can(?:not|'t) answer)[^;:()*\n]{0,60}\W*$"
)
# Takes an answer back: what is concluded after it counts.
_CORRECTION = re.compile(
    r"(?i)\b(?:wait|actually|correction|on second thoughts?|let me (?:re|double|check|correct)|hmm|sorry|apolog\w+|mistake|scratch that"
    r"|i was wrong|reconsider\w*"
    r"|on reflection|oops|no,|not right|is wrong|change my answer|revis\w+|corrected|kidding)|edit:|(?:^|[.!?\n-]\s{0,3})no\b"
)
# A text that begins with its answer: "B\n", "(B) because", "Probably B", "B. Paris"
_LEADING = re.compile(
    r"\W{0,6}(?:(?:probably|maybe|perhaps|definitely|surely|likely|clearly|obviously|most|yes|ok|sure|option|choice|answer"
    r"|letter)[ :,]{1,2}){0,3}"
    r"(?:\(([A-Za-z])\)(?!\s?[&/,])|([A-Z])\)|([A-Za-z])(?=[.:]?[^\w/&,+-]*(?:\n|$))|((?-i:[A-Z]))(?=[.:,]\s|\s?[-=]\s|\s(?:because"
    r"|since|as)\b))",
    re.IGNORECASE,
)
# "Option B shows how": the rest is said of other options.
_SUBJECT = re.compile(r"\W*(?:option|choice)\s\(?[A-Z]\)?\s[a-z]", re.IGNORECASE)
_DOUBTED = re.compile("|".join((NEGATED.pattern, OF_OTHERS.pattern, HEDGED.pattern, r"\bwould\b")))
# "… (B)", "… (B) Paris"
_ENDS_WITH_LETTER = re.compile(r"\(?[A-Z]\)?(?:[.:]?\s[A-Z][^\s.;]{1,30}(?:\s[^\s.;]{1,30})?)?[.\s]*$")
_LEADING_NUMBER = re.compile(r"\W*(?:option|choice|number) #?\(?(\d{1,2})\)?(?!\w|[.,]\d)", re.IGNORECASE)


def read_text(text: str, question: str, choices: tuple[str, ...] | None) -> str | None:
    """The letter that `text` chooses among `choices` (None: unknown); None where it is none, or no single one."""
    options = options_of(choices, question)
    parts = segments(plain(text))
    for number, part in enumerate(parts, 1):
        segment = above(part) if options.above else part
        letter = _read_segment(segment, options, question) if segment.strip() else None
        if letter or (number < len(parts) and _is_refusal(segment, options)):
            return letter
    return None


def _read_segment(text: str, options: Options, question: str) -> str | None:
    if any(ordinal in text for ordinal in (*_ORDINALS, "last")):
        text = _ORDINAL.sub(lambda match: _ordinal(match, options), text)
    if whole := _whole(text, options):
        return whole
    rest, verdicts, begins_with_list = without_lists(text, options)
    found = _claims(rest, options, verdicts)
    return _decide(rest, found, None if begins_with_list else _leading(rest, options), options, question)


def _ordinal(match: re.Match[str], options: Options) -> str:
    """`"the second option"` → `"option B"`."""
    place = len(options.texts) - 1 if match[1] == "last" else _ORDINALS.index(match[1])
    return f"option {LETTERS[place]}" if 0 <= place < len(options.texts) else match[0]


def _claims(text: str, options: Options, verdicts: list[Claim]) -> Claims:
    """All that `text` and its lists claim."""
    low = lower(text)
    if "if i " in low:
        low = _IDIOM.sub(lambda match: " " * len(match[0]), low)
    texts, ends = mentions(options, low), ends_of(text)
    found = Claims(verdicts, {}, -1)
    unread, taken = marked(text, low, options, texts, ends, found)
    stated(text, low, options, texts, ends, taken, found)
    return Claims(sorted(found.made, key=lambda claim: claim.place), found.excluded, unread)


def _decide(text: str, found: Claims, leading: str | None, options: Options, question: str) -> str | None:
    marked = [claim for claim in found.made if claim.weight == Weight.MARKED]
    concluded = [claim for claim in found.made if claim.weight == Weight.CONCLUDED]
    if marked:
        last = marked[-1]
        later = [claim for claim in concluded if claim.place > last.place and claim.letter]
        if later and (last.letter is None or _CORRECTION.search(text, last.place, later[-1].place)):
            return later[-1].letter
        return last.letter
    if leading and leading not in found.excluded and not _is_refusal(text, options):
        later = [claim for claim in concluded if claim.letter and claim.letter != leading]
        if not (later and _CORRECTION.search(text, 0, later[-1].place)):
            return leading
    for weight in (Weight.CONCLUDED, Weight.RESTATED):
        claims = [claim for claim in found.made if claim.weight == weight]
        standing = [claim for claim in claims if claim.letter is None or found.excluded.get(claim.letter, -1) <= claim.place]
        if standing:
            return standing[-1].letter
    hedged = {claim.letter for claim in found.made if claim.weight == Weight.HEDGED and claim.letter not in found.excluded}
    if hedged:
        return hedged.pop() if len(hedged) == 1 else None
    left = set(LETTERS[: len(options.texts)]) - set(found.excluded)
    if len(left) == 1 and (len(options.texts) > 2 or "true" in options.texts):
        return left.pop()
    if _is_refusal(text, options):
        return None
    named = [claim for claim in found.made if claim.weight == Weight.MENTIONED and claim.letter not in found.excluded]
    letters = [claim.letter for claim in named if claim.letter and claim.place > found.unread]
    if letters:
        return _mentioned(letters, text, options)
    return read_unmarked(text, options, question) if found.unread < 0 else None


def _mentioned(letters: list[str], text: str, options: Options) -> str | None:
    """Of `letters` that a text only mentions the last, if the text ends there, or the first, if the text begins so.

    Where others have letters and only one option is named without, it is this one.
    """
    if len(set(letters)) == 1:
        return letters[0]
    if _SUBJECT.match(text) and letters[1] != LETTERS[LETTERS.index(letters[0]) + 1 :][:1]:
        return letters[0]
    affirmed = [one for one in re.split(r"(?<=[.!?])\s|\n", lower(text)) if not (one.endswith("?") or _DOUBTED.search(one))]
    bare = {one.letter for sentence in affirmed for one in mentions(options, sentence)} - set(letters)
    if len(bare) == 1:
        return bare.pop()
    is_list = len(options.texts) > 2 and letters[-len(options.texts) :] == list(LETTERS[: len(options.texts)])
    return None if is_list or not _ENDS_WITH_LETTER.search(text) else letters[-1]


def _is_refusal(text: str, options: Options) -> bool:
    """Whether a text ends by saying that it has no answer; an option may say so, too, and then is an answer."""
    return _refuses(text[-200:]) and not any(_refuses(option) for option in options.texts)


def _refuses(text: str) -> bool:
    return refuses(text) or _ASKS_BACK.search(text) is not None


def _whole(text: str, options: Options) -> str | None:
    """The option that is all of the text."""
    if len(text) > 40 + max(map(len, options.texts), default=0):
        return None
    low = lower(text).strip(" .\n\"'()#!")
    found = mentions(options, low)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(low)):
        return found[0].letter
    if options.numbered and low.isdecimal() and low not in options.numbers and 1 <= int(low[:2]) <= len(options.texts):
        return LETTERS[int(low[:2]) - 1] if len(low) < 3 else None
    if len(found) == 1 and found[0].end == len(low) and re.fullmatch(rf"\(?{found[0].letter.lower()}[.:)]\s?", low[: found[0].start]):
        return found[0].letter
    letters = set(re.findall(r"[a-z]", low))
    return options.letters.get(letters.pop().upper()) if len(letters) == 1 and re.fullmatch(r"(?:[a-z]\b[\s.,)(?!]*)+", low) else None


def _is_text_of(letter: str, text: str, options: Options) -> bool:
    found = mentions(options, lower(text[:200]))
    return bool(found) and found[0].letter == letter and not text[: found[0].start].strip(" =")


def _leading(text: str, options: Options) -> str | None:
    """The option with which a text begins, as an answer of its own."""
    if match := _LEADING.match(text):
        several = LIST.search(text, 0, match.end() + 20)
        if several and len(set(letters_of(several[0]))) > 1 and several.start() <= match.end():
            return None
        letter = next(one for one in match.groups() if one).upper()
        opening, end = (r"\(" if match[1] else r"(?<!\()"), r"\)" if match[1] or match[2] else re.escape(text[match.end() :][:1])
        is_list = letter == "A" and all(re.search(rf"(?<!\w){opening}{one}{end}\s", text) for one in "BC")
        is_formula = re.match(r"\s?=", text[match.end() :]) and not _is_text_of(letter, text[match.end() :], options)
        return None if is_list or is_formula else options.letters.get(letter)
    if match := _LEADING_NUMBER.match(text):
        place = int(match[1]) - 1
        return LETTERS[place] if 0 <= place < len(options.texts) and match[1] not in options.numbers else None
    return None
