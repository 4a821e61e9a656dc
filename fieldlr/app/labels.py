"""The app's words: labels of options, and messages of the library in terms of those labels."""

from __future__ import annotations

import re
import time

from fieldlr.jobs import Job, JobStore
from fieldlr.nn.linears import LINEARS
from fieldlr.system.options import Option

AUTOMATIC = "Automatic"
# Options that are not listed here are labelled with their help text.
LABELS = {
    "backbone": "Model type",
    "rank": "Detail",
    "preset": "Preset",
    "seconds": "Training time in seconds",
    "steps": "Training steps",
    "omega": "Sine frequency (omega)",
    "width": "Neurons per layer (width)",
    "depth": "Hidden layers (depth)",
    "activation": "Activation function",
    "encoding": "Position encoding",
    "optimizer": "Optimiser",
    "correct": "Photo corrections",
    "seed": "Random seed",
    "grid": "Voxel grid: samples along the longest edge of a mesh",
    "downscale": "Shrink photos: divide their width and height by",
    "threshold": "Surface threshold",
    "resolution": "Resolution",
    "crop": "Crop box",
    "up": "Axis that is up",
    "scale": "Scale: multiplies the coordinates",
    "faces": "Most triangles",
    "largest": "Remove floating pieces",
    "remove_floor": "Remove the floor",
    "holes": "Holes",
    "size": "Size",
    "background": "Background",
    "bits": "Precision",
    "ranks": "Detail levels (ranks)",
    "backbones": "Model types",
    "seeds": "Repeats (seeds)",
}
STOPPED_EARLY = "Stopped before the first checkpoint. Press Resume to start again."


def label(own: Option) -> str:
    """The label of an option on the page."""
    return LABELS.get(own.name, own.help)


def short_label(name: str) -> str:
    """An option's label without its explanation; the name itself where there is none."""
    return re.split(r":| \(", LABELS.get(name, name.replace("_", " ")))[0]


def backbone_label(name: str) -> str:
    """What the page calls a backbone."""
    return LINEARS[name].label or name


def technical_label(name: str) -> str:
    """A backbone's label with its technical name."""
    plain = backbone_label(name)
    return name if plain == name else f"{plain} ({name})"


def sentence(message: str) -> str:
    """A message of the library in the app's words, beginning with a capital."""
    text = app_message(message)
    return text[:1].upper() + text[1:]


def app_message(message: str) -> str:
    """A message of the library or of a command, with options named as on the page.

    The library writes `rank`, a command --rank; both become the label.
    """
    named = re.sub(r"`(\w+)`", lambda match: _quoted(match[1]), message)
    return re.sub(
        r"(?<![\w-])--([a-z][a-z-]*)", lambda match: _quoted(match[1].replace("-", "_")), named
    )


def _quoted(name: str) -> str:
    return f"“{short_label(name)}”" if name in LABELS else name.replace("_", " ")


def end_message(store: JobStore, job: Job) -> str:
    """Why a job stopped or failed and what to do, in the app's words; empty for others."""
    if (state := store.state(job)) not in ("stopped", "failed"):
        return ""
    if state == "failed":
        return app_message(store.reason(job))
    result = store.result(job) or {}
    if "steps" in result:
        return f"Saved at step {result['steps']:,}. Press Resume to continue."
    if "done" in result:
        total = job.about.get("num_fits", result["done"])
        return f"Saved: {result['done']} of {total} trainings. Press Resume to continue."
    return STOPPED_EARLY


def clock_time(seconds: float, now: float | None = None) -> str:
    """A time of day, with the date unless it is today: 14:32, or 28 Nov 14:32."""
    then, today = time.localtime(seconds), time.localtime(now)
    same_day = then[:3] == today[:3]
    return time.strftime("%H:%M" if same_day else "%d %b %H:%M", then)


def size_text(num_bytes: float) -> str:
    """Bytes as a text: 11.3 KB, 1 KB being 1,000 bytes."""
    if num_bytes < 1_000_000:
        return f"{num_bytes / 1000:.1f} KB"
    return f"{num_bytes / 1_000_000:.1f} MB"


def quality_text(kind: str, quality: float | None) -> str:
    """A measured quality as a text; empty where there is none."""
    if quality is None:
        return ""
    if kind == "photos":
        return f"PSNR {quality:.2f} dB"
    return f"{100 * quality:.0f} % overlap (IoU {quality:.4f})"
