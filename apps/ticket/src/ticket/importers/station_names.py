"""
Station names: one spelling for passengers, and keys by which two sources' spellings compare.

A name is trusted to be the same station only if neither language contradicts it.
"""

import re
import unicodedata

JUNCTION_BN = "জংশন"
BENGALI_DROPPED = re.compile("[\u0981\u0985-\u0994\u09bc\u09be-\u09cd\u09d7]")
BENGALI_SAME = str.maketrans({"ণ": "ন", "শ": "স", "ষ": "স"})
PARENTHESISED = re.compile(r"\(([^)]*)\)")

# The source shortens these words, and nobody would look for them as they are printed there.
WRITTEN_OUT = {"Coxs": "Cox's", "Myn": "Mymensingh"}


def plain_english(name: str) -> str:
    """Give "Biman Bandar" for "Biman_Bandar" and "Gomdandi" for "GOMDANDI"."""
    words = name.replace("_", " ").split()
    if name.isupper():
        words = [word.capitalize() for word in words]
    return " ".join(WRITTEN_OUT.get(word, word) for word in words)


def plain_bengali(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.replace("_", " ").split()))


def english_key(name: str) -> str:
    """Give what is left of a name without case, accents, spaces and punctuation."""
    bare = unicodedata.normalize("NFKD", PARENTHESISED.sub("", name)).lower()
    return re.sub(r"[^a-z0-9]", "", bare)


def without_junction(key: str) -> str:
    return key.removesuffix("junction")


def english_aliases(name: str) -> list[str]:
    """Give the keys of what stands in parentheses: "Dhaka Airport (Biman Bandar)"."""
    return [english_key(alias) for alias in PARENTHESISED.findall(name)]


def english_skeleton(key: str) -> str:
    """Give the consonants, which spellings of one name share."""
    return re.sub(r"(.)\1+", r"\1", re.sub("[aeiouyh]", "", without_junction(key)))


def bengali_key(name: str) -> str:
    bare = PARENTHESISED.sub("", plain_bengali(name)).replace(JUNCTION_BN, "")
    return re.sub(r"[\s.\-]", "", bare)


def bengali_skeleton(key: str) -> str:
    """Give the consonants of a Bengali name, with those letters merged that sound the same."""
    spread = unicodedata.normalize("NFD", key).replace("ড\u09bc", "র").replace("ঢ\u09bc", "র")
    return BENGALI_DROPPED.sub("", spread).translate(BENGALI_SAME)


def bengali_agrees(one: str, other: str) -> bool:
    """Say whether two Bengali names may be one station's; an empty name contradicts nothing."""
    ours, theirs = bengali_skeleton(bengali_key(one)), bengali_skeleton(bengali_key(other))
    return ours in theirs or theirs in ours
