"""
The house rules that no linter knows: sizes, words, docstrings, and where a file may stand. They
read the code; they run none of it.
"""

import ast
import re
import statistics
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FUNCTION_LINES_P90 = 25
FUNCTION_LINES_MEDIAN = 8
VIEW_LINES_MAX = 8
SERVICES = ("registration", "ticket", "order", "payment", "waitingroom")
# Words that mean nothing, or two things (GTFS's trip is OSDM's journey). The second list is for
# identifiers only: they are good English in a sentence.
BANNED_EVERYWHERE = ("booking",)
BANNED_IN_NAMES = ("utils", "helper", "helpers", "manager", "info", "trip")
RAILWAY_WORDS = ("train", "seat", "coach", "station", "ticket", "railway", "passenger")


@cache
def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def product_files() -> list[Path]:
    return [
        p for p in tracked("apps/*.py") if "tests" not in p.parts and "migrations" not in p.parts
    ]


def functions_of(path: Path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node) -> int:
    return node.end_lineno - node.lineno + 1


def shown(path: Path, line: int = 0) -> str:
    name = str(path.relative_to(ROOT))
    return f"{name}:{line}" if line else name


def test_no_file_is_longer_than_four_hundred_lines():
    too_long = [
        f"{shown(path)} ({count})"
        for path in tracked("*.py")
        if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX
    ]
    assert too_long == []


def test_functions_stay_short():
    sizes = sorted(lines_of(f) for path in product_files() for f in functions_of(path))
    too_long = [
        f"{shown(path, f.lineno)} {f.name} ({lines_of(f)})"
        for path in tracked("*.py")
        for f in functions_of(path)
        if lines_of(f) > FUNCTION_LINES_MAX
    ]
    assert too_long == []
    assert statistics.median(sizes) <= FUNCTION_LINES_MEDIAN
    assert sizes[len(sizes) * 9 // 10] <= FUNCTION_LINES_P90


def test_views_load_call_and_dump():
    """The body of a view, its docstring aside, has fewer than eight statements' lines."""
    fat = []
    for path in product_files():
        for function in functions_of(path):
            decorators = " ".join(ast.unparse(d) for d in function.decorator_list)
            if ".route(" not in decorators:
                continue
            body = function.body[1:] if ast.get_docstring(function) else function.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            if lines > VIEW_LINES_MAX:
                fat.append(f"{shown(path, function.lineno)} {function.name} ({lines})")
    assert fat == []


def test_every_module_says_what_it_is_for():
    silent = [
        shown(path)
        for path in tracked("apps/*.py", "ci/*.py")
        if path.read_text().strip() and not ast.get_docstring(parsed(path))
    ]
    assert silent == []


def test_no_docstring_repeats_its_name():
    def plain(text: str) -> str:
        return re.sub(r"[^a-z]", "", text.lower())

    repeating = [
        f"{shown(path, f.lineno)} {f.name}"
        for path in product_files()
        for f in functions_of(path)
        if plain(ast.get_docstring(f) or "x") == plain(f.name)
    ]
    assert repeating == []


def words_of(name: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower())


def names_in(path: Path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def may_speak_gtfs(path: Path) -> bool:
    """GTFS has files and columns named by a word that is banned elsewhere."""
    return "gtfs" in path.name


def test_banned_words_stay_banned():
    found = []
    for path in product_files():
        banned = [w for w in BANNED_IN_NAMES if not (w == "trip" and may_speak_gtfs(path))]
        found += [
            f"{shown(path, line)} {name}"
            for line, name in [*names_in(path), (0, path.stem)]
            if set(words_of(name)) & {*banned, *BANNED_EVERYWHERE}
        ]
        if any(
            re.search(rf"\b{word}\b", path.read_text(), re.IGNORECASE) for word in BANNED_EVERYWHERE
        ):
            found.append(f"{shown(path)} says a banned word")
    assert found == []


def test_chassis_knows_no_railway():
    """It would make sense in a bakery's system."""
    found = [
        f"{shown(path, line)} {name}"
        for path in tracked("apps/chassis/src/*.py")
        for line, name in names_in(path)
        if set(words_of(name)) & set(RAILWAY_WORDS)
    ]
    assert found == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service):
    folder = ROOT / "apps" / service / "src" / service
    rooms = {"app.py", "settings.py", "routes.py", "schemas.py", "operations.py", "queries.py",
             "models.py", "worker.py", "commands.py", "migrations"}  # fmt: skip
    assert sorted(rooms - {entry.name for entry in folder.iterdir()}) == []


def test_only_routes_workers_and_commands_read_the_clock():
    """Use cases and rules take `now`, so that a test can choose it."""
    allowed = {
        "app.py",
        "routes.py",
        "staff_routes.py",
        "service_routes.py",
        "shortcuts.py",
        "worker.py",
        "commands.py",
    }
    telling = []
    for service in SERVICES:
        for path in tracked(f"apps/{service}/src/*.py"):
            if path.name in allowed or "migrations" in path.parts:
                continue
            for node in ast.walk(parsed(path)):
                call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if call in {"datetime.now", "utc_now", "datetime.utcnow", "date.today"}:
                    telling.append(shown(path, node.lineno))
    assert telling == []


def test_no_network_call_inside_a_transaction():
    """Within `with transaction(db)` nobody asks a peer, sends a mail or sleeps."""
    calls = re.compile(r"\.(ask|refund|definition|changes|capture|void)\(|send_mail\(|sleep\(")
    guilty = []
    for path in product_files():
        for node in ast.walk(parsed(path)):
            is_block = isinstance(node, ast.With) and any(
                "transaction(" in ast.unparse(item.context_expr) for item in node.items
            )
            if is_block and calls.search("\n".join(ast.unparse(line) for line in node.body)):
                guilty.append(shown(path, node.lineno))
    assert guilty == []


def test_lock_files_name_no_index():
    for path in tracked("*requirements*.txt"):
        assert "--index-url" not in path.read_text()
        assert "https://" not in path.read_text()
