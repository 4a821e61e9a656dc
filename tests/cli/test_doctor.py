"""The doctor tells the truth about a machine, quickly and without falling over."""

import json
import sys
from importlib import metadata

import pytest
import torch

from fieldlr.cli import doctor


@pytest.fixture(scope="module")
def report():
    return doctor.examine()


def test_the_report_is_plain_json(report):
    assert json.loads(json.dumps(report)) == report


def test_the_report_names_this_machine(report):
    assert report["python"] == sys.version.split()[0]
    assert report["torch"] == torch.__version__
    assert report["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert report["cpu"]["threads"] == torch.get_num_threads()
    assert 0.01 < report["speed"]["fp32_gflops"] < 1e6
    assert 0.01 < report["speed"]["bf16_gflops"] < 1e6


def test_a_part_works_or_says_why_and_how_to_get_it(report):
    missing = {item["what"]: item for item in report["missing"]}
    for part in doctor.PARTS:
        found = report["parts"][part.module]
        assert found["works"] == (found["reason"] is None)
        assert found["works"] == (part.distribution not in missing)
    assert all(item["why"] and item["how"] for item in missing.values())


def test_the_description_names_every_part_and_every_remedy(report):
    text = doctor.describe(report)
    assert all(module in text for module in report["parts"])
    assert all(item["how"] in text for item in report["missing"])


def part(module: str, distribution: str, probe: str | None = None) -> doctor.Part:
    return doctor.Part(module, distribution, "a test", "nothing", probe)


def test_a_package_that_is_not_there_is_not_installed():
    found = doctor.examine_part(part("no_such_module", "no-such-distribution", "import nothing"))
    assert found == {"works": False, "version": None, "reason": "not installed"}


def test_a_package_that_works_has_its_version():
    found = doctor.examine_part(part("numpy", "numpy", "import numpy"))
    assert found == {"works": True, "version": metadata.version("numpy"), "reason": None}


def test_a_library_that_cannot_be_loaded_gives_its_reason():
    library = "libusb-1.0.so.0: cannot open shared object file"
    found = doctor.examine_part(part("numpy", "numpy", f"raise OSError({library!r})"))
    assert not found["works"]
    assert found["reason"] == f"OSError: {library}"


def test_a_crash_is_a_reason_and_not_our_end():
    found = doctor.examine_part(part("numpy", "numpy", "import os; os.abort()"))
    assert not found["works"] and found["reason"]


def test_a_package_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.5)
    found = doctor.examine_part(part("numpy", "numpy", "import time; time.sleep(60)"))
    assert not found["works"] and "no response" in found["reason"]
