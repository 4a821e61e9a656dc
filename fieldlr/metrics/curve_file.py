"""Files of rate-distortion curves: our own, CompressAI's, and the CSV tables of codecs.

All are columns of equal length under names. A name is read in any case, with any signs between its
words: `psnr-rgb`, `PSNR RGB` and `psnr_rgb` are one.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve import MEASURES, RDCurve, RDPoint
from fieldlr.system.files import replacing
from fieldlr.system.version import __version__

# Column to (the rate in RATES, what it is multiplied by).
RATE_COLUMNS = {
    "bytes": ("bytes", 1.0),
    "num bytes": ("bytes", 1.0),
    "bits": ("bytes", 0.125),
    "kb": ("bytes", 1e3),
    "kilobytes": ("bytes", 1e3),
    "kib": ("bytes", 1024.0),
    "mb": ("bytes", 1e6),
    "megabytes": ("bytes", 1e6),
    "mib": ("bytes", 1024.0**2),
    "params": ("params", 1.0),
    "parameters": ("params", 1.0),
    "num parameters": ("params", 1.0),
    "bpp": ("bpp", 1.0),
    "bits per pixel": ("bpp", 1.0),
    "kbps": ("kbps", 1.0),
    "kbit s": ("kbps", 1.0),
    "bps": ("kbps", 1e-3),
    "bit s": ("kbps", 1e-3),
    "mbps": ("kbps", 1e3),
    "mbit s": ("kbps", 1e3),
    "bitrate kbps": ("kbps", 1.0),
    "rate kbps": ("kbps", 1.0),
    "bitrate": ("rate", 1.0),
    "rate": ("rate", 1.0),
}
# Column to the measure in MEASURES; of several that are there the first is taken.
QUALITY_COLUMNS = {
    "psnr db": "psnr_db",
    "psnr rgb": "psnr_db",
    "psnr": "psnr_db",
    "psnr y": "psnr_y_db",
    "y psnr": "psnr_y_db",
    "psnr y db": "psnr_y_db",
    "iou": "iou",
    "ms ssim rgb": "ms_ssim",
    "ms ssim": "ms_ssim",
    "msssim": "ms_ssim",
    "ssim": "ssim",
}
MOST_BYTES = 1 << 26
Columns = Mapping[str, Sequence[Any]]


def write_curve(curve: RDCurve, path: Path) -> None:
    """A result in the shape that CompressAI's tools read: lists of equal length."""
    columns = {
        "point": [p.point for p in curve.points],
        "bytes": [p.num_bytes for p in curve.points],
        "params": [p.num_parameters for p in curve.points],
        curve.measure: [p.figure for p in curve.points],
        "seed": [p.seed for p in curve.points],
    }
    names = {name for p in curve.points for name in p.other_rates}
    columns |= {name: [p.other_rates.get(name) for p in curve.points] for name in sorted(names)}
    if any(p.file for p in curve.points):
        columns["file"] = [p.file for p in curve.points]
    content = {
        "name": curve.name,
        "description": curve.description,
        "results": columns,
        "config": curve.config,
        "version": __version__,
    }
    with replacing(path) as place:
        place.write_text(json.dumps(content, indent=1))


def read_curve(path: Path | str) -> RDCurve:
    """The curve in a JSON that `study` or CompressAI wrote, or in a CSV with a line of names.

    FieldlrError names the columns that are there where a rate or a quality is missing.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise FieldlrError(
            f"{path} cannot be read: {error.strerror}. Give a curve's .json or .csv."
        ) from None
    except UnicodeDecodeError:
        raise FieldlrError(f"{path} is no text. Give a curve's .json or .csv.") from None
    try:
        if path.suffix.lower() in (".csv", ".tsv") or not text.lstrip().startswith(("{", "[")):
            return curve_of(path.stem, _table(text))
        content = json.loads(text)
        about = str(content.get("description", "")), dict(content.get("config") or {})
        return curve_of(str(content.get("name", path.stem)), content["results"], *about)
    except FieldlrError as error:
        raise FieldlrError(f"{path}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise FieldlrError(
            f"{path} is not a curve ({type(error).__name__}: {error}). A curve is JSON with `name` "
            "and `results`, or a CSV: columns of equal length, with a rate such as bytes, bpp or "
            "kbps and a quality such as psnr_db, psnr-rgb, iou or ms-ssim-rgb."
        ) from None


def curve_of(
    name: str, columns: Columns, description: str = "", config: dict[str, Any] | None = None
) -> RDCurve:
    """The curve in columns by name; a rate and a quality there must be, `point` and `seed` may."""
    known = {plain_name(key): values for key, values in columns.items()}
    rates = [key for key in RATE_COLUMNS if key in known]
    measures = [key for key in QUALITY_COLUMNS if key in known]
    given = ", ".join(map(str, columns)) or "nothing"
    if not rates:
        raise FieldlrError(
            f"a curve has a column with its rate, such as bytes, kilobytes, params, bpp or kbps; "
            f"the columns are {given[:200]}. Rename the one that is it."
        )
    if not measures:
        raise FieldlrError(
            f"a curve has a column with its quality, such as psnr_db, psnr-rgb, iou or "
            f"ms-ssim-rgb; the columns are {given[:200]}. Rename the one that is it."
        )
    count = len(known[measures[0]])
    for key in (*rates, measures[0], *(k for k in ("point", "seed", "file") if k in known)):
        if len(known[key]) != count:
            raise FieldlrError(
                f"all columns are equally long; {measures[0]} has {count} entries and {key} has "
                f"{len(known[key])}."
            )
    measure = QUALITY_COLUMNS[measures[0]]
    points = [
        RDPoint(
            str(known["point"][i]) if "point" in known else f"point {i + 1}",
            figure=_number(known[measures[0]][i], measures[0]),
            seed=int(known["seed"][i]) if "seed" in known else 0,
            file=str(known["file"][i]) if "file" in known else "",
            **_rates_of({key: known[key][i] for key in rates}),
        )
        for i in range(count)
    ]
    assert measure in MEASURES
    return RDCurve(name, measure, tuple(points), description, config or {})


def plain_name(column: object) -> str:
    """The name of a column in small letters and digits, with spaces between words."""
    return " ".join(re.findall(r"[a-z0-9]+", str(column).lower()))


def _rates_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The rates of a point as arguments of RDPoint, in the units of RATES."""
    found: dict[str, float] = {}
    for column, value in row.items():
        if value not in (None, ""):  # what is no network has no parameters
            name, factor = RATE_COLUMNS[column]
            found.setdefault(name, _number(value, column) * factor)
    own = {"num_bytes": found.pop("bytes", None), "num_parameters": found.pop("params", None)}
    return own | {"other_rates": found}


def _number(value: Any, column: str) -> float:
    """A number, whole where it is; CSV has it as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise FieldlrError(f"{column} holds numbers; got {str(value)[:40]}.")
    try:
        number = float(value)
    except ValueError:
        raise FieldlrError(f"{column} holds numbers; got {str(value)[:40]}.") from None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _table(text: str) -> dict[str, list[str]]:
    """The columns of a CSV with commas, semicolons or tabs, under the names of its first line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise FieldlrError("a table has a line of names and a line for every point.")
    delimiter = max("\t;,", key=lines[0].count)
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
    ]
    names = rows[0]
    wrong = [number for number, row in enumerate(rows[1:], 2) if len(row) != len(names)]
    if wrong:
        raise FieldlrError(
            f"every line has the {len(names)} entries of the first; line {wrong[0]} has "
            f"{len(rows[wrong[0] - 1])}."
        )
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(names)}
