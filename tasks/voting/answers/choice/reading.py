r"""Decides which option one text answers.

    read_text("A is wrong because …; B is tempting; so C", "?", ("w", "x", "y", "z"))        →  "C"
    read_text("Answer: B. Wait, that is wrong. It should be C.", "?", ("w", "x", "y", "z"))  →  "C"
    read_text("The answer is B.\n\nQuestion: … Answer: D", "?", ("w", "x", "y", "z"))        →  "B"
    read_text("Either A or B", "?", ("w", "x", "y", "z"))                                    →  None
    read_text("It is Paris.", "?", ("Lyon", "Paris"))                                        →  "B"

In this order: the last marked answer ("the answer is …"), or what corrects it; the letter with which a text begins; the last
conclusion ("so B", "B is correct"); a guess, if there is only one; what is left when all other options are denied; the last letter in
brackets; the option that the last sentence names by its text. Two options at once are none. Where letter and text disagree the
letter counts, since the letter was asked for.
"""

import re

from tasks.voting.answers.choice.claims import Claim, Claims, Weight, claims
from tasks.voting.answers.choice.letters import LIST, letters_of
from tasks.voting.answers.choice.options import LETTERS, Options, above, lower, mentions, options_of
from tasks.voting.answers.choice.plain import plain, segments

_REFUSAL = re.compile(
    r"(?i)\b(?:(?:not|un)\s?(?:sure|certain)|do(?:es)?(?:n't| not) know|no idea|unable to|as an ai\b"
    r"|(?:could|can|would) you (?:please )?(?:clarify|provide|specify|explain)"
    r"|can(?:not|'t| not)(?: be)? (?:answer(?:ed)?|determined?|say|said|tell|told|solved?))[^;:()*\n]{0,60}\W*$"
)
_CORRECTION = re.compile(
    r"(?i)\b(?:wait|actually|correction|on second thoughts?|let me (?:re|double|check|correct)|hmm|sorry|apolog\w+|mistake|scratch that"
    r"|i was wrong|reconsider\w*"
    r"|on reflection|oops|no,|not right|is wrong|change my answer|revis\w+|corrected)"
)
_LEADING = re.compile(
    r"\W{0,6}(?:(?:probably|maybe|perhaps|definitely|surely|likely|clearly|obviously|most|yes|ok|sure|option|choice|answer"
    r"|letter)[ :,]{1,2}){0,3}"
    r"(?:\(([A-Za-z])\)(?!\s?[&/,])|([A-Z])\)|([A-Za-z])(?=[.:]?[^\w/&,+-]*(?:\n|$))|((?-i:[A-Z]))(?=[.:,]\s|\s?[-=]\s|\s(?:because"
    r"|since|as)\b))",
    re.IGNORECASE,
)
_LEADING_NUMBER = re.compile(r"\W*(?:option|choice|number) #?\(?(\d{1,2})\)?(?!\w|[.,]\d)", re.IGNORECASE)
_ITEM = re.compile(
    r"^(?!.*\b(?:answer|option)(?::| is\b| would\b))[^\w\n(#]*(?:option |choice )?\(?([A-Z])(?:\)|[.:]|\s-|\s\|)(?!\w).*$",
    re.MULTILINE | re.IGNORECASE,
)
_GOOD = re.compile(r"(?i)(?<!not )\b(?:correct|true|right|yes|the answer|best answer)\b|[✓✔✅☑]")
_BAD = re.compile(r"(?i)\b(?:incorrect|wrong|false|not|isn't|no|eliminated?|cannot|can't)\b|[❌✗✘✕✖]")
_CONTRAST = re.compile(r"\b(?:while|whereas|unlike|instead of|rather than|followed by|(?:more|less|other|\w+er) than|(?<=, )not)\b")
_DENIED = re.compile(r"\b(?:not|never|neither|nor|cannot|unlike|than|instead|if|except|some|many|could|might|may)\b|n't\b")


