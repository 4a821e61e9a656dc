"""The table and the drawing of studies/vision_transformer.py."""

from __future__ import annotations

import statistics

from fieldlr.pictures.curves import Mark, Plot, Series
from studies.fits import ranged
from studies.results import Results, chosen, interval

TITLE = "vision transformers on CIFAR-100"


def shares(results: Results) -> list[float]:
    """Accuracies in per cent."""
    return [100.0 * one["accuracy"] for one in results]


def compared(results: Results, rank: int, other: str) -> str:
    """The sine against another kind at a rank, over the seeds that both have."""
    sine = {r["seed"]: r for r in chosen(results, kind="sine-low-rank", rank=rank, omega="auto")}
    rest = {r["seed"]: r for r in chosen(results, kind=other, rank=rank)}
    both = [seed for seed in sine if seed in rest]
    if not both:
        return "-"
    change = [100.0 * (sine[seed]["accuracy"] - rest[seed]["accuracy"]) for seed in both]
    mean, low, high = interval(change)
    return f"{mean:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if len(both) > 1 else "")


def table(results: Results) -> list[str]:
    """The lines of the tables: each setting, then the sine against the others."""
    lines = [
        "| feed-forward layers | parameters | share | accuracy, % (range) | seeds | loss | s |",
        "|---|---|---|---|---|---|---|",
    ]
    full = max((one["parameters"] for one in chosen(results, kind="full")), default=None)
    named = [(r["parameters"], r["kind"], r["rank"], r["omega"]) for r in results]
    for parameters, kind, rank, omega in sorted(set(named), key=str):
        own = chosen(results, kind=kind, rank=rank, omega=omega)
        tuned = f", omega {omega}" if isinstance(omega, int) else ""
        share = f"{100.0 * parameters / full:.1f} %" if full else "-"
        loss, seconds = (statistics.mean(r[name] for r in own) for name in ("loss", "seconds"))
        name = kind if kind == "full" else f"{kind}, k = {rank}{tuned}"
        lines.append(
            f"| {name} | {parameters:,} | {share} | {ranged(shares(own), '.2f')} | {len(own)} "
            f"| {loss:.3f} | {seconds:,.0f} |"
        )
    lines += ["", "| k | sine - low-rank, % (95 %) | sine - narrow, % (95 %) |", "|---|---|---|"]
    for rank in sorted({one["rank"] for one in results} - {0}):
        against = (compared(results, rank, other) for other in ("low-rank", "narrow"))
        lines.append(f"| {rank} | {' | '.join(against)} |")
    return lines


def plot(results: Results) -> Plot:
    """Accuracy over the parameters of the network, a curve for each kind."""
    series = []
    for kind in ("low-rank", "sine-low-rank", "narrow", "full"):
        marks = []
        own = [r for r in chosen(results, kind=kind) if not isinstance(r["omega"], int)]
        for parameters in sorted({one["parameters"] for one in own}):
            values = shares(chosen(own, parameters=parameters))
            marks.append(Mark(parameters, statistics.mean(values), min(values), max(values)))
        if marks:
            name = "narrow dense" if kind == "narrow" else kind
            series.append(Series(name, marks))
    sizes = results[0]
    note = (
        f"{sizes['images']:,} training images, {sizes['epochs']} epochs; width {sizes['width']}, "
        f"{sizes['depth']} layers. Bars: range over seeds."
    )
    return Plot(TITLE, "parameters of the network", "accuracy, %", series, notes=[note])
