"""The tables and the drawing of studies/language_model.py."""

from __future__ import annotations

import statistics

from fieldlr.pictures.curves import Mark, Plot, Series
from studies.fits import ranged
from studies.results import Results, chosen, interval

TITLE = "LoRA and sine-LoRA on GLUE"


def scores(results: Results) -> list[float]:
    return [one["score"] for one in results]


def differences(results: Results, rank: int, task: str) -> list[float]:
    """The sine minus `low-rank` for each seed that both have."""
    kinds = [
        {one["seed"]: one["score"] for one in chosen(results, task=task, kind=kind, rank=rank)}
        for kind in ("sine-low-rank", "low-rank")
    ]
    return [kinds[0][seed] - kinds[1][seed] for seed in kinds[0] if seed in kinds[1]]


def table(results: Results) -> list[str]:
    """The lines of the tables: each setting, then the sine against `low-rank`."""
    tasks = list(dict.fromkeys(one["task"] for one in results))
    lines = [
        f"| trained | parameters | {' | '.join(tasks)} | seconds |",
        "|---" * (3 + len(tasks)) + "|",
    ]
    for parameters, kind, rank in sorted(
        {(r["parameters"], r["kind"], r["rank"]) for r in results}
    ):
        own = [chosen(results, task=task, kind=kind, rank=rank) for task in tasks]
        cells = [ranged(scores(few), ".2f") if few else "-" for few in own]
        seconds = statistics.mean(one["seconds"] for few in own for one in few)
        name = f"{kind}, k = {rank}" if rank else kind
        lines.append(f"| {name} | {parameters:,} | {' | '.join(cells)} | {seconds:,.0f} |")
    lines += ["", f"| k | {' | '.join(tasks)} | all |", "|---" * (2 + len(tasks)) + "|"]
    for rank in sorted({one["rank"] for one in results} - {0}):
        own = [differences(results, rank, task) for task in tasks]
        cells = [shown(few) for few in [*own, [value for few in own for value in few]]]
        lines.append(f"| {rank} | {' | '.join(cells)} |")
    return lines


def shown(values: list[float]) -> str:
    """The mean of differences, with its 95 % interval if there are several."""
    if not values:
        return "-"
    mean, low, high = interval(values)
    return f"{mean:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if len(values) > 1 else "")


def plot(results: Results) -> Plot:
    """Scores over trained parameters, a curve for each kind and task."""
    series = []
    for task in dict.fromkeys(one["task"] for one in results):
        for kind in ("low-rank", "sine-low-rank"):
            own = chosen(results, task=task, kind=kind)
            marks = []
            for parameters in sorted({one["parameters"] for one in own}):
                values = scores(chosen(own, parameters=parameters))
                marks.append(Mark(parameters, statistics.mean(values), min(values), max(values)))
            if marks:
                dashed = kind == "low-rank"
                series.append(Series(f"{task}, {kind}", marks, dashed=dashed, family=task))
    note = f"{results[0]['epochs']} epochs; MiniLM of 6 layers. Bars: range over seeds."
    return Plot(TITLE, "parameters of the adapters", "score on dev, %", series, notes=[note])
