"""What the page is made of, without a browser: checks, forms, states, views, surfaces, files."""

import dataclasses
import io
import itertools
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import fieldlr
from fieldlr import app, codec
from fieldlr.app import exports, forms, library, renders, sources, studies, surfaces
from fieldlr.app.labels import size_text
from fieldlr.app.live import MAX_POINTS, History, Live, downsampled
from fieldlr.app.workspace import Workspace
from fieldlr.cli.verbs.line import parse
from fieldlr.data.examples import example
from fieldlr.data.images import picture_size
from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve import RDCurve, RDPoint
from fieldlr.metrics.shape import distances_to
from fieldlr.runs import open_run
from fieldlr.runs.options import MeshOptions, RenderOptions
from fieldlr.runs.views import Turn
from fieldlr.study.sweep import Sweep
from fieldlr.training.options import FitOptions
from fieldlr.training.tasks import task_for


def test_a_workspace_is_a_folder_of_its_own(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FieldlrError, match="must be empty or new"):
        Workspace(tmp_path)
    Workspace(tmp_path / "new")
    Workspace(tmp_path / "new")  # opened again


def test_an_example_is_a_source_once(workspace):
    first = sources.add_example(workspace, "rook")
    assert sources.add_example(workspace, "rook") == first
    assert first.kind == "mesh" and "triangles" in sources.summary(first)
    assert workspace.drawing(first.id).exists()
    assert workspace.sources() == [first]
    with pytest.raises(FieldlrError, match="there is no example"):
        sources.add_example(workspace, "../etc")


def test_a_refused_source_leaves_no_files(workspace, tmp_path):
    (tmp_path / "broken.obj").write_text("v 0 0 0\n")
    with pytest.raises(FieldlrError, match="triangle"):
        sources.add(workspace, [tmp_path / "broken.obj"])
    assert list((workspace.folder / "sources").iterdir()) == []


@pytest.mark.parametrize("source_id", ["..", "a/b", "", "x" * 20])
def test_a_source_of_another_name_is_not_looked_for(workspace, source_id):
    with pytest.raises(FieldlrError):
        workspace.source(source_id)


def test_parameter_counts_are_those_of_the_paper():
    options = FitOptions.of(rank=1).with_backbone("low-rank")
    assert forms.num_parameters("mesh", FitOptions()) == 132_865
    assert forms.num_parameters("mesh", options) == 2_817
    assert size_text(11_268) == "11.3 KB"


def test_each_model_type_and_preset_of_photos_has_a_picture():
    cards = Path(app.__file__).parent / "static" / "cards"
    pictured = {*forms.first_backbones(), *forms.PICTURED_PRESETS}
    assert {path.stem for path in cards.iterdir()} == pictured
    assert pictured > set(task_for("photos").presets) - {"paper"}
    assert all(picture_size(path) == (200, 200) for path in cards.iterdir())


def test_cards_say_the_predicted_size_of_the_file(trained):
    viewer, solid, _ = trained
    size = exports.export_flr(viewer, solid).stat().st_size
    predicted = forms.file_size("volume", FitOptions.of(width=32)).total
    assert 0.6 * size < predicted < 1.6 * size


def test_cards_of_photos_tell_the_network_from_the_grid():
    sizes = forms.file_sizes("photos", FitOptions.of(rank=1))
    texts = {size.text for size in sizes.values()}
    assert all("network" in text and "grid" in text for text in texts) and len(texts) > 1
    alone = forms.file_sizes("photos", FitOptions.of(rank=1, encoding="frequency"))
    assert alone["full"].encoding == 0.0 and "grid" not in alone["full"].text
    assert alone["low-rank"].total < 0.25 * alone["full"].total


def test_labels_name_the_chosen_settings_only(workspace):
    source = sources.add_example(workspace, "rook")
    small = FitOptions.of(backbone="sine-low-rank", rank=2, seconds=5.0, width=64)
    words = forms.fit_command(source, small)
    for flag, value in {"--backbone": "sine-low-rank", "--rank": "2", "--seconds": "5"}.items():
        assert words[words.index(flag) + 1] == value
    assert "--omega" not in words and "--downscale" not in words
    full = forms.fit_command(source, FitOptions.of(rank=2).with_backbone("full"))
    assert "--rank" not in full
    shown = forms.equivalent_command(
        ["fit", "x", "--out", "/w/jobs/1/run", "--preview"], Path("/w/jobs/1")
    )
    assert shown == "fieldlr fit x --out my-run"


