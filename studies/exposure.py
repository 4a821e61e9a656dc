"""The gain of `--correct exposure` where photos differ in brightness and white balance.

    python -m studies.exposure $FIELDLR_DATA/scenes/fox --downscale 8 --steps 900

Each training photo and each of its colour channels is multiplied by a random factor; held-out
photos are unchanged. Three fits: of the original photos, of the changed ones, and of the changed
ones with the correction.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch

from fieldlr.data import open_source
from fieldlr.data.scene import Scene
from fieldlr.system.script import run_script
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit

# Standard deviations of log gains: of a photo's brightness, and of each colour channel.
BRIGHTNESS, COLOR = 0.15, 0.045


def changed(scene: Scene, generator: torch.Generator) -> Scene:
    """The scene with randomly changed exposures of its training photos."""
    images = list(scene.images)
    for view in scene.train:
        brightness = BRIGHTNESS * torch.randn(1, generator=generator)
        factors = (brightness + COLOR * torch.randn(3, generator=generator)).exp()
        image = images[view].float()
        image[..., :3] *= factors
        images[view] = image.clamp(0.0, 255.0).to(torch.uint8)
    return dataclasses.replace(scene, images=images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--downscale", type=int, default=1)
    parser.add_argument("--steps", type=int, default=900)
    words = parser.parse_args()
    source = open_source(words.source, words.downscale)
    other = changed(source.content, torch.Generator().manual_seed(5))
    mixed = dataclasses.replace(source, content=other)
    ways = {
        "original photos": (source, "nothing"),
        "random exposures": (mixed, "nothing"),
        "random exposures, --correct exposure": (mixed, "exposure"),
    }
    for name, (own, correct) in ways.items():
        options = FitOptions.of(correct=correct).settled()
        task = make_task(own, options)
        state = start_fit(task, field_config(options, own.kind), 0)
        for _ in fit(state, FitConfig(steps=words.steps)):
            pass
        found = task.evaluate(state.field.eval())
        print(f"{name:30} {found['psnr_db']:.2f} dB, SSIM {found['ssim']:.3f}", flush=True)


if __name__ == "__main__":
    run_script(main)
