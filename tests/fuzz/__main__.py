"""Tries damaged inputs of every format for some minutes, and says what came of them.

python -m tests.fuzz --minutes 10 [--only "PLY,GLB"] [--seed 1] [--out fuzz.json]

Each format has a process of its own, with a limit on its memory; an input that ends the process
is kept like one that ends in a traceback. Linux alone.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from tests.fuzz.damage import random_edits
from tests.fuzz.targets import TARGETS
from tests.fuzz.trial import MOST_SECONDS, Tally, Trial, keep


def attack(name: str, seconds: float, seed: int, crashes: Path) -> Tally:
    """Tries inputs of one format for so long, in this process."""
    draw, seen = random.Random(f"{seed} {name}"), set()
    with Trial(TARGETS[name], crashes / "last-input") as trial:
        until = monotonic() + seconds
        while monotonic() < until:
            edits = random_edits(draw)
            problem = trial(edits)
            last = problem[-200:]
            if problem and last not in seen:  # one of each kind is enough to read
                seen.add(last)
                print(f"{keep(problem, trial, edits, crashes)}\n{problem}", file=sys.stderr)
        return trial.tally


def attack_apart(name: str, seconds: float, seed: int, crashes: Path) -> Tally:
    """The same in a process of its own, whose end is a crash too."""
    words = ["--child", name, "--seconds", str(seconds), "--seed", str(seed), "--crashes", crashes]
    command = [sys.executable, "-m", "tests.fuzz", *map(str, words)]
    patience = seconds + 60.0 + 3 * MOST_SECONDS
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=patience)
        return Tally(**json.loads(done.stdout))
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        kept = crashes / f"killer-{len(list(crashes.iterdir()))}"
        (crashes / "last-input").rename(kept)
        print(f"{name}: {kept} ended its process: {error}", file=sys.stderr)
        return Tally(tried=1, crashes=1)


def row(name: str, tally: Tally) -> str:
    return (
        f"{name:>20}  inputs tried {tally.tried:>8,}, read {tally.good:>7,}, crashes "
        f"{tally.crashes}, slowest {tally.slowest:.2f} s, most memory "
        f"{tally.most_bytes / 2**20:.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--only", default=",".join(TARGETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--crashes", type=Path, help="where inputs that went wrong are kept")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(asdict(attack(asked.child, asked.seconds, asked.seed, asked.crashes))))
        return
    crashes = asked.crashes or Path(tempfile.mkdtemp(prefix="fuzz-"))
    crashes.mkdir(parents=True, exist_ok=True)
    names = [name.strip() for name in asked.only.split(",")] if asked.only else list(TARGETS)
    tallies = {}
    for name in names:
        tallies[name] = attack_apart(name, 60.0 * asked.minutes / len(names), asked.seed, crashes)
        print(row(name, tallies[name]), flush=True)
    whole = list(tallies.values())
    total = Tally(
        sum(t.tried for t in whole),
        sum(t.good for t in whole),
        sum(t.crashes for t in whole),
        max(t.slowest for t in whole),
        max(t.most_bytes for t in whole),
    )
    print(row("all", total))
    if asked.out:
        asked.out.write_text(json.dumps({n: asdict(t) for n, t in tallies.items()}, indent=1))
    sys.exit(total.crashes > 0)


if __name__ == "__main__":
    main()