def read_text(text: str, question: str, choices: tuple[str, ...] | None) -> str | None:
    """The letter that `text` chooses among `choices` (None: unknown); None where it is none, or no single one."""
    options = options_of(choices, question)
    for part in segments(plain(text)):
        segment = above(part) if options.above else part
        letter = _read_segment(segment, options, question) if segment.strip() else None
        if letter or _is_refusal(segment, options):
            return letter
    return None


def _read_segment(text: str, options: Options, question: str) -> str | None:
    if whole := _whole(text, options):
        return whole
    rest, verdicts, begins_with_list = _without_lists(text, options)
    found = claims(rest, options)
    made = sorted(found.made + verdicts, key=lambda claim: claim.place)
    return _decide(rest, made, found, None if begins_with_list else _leading(rest, options), options, question)


def _decide(text: str, made: list[Claim], found: Claims, leading: str | None, options: Options, question: str) -> str | None:
    marked = [claim for claim in made if claim.weight == Weight.MARKED]
    concluded = [claim for claim in made if claim.weight == Weight.CONCLUDED]
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
    standing = [claim for claim in concluded if claim.letter is None or found.excluded.get(claim.letter, -1) <= claim.place]
    if standing:
        return standing[-1].letter
    hedged = {claim.letter for claim in made if claim.weight == Weight.HEDGED and claim.letter not in found.excluded}
    if hedged:
        return hedged.pop() if len(hedged) == 1 else None
    left = set(LETTERS[: len(options.texts)]) - set(found.excluded)
    if len(left) == 1 and len(options.texts) > 2:
        return left.pop()
    if _is_refusal(text, options):
        return None
    loose = [
        claim for claim in made if claim.weight == Weight.MENTIONED and claim.letter not in found.excluded and claim.place > found.unread
    ]
    if loose:
        return loose[-1].letter
    return (
        (_last_letter(text, options) or _leading_text(text, options) or _last_sentence(text, options, question))
        if found.unread < 0
        else None
    )


def _is_refusal(text: str, options: Options) -> bool:
    """Whether a text ends by saying that it has no answer; an option may say so, too, and then is an answer."""
    end = text[-200:]
    return bool(_REFUSAL.search(end)) and not any(_REFUSAL.search(option) for option in options.texts)


def _whole(text: str, options: Options) -> str | None:
    """The option that is all of the text."""
    if len(text) > 40 + max(map(len, options.texts), default=0):
        return None
    low = lower(text).strip(" .\n\"'()#!")
    found = mentions(options, low)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(low)):
        return found[0].letter
    letters = set(re.findall(r"[a-z]", low))
    return options.letters.get(letters.pop().upper()) if len(letters) == 1 and re.fullmatch(r"(?:[a-z]\b[\s.,)(?!]*)+", low) else None


def _leading(text: str, options: Options) -> str | None:
    """The option with which a text begins, as an answer of its own."""
    if match := _LEADING.match(text):
        several = LIST.search(text, 0, match.end() + 20)
        if several and len(set(letters_of(several[0]))) > 1 and several.start() <= match.end():
            return None
        letter = next(one for one in match.groups() if one).upper()
        is_list = letter == "A" and all(re.search(rf"(?<!\w)\(?{one}[.:)]\s", text) for one in "BC")
        return None if is_list else options.letters.get(letter)
    if match := _LEADING_NUMBER.match(text):
        place = int(match[1]) - 1
        return LETTERS[place] if 0 <= place < len(options.texts) and match[1] not in options.numbers else None
    return None


def _leading_text(text: str, options: Options) -> str | None:
    """The option whose text is how a text begins: "Yes, because …"."""
    first = re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0]
    found = mentions(options, lower(first))
    begins = len(found) == 1 and not first[: found[0].start].strip("\"'(# ")
    if begins and re.match(r"[\"')]*(?:$|[.,:;!]|\s-|\s(?:because|since|as)\b)", first[found[0].end :]):
        return found[0].letter
    return None


