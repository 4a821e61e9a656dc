"""Which photos look alike: pairs worth matching, found by the photos' own SIFT features.

Every photo becomes one vector, a VLAD (Jegou et al. 2010): its features are assigned to the words
of a small codebook, and each word sums how its features differ from it. The codebook is k-means of
the capture's own features, so that nothing is downloaded and nothing depends on other captures.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import normalize

WORDS, SAMPLED_FEATURES, ITERATIONS = 64, 40_000, 12
# How many of the most similar photos each photo is matched with.
MOST_SIMILAR = 20
# The largest features, which COLMAP lists last, are found again from further away.
FEATURES_A_PHOTO = 512

Descriptors = UInt8[Tensor, "_ 128"]  # of a photo, as COLMAP keeps them


def similar_pairs(photos: list[Descriptors], generator: torch.Generator) -> list[tuple[int, int]]:
    """Pairs (first < second) of photos: each with its MOST_SIMILAR others, and all connected.

    Neighbours alone may leave groups of photos that nothing joins; the tree of greatest similarity
    adds the likeliest joints.
    """
    features = [rooted(photo[-FEATURES_A_PHOTO:]) for photo in photos]
    sampled = _sample(features, generator)
    if len(sampled) < WORDS:
        return []  # Photos without texture have no features to compare.
    words = k_means(sampled, WORDS, generator)
    vectors = torch.stack([vlad(feature, words) for feature in features])
    alike = vectors @ vectors.T
    nearest = alike.clone().fill_diagonal_(-2.0).topk(min(MOST_SIMILAR, len(photos) - 1)).indices
    ends = [(i, j) for i, row in enumerate(nearest.tolist()) for j in row]
    return sorted({(min(pair), max(pair)) for pair in [*ends, *_tree(alike)]})


def rooted(descriptors: Descriptors) -> Float[Tensor, "_ 128"]:
    """Descriptors of unit length, on which Euclidean distance is the Hellinger kernel's.

    COLMAP stores the roots of L1-normalised SIFT (Arandjelovic and Zisserman 2012), times 512.
    """
    return normalize(descriptors.float(), dim=1)


def k_means(
    points: Float[Tensor, "n d"], count: int, generator: torch.Generator
) -> Float[Tensor, "{count} d"]:
    """Centres by Lloyd's iterations from random points; a centre that loses all stays."""
    centres = points[torch.randperm(len(points), generator=generator)[:count]].clone()
    for _ in range(ITERATIONS):
        nearest = nearest_centre(points, centres)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        members = nearest.bincount(minlength=count)[:, None]
        centres = torch.where(members > 0, sums / members.clamp(min=1), centres)
    return centres


def nearest_centre(
    points: Float[Tensor, "n d"], centres: Float[Tensor, "k d"]
) -> Int[Tensor, " n"]:
    """The index of every point's centre."""
    return (points @ centres.T - centres.square().sum(1) / 2).argmax(1)


def vlad(features: Float[Tensor, "n d"], words: Float[Tensor, "k d"]) -> Float[Tensor, " k*d"]:
    """The unit vector of a photo: residuals summed by word, roots of them, each word normalised."""
    nearest = nearest_centre(features, words)
    sums = torch.zeros_like(words).index_add_(0, nearest, features - words[nearest])
    # Square roots and norms per word keep repeated texture, such as leaves, from dominating.
    rooted_sums = sums.sign() * sums.abs().sqrt()
    return normalize(normalize(rooted_sums, dim=1).flatten(), dim=0)


def _sample(features: list[Tensor], generator: torch.Generator) -> Float[Tensor, "n 128"]:
    """Features of all photos, evenly from each."""
    each = max(SAMPLED_FEATURES // len(features), 1)
    drawn = [f[torch.randperm(len(f), generator=generator)[:each]] for f in features]
    return torch.cat(drawn)


def _tree(alike: Float[Tensor, "n n"]) -> list[tuple[int, int]]:
    """The edges of the spanning tree of greatest similarity."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    # In a sparse graph zero means no edge, so distances are kept above it.
    distances = (1.0 - alike).clamp(min=0.0) + 1e-3
    tree = minimum_spanning_tree(distances.fill_diagonal_(0.0).numpy()).tocoo()
    return list(zip(tree.row.tolist(), tree.col.tolist(), strict=True))