def test_points_are_thinned_to_means():
    points = [(float(i), float(i)) for i in range(10 * MAX_POINTS)]
    few = downsampled(points)
    assert len(few) <= MAX_POINTS and few[0] == (4.5, 4.5)
    assert downsampled(points[:3]) == points[:3]


def test_a_history_is_read_on_and_half_a_line_waits(tmp_path):
    path = tmp_path / "history.jsonl"
    history = History(path)
    assert history.read() == []
    path.write_text('{"step": 1}\n{"st')
    assert history.read() == [{"step": 1}]
    path.write_text('{"step": 1}\n{"step": 2}\n')
    assert history.read() == [{"step": 1}, {"step": 2}]


def test_only_old_files_are_removed(workspace):
    source = sources.add_example(workspace, "rook")
    for name in ("uploads/old", "uploads/new", "sources/nothing"):
        (workspace.folder / name).mkdir()
    for name in ("uploads/old", "sources/nothing"):
        os.utime(workspace.folder / name, (0, 0))
    workspace.remove_old_files()
    left = {path.name for path in workspace.folder.glob("uploads/*")}
    assert left == {"new"} and workspace.sources() == [source]
    assert not (workspace.folder / "sources" / "nothing").exists()


def test_names_are_shown_literally():
    hostile = "![x](https://example.invalid/p.png) <b>"
    assert sources.escape_markdown(hostile).replace("\\", "") == hostile
    assert "![" not in sources.escape_markdown(hostile).replace("\\!\\[", "")
    assert "\\<b" in sources.escape_markdown(hostile)


def test_photos_too_large_for_the_memory_are_read_smaller(monkeypatch):
    assert sources.downscale_for(example("windmill")) is None
    monkeypatch.setattr(sources, "machine_bytes", lambda: 4 * 68 * 128 * 128)
    assert sources.downscale_for(example("windmill")) == 3


def test_the_status_of_a_run_has_curves_and_pictures(trained):
    viewer, solid, scene = trained
    for job_id, name in ((solid, "iou"), (scene, "psnr_db")):
        told = Live(viewer.workspace).job(job_id)
        assert told["state"] == "done" and told["progress"] == 1.0
        assert told["quality_name"] == name and told["final_quality"] > 0.3
        assert told["preview"] and told["photo"] == (job_id == scene)
        seconds = [second for second, _ in told["loss"]]
        assert seconds == sorted(seconds) and seconds


def test_views_are_sent_coarse_to_fine(trained):
    viewer, solid, scene = trained
    for job_id, depth in itertools.product((solid, scene), (False, True)):
        frames = list(viewer.frames(job_id, Turn(right=30.0, up=10.0), (64, 48), depth))
        widths = [Image.open(io.BytesIO(frame)).width for frame in frames]
        assert widths == sorted(set(widths)) and widths[-1] == 64 and len(widths) >= 2
    with pytest.raises(FieldlrError, match="pixels"):
        next(viewer.frames(scene, Turn(), (1 << 12, 1 << 12)))


def test_the_browser_gets_the_field_as_it_was_saved(trained):
    viewer, solid, scene = trained
    for job_id in (solid, scene):
        data, own = viewer.flr(job_id), viewer.loaded(job_id).field
        decoded = codec.decode(data)
        points = 2.0 * torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) - 1.0
        levels = [field.eval().level(points).detach() for field in (decoded, own)]
        spread = float(levels[1].std())
        assert float((levels[0] - levels[1]).abs().mean()) < 0.1 * spread
    assert viewer.start(solid) == {}
    begins = viewer.start(scene, 3)
    assert begins["camera"] == 3 and len(begins["cameras"]) == 68


def test_rotating_the_view_shows_another_side(trained):
    viewer, _, scene = trained
    home, again, turned = (
        list(viewer.frames(scene, turn, (64, 48)))[-1]
        for turn in (Turn(), Turn(), Turn(right=90.0))
    )
    assert home == again != turned


def test_the_level_moves_the_surface(trained, tmp_path):
    viewer, solid, _ = trained
    field = viewer.loaded(solid).field
    scale = surfaces.levels(field)
    assert scale.low < scale.usual < scale.high and scale.counts.sum() > 0
    made = {
        level: surfaces.make_surface(
            viewer, solid, tmp_path / "surface.glb", MeshOptions(resolution=48, threshold=level)
        )
        and trimesh.load(tmp_path / "surface.glb", force="mesh").volume
        for level in (0.4, 0.6)
    }
    assert made[0.4] > made[0.6] > 0


