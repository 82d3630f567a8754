r"""One notation for what LaTeX, Unicode and plain text write in many ways.

    "\dfrac12", "½"                     →  "\frac{1}{2}"
    "2*x**2", "2\times x^{2}"           →  "2\cdot x^2"
    "\left\{ 1;2 \right\}"              →  "\{ 1,2 \}"
    "\mathrm{even}"                     →  "\text{even}"
    "\begin{bmatrix}1\end{bmatrix}"     →  "\begin{matrix}1\end{matrix}"
    "3 million"                         →  "3\cdot {1000000}"

A list of replacements of texts, in order, that know nothing of each other: what is meant, and spaces, stay.
"""

import re
import unicodedata

_CHARACTERS = {
    **dict.fromkeys("−–—‐‑﹣－", "-"),
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\x00", ""),
    **{"×": r"\cdot ", "·": r"\cdot ", "⋅": r"\cdot ", "∗": r"\cdot ", "÷": "/", "⁄": "/", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne "},
    **{
        "∞": r"\infty ",
        "π": r"\pi ",
        "°": r"^\circ ",
        "±": r"\pm ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∈": r"\in ",
        "≈": r"\approx ",
        "∅": r"\emptyset ",
    },
    **{"ℝ": r"\mathbb{R}", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "φ": r"\phi ", "√": r"\sqrt "},
    **{"¼": r"\frac{1}{4}", "½": r"\frac{1}{2}", "¾": r"\frac{3}{4}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "“": "", "”": ""},
    **{mark: f"^{digit}" for digit, mark in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{mark: f"_{digit}" for digit, mark in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
_TABLE = str.maketrans(_CHARACTERS)

_MULTIPLES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_MULTIPLE = re.compile(rf"(?i)(?<=\d)\s*(\\text\{{)?\s*({'|'.join(_MULTIPLES)})\b")
_DOTS = re.compile(r"(\d*\.\d*?)(\d)\2\2+\s*(?:\.\.\.|\\[lc]?dots)")
FONT = r"text|textbf|textit|textrm|textnormal|texttt|textsf|mathrm|mathbf|mathit|mathsf|mathtt|mbox|hbox|boldsymbol|bm|operatorname\*?"
# In this order; an answer is short, so that a pattern may look ahead.
_REWRITTEN: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r"\1"),
        (r"\\begin\{(?:[pbB]?matrix|smallmatrix|array)\}(?:\s*\{[lcr| ]*\})?", r"\\begin{matrix}"),
        (r"\\end\{(?:[pbB]?matrix|smallmatrix|array)\}", r"\\end{matrix}"),
        (r"\\(?:begin|end)\{(?:aligned|align\*?|equation\*?|gathered|split)\}", ""),
        (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|middle)(?![a-zA-Z])\.?", ""),
        (r"(?:[(\[|]\s*)?(\\begin\{matrix\}.*?\\end\{matrix\})(?:\s*[)\]|])?", r"\1"),
        (r"(?<=\d)(?:\{,\}|\\,|\\!\s*,?|,\s*\\!)(?=\d{3}(?!\d))", ""),
        (r"(?<!\\)\\(?:[,;:!> ~]|q?quad(?![a-zA-Z])|hspace\{[^{}]*\})|~", " "),
        (r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]", r"\\\\\\\\"),
        (r"(?<!\\)\\[()\[\]](?![a-zA-Z])|(?<!\\)\$|\\\$|[£€]", ""),
        (r"\\(?:math(?:bf|it|sf|rm)|boldsymbol|bm)\s*\{\s*([a-zA-Z])\s*\}", r"\1 "),
        (rf"\\(?:{FONT})\s*\{{\s*(-?[\d.,]+)\s*\}}", r"\1 "),
        (rf"\\(?:{FONT})\s*\{{", r"\\text{"),
        (r"(?i)^(?:\\text\{)?\s*(?:the\s+)?(?:final\s+|correct\s+)?answer(?:\s+is|:)\s*:?\s*\}?", ""),
        (r"\\text\{\s*\(?([A-Z]{1,3})\)?\s*(?:(?:,|and|or|, and)\s*\(?([A-Z]{1,3})\)?\s*)?\}", r"\\text{\1}, \\text{\2}"),
        (r", \\text\{\}", ""),
        (r"(^|[,(=])\s*\\text\{\s*([A-Z]{1,3})\s*\}", r"\1\2"),
        (r"\\text\{\s*(?::|to)\s*\}|(?<=\d)\s+to\s+(?=\d)", ":"),
        (r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([-+]?\d{1,4})(?![\w.])", r"\1\\cdot 10^{\2}"),
        (r"(?<=\d)\s*[xX]\s*(?=10\s*\^)", r"\\cdot "),
        (r"\{\s*([^{}]*)\\choose\s+([^{}]*)\}", r"\\binom{\1}{\2}"),
        (r"\{\\(?:rm|bf|it)\s+([^{}]*)\}", r"\\text{\1}"),
        (r"\\mathbb\s*\{?\s*([A-Z])\s*\}?", r"\\mathbb{\1}"),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
        (r"\\binom\s*(\d)\s*(\d)", r"\\binom{\1}{\2}"),
        (r"\\lg(?![a-zA-Z])", r"\\log"),
        (r"\\text\{\s*\}|\\(?:bf|it|rm|color\s*\{[^{}]*\}|[vh]?phantom\s*\{[^{}]*\})(?![a-zA-Z])", " "),
        (r"\\textcolor\s*\{[^{}]*\}", ""),
        (r"^.*\\equiv(?![a-zA-Z])|\\p?mod\s*(?:\{\s*\w+\s*\}|\w+)\s*$|\(\s*\\[bp]?mod\s*\w+\s*\)\s*$", ""),
        (r"(?<![\\a-zA-Z])(?:sqrt|frac|infty|cdot|pi|sin|cos|tan|log|ln)(?![a-zA-Z])", r"\\\g<0>"),
        (r"(?i)(?<![\\a-zA-Z])(?:infinity|inf)(?![a-zA-Z])", r"\\infty "),
        (r"\*\*", "^"),
        (r"\\(?:cdot|times|ast)(?![a-zA-Z])|\*(?!\*)", r"\\cdot "),
        (r"\\leq?(?:slant)?(?![a-zA-Z])|<=", r"\\le "),
        (r"\\geq?(?:slant)?(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\neq?(?![a-zA-Z])|\\not\s*=|!=", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\[lr]?vert(?![a-zA-Z])|\\mid(?![a-zA-Z])", "|"),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"\\mathbb\{R\}\s*(?:\\setminus|\\backslash|-)\s*\\\{([^{},]*)\\\}", r"(-\\infty,\1)\\cup (\1,\\infty)"),
        (r"^\\\{\s*[a-zA-Z]\s*(?:\\in\s*\\mathbb\{R\})?\s*[|:](.*)\\\}$", r"\1"),
        (r"\\varnothing(?![a-zA-Z])|\\\{\s*\\\}", r"\\emptyset "),
        (r"\\(?:ldots|dots|cdots)(?![a-zA-Z])", r"\\ldots "),
        (r"\\text\{\s*(?:,?\s*(?:and|or),?)\s*\}|(?<![\\a-zA-Z])(?:and|or)(?![a-zA-Z])|;", ","),
        (r"\\%|(?i:\\text\{\s*(?:percent|%|\\%)\s*\}|(?<![a-zA-Z])percent\b)", "%"),
        (r"\\sqrt\s*(\d+|[a-zA-Z])", r"\\sqrt{\1}"),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\w)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*\{([^{}]*)\}\s*(\w)", r"\\frac{\1}{\2}"),
        (r"\\log_(\d)(?=\d)", r"\\log_{\1}"),
        (r"([\^_])\s*(\w)\s+(?=\d)", r"\1{\2}"),
        (r"([\^_])\s*\{\s*(\w)\s*\}(?!\s*\d)", r"\1\2"),
        (r"(\d)\s+(\d+)\s*/\s*(\d+)", r"\1\\frac{\2}{\3}"),
        (r"(?<![\w./])(\d+)/(\d+)(?=\s*[a-zA-Z(\\])(?!\s*\\cdot|\s*\\text|\s*\\c[ua]p)", r"\\frac{\1}{\2}"),
        (r",(?:\s*,)+", ","),
    ]
]


def in_one_notation(text: str) -> str:
    """`text` without fonts, sizes and shapes of brackets, in characters of ASCII and commands of LaTeX."""
    text = _DOTS.sub(r"\1\\overline{\2}", unicodedata.normalize("NFKC", text.translate(_TABLE)))
    text = _MULTIPLE.sub(lambda found: f"\\cdot {{{_MULTIPLES[found[2].lower()]}}}{found[1] or ''}", text)
    text = text.strip().strip('*`"').removeprefix("'").rstrip(".,:; \n").strip()
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    return text
