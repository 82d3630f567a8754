r"""The answers that are clear at once, on whole columns: most texts need nothing else.

    "… 9 * 2 = $18.\n#### 18"                        →  "18"    (announced at the very end)
    "#### 18\n\nThis is 5 more than 13."             →  "18"    (the last announcement, with only words after it)
    "So 9 * 2 = $<<9*2=18>>18 every day"             →  "18"    (calculated at the very end)
    "Therefore, Mara makes $18 every day."           →  "18"    (the only number of a last sentence that concludes)
    "She has 16 - 3 ="                               →  clear, and no answer: cut off

What could be read in two ways is left to `ending`: a correction, a unit to convert, a second number. Where this file speaks, `ending`
says the same, and a test holds them together; so its patterns for what must not be there are wider than those of `ending` for what
is. Each step looks only at the rows that the steps before it left, and the first, which settles most, at no more than the last
characters of a text and for a next question: 1.2 million texts per CPU-second, where a search of whole texts is five times slower.
"""

import polars as pl

FEW = 100  # texts, which are read one by one before another set of patterns for whole columns is compiled
_TAIL = 32  # characters at the end that hold an announced number
_LAST_LINE = 300  # characters that hold a last line

_VALUE = r"-?(?:\\?\$)?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,18})(?:\.[0-9]{1,18})?"
NUMBER_ALONE = r"^(-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,18})(?:\.[0-9]{1,18})?)$"
_AT_END = (
    r"(?:(?:#### |[Tt]he (?:final |correct )?answer is:? |[Aa]nswer:(?:\*\*)? |\nA: )(?:\*\*)?|\\boxed\{)"
    rf"({_VALUE})\}}?\.?(?:\*\*)?\$?\.?$"
)
_UNITS = r"(?: [a-z]{2,20}){0,3}(?:\*\*)?"
_STRICT = (
    rf"(?:####|[Tt]he (?:final )?answer is) (?:\*\*)?{_VALUE}{_UNITS}(?:\.(?:\s|$)|\n|$)"
    rf"|[Aa]nswer:(?:\*\*)? (?:\*\*)?{_VALUE}{_UNITS}\.?(?:\n|$)"
    rf"|\\boxed\{{{_VALUE}\}}"
)
_NOT_A_UNIT = (
    r"[0-9] (?:[a-z]+ )*(?:hundred|thousand|million|billion|trillion|dozens?|half|quarters?|cents?|percent|times|plus|minus"
    r"|divided|multiplied|so|therefore|giving|leaving|making|meaning|which|not|since|because|are|is|was|were|and|then|or|to|per|as|st|nd|rd|th|where)\b"
)
_RESULT = rf"\n[^\n]*[0-9)a-z>] ?= ?\$?(?:<<[^<>\n]*>>)?(?P<value>{_VALUE})%?(?: [a-z]+){{0,8}}\.?$"
_WORDS = r"[ -~--[0-9=;$\\^!?.*]]*"
_CONCLUSION = (
    r"(?:\n|[.!?] )(?:\*\*)?(?:So|Therefore|Thus|Hence|In total|Altogether|Overall|Finally|In conclusion)\b"
    rf"({_WORDS} (?:\*\*)?(?P<value>\$?(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]{{1,18}})(?:\.[0-9]{{1,18}})?)"
    rf"(?:\*\*)?%?(?:[ ,]{_WORDS})?\.?(?:\*\*)?)$"
)
_UNFINISHED = r"<<[^<>]*>?$|[^*]\*$|[^-]-$|[+/=(]$|[-+*/=] ?\$$"

# A last sentence without a number and without an end, and what makes it none or no matter.
_FRAGMENT = r"(?:\n|[^rst][.!?] )([A-Z][[ -~’]--[0-9.!?:]]*[a-z,])$"
_CONCLUDES = (
    r"(?i)^(?:so|therefore|thus|hence|in total|altogether|in conclusion|finally|overall|total|as a result|consequently|in all|this means"
    r"|that means|final)\b"
)
_THEREFORE = r"(?i)therefore|thus|hence|conclusion|overall|altogether|in total"
_COUNT = (
    r"(?i)\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    r"|hundred|thousand|million|dozen)\b"
)
_IN_WORDS = (
    rf"{_COUNT}|\b(?:half|third|quarter|fifth|tenth|none|nothing|no|note|notice|remember|mind|please|hope|remark)\b"
    r"|let me|if you|feel free|for (?:ref|con|com)"
    r"|(?:the|our|my|this) (?:ans|cal|sol|res|ass)|assum|p\.?s|fun fact|side note|as a check|interesting|by the way|forget|step"
)

