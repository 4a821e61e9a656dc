"""The effect of FEATURE_GAIN, the initial weight of features in the colour MLP.

    python studies/features.py SCENE --out paper/results/features-NAME.json [--gains 1,8]
        [--backbones full,sine-low-rank] [--seeds 1] [--steps 300] [--downscale N]

For networks without a feature grid, of rank 5, trained by Adam with otherwise default options. Each
result is saved when its fit ends; rerun the same command to resume.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from rates import USUAL, measure
from trials import Trials

from fieldlr.data import open_source
from fieldlr.fields import networks
from fieldlr.system.script import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gains", default=f"1,{networks.FEATURE_GAIN:g}")
    parser.add_argument("--backbones", default="full,sine-low-rank")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--downscale", type=int)
    words = parser.parse_args()
    source = open_source(words.scene, words.downscale)
    trials = Trials(words.out)
    backbones, gains = words.backbones.split(","), map(float, words.gains.split(","))
    for seed, backbone, gain in itertools.product(range(words.seeds), backbones, gains):
        setting = {"backbone": backbone, "seed": seed, "steps": words.steps, "feature_gain": gain}
        if trials.has(setting):
            continue
        networks.FEATURE_GAIN = gain
        rank = {} if backbone == "full" else {"rank": 5}
        trials.keep(measure(source, setting | rank | {"rates": USUAL, "optimizer": "adam"}))


if __name__ == "__main__":
    run_script(main)
