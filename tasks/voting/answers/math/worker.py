r"""The program that compares two expressions with math-verify, in a process of its own (`process.py` starts it).

    standard input    ["2x+1","1+2x"]     one pair a line, as JSON
    standard output   ready               once sympy is imported, half a second later
                      true                one line for each pair: true or false

It is given two seconds of CPU for each pair, and memory, by the kernel, which ends it when it takes more, whatever sympy is doing. It has
no more rights than it needs: it cannot write a file, start a program or open a connection. Only the parser of LaTeX is used, not
math-verify's `parse`, which looks for an answer in a text and hands what it finds to sympy's `parse_expr`, so to eval; of what a model
wrote, eval then only sees the numbers, as tokens of digits (`sympy.Number("12")`).
"""

import functools
import json
import resource
import signal
import sys
from collections.abc import Callable

_SECONDS = 2.0  # of CPU for each pair
_MEMORY = 2**31  # bytes of address space; with sympy it starts at a fifth
_REFUSED = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pty.", "webbrowser.")  # of Python's audit events
_PARSED = 4096  # expressions kept


def main() -> None:
    """Answer until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    same = _comparison()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.dont_write_bytecode = True
    sys.addaudithook(_refuse)
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        left, right = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)  # SIGPROF, which nobody handles, ends the process
        answer = same(left, right)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(answer), flush=True)  # noqa: T201


def _comparison() -> Callable[[str, str], bool]:
    import logging

    import sympy
    from math_verify.grader import verify
    from math_verify.parser import latex2sympy

    logging.disable()
    known = {"e": sympy.E, "i": sympy.I}

    @functools.lru_cache(maxsize=_PARSED)
    def parsed(text: str) -> object:
        expression = latex2sympy(text, is_real=True, convert_degrees=False, normalization_config=None)
        # To its parser e and i are letters. Whether two agree at negative numbers, too, has been tried before.
        meant = {one: known.get(one.name, sympy.Symbol(one.name, positive=True)) for one in expression.free_symbols}
        return expression.xreplace(meant)

    def same(left: str, right: str) -> bool:
        try:
            pair = parsed(left), parsed(right)
            # Which of the two is gold makes a difference to math-verify, and none to us.
            return bool(verify(*pair, timeout_seconds=None) or verify(*pair[::-1], timeout_seconds=None))
        except Exception:  # sympy raises whatever it likes
            return False

    return same


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(_REFUSED) and event not in ("os.listdir", "os.scandir"):  # with these two, modules are imported
        raise PermissionError(event)


if __name__ == "__main__":
    main()