def test_errors_are_coloured_by_distance(trained, tmp_path):
    viewer, solid, scene = trained
    truth = surfaces.original(viewer.loaded(solid).run)
    none = surfaces.error_coloured(truth, truth).colors
    assert len(np.unique(none, axis=0)) == 1
    longest = np.ptp(truth.vertices, axis=0).max()
    # The side at the greatest x is moved away, the others stay.
    moved = truth.vertices.copy()
    far = moved[:, 0] > moved[:, 0].max() - 1e-6
    moved[far, 0] += 0.5 * longest
    colors = surfaces.error_coloured(dataclasses.replace(truth, vertices=moved), truth).colors
    assert (colors[~far] == none[0]).all() and (colors[far] != none[0]).any(1).all()
    assert distances_to(truth, moved)[far].min() > 0.49 * longest
    with pytest.raises(FieldlrError, match="photos have no original"):
        surfaces.original(viewer.loaded(scene).run)


def test_exported_files_open_elsewhere(trained, tmp_path):
    viewer, solid, scene = trained
    workspace = viewer.workspace
    for suffix in exports.MESHES:
        path = exports.export_mesh(viewer, solid, suffix, MeshOptions(resolution=48))
        assert trimesh.load(path, force="mesh").volume > 0
    with zipfile.ZipFile(exports.export_run(workspace, scene)) as packed:
        packed.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert open_run(folder).load_field().num_parameters > 0
    whole, small = exports.export_weights(workspace, solid), exports.export_flr(viewer, solid)
    assert small.stat().st_size < whole.stat().st_size / 2
    assert fieldlr.load(small).num_parameters == viewer.loaded(solid).field.num_parameters
    assert (
        exports.commands(workspace, solid, MeshOptions()).splitlines()[0].startswith("fieldlr fit ")
    )
    for job_id in (solid, scene):
        page = exports.export_page(workspace, job_id).read_text()
        assert f"<title>{workspace.store.get(job_id).title}</title>" in page


def test_a_video_is_a_job_in_its_own_queue(trained, wait):
    viewer, solid, _ = trained
    workspace = viewer.workspace
    options = RenderOptions(frames=2)
    job_id = renders.queue_render(workspace, solid, "video", "orbit", options)
    assert workspace.store.get(job_id).lane == "make"
    assert wait(workspace, job_id, "done", "failed") == "done"
    video = renders.latest(workspace, solid, "video")
    assert video.read_bytes() == workspace.store.path(job_id, "video.mp4").read_bytes()
    assert video.stat().st_size > 0 and renders.latest(workspace, solid, "picture") is None
    with pytest.raises(FieldlrError, match="must be orbit"):
        renders.queue_render(workspace, solid, "video", "spiral", options)


def test_a_picture_has_the_size_and_the_background_that_were_chosen(trained, wait):
    viewer, solid, _ = trained
    options = renders.render_options(3, "Other", "40x24", "Other", "#336699")
    job_id = renders.queue_render(viewer.workspace, solid, "picture", "orbit", options)
    assert wait(viewer.workspace, job_id, "done", "failed") == "done"
    picture = Image.open(renders.latest(viewer.workspace, solid, "picture"))
    assert picture.size == (40, 24) and picture.getpixel((0, 0)) == (0x33, 0x66, 0x99)


def test_the_library_renames_deletes_and_restores(trained):
    viewer, _, scene = trained
    workspace = viewer.workspace
    library.rename(workspace, scene, "  my \n mill ")
    (listed,) = [run for run in library.runs(workspace) if run["id"] == scene]
    assert listed["title"] == "my mill" and "dB" in listed["quality"]
    with pytest.raises(FieldlrError, match="a name must have"):
        library.rename(workspace, scene, " ")
    workspace.store.delete(scene)
    assert scene not in [run["id"] for run in library.runs(workspace)]
    assert library.undo(workspace) == scene
    assert viewer.loaded(scene).field.num_parameters > 0
    with pytest.raises(FieldlrError, match="no deleted run"):
        library.undo(workspace)
    assert library.matches(listed, "MILL my") and not library.matches(listed, "mill, rook")


def test_a_source_is_deleted_and_restored_but_not_under_its_runs(trained, workspace, block):
    used = trained[0].workspace
    with pytest.raises(FieldlrError, match="needed by 1 runs"):
        used.delete_source(used.store.get(trained[1]).about["source"])
    source = sources.add(workspace, [block])
    before = library.sources(workspace)
    assert library.folder_size(workspace.folder / "sources") > block.stat().st_size
    workspace.delete_source(source.id)
    assert workspace.sources() == [] and "deleted items" in library.disk_use(workspace)
    assert library.undo(workspace) == source.id
    assert library.sources(workspace) == before and source.path.exists()


