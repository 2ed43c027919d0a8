"""The house rules: which room may import which, and what start-up may cost."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "evalkit"

GROUND = {"errors", "types", "validation", "yamlfile", "regularfile", "metrics", "timelimit"}
READS_RESULTS = {"stats", "policy", "results"}
READING_API = {"arguments", "parsing", "registry", "models", "comparison", "gating", "ranking", "curves", "reporting"}
ABOVE_REGISTRY = GROUND | {"documents", "descriptions", "stats", "config", "policy", "models", "tokens"}
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "yamlfile": {"errors"},
    "metrics": set(),
    "types": set(),
    "regularfile": set(),
    "timelimit": set(),
    "validation": {"errors"},
    "scrub": set(),
    "documents": set(),
    "safe": set(),
    "descriptions": {"errors"},
    "usercache": set(),
    "hardware": set(),
    "plugins": {"errors"},
    "stats": GROUND,
    "arguments": GROUND,
    "parsing": GROUND | {"arguments"},
    "config": GROUND
    | {"arguments", "parsing", "engines", "descriptions"},  # of engines the specs alone: which there are
    "policy": GROUND,
    "models": GROUND | {"usercache"},
    "tokens": GROUND | {"models"},
    "registry": ABOVE_REGISTRY | {"checks", "scoring", "usercache", "plugins"},
    "planning": {"types"},
    "engines": GROUND | {"tokens", "models", "planning", "plugins", "scrub"},
    "journal": GROUND | {"scrub"},
    "sandbox": GROUND,
    "scoring": GROUND | {"sandbox"},
    "checks": GROUND | {"sandbox", "plugins"},
    "judging": GROUND | {"stats", "engines", "journal", "results", "config", "models", "tokens", "plugins", "scrub"},
    "detectors": GROUND | {"plugins", "stats", "checks", "judging"},
    "results": GROUND | {"scrub", "engines"},  # the specs alone: which model arguments change answers
    "synth": GROUND,
    "comparison": GROUND | READS_RESULTS,
    "gating": GROUND | READS_RESULTS | {"comparison"},
    "ranking": GROUND | READS_RESULTS | {"comparison", "models"},
    "curves": GROUND | READS_RESULTS | {"comparison"},
    "training": GROUND | READS_RESULTS | {"comparison", "curves", "registry", "hardware"},
    "reporting": GROUND | READS_RESULTS | {"comparison", "gating", "ranking", "curves", "scrub", "safe", "detectors"},
    "exporting": GROUND | READS_RESULTS | {"comparison", "gating", "scrub", "safe", "plugins", "engines"},
    "runner": ABOVE_REGISTRY
    | {"hardware", "registry", "planning", "engines", "journal", "sandbox", "scoring", "checks", "judging", "results"}
    | {"comparison", "detectors", "gating", "parsing", "ranking", "synth"},
    "api": GROUND
    | READS_RESULTS
    | READING_API
    | {
        "config",
        "engines",
        "exporting",
        "judging",
        "runner",
        "safe",
        "synth",
        "training",
        "journal",
        "sandbox",
        "hardware",
        "tokens",
        "checks",
        "detectors",
    },
    # Verbs parse, call the API and show; what is beneath it they do not know.
    "cli": {"api", "errors", "types", "arguments", "reporting"},
}
FREE = {"__init__", "__main__", "pytest_plugin"}
SEAM = ("registry", "lmeval")
"""The folder that alone imports lm_eval."""
HEAVY = ("torch", "vllm", "transformers", "datasets", "lm_eval", "openai", "peft", "evaluate", "ray")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "_models" not in path.parts and "_data" not in path.parts)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            if node.module == "evalkit":
                found |= {f"evalkit.{alias.name}" for alias in node.names}
    return found


@functools.cache
def import_statements(path: Path) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """All import statements of a file, and those at its top."""
    tree = ast.parse(path.read_text())
    everywhere = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return everywhere, [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(path: Path) -> set[str]:
    return {name for node in import_statements(path)[0] for name in imports(node)}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path: Path) -> None:
    here = room(path)
    if here in FREE:
        return
    assert here in ARROWS, f"{here} is a new room: say in this test what it may import"
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("evalkit.")}
    assert ours - {here, "__version__"} <= ARROWS[here]


def test_no_test_file_is_over_400_lines() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in (PACKAGE.parent / "tests").rglob("*.py")}
    assert not {str(path): size for path, size in sizes.items() if size > 400}, "split it by subject"


def test_no_relative_imports_hide_an_arrow() -> None:
    for path in modules():
        if "inside" in path.parts:
            continue  # what runs inside the sandbox's bare interpreter is no part of the package there
        for node in import_statements(path)[0]:
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: import by full name"


def test_one_package_is_the_seam_to_lm_eval() -> None:
    users = [p for p in modules() if any(n.split(".")[0] == "lm_eval" for n in imported(p))]
    assert {p.relative_to(PACKAGE).parts[:-1] for p in users} == {SEAM}, f"lm_eval is imported by {users}"


def opened_on_use(path: Path) -> bool:
    """Inner files of an engine, the seam, the metric for `evaluate`: imported by their room inside a function."""
    inner_of_engine = room(path) == "engines" and len(path.relative_to(PACKAGE).parts) == 3
    folder = path.relative_to(PACKAGE).parts[:-1]
    alone = folder == SEAM or path.parts[-2:] == ("scoring", "code_eval.py")
    return path.name != "__init__.py" and (inner_of_engine or alone)


@pytest.mark.parametrize(
    "path", [p for p in modules() if not opened_on_use(p)], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_heavy_libraries_are_imported_inside_functions(path: Path) -> None:
    names = {name.split(".")[0] for node in import_statements(path)[1] for name in imports(node)}
    assert not names & set(HEAVY)


def test_naming_a_room_loads_no_model_library() -> None:
    rooms = sorted({f"evalkit.{room(path)}" for path in modules() if room(path) not in FREE | {"runner"}})
    engines = [f"evalkit.engines.{name}" for name in ("huggingface.engine", "vllm.engine", "openai.engine", "mock")]
    probe = f"import sys, importlib\nfor name in {rooms + engines!r}: importlib.import_module(name)\n"
    probe += f"print(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["gate", "--help"]], ids=" ".join)
def test_help_starts_light(argv: list[str]) -> None:
    probe = (
        "import sys\n"
        "from evalkit.cli import main\n"
        f"try: main({argv!r})\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"heavy = sorted(set(sys.modules) & {set(HEAVY) | {'pandas', 'scipy', 'pyarrow', 'numpy'}!r})\n"
        "print('HEAVY', heavy)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "Usage: " in done.stdout
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.fixture(scope="module")
def installed_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built in a second and unpacked: what `pip install lm-evalkit` puts on a machine."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling builds the wheel: pip install hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=PACKAGE.parent, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_all_that_is_read_at_run_time(installed_wheel: Path) -> None:
    root = PACKAGE.parent
    shipped = {f"_data/{path.relative_to(root)}" for name in ("tasks", "judges") for path in (root / name).rglob("*.*")}
    shipped |= {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.*") if "_data" not in path.parts}
    kinds = {".yaml", ".jsonl", ".json", ".safetensors", ".html", ".css", ".js"}
    wanted = {name for name in shipped if Path(name).suffix in kinds}
    assert {"models/catalog.yaml", "_models/nano/model.safetensors", "_data/tasks/mmlu.yaml"} <= wanted
    assert not {name for name in wanted if not (installed_wheel / "evalkit" / name).is_file()}


def test_a_wheel_finds_its_own_tasks_rubrics_and_model(installed_wheel: Path, tmp_path: Path) -> None:
    probe = (
        "from evalkit.models import catalog\n"
        "from evalkit.judging.rubric import list_rubrics\n"
        "from evalkit.registry import Registry\n"
        "task = Registry().load(['mini_knowledge']).tasks['mini_knowledge']\n"
        "from evalkit.documents import document\n"
        "print(len(task.build(2)), catalog.resolve('nano').source, list_rubrics()['pairwise'], document('tasks.md'))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(installed_wheel)}
    command = [sys.executable, "-P", "-c", probe]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    documents, model, rubric, page = done.stdout.split()
    assert documents == "2"
    assert all(Path(found).is_relative_to(installed_wheel) for found in (model, rubric, page))
    assert Path(page).is_file()


def engine_names_compared(tree: ast.AST, names: set[str]) -> set[str]:
    """The engines' names that code compares something with: by ==, in, match, or as a string's beginning."""
    compared: set[str] = set()
    for node in ast.walk(tree):
        sides: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            sides = list(node.args)
        constants = [part for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)]
        compared |= {str(part.value) for part in constants} & names
    return compared


def test_no_room_but_its_own_compares_an_engines_name() -> None:
    from evalkit.engines.mock import SPEC
    from evalkit.engines.spec import all_specs

    names = {*all_specs(), SPEC.name}
    assert {"hf", "vllm", "openai", "replay"} <= names
    assert engine_names_compared(ast.parse("kind.name == 'hf' or kind in ('vllm',)"), names) == {"hf", "vllm"}
    told = {path: engine_names_compared(ast.parse(path.read_text()), names) for path in modules()}
    assert not {path: found for path, found in told.items() if found and room(path) != "engines"}


def test_naming_the_engines_loads_none_of_their_libraries() -> None:
    probe = "import sys\nfrom evalkit.engines.spec import all_specs\nassert len(all_specs()) >= 4\n"
    probe += f"print(sorted(set(sys.modules) & {set(HEAVY) | {'numpy', 'pandas', 'asyncio'}!r}))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("group", ["engines", "judges", "exporters"])
def test_the_shipped_plug_ins_are_found_without_an_installation_too(group: str) -> None:
    """From entry points where evalkit is installed, else from a list of their own: both name the same ones."""
    from evalkit import plugins
    from evalkit.engines.spec import ENGINES
    from evalkit.exporting.spec import EXPORTERS
    from evalkit.judging.backends.spec import BACKENDS

    shipped = {"engines": ENGINES, "judges": BACKENDS, "exporters": EXPORTERS}[group].shipped
    declared = {name: plugin.target for name, plugin in plugins.installed(f"evalkit.{group}").items()}
    written = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]["entry-points"]
    assert dict(shipped) == written[f"evalkit.{group}"]
    # A tree that was installed before a plug-in came to it does not have its entry point yet.
    assert {name: declared[name] for name in shipped if name in declared}.items() <= dict(shipped).items()
