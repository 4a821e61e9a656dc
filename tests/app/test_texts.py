"""What the app says: names, sizes, times and errors in the app's own words."""

import os
import re
import shlex
import time
from pathlib import Path

import pytest

import fieldlr.app
from fieldlr.app import exports, forms, page, renders, sources, studies, surfaces, timing
from fieldlr.app.labels import app_message, clock_time
from fieldlr.app.undo import History
from fieldlr.cli.verbs.line import parse
from fieldlr.errors import FieldlrError
from fieldlr.fields.radiance import SURFACE_DENSITY
from fieldlr.metrics.curve import RDCurve, RDPoint
from fieldlr.runs.options import MeshOptions, RenderOptions
from fieldlr.system.duration import duration
from fieldlr.training.options import FitOptions
from fieldlr.training.tasks.held_out import RAY_SAMPLES


def test_messages_name_options_as_the_page_does():
    assert app_message("`rank` is 1 to 64.") == "“Detail” is 1 to 64."
    assert app_message("Use a lower --rank, or --remove-floor.") == (
        "Use a lower “Detail”, or “Remove the floor”."
    )
    assert app_message("Give another `out`: --in-place, a - b, x--y.") == (
        "Give another out: in place, a - b, x--y."
    )


def test_invalid_settings_are_refused_before_they_are_queued(workspace, tmp_path):
    source = sources.add_example(workspace, "rook")
    for wrong in ({"seconds": -5.0}, {"grid": 100_000}, {"rank": 0}, {"width": 0}):
        with pytest.raises(FieldlrError):
            forms.train(workspace, source, FitOptions.of(**wrong))
    with pytest.raises(FieldlrError, match="for photos"):
        forms.train(workspace, source, FitOptions.of(correct="exposure"))
    assert workspace.store.jobs() == []


def test_names_tell_runs_and_sources_apart(trained, workspace, block):
    viewer, *runs = trained
    solid, scene = (viewer.workspace.store.get(run) for run in runs)
    label = page.run_label(solid)
    assert label.startswith("block, Best quality · ") and "400 steps" in label
    assert clock_time(solid.created) in label and "neurons per layer 32" in label
    assert "1/8 size" in page.run_label(scene)
    for _ in range(2):
        sources.add(workspace, [block])
    assert all(", added " in text for text, _ in page.source_choices(workspace))
    assert abs(workspace.sources()[0].added - time.time()) < 60.0


def test_the_date_is_shown_unless_it_is_today():
    noon = time.mktime((2026, 3, 4, 12, 5, 0, 0, 0, -1))
    assert clock_time(noon, now=noon + 60.0) == "12:05"
    assert clock_time(noon, now=noon + 86_400.0) == "04 Mar 12:05"