def test_curves_are_compared_at_one_size_in_a_sentence():
    def curve(name, *points):
        fits = [RDPoint(f"k={n}", n, n / 2, db, 0, f"{n}.flr") for n, db in points]
        return RDCurve(name, "psnr_db", tuple(fits))

    low = curve("low-rank", (1000, 20.0), (2000, 23.0), (9000, 27.0))
    sine = curve("sine-low-rank", (500, 18.0), (2100, 24.2), (4000, 26.0))
    chosen = studies.at_one_size([low, sine], "bytes")
    assert [(c.name, point.rate) for c, point in chosen] == [
        ("sine-low-rank", pytest.approx(2100)),
        ("low-rank", pytest.approx(2000)),
    ]
    text = studies.in_a_sentence(chosen, "bytes")
    assert text == "At 2.0 KB to 2.1 KB **sine-low-rank** is best; low-rank is 1.2 dB behind."
    assert studies.at_one_size([low], "bytes") == []


def test_runs_make_curves_that_can_be_exported(trained, tmp_path):
    viewer, solid, scene = trained
    workspace = viewer.workspace
    curves = studies.curves_of_runs(workspace, [workspace.store.get(solid)])
    drawn = studies.chart_data(curves, "bytes")
    (mark,) = drawn["series"][0]["marks"]
    _, small = studies.fit_files(viewer, mark["fits"][0])
    assert small.suffix == ".flr" and small.stat().st_size == round(mark["x"])
    assert fieldlr.load(small).num_parameters == round(
        studies.chart_data(curves, "params")["series"][0]["marks"][0]["x"]
    )
    assert studies.curves_of_runs(workspace, [workspace.store.get(solid)]) == curves
    names = {path.name for path in studies.export_curves(curves, tmp_path, "bytes")}
    assert names == {"curves.csv", "full.json", "curves.svg"}
    with pytest.raises(FieldlrError, match="different sources"):
        studies.curves_of_runs(workspace, [workspace.store.get(j) for j in (solid, scene)])


@pytest.mark.parametrize("inside", ["none.flr", "../job.json", "../../x.flr", "config.json", ""])
def test_a_file_elsewhere_is_not_fetched(trained, inside):
    viewer, solid, _ = trained
    with pytest.raises(FieldlrError, match="no longer exists"):
        studies.fit_files(viewer, f"{solid}/{inside}")


def test_a_plan_is_as_many_fits_as_the_study_does(workspace):
    sweep = Sweep(backbones=("full", "low-rank"), ranks=(1, 2), seeds=3)
    assert studies.num_fits(sweep) == 3 * (1 + 2 + 2)
    assert "15 trainings" in studies.cost(sweep, 5.0, overhead=10.0)
    # 15 of 5 s, each measured as it is and again as the file that it makes.
    assert "about 6 min" in studies.cost(sweep, 5.0, overhead=10.0)
    one = Sweep(backbones=("low-rank",), ranks=(1,))
    assert "at least two detail levels" in studies.cost(one, 5.0, overhead=10.0)
    source = sources.add_example(workspace, "rook")
    sweep = Sweep(backbones=("low-rank",), ranks=(1,), narrow=False, bits=(4.0, 8.0), classic=True)
    words = studies.study_command(source, sweep, FitOptions.of(seconds=5.0))
    assert words[words.index("--bits") + 1] == "4,8" and {"--no-narrow", "--classic"} <= {*words}
    assert words[words.index("--seconds") + 1] == "5"
    parse([word.replace("{job}", "job") for word in words])


def test_a_run_with_few_steps_is_trained_longer_on_request(trained, workspace, wait, block):
    with pytest.raises(FieldlrError, match="long enough"):
        forms.train_longer(trained[0].workspace, trained[1])
    source = sources.add(workspace, [block])
    job_id = forms.train(workspace, source, FitOptions.of(seconds=0.2, width=32))
    assert wait(workspace, job_id, "done", "failed") == "done"
    told = Live(workspace).job(job_id)
    assert "too few for a good result" in told["warnings"][0]
    seconds = forms.longer_seconds(workspace, workspace.store.get(job_id))
    forms.train_longer(workspace, job_id)
    words = workspace.store.get(job_id).words
    assert words[words.index("--seconds") + 1] == f"{seconds:g}" and "--resume" in words
    workspace.store.stop(job_id)
    wait(workspace, job_id, "stopped", "done")
