"""Changed programs in HumanEval's and MBPP's format get the verdict of a plain run."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from evalkit.sandbox import Limits, Sandbox
from evalkit.types import Program
from tests.sandbox.mbpp_rows import ROWS

BINARY: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}


COMPARE: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


class _Mutator(ast.NodeTransformer):
    """Changes the nth thing that can be changed."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def turn(self) -> bool:
        self.count += 1
        return self.count - 1 == self.at

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if type(node.op) in BINARY and self.turn():
            node.op = BINARY[type(node.op)]()
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if type(node.ops[0]) in COMPARE and self.turn():
            node.ops[0] = COMPARE[type(node.ops[0])]()
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        if self.turn():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, (bool, int, float)) and self.turn():
            return ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
        if isinstance(node.value, str) and len(node.value) < 20 and self.turn():
            return ast.Constant(node.value + "x")
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None and self.turn():
            return ast.Return(ast.List([node.value], ast.Load()))
        if self.turn():
            return ast.Return(ast.Constant(None))
        return node


def changes(source: str, name: str | None = None) -> list[tuple[int, int]]:
    """What can be changed in a program: which of its statements, and which change there.

    Of HumanEval's programs only the function asked for: the prompt's helpers are the tests' as well.
    """
    body = ast.parse(source).body
    named = [n for n, node in enumerate(body) if name is not None and getattr(node, "name", None) == name]
    found = []
    for place in named[-1:] or range(len(body)):
        counter = _Mutator(-1)
        counter.visit(body[place])
        found += [(place, n) for n in range(counter.count)]
    return found


def mutant(source: str, change: tuple[int, int]) -> str:
    tree = ast.parse(source)
    place, n = change
    tree.body[place] = _Mutator(n).visit(tree.body[place])
    return ast.unparse(ast.fix_missing_locations(tree))


_PLAIN = """\
import json, os, signal, sys, resource
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
limit = float(sys.argv[1])
out = []
for text in json.load(sys.stdin):
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        signal.setitimer(signal.ITIMER_PROF, limit)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        try:
            exec(compile(text, "x", "exec"), {})
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    out.append("timed_out" if os.WIFSIGNALED(status) else ["passed", "failed"][os.WEXITSTATUS(status)])
json.dump(out, sys.stdout)
"""


def plain_run(texts: list[str], limit: float) -> list[str]:
    """Program and tests in one process, trusted: what the verdict should be."""
    done = subprocess.run(
        [sys.executable, "-c", _PLAIN, str(limit)], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout))


def hold_to_a_plain_run(programs: list[Program]) -> list[str]:
    """What plain runs say of the programs; the sandbox must say the same."""
    limit = 1.0
    whole = [
        "\n".join([one.source, one.tests, *([f"check({one.entry_point})"] if one.entry_point else [])])
        for one in programs
    ]
    half = len(whole) // 2
    with ThreadPoolExecutor(2) as halves:
        runs = halves.map(lambda part: plain_run(part, limit), (whole[:half], whole[half:]))
        expected = [verdict for found in runs for verdict in found]
    with Sandbox.start(limits=Limits(seconds=limit)) as box:
        verdicts = box.judge(programs)
    differ = []
    for program, text, plain, found in zip(programs, whole, expected, verdicts, strict=True):
        # What grows without bound ends at whichever limit comes first.
        ours = found.verdict if found.verdict != "memory" else "failed"
        # Some mutants depend on the order of a set, or stand at the edge of the time limit.
        if ours != plain and (ours == "passed" or plain == "passed") and ours not in plain_run([text] * 5, limit):
            differ.append((program.source, plain, found))
    assert differ == []
    return expected


@pytest.mark.hub
def test_mutants_get_the_verdict_of_a_plain_run(humaneval: list[dict[str, str]]) -> None:
    rows = [row for row in humaneval if "from random import" not in row["test"]]
    wholes = [(row, row["prompt"] + row["canonical_solution"]) for row in rows]
    every = [(row, whole, change) for row, whole in wholes for change in changes(whole, row["entry_point"])]
    chosen = [
        Program(mutant(whole, change), row["test"], row["entry_point"], row["prompt"])
        for row, whole, change in random.Random(0).sample(every, 500)
    ]
    expected = hold_to_a_plain_run(chosen)
    assert expected.count("passed") > 25
    assert expected.count("failed") > 250


def test_mutants_in_mbpps_format_get_the_verdict_of_a_plain_run() -> None:
    right = [Program(row["code"], row["tests"]) for row in ROWS]
    dice = random.Random(0)
    changed = [replace(one, source=mutant(one.source, change)) for one in right for change in changes(one.source)]
    twice = [replace(one, source=mutant(one.source, dice.choice(changes(one.source)))) for one in changed]
    assert len(changed) + len(twice) >= 500
    expected = hold_to_a_plain_run([*right, *changed, *twice])
    assert expected[: len(right)] == ["passed"] * len(right)
    assert expected.count("passed") > 25 + len(right)
    assert expected.count("failed") > 250