@pytest.mark.parametrize(
    "seconds, text",
    [(45, "45 s"), (60, "1 min"), (90, "1 min 30 s"), (300, "5 min"), (7_800, "2 h 10 min")],
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


def test_the_time_that_is_left_counts_the_evaluation(tmp_path):
    history = tmp_path / "history.jsonl"
    history.touch()
    now = time.time()
    os.utime(history, (now, now))
    # Half of 20 s are trained, at 3,000 samples a second; 90,000 forward passes take 10 s.
    half = {"progress": 0.5, "seconds": 10.0, "samples": 30_000}
    phase = timing.phase_of(half, history, 90_000, begun=None)
    assert phase.name == "training" and phase.seconds_left == pytest.approx(20.0, abs=0.5)
    assert phase.progress == pytest.approx(1 / 3, abs=0.02)
    # The first half took 30 s by the clock: so will the second.
    slow = timing.phase_of(half, history, 90_000, begun=now - 30.0)
    assert slow.seconds_left == pytest.approx(40.0, abs=0.5)
    # Trained, and measuring since 4 s.
    whole = {"progress": 1.0, "seconds": 20.0, "samples": 60_000}
    os.utime(history, (now - 4.0, now - 4.0))
    phase = timing.phase_of(whole, history, 90_000, begun=None)
    assert phase.name == "measuring" and phase.seconds_left == pytest.approx(6.0, abs=0.5)
    os.utime(history, (now - 60.0, now - 60.0))
    assert timing.phase_of(whole, history, 90_000, begun=None) == timing.Phase("measuring")
    assert timing.phase_of({}, history, 90_000, begun=None) == timing.Phase("reading")


def test_an_evaluation_is_of_every_voxel_or_held_out_pixel(workspace, block):
    volume = sources.add(workspace, [block])
    assert timing.evaluation_samples(volume, FitOptions()) == 32**3
    scene = sources.add_example(workspace, "windmill")
    whole = timing.evaluation_samples(scene, FitOptions())
    assert whole == 8 * 128 * 128 * RAY_SAMPLES
    assert timing.evaluation_samples(scene, FitOptions.of(downscale=4)) == whole // 16


def test_a_finished_training_says_how_fast_the_machine_is(trained, workspace):
    speed = timing.measured_speed(trained[0].workspace, "volume")
    result = trained[0].workspace.store.result(trained[0].workspace.store.get(trained[1]))
    assert speed.samples_per_second == result["samples"] / result["seconds"]
    assert timing.measured_speed(workspace, "volume").samples_per_second == timing.TYPICAL_SPEED


def test_budgets_are_steps_at_the_speed_of_the_machine(workspace):
    shape = timing.budgets(workspace, "mesh", FitOptions())
    each = 16_384 / timing.TYPICAL_SPEED
    assert shape == {"good": 90.0, "best": 240.0}
    assert abs(shape["good"] - 1500 * each) <= 15.0 and abs(shape["best"] - 3800 * each) <= 15.0
    quick, standard = (
        timing.budgets(workspace, "photos", FitOptions.of(preset=name))
        for name in ("quick", "standard")
    )
    assert standard["best"] == pytest.approx(2 * quick["best"], rel=0.1)
    (workspace.folder / "speed.json").write_text('{"samples_per_second": 2e6}')
    assert timing.budgets(workspace, "mesh", FitOptions()) == {"good": 10.0, "best": 30.0}
    # The paper's presets end by their own steps.
    assert timing.budgets(workspace, "mesh", FitOptions.of(preset="paper")) == {}


def test_the_threshold_is_that_of_the_user_alone(trained):
    viewer, solid, scene = trained
    shape, photos = viewer.loaded(solid).field, viewer.loaded(scene).field
    others = {"crop": "", "remove_floor": False, "holes": "Automatic", "up": "Automatic"}

    def chosen(field, level, joined):
        return surfaces.mesh_options(field, 64, False, level, joined, **others).threshold

    assert chosen(shape, 0.5, True) is None and chosen(shape, 0.7, True) == 0.7
    assert chosen(photos, 1.0, True) is None
    assert chosen(photos, 1.0, False) == 10.0
    usual = surfaces.levels(photos).usual
    assert chosen(photos, usual, False) == pytest.approx(SURFACE_DENSITY)


def test_commands_have_the_settings_of_the_mesh(trained):
    viewer, solid, _ = trained
    options = MeshOptions.of(resolution=64, threshold=0.7, remove_floor=True)
    commands = exports.commands(viewer.workspace, solid, options).splitlines()
    expected = "fieldlr mesh my-run --out mesh.glb --resolution 64 --threshold 0.7 --remove-floor"
    assert commands[2] == expected


def test_commands_render_what_the_video_tab_says():
    def command(kind, *choices):
        return renders.render_command(kind, "spiral", renders.render_options(2, *choices))

    shown = command("video", "720p (1280 x 720)", "", "White", "")
    assert shown == (
        "fieldlr render my-run --out video.mp4 --path spiral --frames 60 --size 1280x720 "
        "--background white"
    )
    # A # would begin a comment; what was typed before something else was chosen is not meant.
    own = command("picture", "Other", "600", "Other", "#336699")
    assert own == "fieldlr render my-run --out picture.png --size 600 --background '#336699'"
    assert parse(shlex.split(own)[1:]).view == RenderOptions.of(size=600, background="#336699")
    automatic = command("picture", "Automatic", "x", "Automatic", "x")
    assert automatic == "fieldlr render my-run --out picture.png"
    with pytest.raises(FieldlrError, match="`size` is WIDTHxHEIGHT"):
        command("video", "Other", "big", "Automatic", "")


def test_each_change_of_settings_is_undone_by_itself():
    history = start = History((0.5, "", False))
    for values in ((0.6, "", False), (0.7, "", False)):  # a slider that is dragged
        history = history.changed(values)
    dragged = history.ended()
    history = dragged.changed((0.8, "", False)).ended()  # and once more
    for text in ("1", "1 2"):
        history = history.changed((0.8, text, False))
    history = history.changed((0.8, "1 2", True)).changed((0.8, "1 2", True))
    seen = []
    while history.past:
        history = history.undone()
        seen.append(history.now)
    assert seen == [(0.8, "1 2", False), (0.8, "", False), dragged.now, start.now]
    assert history.undone() == history
    # What was undone is no change, and what follows it is one.
    again = History((1,)).changed((2,)).undone().changed((1,)).changed((3,))
    assert again.past == ((1,),)


def test_texts_set_options_of_the_mesh():
    options = exports.with_texts(MeshOptions(), {"faces": " 5000 ", "scale": "", "texture": None})
    assert options == MeshOptions(faces=5000)
    with pytest.raises(FieldlrError, match="`scale` is a number above 0; got big"):
        exports.with_texts(options, {"scale": "big"})


def curve(name, points):
    made = [RDPoint(f"k={i}", n, n, quality, 0, "") for i, (n, quality) in enumerate(points)]
    return RDCurve(name, "iou", tuple(made), "")


def test_a_curve_of_one_point_is_explained():
    long = curve("full", [(1000, 0.8), (2000, 0.9), (4000, 0.95)])
    rows = studies.bd_rows([long, curve("low-rank", [(500, 0.9), (600, 0.8)])], "bytes")
    told = {row[2] for row in rows}
    assert told == {
        "low-rank has 1 point that no smaller file beats, and a comparison needs 2. "
        "Add detail levels."
    }


def test_the_axis_says_overlap_and_has_its_values():
    drawn = studies.chart_data([curve("full", [(1000, 0.8), (2000, 0.9)])], "bytes")
    assert drawn["y"] == "overlap with the original (IoU)"
    assert dict((text, round(level, 6)) for level, text in drawn["levels"])["0.9"] == 10.0


def test_the_app_uses_its_own_terms():
    """No text of the app speaks as the project once did, or as the command line does."""
    folder = Path(fieldlr.app.__file__).parent
    dialect = r"take[sn]? home|bring something|complain|no number|held out to be|Take away|\bfilm\b"
    for path in (*folder.glob("*.py"), *folder.glob("static/fieldlr.*")):
        assert not re.search(dialect, path.read_text()), path.name
