"""Installed packages inside the sandbox: importable, read-only, and none but those that were allowed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evalkit.errors import UsageError
from evalkit.sandbox import Limits, Sandbox
from evalkit.sandbox.inside.decoding import decode
from evalkit.sandbox.inside.encoding import encode
from evalkit.sandbox.inside.wire import Malformed
from evalkit.sandbox.packages import find_packages
from evalkit.types import Program
from tests.helpers.sandboxes import SAFE, canonical, one, start


class Forged:
    """What a program may send without having numpy: the name of its class says numpy.ndarray."""

    __module__ = "numpy"

    class dtype:
        kind, str = "i", "|O8"

    shape = (1,)

    def tobytes(self) -> bytes:
        return bytes(8)


Forged.__name__ = "ndarray"


@pytest.fixture(scope="module", params=SAFE)
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with start(request.param, workers=1, packages=["numpy"]) as sandbox:
        yield sandbox


def test_program_and_tests_import_what_is_allowed(box: Sandbox) -> None:
    source = "import numpy as np\ndef f(x):\n    return np.array(x) * 2\ndef g(x):\n    return np.int64(x) + 1\n"
    tests = (
        "import numpy as np\nassert np.allclose(f([1, 2]), [2, 4])\n"
        "assert (f(np.array([1.5])) == np.array([3.0])).all()\n"
        "assert f([1, 2]).dtype.kind == 'i' and g(1) == 2\nassert not np.allclose(f([1, 2]), [2, 5])\n"
    )
    assert one(box, source, tests).verdict == "passed"
    assert box.describe()["packages"]["numpy"]


def test_nothing_else_is_there_and_nothing_can_be_written(box: Sandbox) -> None:
    source = """
import importlib.util, os
import numpy
def attempt(name):
    try:
        if name == 'other':
            assert importlib.util.find_spec('pandas') is None
            import pandas
        elif name == 'write':
            open(numpy.__file__, 'a')
        elif name == 'create':
            open(os.path.join(os.path.dirname(numpy.__file__), 'new.py'), 'w')
        elif name == 'neighbours':
            os.listdir(os.path.dirname(os.path.dirname(numpy.__file__)))
        elif name == 'remove':
            os.unlink(numpy.__file__)
    except (ImportError, OSError) as error:
        return type(error).__name__
    return 'done'
"""
    tests = (
        "assert attempt('other') == 'ModuleNotFoundError'\n"
        "for name in ('write', 'create', 'neighbours', 'remove'):\n    assert attempt(name) != 'done', name\n"
    )
    assert one(box, source, tests).verdict == "passed"


def test_an_array_of_objects_stays_with_the_program(box: Sandbox) -> None:
    """It could claim to equal anything, and a forged array is no array."""
    source = """
import numpy
class ndarray:
    __module__ = 'numpy'
    ndim = 1
    class dtype:
        kind, str = 'i', '|O8'
    shape = (1,)
    def tobytes(self):
        return b'x' * 8
    def __eq__(self, other):
        return True
class Equal:
    def __eq__(self, other):
        return True
def f(which):
    return ndarray() if which else numpy.array([Equal()], dtype=object)
"""
    assert one(box, source, "assert f(0) == [1]").verdict == "failed"
    assert one(box, source, "assert f(1) == [1]").verdict == "failed"


def test_a_program_may_have_more_time_than_the_others() -> None:
    source = (
        "from time import process_time as t\ndef f():\n    end = t() + 0.5\n    while t() < end: pass\n    return 1\n"
    )
    with start("landlock", workers=2, limits=Limits(seconds=0.2)) as short:
        limited, longer = short.judge(
            [Program(source, "assert f() == 1", seconds=0.1), Program(source, "assert f() == 1", seconds=20.0)]
        )
    assert limited.verdict == "timed_out"
    assert longer.verdict == "passed"


def test_without_numpy_a_forged_array_is_no_message() -> None:
    with pytest.raises(Malformed):
        decode(encode(Forged(), lambda value: ("ours", 1, ""), [], 1 << 20), lambda number, word: None, [])


def test_what_is_not_installed_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing-of-this-name"):
        find_packages(["nothing-of-this-name"])
    found = find_packages(["yaml", "pandas"])
    assert {"PyYAML", "pandas", "numpy", "python-dateutil", "six"} <= {name for name, _ in found.versions}
    assert any(path.endswith("/six.py") for path in found.paths)


@pytest.mark.hub
def test_humanevals_right_answers_pass_with_packages_too(humaneval: list[dict[str, str]]) -> None:
    with start("namespaces", packages=["numpy"]) as sandbox:
        verdicts = sandbox.judge([canonical(row) for row in humaneval])
    assert [verdict for verdict in verdicts if verdict.verdict != "passed"] == []
    assert len(verdicts) == 164
