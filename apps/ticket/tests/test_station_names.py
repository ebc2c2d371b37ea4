"""Names found as people type them."""

import pytest

from ticket.station_names import NameIndex

STATIONS = {
    "BBZ": ("Bhairab Bazar", "ভৈরব বাজার"),
    "BBD": ("Biman Bandar", "বিমান বন্দর"),
    "CTG": ("Chattogram", "চট্টগ্রাম"),
    "CXB": ("Cox's Bazar", "কক্সবাজার"),
    "DHK": ("Dhaka", "ঢাকা"),
    "MTR": ("Montréal Centrale", ""),
    "SHM": ("SH M Monsur Ali", "শহীদ এম মনসুর আলী"),
}
INDEX = NameIndex((code, (*names, code)) for code, names in STATIONS.items())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("dha", "DHK"),
        ("DHAKA", "DHK"),
        ("ঢাক", "DHK"),
        ("coxs baz", "CXB"),
        ("Cox’s_Bazar", "CXB"),  # noqa: RUF001 - as phones write it
        ("cox's", "CXB"),
        ("কক্স বাজার", "CXB"),
        ("বিমান_বন্দর", "BBD"),
        ("bandar", "BBD"),
        ("bbd", "BBD"),
        ("Chittagong", "CTG"),
        ("চট্ট", "CTG"),
        ("montreal", "MTR"),
        ("SHMMonsur", "SHM"),
        ("airport", "BBD"),
        ("dhaka airport", "BBD"),
    ],
)
def test_station_is_found_first(query, code):
    assert INDEX.find(query, limit=5)[0] == code


def test_beginnings_come_before_words_and_words_before_the_rest():
    names = NameIndex((name, [name]) for name in ("Abazar", "Cox's Bazar", "Bazarpur"))
    assert names.find("bazar", limit=9) == ["Bazarpur", "Cox's Bazar", "Abazar"]


def test_limit_holds_and_nothing_typed_lists_from_the_start():
    assert INDEX.find("", limit=2) == ["BBZ", "BBD"]


@pytest.mark.parametrize("query", ["xyz", "'", "--", "দ্রাজ"])
def test_what_matches_nothing_finds_nothing(query):
    assert INDEX.find(query, limit=9) == []
