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

_TAIL = 80  # characters
_LONG = 8000  # bytes; of longer texts reading.py leaves out the middle

_SAID = (  # from the start of a sentence to a letter
    r"\s(?:\*\*)?(?:(?:(?:So|Thus|Therefore|Hence),? [Tt]he|The) (?:(?:correct |final |best |right )?answer|(?:correct|best"
    r"|right) option) is:?"
    r"|(?:Final )?Answer:|####)"
    r"(?:\*\*)? (?:\*\*)?(?:\$?\\boxed\{(?:\\text\{)?)?\(?([A-Z])\)?\}{0,2}\$?(?:\*\*)?"
)
_LAST = rf"{_SAID}\.?(?:\*\*)?[ \n]*$"
_BEFORE_MORE = rf"{_SAID}(?:\.\s|\n)"
# In what follows, these words may say another answer, or take this one back.
_SAYS_MORE = (
    r"(?i)answer|\bans\b|antwort|lösung|respuesta|r[eé]ponse|risposta|resposta|ответ|solution|output|response|答案|正解|选|選|####|box"
    r"|(?:correct|right|best|better|final|true|remaining|only|proper|appropriate|accurate|suitable|likely|valid|selected|chosen)\s"
    r"|choice|option|\bA:|wait|actually|correction|second thought|let me|hmm|sorry|apolog|mistake|scratch|wrong|reconsider|reflection"
    r"|oops|\bno,|revis"
)
# Another speaker, another question, or a thought that is closed: the words are quickly found, and seldom mean that.
_WORDS = [
    "uestion",
    "UESTION",
    "Q",
    "Problem",
    "Exercise",
    "Human",
    "ser:",
    "User",
    "USER",
    "Instruction",
    "Input",
    "The following ",
    "?\n",
    "? \n",
    "?*",
]
_WORDS += ["<|", "</", "<s>", "<end", "<user", "<im_", "<eot", "<start", "<END", "INST]", "\0"]
_TURN = (
    r"(?:uestion|UESTION|Q|Problem|Exercise|Human|User|USER|user)[ *_#0-9]*:|\n#{1,4} ?\**(?:Question|Problem|Instruction|Input|User|Human)"
    r"|<\|?/?(?:im_|end|user|s\b|END_|start_|eot_)|</|INST\]|\nThe following (?:is|are)|\?[ *_]*\n\s*\**\(?A[.):]|\x00"
)
_HEAD = rf"(?s)\A(.*?)(?:(\n(?:Question|Q|Problem|Human|User):\s)|{_TURN})"


def read(rows: pl.DataFrame) -> pl.Series:
    """The letter that each `text` chooses; null where there is none, or the question has no such option."""
    found = rows.select("text", "question", "choices", answer=_clear())
    open_ = pl.col("answer").is_null() & pl.col("text").is_not_null()
    unclear = found.select("text", "question", "choices").filter(found.select(open_).to_series()).unique()
    if unclear.is_empty():
        return found["answer"]
    read = [read_text(text, question or "", None if choices is None else tuple(choices)) for text, question, choices in unclear.iter_rows()]
    careful = unclear.with_columns(careful=pl.Series(read, dtype=pl.String))
    found = found.join(careful, on=["text", "question", "choices"], how="left", nulls_equal=True, maintain_order="left")
    return found.select(pl.coalesce("answer", "careful").alias("answer")).to_series()


def gold(rows: pl.DataFrame) -> pl.Series:
    """The letter of each `gold`."""
    letter = pl.col("gold").str.to_uppercase().str.extract(r"^\W*([A-Z])\W*$")
    return rows.select(answer=pl.when(_is_option(letter).fill_null(True)).then(letter)).to_series()


def _clear() -> pl.Expr:
    """The letter where it is clear; null elsewhere."""
    text = pl.col("text")
    last = text.str.tail(_TAIL).str.extract(_LAST)
    return pl.when(_is_option(last) & ~text.str.contains_any(_WORDS)).then(last)


def _is_option(letter: pl.Expr) -> pl.Expr:
    """Whether there is an option for a letter; null without options."""
    return letter.str.to_integer(base=36, strict=False) - 10 < pl.col("choices").list.len()