# A next question; and backslash-n, which may be a line break.
_ANOTHER = (
    r"\n[^A-Za-z0-9\n]{0,8}(?:Q|Question|Problem|New question|Next question|Human|User|Student|Example|Exercise)\b"
    r"|[^A-Za-z](?:Question|Q|Human|User):|</s>|<\||_of_turn>|INST\]|### ?[IQPHU]|\\n"
)
# Wider and quicker; each pattern is a few literals, which are searched for many characters at a time.
_MAYBE_ANOTHER = (
    r"Question|uestion:|Human|Problem|</s>|<\||Exercise",
    r"Q[^a-z]",
    r"\\n|turn>|INST\]|User|Instruction|Input|Example|Student",
)
_NEXT = r"(?s)\n(?:Question|Q|Human): ?[A-Z].*"
_ANNOUNCES = (
    r"(?i:answer|final result|####|fbox|boxed"
    r"|(?:^|\n)[^A-Za-z0-9\n]{0,8}(?:a|ans|result)[^A-Za-z0-9\n]{0,8}(?:[:\n]|$))"
)
_CORRECTS = (
    r"(?i)wait|actually|correction|mistake|error|sorry|apolog|(?:let me|let[^a-z]{1,3}s) (?:correct|re|try|fix)|hold on|oops|wrong"
    r"|incorrect|not (?:right|correct)|second thought|scratch"
)
_CHECKS = (
    r"(?i)check|verif|confirm|proof|alternative|another way|here[^a-z]{1,3}s|here is|explanation|breakdown|reasoning|justification"
    r"|calculation|\?|:[ \t]*\n\s*[-*•]"
)
# Words in a last line that make it a remark, a guess, a reason or a refusal; and words after its number that may belong to it.
_DOUBTFUL = (
    r"(?i)\b(?:since|because|as (?:each|there|he|she|they|it)|given that|where|assum\w*|considering|based on|having|would|could|might|not"
    r"|sure|certain|know|idea|cannot|can['’]t|enough|insufficient|information|impossible|note|notice|remember|keep|please|hope|let me"
    r"|if you|feel free|reference|context|comparison|remark|fun fact|interestingly|by the way|forget|step|p\.?s|leaving"
    r"|making the|for a total|our|my|(?:this|that|it|which) (?:is|was|rounds|leaves)|the (?:answer|calculation|solution|result))\b"
    r"|n['’]t\b|\?|%|percent"
)
_DOUBTFUL_END = (
    r"(?i)[0-9](?:\*\*)? (?:[a-z]+ )*(?:so|therefore|hence|thus|giving|leaving|making|meaning|which|for a total|hundred|thousand|million"
    r"|billion|trillion|dozens?|half|quarters?|cents?)\b|[0-9](?:[kKM]|st|nd|rd|th)\b|\b(?:is|are|an?|the|of|and|to|for|by|with|at|that|so|from|will|per|then|or|if)"
    r"\s*$"
)


def clear(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    r"""Which answers are clear, and what is left.

    Args:
        rows: `place` (any), `text` (String, no nulls), `cents` (Boolean: the question asks for cents, so dollars are left) and others.

    Returns:
        Of the clear ones `place` and `found`: the number as it is written ("-\$1,250.00"), null where there clearly is none.
        The other rows, with all their columns.
    """
    text = pl.col("text")
    at_end = text.str.tail(_TAIL).str.strip_chars_end().str.extract(_AT_END)
    goes_on = pl.any_horizontal(text.str.contains(pattern) for pattern in _MAYBE_ANOTHER)
    rows = rows.with_columns(goes_on=goes_on).with_columns(found=pl.when(~pl.col("goes_on")).then(at_end))
    is_found = pl.col("found").is_not_null() & ~(pl.col("cents") & pl.col("found").str.contains("$", literal=True))
    first, rest = rows.filter(is_found), rows.filter(~is_found)
    if rest.height < FEW:
        return first.select("place", "found"), rest
    announced = _announced(rest)
    second = announced.filter(is_found)
    third = _concluded(announced.filter(pl.col("last").is_null())).filter(pl.col("unfinished") | is_found)
    later = pl.concat([second.select("place", "found"), third.select("place", "found")])
    return pl.concat([first.select("place", "found"), later]), rest.join(later, on="place", how="anti")


def _announced(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with what is announced last, where only words follow; `text` without the next question that it goes on with."""
    own = pl.col("text").str.replace(_NEXT, "")
    going_on = rows.filter("goes_on").with_columns(text=pl.when(own.str.contains("[0-9]")).then(own).otherwise("text"))
    going_on = going_on.filter(~pl.col("text").str.contains(_ANOTHER))
    rows = pl.concat([rows.filter(~pl.col("goes_on")), going_on]).filter(~pl.col("text").str.contains(_CORRECTS))
    last = pl.col("text").str.extract_all(f"{_STRICT}|{_ANNOUNCES}").list.last()
    in_dollars = pl.col("cents") & pl.col("last").str.contains("dollar", literal=True)
    value = pl.when(~pl.col("last").str.contains(_NOT_A_UNIT) & ~in_dollars).then(pl.col("last").str.extract(f"({_VALUE})"))
    return rows.with_columns(last=last).with_columns(found=value)


def _concluded(rows: pl.DataFrame) -> pl.DataFrame:
    """Those of the `rows`, which announce nothing, that end with a result or a conclusion, or are `unfinished`."""
    rows = rows.filter(~pl.col("text").str.contains(_CHECKS))
    end = pl.concat_str(pl.lit("\n"), pl.col("text").str.tail(_LAST_LINE)).str.strip_chars_end()
    line = end.str.extract(r"(\n[^\n]*)$")
    whole = line.str.len_bytes() < _LAST_LINE
    fragment = end.str.extract(_FRAGMENT)
    is_cut = ~fragment.str.contains(_IN_WORDS) & (fragment.str.contains(_CONCLUDES) | ~pl.col("text").str.contains(_THEREFORE))
    rows = rows.with_columns(line=pl.when(whole).then(line), unfinished=end.str.contains(_UNFINISHED) | is_cut.fill_null(False))
    said = end.str.extract(_CONCLUSION)
    last = pl.coalesce(said, "line")
    is_plain = (
        ~last.str.contains(_COUNT)
        & ~last.str.contains(_DOUBTFUL)
        & ~last.str.contains(_DOUBTFUL_END)
        & ~(pl.col("cents") & last.str.contains(r"\$|dollar"))
    )
    value = pl.coalesce(end.str.extract(_CONCLUSION, 2), pl.col("line").str.extract(_RESULT))
    return rows.with_columns(found=pl.when(is_plain & ~pl.col("unfinished")).then(value))
