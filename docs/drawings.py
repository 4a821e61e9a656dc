"""Draws the pictures of docs/conventions.md, as SVG in docs/drawings/.

    python docs/drawings.py

Each is a card of its own with a light ground, so that it reads on light and on dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

OUT = Path(__file__).resolve().parent / "drawings"
Point = tuple[float, float]
INK, GREY, FAINT = "#263238", "#78909c", "#cfd8dc"
RED, GREEN, BLUE, ORANGE = "#c62828", "#2e7d32", "#1565c0", "#ef6c00"


def card(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """An SVG with a light ground and a title for screen readers."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="14">'
    )
    ground = f'<rect width="{width}" height="{height}" rx="8" fill="#fafafa"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, *parts, "</svg>", ""])


def text(
    at: Point, words: str, color: str = INK, anchor: str = "middle", bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{at[0]:.1f}" y="{at[1]:.1f}"'
    return f'<text {place} fill="{color}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'


def line(a: Point, b: Point, color: str = INK, width: float = 1.5, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    ends = f'x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"'
    return f'<line {ends} stroke="{color}" stroke-width="{width}"{dashed}/>'


def shape(points: Sequence[Point], stroke: str, fill: str = "none", width: float = 1.5) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{places}" fill="{fill}" stroke="{stroke}" stroke-width="{width}"/>'


def circle(at: Point, radius: float, stroke: str, fill: str = "none", dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    place = f'cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:.1f}"'
    return f'<circle {place} fill="{fill}" stroke="{stroke}" stroke-width="1.5"{dashed}/>'


def arrow(a: Point, b: Point, color: str, label: str = "") -> list[str]:
    """A line with a head at b, and a label beyond it."""
    angle = math.atan2(b[1] - a[1], b[0] - a[0])
    barbs = (angle + 2.7, angle - 2.7)
    head = [b, *((b[0] + 10 * math.cos(turn), b[1] + 10 * math.sin(turn)) for turn in barbs)]
    beyond = (b[0] + 16 * math.cos(angle), b[1] + 16 * math.sin(angle) + 5)
    return [line(a, b, color, 2.5), shape(head, color, color, 1), text(beyond, label, color)]


def oblique(origin: Point, scale: float) -> Callable[[float, float, float], Point]:
    """A drawing of 3-D points: +X right and down, +Y right and up, +Z up."""

    def place(x: float, y: float, z: float) -> Point:
        across, down = 0.87 * x + 0.87 * y, 0.35 * x - 0.35 * y - z
        return origin[0] + scale * across, origin[1] + scale * down

    return place


def axes(origin: Point, ends: Sequence[tuple[Point, str, str]]) -> list[str]:
    """Arrows from one origin: (offset, colour, label) each."""
    parts: list[str] = []
    for (dx, dy), color, label in ends:
        parts += arrow(origin, (origin[0] + dx, origin[1] + dy), color, label)
    return parts


def frames() -> str:
    """The world with a camera in it, and the camera axes of two conventions."""
    parts = [text((150, 28), "world", bold=True)]
    place = oblique((95, 175), 80)
    for step in range(4):
        parts.append(line(place(step / 2, 0, 0), place(step / 2, 1.5, 0), FAINT))
        parts.append(line(place(0, step / 2, 0), place(1.5, step / 2, 0), FAINT))
    for end, color, label in (
        ((1, 0, 0), RED, "X"),
        ((0, 1, 0), GREEN, "Y"),
        ((0, 0, 1), BLUE, "Z"),
    ):
        parts += arrow(place(0, 0, 0), place(*end), color, label)
    for x, title, down, forward in (
        (365, "camera: fieldlr, OpenGL", False, False),
        (605, "camera: COLMAP, OpenCV", True, True),
    ):
        parts.append(text((x, 28), title, bold=True))
        lens = (x - 10, 140)
        frame = [(x - 75, 95), (x - 75, 165), (x - 115, 190), (x - 115, 120)]
        parts += [line(lens, corner, GREY, 1, "4 3") for corner in frame]
        parts += [shape(frame, GREY, "#eceff1"), text((x - 95, 212), "looks here", GREY)]
        side, up = ((40, -25), (0, 62 if down else -68))
        ahead = (-52, 0) if forward else (60, 0)
        labels = ("X right", "Y down" if down else "Y up", "Z ahead" if forward else "Z back")
        z_end = (lens[0] + ahead[0], lens[1] + ahead[1])
        parts += arrow(lens, (lens[0] + side[0], lens[1] + side[1]), RED)
        parts.append(text((lens[0] + side[0] + 6, lens[1] + side[1] - 4), labels[0], RED, "start"))
        parts += arrow(lens, (lens[0] + up[0], lens[1] + up[1]), GREEN, labels[1])
        parts += arrow(lens, z_end, BLUE)
        z_label = (z_end[0] + 19, z_end[1] + 24) if forward else (z_end[0] - 6, z_end[1] + 22)
        parts.append(text(z_label, labels[2], BLUE, "middle"))
    return card(720, 240, "World and camera axes", parts)


def pixels() -> str:
    """Pixels of an image, with the centres of two of them."""
    parts, size, left, top = [], 52, 60, 50
    for column in range(5):
        x = left + size * column
        parts += [line((x, top), (x, top + 3 * size), GREY), text((x, top - 10), str(column), GREY)]
    for row in range(4):
        y = top + size * row
        parts += [
            line((left, y), (left + 4 * size, y), GREY),
            text((left - 14, y + 5), str(row), GREY),
        ]
    for x, y, label in ((0.5, 0.5, "(0.5, 0.5)"), (2.5, 1.5, "(2.5, 1.5)")):
        at = (left + size * x, top + size * y)
        parts += [circle(at, 4, RED, RED), text((at[0], at[1] + 20), label, RED)]
    parts += arrow((330, 60), (400, 60), RED, "x")
    parts += arrow((330, 60), (330, 130), GREEN, "y")
    parts.append(text((320, 190), "x: to the right, 0 to width", INK, "start"))
    parts.append(text((320, 212), "y: down, 0 to height", INK, "start"))
    return card(
        540, 240, "Pixel coordinates: the centre of the top left pixel is (0.5, 0.5)", parts
    )


def spaces() -> str:
    """Three regions and the cameras that they are for."""
    parts = []
    for x, title in ((120, "box"), (360, "ndc"), (600, "contracted")):
        parts.append(text((x, 28), title, bold=True))
    parts.append(shape([(70, 85), (170, 85), (170, 185), (70, 185)], BLUE, "#e3f2fd"))
    parts.append(text((120, 140), "object"))
    parts += [camera((120 + 95 * math.cos(a), 135 + 82 * math.sin(a)), a) for a in ring(8)]
    parts.append(shape([(345, 170), (375, 170), (450, 60), (270, 60)], BLUE, "#e3f2fd"))
    parts += [text((360, 105), "to infinity"), text((405, 180), "near plane", GREY, "start")]
    parts += [camera((360 + dx, 200), math.pi / 2) for dx in (-35, 0, 35)]
    parts += [circle((600, 135), 95, BLUE, "#e3f2fd"), circle((600, 135), 48, BLUE, "#bbdefb")]
    parts += [text((600, 140), "kept"), text((600, 67), "contracted", INK)]
    parts += [
        camera((600 + 36 * math.cos(a), 135 + 36 * math.sin(a)), a + math.pi) for a in ring(6)
    ]
    return card(720, 250, "Bounding box, normalised device coordinates and contraction", parts)


def ring(count: int) -> list[float]:
    return [2 * math.pi * (k + 0.5) / count for k in range(count)]


def camera(at: Point, outward: float) -> str:
    """A small triangle that looks against `outward`, an angle."""
    turns = ((8, 0.0), (8, 2.4), (8, -2.4))
    corners = [
        (at[0] - r * math.cos(outward + t), at[1] - r * math.sin(outward + t)) for r, t in turns
    ]
    return shape(corners, ORANGE, "#ffe0b2")


def metrics() -> str:
    """What IoU compares, and the two distances of which Chamfer L1 is the mean."""
    parts = [text((180, 28), "IoU = both / either", bold=True)]
    parts.append(circle((150, 130), 75, BLUE, "#bbdefb"))
    parts.append('<circle cx="210" cy="130" r="75" fill="#ffcc80" fill-opacity="0.6"/>')
    parts += [circle((210, 130), 75, ORANGE), text((180, 135), "both")]
    parts += [text((105, 135), "source", BLUE), text((256, 135), "field", ORANGE)]
    parts.append(text((540, 28), "Chamfer L1 = mean of both distances", bold=True))
    source = [(400 + 4 * k, 105 - 28 * math.sin(k / 11)) for k in range(71)]
    field = [(400 + 4 * k, 175 - 28 * math.sin(k / 11 + 0.35)) for k in range(71)]
    for path, color in ((source, BLUE), (field, ORANGE)):
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in path)
        parts.append(
            f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2.5"/>'
        )
    for k, own, other, color in ((14, field, source, ORANGE), (48, source, field, BLUE)):
        nearest = min(other, key=lambda q, p=own[k]: math.dist(p, q))
        parts += arrow(own[k], nearest, color)
    parts.append(text((430, 145), "accuracy", ORANGE, "end"))
    parts.append(text((610, 150), "completeness", BLUE, "start"))
    parts += [text((672, 88), "source", BLUE, "end"), text((690, 215), "field", ORANGE, "end")]
    return card(720, 230, "IoU, accuracy and completeness", parts)


PICTURES = {"frames": frames, "pixels": pixels, "spaces": spaces, "metrics": metrics}

if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (OUT / f"{name}.svg").write_text(draw())
