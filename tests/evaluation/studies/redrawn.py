"""The five models of the embedded world on their training questions and on twenty other draws of as many test questions, once and for all.

    python tests/evaluation/studies/redrawn.py       # samples anew and writes redrawn.parquet: about 25 CPU minutes

One row is one question of one draw: `draw` 0 are the 384 training questions, 1 … 20 are 240 test questions each, drawn with that seed;
`subject`; and for each model how many of ten samples are right, and 100 more if the majority of them is. What a model has been trained
on is fixed by its weights, so another seed of the split is another draw of the test questions, of which the world has at least 1,600 of
each skill and difficulty. Another run samples other answers, and comes to the same but for their luck.
"""

from collections import Counter
from pathlib import Path

import polars as pl

from tasks.world.questions import Entry, benchmark_problems

FILE = Path(__file__).with_suffix(".parquet")
DRAWS = 20
MODELS = ("almanac", "atlas", "general", "ledger", "scribe")
AT_ONCE = 480


def main() -> None:
    """Sample every model on every question that is in some draw, and write the file."""
    import torch

    torch.set_num_threads(1)
    draws = [[entry for entry in benchmark_problems() if entry.split == "train"]]
    draws += [benchmark_problems(0, 0, 10, seed) for seed in range(1, DRAWS + 1)]
    distinct = list({_content(entry): entry for draw in draws for entry in draw}.values())
    right = {model: dict(zip(map(_content, distinct), _right(model, distinct), strict=True)) for model in MODELS}
    rows = [
        {"draw": number, "subject": entry.problem.skill} | {model: right[model][_content(entry)] for model in MODELS}
        for number, draw in enumerate(draws)
        for entry in draw
    ]
    pl.DataFrame(rows, schema_overrides={"draw": pl.Int8} | dict.fromkeys(MODELS, pl.Int8)).write_parquet(FILE, compression="zstd")


def _content(entry: Entry) -> tuple[str, tuple[str, ...]]:
    return entry.problem.question, tuple(entry.problem.choices)


def _right(model: str, entries: list[Entry]) -> list[int]:
    """How many of ten samples equal gold, and 100 more if their majority does; a tie goes to the answer seen first."""
    from tasks.world import measure

    found = []
    for start in range(0, len(entries), AT_ONCE):
        problems = [entry.problem for entry in entries[start : start + AT_ONCE]]
        for problem, texts in measure._sample(Path(measure.__file__).parent / "models" / model, problems, 10, start):
            read = [answer for text in texts if (answer := measure._read(problem, text)) is not None]
            voted = bool(read) and Counter(read).most_common(1)[0][0] == problem.gold
            found.append(read.count(problem.gold) + 100 * voted)
    return found


if __name__ == "__main__":
    main()
