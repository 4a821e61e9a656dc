"""spectrum: singular values of each layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.flags import Flag
from fieldlr.cli.verbs.verb import File, RunFolder, Verb
from fieldlr.study.spectrum import FUNCTIONS
from fieldlr.system.kinds import Choice
from fieldlr.system.options import Options, option

PICTURES = (".svg", ".png", ".pdf")


@dataclass(frozen=True, kw_only=True)
class Look(Options):
    """How layers are analysed."""

    function: str | None = option(
        Choice(FUNCTIONS),
        "Analyses factorised layers with another function instead of the sine",
        shown_default="their own",
    )


@dataclass(frozen=True, kw_only=True)
class Spectrum(Verb):
    """Singular values, rank, stable rank and nuclear norm of every layer of a run.

    Example: fieldlr spectrum vase-run --out spectrum.svg
    """

    target: RunFolder
    out: File = None
    """A plot of them: .svg, .png or .pdf."""
    fresh: Flag[bool] = False
    """Of the same network at initialisation."""
    look: Look = Look()

    def run(self) -> dict[str, Any]:
        from fieldlr.errors import FieldlrError
        from fieldlr.runs import open_run
        from fieldlr.study.spectrum import layer_spectra

        if self.out is not None and self.out.suffix not in PICTURES:
            raise FieldlrError(f"`out` is a picture, {' or '.join(PICTURES)}; got {self.out}.")
        if self.out is not None:
            from fieldlr.pictures.curves import check_plotting

            check_plotting()
        run = open_run(self.target)
        spectra = layer_spectra(
            run.fresh_field() if self.fresh else run.load_field(), self.look.function
        )
        if self.out is not None:
            from fieldlr.pictures.spectra import draw_spectra

            layers = [
                (
                    f"{s.name.removeprefix('mlp.')} (stable rank {s.stable_rank:.1f})",
                    s.singular_values.numpy(),
                    s.weight.numpy(),
                )
                for s in spectra
            ]
            draw_spectra(layers, self.out, f"spectra of {run.folder.name}")
        return {"run": str(self.target), "layers": [s.to_json() for s in spectra]}

    def text(self, result: dict[str, Any]) -> str:
        lines = [f"{'layer':>24}  {'shape':>11}  {'rank':>5}  stable rank  nuclear norm"]
        for layer in result["layers"]:
            shape = " x ".join(map(str, layer["shape"]))
            lines.append(
                f"{layer['layer']:>24}  {shape:>11}  {layer['rank']:>5}  "
                f"{layer['stable_rank']:>11.2f}  {layer['nuclear_norm']:>12.4g}"
            )
        return "\n".join(lines)
