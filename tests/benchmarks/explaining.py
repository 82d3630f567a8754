"""How long `manyminds explain` and `route` take from a cold start, beside the import of what both cannot do without.

    .venv/bin/python tests/benchmarks/explaining.py lakes/demo [ROUTER …]

Each command is a process of its own, and they take turns, so that whatever else the machine does slows all alike. CPU time is what the
process itself needed; on a machine that does nothing else wall time is little more. The first round, in which files are read from disk, is
left out.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 7
QUESTION = "Write 8294 backwards."
MANYMINDS = str(Path(sys.executable).with_name("manyminds"))


def main(lake: str, routers: list[str]) -> None:
    commands = {"import polars, numpy": [sys.executable, "-c", "import polars, numpy"]}
    for router in routers or [""]:
        chosen = ["--router", router] if router else []
        for command in ("route", "explain"):
            commands[f"{command} {router or '(default router)'}"] = [MANYMINDS, command, "--lake", lake, *chosen, QUESTION]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(ROUNDS + 1):
        for name, command in commands.items():
            taken[name].append(_seconds(command))
    print("| | wall, s | CPU, s | times the import's CPU |\n| --- | ---: | ---: | ---: |")  # noqa: T201
    median = {name: [statistics.median(column) for column in zip(*times[1:], strict=True)] for name, times in taken.items()}
    least = next(iter(median.values()))[1]
    for name, (wall, cpu) in median.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {cpu / least:.1f} |")  # noqa: T201


def _seconds(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a process. Raises CalledProcessError if it fails."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return time.perf_counter() - began, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
