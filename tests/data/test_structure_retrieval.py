"""Photos of one place are found by their features, whatever their order."""

import pytest
import torch

from fieldlr.data import structure_retrieval
from fieldlr.data.structure_retrieval import (
    ITERATIONS,
    k_means,
    nearest_centre,
    rooted,
    similar_pairs,
    vlad,
)

PLACES, VIEWS = 4, 5


def descriptors(generator: torch.Generator) -> list[torch.Tensor]:
    """Photos (in turn) of several places: their features with noise, and some of no place."""
    places = [torch.rand(300, 128, generator=generator) ** 4 for _ in range(PLACES)]
    photos = []
    for _ in range(VIEWS):
        for place in places:
            seen = place[torch.randperm(300, generator=generator)[:150]]
            noisy = (seen + 0.05 * torch.rand(seen.shape, generator=generator)).clamp(0, 1)
            alone = torch.rand(100, 128, generator=generator) ** 4
            photos.append((255 * torch.cat([noisy, alone])).to(torch.uint8))
    return photos


def test_photos_of_one_place_are_paired(generator, monkeypatch):
    monkeypatch.setattr(structure_retrieval, "MOST_SIMILAR", VIEWS - 1)
    pairs = similar_pairs(descriptors(generator), generator)
    count = PLACES * VIEWS
    same = {(i, j) for i in range(count) for j in range(i + 1, count) if (j - i) % PLACES == 0}
    assert same <= set(pairs)
    assert len(pairs) < 2 * len(same)


def test_groups_are_joined(generator, monkeypatch):
    monkeypatch.setattr(structure_retrieval, "MOST_SIMILAR", 1)
    pairs = similar_pairs(descriptors(generator), generator)
    group = list(range(PLACES * VIEWS))
    for first, second in pairs:
        group = [group[first] if label == group[second] else label for label in group]
    assert len(set(group)) == 1


def test_photos_without_features_give_no_pairs(generator):
    assert similar_pairs([torch.zeros(0, 128, dtype=torch.uint8)] * 5, generator) == []


def test_one_photo_without_features_does_no_harm(generator):
    photos = [*descriptors(generator), torch.zeros(0, 128, dtype=torch.uint8)]
    pairs = similar_pairs(photos, generator)
    assert all(0 <= first < second < len(photos) for first, second in pairs)


def test_the_vector_of_a_photo_has_unit_length_and_knows_no_order(generator):
    features, others = (rooted(photo) for photo in descriptors(generator)[:2])
    words = k_means(others, 8, generator)
    vector = vlad(features, words)
    assert vector.norm().item() == pytest.approx(1.0, abs=1e-5)
    turned = vlad(features[torch.randperm(len(features), generator=generator)], words)
    assert torch.allclose(vector, turned, atol=1e-3)


def test_k_means_finds_separate_clusters(generator):
    centres = 20 * torch.randn(4, 3, generator=generator)
    points = (centres.repeat(50, 1) + 0.1 * torch.randn(200, 3, generator=generator)).contiguous()
    # Lloyd's iterations may end in a worse place; from these points they do not.
    found = k_means(points, 4, generator)
    assert ITERATIONS >= 5
    assert sorted(nearest_centre(points, found).bincount(minlength=4).tolist())[-1] <= 100
    assert torch.cdist(points, found).min(1).values.median() < 0.5
