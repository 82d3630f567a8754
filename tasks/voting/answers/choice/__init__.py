r"""Reads the letter that a text chooses.

    "Kel. (A) Mip (B) Tav (C) Kel. The answer is (C)."    →  "C"
    "Answer: c"                                           →  "C"
    "I rule out (A) and (D), which leaves **B**"          →  "B"
    "C) because the flag is blue"                         →  "C"
    "s s s = 3. (A) 4. I am not sure."                    →  null

What is clear at the end of a text, or before a remark or a further question, is read here for whole columns; everything else is
read text by text in reading.py, where it says how. Both agree wherever a column's expression speaks.
A letter that the question has no option for is unreadable, two letters are none, and an option's own text is as good as its letter.
"""

import polars as pl

from tasks.voting.answers.choice.reading import read_text

_LONG = 4000  # bytes; of longer texts plain.py leaves out the middle

_SAID = (  # from the start of a sentence to a letter
    r"\s(?:\*\*)?(?:(?:(?:So|Thus|Therefore|Hence),? [Tt]he|The)"
    r" (?:(?:correct |final |best |right )?answer|(?:correct|best|right) option) is:?|(?:Final )?Answer:|####)"
    r"(?:\*\*)? (?:\*\*)?(?:\$?\\boxed\{(?:\\text\{)?)?\(?([A-Z])\)?\}{0,2}\$?(?:\*\*)?"
)
_LAST = rf"{_SAID}\.?(?:\*\*)?[ \n]*$"
_DRESS = "*$}). \n"  # what of this may stand behind the letter
_BEFORE_MORE = rf"{_SAID}(?:\.\s|\n)"
# Words that may say another answer in what follows, or take this one back (_MARKER of markers.py, _CORRECTION of reading.py).
_SAYS_MORE = (
    r"(?i)answer|(?-u:\bans\b)|antwort|antwoord|lösung|respuesta|r[eé]ponse|risposta|resposta|ответ|solution|output|response|答案|答え"
    r"|정답|正解|选|選|richtig|####|box"
    r"|(?-u:\b)A:"
    r"|(?:correct|right|best|better|final|true|remaining|only|proper|appropriate|accurate|suitable|likely|valid|selected|chosen)\s"
    r"(?:option|choice|alternative|selection|letter|pick|conclusion|one|statement)|[\"('*_]+choice|(?:choice|option)[\"'*_ ]*:"
    r"|(?:correct|results?|conclusion|decision|verdict|selection|pick|guess|prediction|final)[\"'*_ ]*:"
    r"|wait|actually|correction|second thought|let me (?:re|double|check|correct)|hmm|sorry|apolog|mistake|scratch that|i was wrong"
    r"|reconsider"
    r"|on reflection|oops|(?-u:\b)no,|not right|is wrong|change my answer|revis|corrected|kidding|edit:|(?:\A|[.!?\n-]\s{0,3})no(?-u:\b)"
)
# Another speaker, another question, or a thought that is closed (_NEXT and _THOUGHT of plain.py). One expression for each first letter:
# a few literal beginnings are found ten times as quickly as many.
_TURNS = (
    r"(?:uestion|UESTION|Problem|Exercise|Human|User|USER|user)[ *_#0-9]*:|\nThe following",
    r"\n#{1,4} ?\**(?:Question|Problem|Instruction|Input|User|Human)",
    r"Q[ *_#0-9]*:|\?[ *_]*\n\s*\**\(?A[.):]|\x00",
    r"</|<\||<s>|<end|<user|<im_|<eot|<start|<END|INST\]",
)
_ANOTHER_QUESTION = r"\n(?:Question|Q|Problem|Human|User):\s"
_DOUBTFUL = r"[^\x00-\x7Fà-ÿÀ-Ö×÷‘’“”–—…•·°€£√π→≈≤≥−½¼¾²³]"  # may be invisible, or another form of an ASCII character
_FEW = 100  # texts, which are read one by one before another set of patterns is compiled


def read(rows: pl.DataFrame) -> pl.Series:
    """The letter that each `text` chooses; null where there is none, or the question has no such option."""
    asked = rows.select("text", "question", "choices")
    answers = _at_the_end(asked)
    for reading in (_before_more, _text_by_text):
        places = (answers.is_null() & asked["text"].is_not_null()).arg_true()
        if reading is _before_more and len(places) < _FEW:
            continue
        answers = answers.scatter(places, reading(asked[places]))
    return answers


