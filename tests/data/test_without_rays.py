"""Pixels without a ray are left out of training and evaluation, and counted."""

import dataclasses

import pytest
import torch

from fieldlr.data import in_memory
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.invertible import invertible_pixels
from fieldlr.training.tasks.held_out import HeldOut
from fieldlr.training.tasks.pixels import TrainingPixels

VIEWS, SIZE = 8, (50, 40)


def views(k1=0.0):
    made = Cameras.orbit((0.0, 0.0, 0.0), 4.0, VIEWS, size=SIZE)
    focal = torch.tensor([[30.0, 30.0, 25.0, 20.0]]).repeat(VIEWS, 1)
    lens = torch.tensor([[k1, 0.0, 0.0, 0.0, 0.0, 0.0]]).repeat(VIEWS, 1)
    return dataclasses.replace(made, intrinsics=focal, distortion=lens)


def scene(k1=0.0, masks=None):
    images = torch.randint(256, (VIEWS, SIZE[1], SIZE[0], 3), dtype=torch.uint8).numpy()
    return in_memory.photos(images, views(k1), masks=masks).content


def test_they_are_left_out_and_counted():
    (good, *_) = invertible_pixels(views(-0.3))
    made = scene(-0.3)
    lost = int((~good).sum())
    assert 0 < lost < good.numel()
    assert len(TrainingPixels(made)) == len(made.train) * int(good.sum())
    _, mask = HeldOut(made, (0.0, 0.0, 0.0)).photo(made.test[0])
    assert torch.equal(mask, good)
    (warning,) = made.warnings
    assert warning.startswith(f"{VIEWS * lost:,} pixels (") and f"{VIEWS} views" in warning


def test_masks_of_the_user_stay():
    (good, *_) = invertible_pixels(views(-0.3))
    left = torch.zeros(SIZE[1], SIZE[0], dtype=torch.bool)
    left[:, :25] = True
    made = scene(-0.3, masks=[left.numpy()] * VIEWS)
    assert all(torch.equal(mask, left & good) for mask in made.masks)


def test_an_ideal_lens_needs_no_mask():
    assert scene().masks is None and scene().warnings == ()


def test_a_lens_that_leaves_no_pixel_is_refused():
    edge = torch.zeros(SIZE[1], SIZE[0], dtype=torch.bool)
    edge[0, 0] = True
    with pytest.raises(FieldlrError, match="no inverse at any pixel"):
        scene(-0.3, masks=[edge.numpy()] * VIEWS)
