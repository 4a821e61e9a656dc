"""The notebooks of docs/ run from beginning to end, print what they should, and warn of nothing."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOKS = REPOSITORY / "docs" / "notebooks"
# What each shows, by the kinds of its outputs: pictures of views and curves, pages of runs.
SHOWS = {
    "start": {"image/png": 3, "text/html": 2},
    "photos": {"image/png": 1, "text/html": 2},
    "compression": {"image/png": 1, "text/html": 1},
    "layers": {"text/plain": 2},
}


def executed(name, folder, monkeypatch):
    """The notebook, run in a kernel of its own in an empty folder."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def test_every_notebook_is_tested():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(SHOWS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWS)
@pytest.mark.filterwarnings("ignore")  # what the client's own parts deprecate
def test_a_notebook_runs_and_prints_well(name, tmp_path, monkeypatch):
    notebook = executed(name, tmp_path, monkeypatch)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    data = [output.data for output in outputs if "data" in output]
    for kind, least in SHOWS[name].items():
        assert sum(kind in one for one in data) >= least
    # A fit shows one line, renewed in place, and not hundreds.
    assert all(len(cell.get("outputs", [])) <= 4 for cell in notebook.cells)
    assert not any("\x1b" in one.get("text/plain", "") for one in data)


def test_the_start_takes_twenty_lines():
    notebook = nbformat.read(NOTEBOOKS / "start.ipynb", 4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 26, "It is to be read at a glance."
