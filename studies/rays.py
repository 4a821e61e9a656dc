"""Comparison of ray sampling: uniform, by error, and starting with downscaled photos.

    python studies/rays.py SOURCE [--downscale N] [--steps 600]

Three fits with equal steps of about equal cost: pixels drawn uniformly; half of them from tiles in
proportion to their latest error; the first third of the steps on photos of half the size. Prints
the PSNR of downscaled held-out views.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fieldlr.data import open_source
from fieldlr.rendering.render import render_rays
from fieldlr.rendering.samplers import sampler_for
from fieldlr.system.script import run_script
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit
from fieldlr.training.tasks import RadianceTask
from fieldlr.training.tasks.pixels import TrainingPixels
from fieldlr.training.tasks.radiance import GRID_EVERY

TILE, BY_ERROR, FADE = (
    64,
    0.5,
    0.5,
)  # pixels of a tile (in a row), fraction of rays drawn by error, weight of the newest error


class ErrorSampledPixels(TrainingPixels):
    """Pixels, a fraction of which is drawn from rows of TILE pixels by their error."""

    def __init__(self, scene):
        super().__init__(scene)
        self.errors = torch.ones(-(-len(self) // TILE))

    def choose(self, count, generator):
        by_error = int(BY_ERROR * count)
        tiles = torch.multinomial(self.errors, by_error, replacement=True, generator=generator)
        within = torch.randint(TILE, (by_error,), generator=generator)
        chosen = (tiles * TILE + within).clamp_max(len(self) - 1)
        evenly = torch.randint(len(self), (count - by_error,), generator=generator)
        self.chosen = torch.cat([chosen, evenly])
        return self.chosen

    def learn(self, errors):
        tiles = self.chosen // TILE
        sums = torch.zeros_like(self.errors).index_add_(0, tiles, errors)
        counts = torch.zeros_like(self.errors).index_add_(0, tiles, torch.ones_like(errors))
        new = sums / counts.clamp_min(1.0)
        self.errors = torch.where(counts > 0, self.errors.lerp(new, FADE), self.errors)


class ErrorSampledTask(RadianceTask):
    """A task whose pixels are drawn by their errors."""

    def __init__(self, task: RadianceTask):
        super().__init__(task.scene, task.settings)
        self.pixels = ErrorSampledPixels(task.scene)

    def loss(self, field, generator, progress):
        steps, samples_per_ray = field.training_state.tolist()
        if steps % GRID_EVERY == 0:
            self._update_grid(field, generator)
        num_rays = self._rays_for(field, samples_per_ray)
        drawn = self.draw(num_rays, generator, torch.device("cpu"))
        seen, num_samples = render_rays(
            field, drawn.rays, drawn.background, generator, sampler=sampler_for(field)
        )
        field.training_state.copy_(torch.tensor([steps + 1.0, num_samples / num_rays]))
        errors = ((seen[0].rgb - drawn.target) ** 2).mean(-1)
        self.pixels.learn(errors.detach())
        return errors.mean(), num_samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--downscale", type=int, default=1)
    parser.add_argument("--steps", type=int, default=600)
    words = parser.parse_args()
    options = FitOptions().settled()
    source = open_source(words.source, words.downscale)
    small = open_source(words.source, 2 * words.downscale)
    task = make_task(source, options)
    ways = {
        "uniform": (task, None),
        "half by error": (ErrorSampledTask(task), None),
        "first third on downscaled photos": (task, make_task(small, options)),
    }
    for name, (own, first) in ways.items():
        state = start_fit(own, field_config(options, source.kind), 0, torch.device("cpu"))
        for report in fit(state, FitConfig(steps=words.steps)):
            state.task = first if first is not None and report.progress < 1 / 3 else own
        print(
            f"{name:38} {task.quality(state.field):.2f} dB, {state.samples:,} samples, "
            f"{state.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    run_script(main)