def gold(rows: pl.DataFrame) -> pl.Series:
    """The letter of each `gold`."""
    letter = pl.col("gold").str.to_uppercase().str.extract(r"^\W*([A-Z])\W*$")
    return rows.select(answer=pl.when(_is_option(letter).fill_null(True)).then(letter)).to_series()


def _at_the_end(rows: pl.DataFrame) -> pl.Series:
    """The letter with which a text ends, where nobody else speaks in it; else null."""
    text = pl.col("text")
    found = rows.select("text", "choices", letter=_last(text), clear=~_has_turns(text))
    letters = found.select(pl.when("clear", _is_option(pl.col("letter"))).then("letter")).to_series()
    foreign = found.select(_is_foreign() & letters.is_not_null()).to_series().arg_true()
    return letters.scatter(foreign.filter(rows["text"][foreign].str.contains(_DOUBTFUL)), None)


def _before_more(rows: pl.DataFrame) -> pl.Series:
    """The letter before a remark that says no other, or before another speaker; else null."""
    text = pl.col("text")
    texts = rows.select(pl.when(text.str.len_bytes() <= _LONG).then(text)).to_series()
    texts = _changed(texts, _is_foreign(), text.str.normalize("NFKC").str.replace_all(r"[\p{Cf}\p{Mn}]", ""))
    turn = text.str.find("|".join((_ANOTHER_QUESTION, *_TURNS)))  # in bytes
    rest = text.cast(pl.Binary).bin.slice(turn).cast(pl.String)
    is_question = rest.str.contains(rf"\A{_ANOTHER_QUESTION}") & ~rest.str.contains("</", literal=True)
    head = text.cast(pl.Binary).bin.head(turn).cast(pl.String)
    texts = _changed(texts, _has_turns(text), pl.when(is_question).then(head))
    letters = rows.select("choices", text=texts).select("choices", "text", letter=_last(text))
    open_ = letters.filter(pl.col("letter").is_null() & text.is_not_null()).select(
        text, said=text.str.extract_all(_BEFORE_MORE).list.last()
    )
    rest = text.str.split(pl.col("said")).list.last()
    before = open_.select(pl.when(~rest.str.contains(_SAYS_MORE)).then(pl.col("said").str.extract(_BEFORE_MORE))).to_series()
    places = letters.select(pl.col("letter").is_null() & text.is_not_null()).to_series().arg_true()
    letters = letters.with_columns(letter=letters["letter"].scatter(places, before))
    return letters.select(pl.when(_is_option(pl.col("letter"))).then("letter").alias("answer")).to_series()


def _text_by_text(rows: pl.DataFrame) -> pl.Series:
    """What a careful reader reads, who sees each distinct text once."""
    once = rows.unique()
    read = [read_text(text, question or "", tuple(choices) if choices else None) for text, question, choices in once.iter_rows()]
    once = once.with_columns(answer=pl.Series(read, dtype=pl.String))
    return rows.join(once, on=rows.columns, how="left", nulls_equal=True, maintain_order="left")["answer"]


def _last(text: pl.Expr) -> pl.Expr:
    """The letter with which a text ends. A pattern that is tied to the end is searched from there, and a group would cost more."""
    return pl.when(text.str.contains(_LAST)).then(text.str.strip_chars_end(_DRESS).str.tail(1))


def _has_turns(text: pl.Expr) -> pl.Expr:
    return pl.any_horizontal(*(text.str.contains(turn) for turn in _TURNS))


def _is_foreign() -> pl.Expr:
    """Whether there is anything but ASCII in a text."""
    return pl.col("text").str.len_bytes() != pl.col("text").str.len_chars()


def _changed(texts: pl.Series, where: pl.Expr, by: pl.Expr) -> pl.Series:
    """`texts` (as column `text`), changed only where this is wanted; `when` would change all and take what is wanted."""
    frame = texts.to_frame("text")
    places = frame.select(where.fill_null(False)).to_series().arg_true()
    return texts.scatter(places, frame[places].select(by).to_series())


def _is_option(letter: pl.Expr) -> pl.Expr:
    """Whether there is an option for a letter; null without options."""
    return letter.str.to_integer(base=36, strict=False) - 10 < pl.col("choices").list.len()