def _without_lists(text: str, options: Options) -> tuple[str, list[Claim], bool]:
    """The text with blanks where it lists the options again, what these lists say of them, and whether it begins with one."""
    items = list(_ITEM.finditer(text))
    letters = [item[1].upper() for item in items]
    if len(set(letters)) < 2 or not set(letters) <= set(options.letters):
        span = _list_in_line(text, options)
        return (text[: span[0]] + " " * (span[1] - span[0]) + text[span[1] :] if span else text), [], span is not None and span[0] < 5
    good = [
        (item.start(), letter) for item, letter in zip(items, letters, strict=True) if _GOOD.search(item[0]) and not _BAD.search(item[0])
    ]
    verdicts = []
    if len({letter for _, letter in good}) == 1 and not options.asks_for_false:
        verdicts = [Claim(good[-1][0], Weight.CONCLUDED, good[-1][1])]
    return _ITEM.sub(lambda item: " " * len(item[0]), text), verdicts, not text[: items[0].start()].strip()


def _list_in_line(text: str, options: Options) -> tuple[int, int] | None:
    """Where "(A) Lyon, (B) Paris, …" repeats all options; None: nowhere."""
    if not all(options.texts) or len(options.texts) < 2:
        return None
    low, begin, end = lower(text), -1, 0
    for letter, option in zip(LETTERS.lower(), options.texts, strict=False):
        place = low.find(option, end)
        label = re.search(rf"\(?{letter}[.):]\s?(?:an?\s|the\s)?$", low[max(end, place - 8) : place]) if place >= 0 else None
        if label and begin >= 0 and not re.fullmatch(r"[\s,;.|/&]*(?:(?:and|or)\s)?", low[end : place - len(label[0])]):
            return None
        if not label:
            return None
        begin = place - len(label[0]) if begin < 0 else begin
        end = place + len(option)
    return begin, end


def _last_letter(text: str, options: Options) -> str | None:
    """The letter of which the last sentence says something: "B has the shortest year"."""
    match = re.search(r"(?:^|[.;!\n]\s?|\bthat\s)([A-Z])\s(?:is the|has|satisfies|meets|gives)\b[^.!?\n]*[.!]?\s*$", text[-300:])
    return options.letters.get(match[1]) if match and not _DENIED.search(match[0]) else None


def _last_sentence(text: str, options: Options, question: str) -> str | None:
    """The option that the last sentence names by its text, without denying it."""
    sentences = [one for one in re.split(r"(?<=[.!?])\s|\n", text.strip()) if re.search(r"\w", one)]
    if not sentences or sentences[-1].rstrip().endswith("?"):
        return None
    if len(sentences) > 1 and not re.search(r"[.!)\"']\W*$", sentences[-1]):
        return None  # cut off
    clauses = [(clause, mentions(options, clause)) for clause in re.split(r";|\bbut\b|=", lower(sentences[-1]))]
    clause, found = next(((clause, found) for clause, found in reversed(clauses) if found), ("", []))
    around = clause
    for one in found:
        around = around[: one.start] + "_" * (one.end - one.start) + around[one.end :]
    contrast = next((match.start() for match in _CONTRAST.finditer(around) if match.start() > found[0].start), None)
    if contrast and not _DENIED.search(around[:contrast]):
        around, found = around[:contrast], [one for one in found if one.start < contrast]
    if _DENIED.search(around) and not options.asks_for_false:
        left = set(LETTERS[: len(options.texts)]) - {one.letter for one in found}
        return left.pop() if len(left) == 1 and len(options.texts) > 2 else None
    asked = {one.letter for one in mentions(options, lower(question))}
    verb = max((match.end() for match in re.finditer(r"\b(?:is|are|was|were)\b", around)), default=0)
    for letters in (
        {one.letter for one in found},
        {one.letter for one in found} - asked,
        {one.letter for one in found if one.start >= verb},
    ):
        if len(letters) == 1:
            return letters.pop()
    return None
