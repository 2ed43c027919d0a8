"""Statements of SQL, run on SQLite."""

from __future__ import annotations

import pytest

from evalkit.checks import check
from tests.helpers.check_cases import STAFF
from tests.helpers.checking import verdict

NAMES = {"kind": "sql", "schema": STAFF, "query": "SELECT name FROM staff ORDER BY pay"}


@pytest.mark.parametrize(
    "statement",
    [
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t",
        "SELECT hex(zeroblob(1000000000))",
        "SELECT printf('%.*c', 1000000000, 'x')",
        "SELECT 1 FROM " + ", ".join(f"staff s{number}" for number in range(11)),
        "ATTACH DATABASE '/tmp/evalkit-check.db' AS other",
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x')",
        "UPDATE staff SET pay = 0",
        "VACUUM INTO '/tmp/evalkit-check.db'",
        "CREATE TABLE x (a)",
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "\x00",
        "SELECT '\ud800'",
    ],
)
def test_statements_that_write_reach_out_or_never_end_are_refused(statement: str) -> None:
    assert verdict(check(NAMES, statement)) == (False, False)


def test_order_counts_where_the_reference_orders() -> None:
    assert verdict(check(NAMES, "SELECT name FROM staff ORDER BY pay ASC")) == (True, True)
    assert verdict(check(NAMES, "SELECT name FROM staff ORDER BY pay DESC")) == (False, False)
    assert verdict(check({**NAMES, "ordered": False}, "SELECT name FROM staff ORDER BY pay DESC")) == (True, True)
    inner = {**NAMES, "query": "SELECT name FROM (SELECT * FROM staff ORDER BY pay)"}
    assert verdict(check(inner, "SELECT name FROM staff ORDER BY pay DESC")) == (True, True)


def test_expected_rows_columns_and_other_data() -> None:
    rows = {"kind": "sql", "schema": STAFF, "rows": [["sales", 250], ["tech", 400.0]], "names": ["team", "mean"]}
    mean = "SELECT team, avg(pay) AS mean FROM staff GROUP BY team"
    assert verdict(check(rows, mean)) == (True, True)
    assert verdict(check({**rows, "columns": True}, mean)) == (True, True)
    assert verdict(check({**rows, "columns": True}, mean.replace("mean", "pay"))) == (False, False)
    guess = "SELECT 'sales', 250 UNION SELECT 'tech', 400"
    assert verdict(check(rows, guess)) == (True, True)
    query = {"kind": "sql", "schema": STAFF, "query": mean}
    more = {**query, "more_data": ["INSERT INTO staff VALUES ('Di', 'tech', 100)"]}
    assert verdict(check(query, guess)) == (True, True)
    assert verdict(check(more, guess)) == (False, False)
    assert verdict(check(more, mean)) == (True, True)


def test_one_fence_may_be_asked_for() -> None:
    fenced = "```sql\nSELECT name FROM staff ORDER BY pay\n```"
    assert verdict(check(NAMES, fenced)) == (False, True)
    assert verdict(check({**NAMES, "fence": True}, fenced)) == (True, True)
    assert verdict(check({**NAMES, "fence": True}, f"Here:\n{fenced}")) == (False, True)


def test_a_broken_statement_is_not_cut_until_it_runs() -> None:
    spec = {"kind": "sql", "schema": STAFF, "query": "SELECT name FROM staff"}
    for answer in (
        "```sql\nSELECT name FROM staff WHERE\n```",
        "SELECT name FROM staff ORDER BY nothing_like_it",
        "SELECT name FROM staff\nWHERE pay >>> 3",
        "SELECT name FROM staff JOIN JOIN teams",
    ):
        assert verdict(check(spec, answer)) == (False, False), answer
