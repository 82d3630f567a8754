"""`manyminds`: the commands, their options, and what the user sees when something is wrong.

    manyminds run infra/runs/demo.toml

Exit codes: 0, done; 1, something failed and can be run again; 2, bad input, in one line. Whatever is heavy is imported by
the command that needs it, so that `manyminds --help` answers at once.
"""

import argparse
import contextlib
import io
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from tasks.errors import UserError, nearest

if TYPE_CHECKING:
    from tasks.config import RunFile


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    with contextlib.suppress(ValueError):  # not in the main thread: whoever calls from there has signals of their own
        signal.signal(signal.SIGTERM, _stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not of UTF-8 lacks our marks, and letters of questions
    try:
        options = _parser().parse_args(arguments)
        return int(options.command(options) or 0)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        print("manyminds: stopped; run again to go on from here", file=sys.stderr)
        return 130
    except Exception as error:
        from flows.failures import told
        from flows.terminal import plain

        if (known := told(error)) is None:
            raise
        message, code = known
        print(f"manyminds: {plain(message)}", file=sys.stderr)
        return code


def _stop(number: int, frame: object) -> None:
    """End as Ctrl-C does, so that Prefect's temporary server and the engine's processes end too."""
    raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    """Its mistakes are said as all others are: in one line, with the nearest right word."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The same; an option that there is not comes before anything else that is wrong."""
        for word in sys.argv[1:] if args is None else args:
            if word == "--" or (self._subparsers is not None and not word.startswith("-")):  # a command, whose parser knows its options
                break
            option = word.partition("=")[0]
            if option.startswith("--") and not any(known.startswith(option) for known in self._option_string_actions):
                raise UserError(f"{self._name}unknown option {option}{nearest(option, self._option_string_actions)}")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise UserError."""
        if unknown := re.search(r"invalid choice: '?(.*?)'? \(choose from (.*)\)", message):
            raise UserError(f"{self._name}unknown command {unknown[1]!r}{nearest(unknown[1], re.findall(r'[-a-z]+', unknown[2]))}")
        message = message.replace("the following arguments are required:", "missing:").replace("missing: COMMAND", "missing: a command")
        raise UserError(f"{self._name}{message}; `{self.prog} --help` says what is expected")

    @property
    def _name(self) -> str:
        return self.prog.removeprefix("manyminds").strip() + (": " if " " in self.prog else "")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="manyminds", description="Build, evaluate and use a router for a pool of language models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = _command(commands, "run", "the whole DAG; only what is missing", _run)
    _run_file(run, optional=True)
    _outcomes(run)

    plan = _command(commands, "plan", "what would be sampled, and what it would cost; nothing is run", _plan)
    _run_file(plan, optional=True)
    _outcomes(plan)

    _run_file(_command(commands, "label", "read all answers again, vote, and say which labels changed; no sampling", _label))

    report = _command(commands, "report", "write the report and open it", _report)
    _run_file(report, optional=True)
    _outcomes(report)

    route = _command(commands, "route", "which model to ask", _route)
    _lake(route)
    _router(route)
    route.add_argument("question", nargs="?", help="the question")
    route.add_argument("--file", metavar="QUERIES", help="Parquet, JSONL or CSV with a column 'question' (and 'choices')")

    explain = _command(commands, "explain", "why a question goes to a model", _explain)
    _lake(explain)
    _router(explain)
    explain.add_argument("question", help="the question")
    _json(explain)

    show = _command(commands, "show", "one query: samples, votes, confidences, routes", _show)
    _lake(show)
    show.add_argument("query", help="its query_id, its source_id or a part of its text")
    _json(show)

    study = _command(commands, "study", "what the studies found, in words and figures", _study)
    study.add_argument("studies", nargs="*", metavar="STUDY", help="names, as in the run file: training-size pool; default: all")
    _lake(study)

    onboard = _command(commands, "onboard", "which training queries to sample a new model on first", _onboard)
    _lake(onboard)
    onboard.add_argument("--count", type=int, default=50, metavar="N", help="how many; default: 50")
    onboard.add_argument("--out", default="onboarding.parquet", metavar="FILE", help="Parquet or JSONL; default: onboarding.parquet")

    status = _command(commands, "status", "the lake at a glance", _status)
    _lake(status)
    _json(status)
    return parser


def _command(commands: "argparse._SubParsersAction[_Parser]", name: str, words: str, function: object) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    command.set_defaults(command=function)
    return command


def _run_file(command: argparse.ArgumentParser, optional: bool = False) -> None:
    command.add_argument("file", nargs="?" if optional else None, metavar="FILE.toml", help="the run file")
    command.add_argument("--lake", metavar="L", help="a folder or s3://bucket/prefix, instead of the run file's")
    command.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="KEY=VALUE", help="as if it stood in the run file: sampling.k=20"
    )


def _outcomes(command: argparse.ArgumentParser) -> None:
    words = "outcomes made elsewhere, as Parquet, JSONL or CSV: benchmark, question, model, score"
    command.add_argument("--outcomes", nargs="+", metavar="FILE", default=[], help=words)


def _lake(command: argparse.ArgumentParser) -> None:
    command.add_argument("--lake", metavar="L", required=True, help="a folder or s3://bucket/prefix")


def _router(command: argparse.ArgumentParser) -> None:
    command.add_argument("--router", metavar="R", help="default: the one that did best on validation queries")
    command.add_argument("--policy", metavar="P", help="default: the one that did best on validation queries")


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="one JSON document, for programs")


def _load(options: argparse.Namespace) -> "RunFile":
    from tasks.config import load_run

    return load_run(options.file, settings=options.settings, outcomes=getattr(options, "outcomes", []), lake=options.lake)


def _load_checked(options: argparse.Namespace) -> "RunFile":
    """The same, for what needs all of it; and whether its lake answers. Prefect takes seconds to start, so a mistake is found before."""
    from tasks.checking import check
    from tasks.lake.files import open_lake

    run = _load(options)
    check(run)
    if run.secrets is None:  # otherwise they may be needed there
        open_lake(run.lake)
    return run


def _quiet_prefect() -> None:
    """Prefect in place: its own server for the time of the run, its log for its UI, ours for the terminal.

    Only defaults: whoever has set these, or has a server, keeps what they have.
    """
    for name, value in {
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # as workers do: infra/automations.yaml takes silence for a crash
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "manyminds",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }.items():
        os.environ.setdefault(name, value)
    started = time.monotonic()

    class Line(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return f"{time.monotonic() - started:6.1f} s  {record.getMessage()}"

    handler = logging.StreamHandler()
    handler.setFormatter(Line())
    logger = logging.getLogger("manyminds")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _run(options: argparse.Namespace) -> None:
    run = _load_checked(options)
    _quiet_prefect()
    from flows.refresh import refresh

    logging.getLogger("manyminds").info("%s: lake %s", run.name, run.lake)
    report = refresh(run)
    from flows.verdict import print_verdict

    print_verdict(run.lake)
    print(f"\nReport: {report}")


def _plan(options: argparse.Namespace) -> None:
    from flows.planning import print_plan

    run = _load_checked(options)
    _find_secrets(run)
    print_plan(run)


def _find_secrets(run: "RunFile") -> None:
    """Credentials for a lake that is only read: Prefect, which takes seconds to start, is asked where the run file says so."""
    if run.secrets is not None:
        _quiet_prefect()
        from flows.secrets import load_secrets

        load_secrets(run)


def _label(options: argparse.Namespace) -> None:
    run = _load(options)
    _quiet_prefect()
    from flows.relabelling import print_relabelled

    print_relabelled(run)


def _report(options: argparse.Namespace) -> None:
    import webbrowser

    from flows.planning import plan
    from tasks.lake.files import Lake

    run = _load_checked(options)
    _find_secrets(run)
    if lacking := sum(one.to_draw for one in plan(run)):
        raise UserError(f"{lacking:,} samples are still to be drawn; expected a lake that `manyminds run` has filled")
    _run(options)
    lake = Lake(run.lake)
    if lake.is_local:
        webbrowser.open(f"file://{lake.location('report.html')}")


def _route(options: argparse.Namespace) -> None:
    from flows.routing import print_routes

    if (options.question is None) == (options.file is None):
        raise UserError("route: expected a question or --file, and not both")
    print_routes(options.lake, options.question, options.file, options.router, options.policy)


def _explain(options: argparse.Namespace) -> None:
    from flows.explaining import print_explanation

    print_explanation(options.lake, options.question, options.router, options.policy, options.json)


def _show(options: argparse.Namespace) -> None:
    from flows.showing import print_query

    print_query(options.lake, options.query, options.json)


def _study(options: argparse.Namespace) -> None:
    from flows.studying import print_studies

    print_studies(options.lake, options.studies)


def _onboard(options: argparse.Namespace) -> None:
    from flows.onboarding import print_onboarding

    print_onboarding(options.lake, options.count, options.out)


def _status(options: argparse.Namespace) -> None:
    from flows.status import print_status

    print_status(options.lake, options.json)


if __name__ == "__main__":
    sys.exit(main())
