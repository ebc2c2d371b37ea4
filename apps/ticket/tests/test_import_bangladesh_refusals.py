"""Sources that are not what they should be end the import with one sentence, never a traceback."""

import json
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticket.importers.bangladesh import import_bangladesh
from ticket.importers.faults import faults
from ticket.importers.normalised import read
from ticket.importers.sources import UnusableSourceError

SMALL = Path(__file__).parent / "feeds" / "bangladesh-small"


def a_copy(tmp_path):
    return Path(shutil.copytree(SMALL, tmp_path / "source"))


def test_a_missing_file_makes_the_source_unusable(tmp_path):
    source = a_copy(tmp_path)
    (source / "offers.csv").unlink()
    with pytest.raises(UnusableSourceError, match=r"offers\.csv is missing"):
        import_bangladesh(source=source, stations_source=None, into=tmp_path / "out")


@pytest.mark.parametrize("content", ["{", "[{}]", '"a text"', "[1]"])
def test_another_file_of_that_name_makes_the_source_unusable(tmp_path, content):
    source = a_copy(tmp_path)
    (source / "timetable.json").write_text(content)
    with pytest.raises(UnusableSourceError, match="does not hold the Bangladesh Railway files"):
        import_bangladesh(source=source, stations_source=None, into=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_lists_of_names_that_differ_in_length_make_the_source_unusable(tmp_path):
    source = a_copy(tmp_path)
    (source / "stations_bn.json").write_text(json.dumps({"stations": ["এক"]}))
    with pytest.raises(UnusableSourceError, match="differ in length"):
        import_bangladesh(source=source, stations_source=None, into=tmp_path / "out")


def test_an_unreadable_list_of_places_makes_the_source_unusable(tmp_path):
    with pytest.raises(UnusableSourceError, match=r"railway-stations\.json"):
        import_bangladesh(source=SMALL, stations_source=tmp_path, into=tmp_path / "out")


ODD_CELLS = [
    "",
    "x",
    "-1",
    "99999",
    "25:00:00",
    "日本",
    '"',
    ",",
    "1",
    "12:00 pm BST",
    "null",
    "nan",
]
SOURCE_NAMES = sorted(path.name for path in SMALL.iterdir())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SOURCE_NAMES), st.integers(0, 10_000), st.sampled_from(ODD_CELLS))
def test_whatever_one_cell_says_the_import_ends_with_a_report_or_one_sentence(name, at, cell):
    with TemporaryDirectory() as folder:
        source = a_copy(Path(folder))
        text = (source / name).read_text(encoding="utf-8")
        cells = [found.span() for found in re.finditer(r'[^,\n"\[\]{}]+', text)]
        start, end = cells[at % len(cells)]
        (source / name).write_text(text[:start] + cell + text[end:], encoding="utf-8")
        ends = report_or_sentence(source)
        if isinstance(ends, str):
            assert "\n" not in ends
        else:
            assert ends.unbalanced() == []
            assert faults(read(source / "out")) == []


def report_or_sentence(source):
    try:
        return import_bangladesh(source=source, stations_source=None, into=source / "out")
    except UnusableSourceError as error:
        return str(error)
