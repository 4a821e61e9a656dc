"""Plain, idiomatic technical English: words that users do not read, and what they read instead.

Pages are held to all of them, the texts of the package (every string constant) to those of WORDS.
"""

import ast
import re

import pytest

from tests.docs.pages import PAGES, REPOSITORY

# Nowhere that a user reads: neither on a page nor in a string of the package. (word, better)
WORDS = [
    (r"ordinary processor", "CPU"),
    (r"voted on by rays", "decided by ray voting"),
    (r"points of a step", "batch"),
    (r"what is kept", "checkpoint"),
    (r"stands ready", "untested"),
    (r"bad luck", "name the fault"),
    (r"rather in a terminal", "prefer the terminal?"),
    (r"halls", "keep files small"),
    (r"it may end in any way", "it can be killed at any moment"),
    (r"ordinary numbers", "rescale or centre it"),
    (r"heap of loose triangles", "triangle soup"),
    (r"ends? in nothing", "name the fault"),
    (r"take it home", "export, download"),
    (r"take away", "export"),
    (r"the whole journey", "end-to-end demo"),
    (r"photos? held out", "held-out view"),
    (r"badly wound", "inconsistent winding"),
    (r"bits a number", "bits per parameter"),
    (r"makes? no sense", "invalid"),
    (r"no numbers", "NaN or infinite"),
    (r"goes on with it", "resumes"),
    (r"piece alone", "largest component"),
    (r"rivals?", "baseline, comparison"),
    (r"processors?", "CPU"),
    (r"mended", "fixed, repaired"),
    (r"as many numbers", "as many parameters"),
    (r"stored numbers", "stored parameters"),
    (r"an earlier version", "history belongs in the changelog"),
    (r"goes on", "resumes, continues"),
    (r"the same command does", "rerun the same command"),
]
# Not on pages; in the code the word also means rounding to whole numbers.
PAGES_ONLY = [
    (r"rounded", "quantised"),
]
# Printed by the program, so they are shown as they are; or a quotation.
QUOTED = re.compile(r"`[^`]*`|\"[^\"\n]*\"")


def found(pattern: str, text: str) -> list[str]:
    return re.findall(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, flags=re.IGNORECASE)


def constants() -> list[tuple[str, str]]:
    """(place, text) of every string constant of the package."""
    return [
        (f"{path.relative_to(REPOSITORY)}:{node.lineno}", node.value)
        for path in sorted((REPOSITORY / "fieldlr").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


CONSTANTS = constants()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_in_plain_words(page):
    prose = QUOTED.sub("", page.prose)
    bad = {p: better for p, better in WORDS + PAGES_ONLY if found(p, prose)}
    assert bad == {}, "say what stands behind the colon"


@pytest.mark.parametrize("pattern, better", WORDS, ids=[pattern for pattern, _ in WORDS])
def test_texts_of_the_package_are_in_plain_words(pattern, better):
    bad = [place for place, text in CONSTANTS if found(pattern, text)]
    assert bad == [], f"say {better}"


@pytest.mark.parametrize("text", ["All RIVALS lost.", "a rival, then", "(rival)"])
def test_the_check_sees_a_word(text):
    assert found("rivals?", text)


def test_the_check_matches_whole_words():
    assert not found("rivals?", "arrivals") and not found("piece alone", "piece-alone")
