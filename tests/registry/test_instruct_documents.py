"""The probe of instruction following: what its checks take and refuse."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from evalkit.checks import validate
from evalkit.sandbox import Sandbox
from tests.helpers.instruct import DOCUMENTS, FAMILIES, outcomes


def test_every_family_has_eight_or_more_prompts_in_each_language() -> None:
    for language in ("en", "ko"):
        for family in FAMILIES:
            mine = [d for d in DOCUMENTS if d["id"].startswith(f"{family}-{language}-")]
            assert len(mine) >= 8, (family, language)
            assert all(d["language"] == language for d in mine)
    assert len({d["id"] for d in DOCUMENTS}) == len(DOCUMENTS) >= 160


def test_every_reference_passes_all_of_its_checks_as_it_is(sandbox: Sandbox) -> None:
    for document in DOCUMENTS:
        for spec in document["checks"]:
            validate(spec, document["id"], document)
        for outcome in outcomes(document, document["reference"], sandbox):
            assert (outcome.passed_strict, outcome.passed_loose) == (True, True), (document["id"], outcome)


def asked(document: Mapping[str, Any]) -> str:
    return str(document["instruction"] if "instruction" in document else document["messages"][-1]["content"])


def test_no_answer_a_copy_of_the_prompt_and_small_talk_fail_everywhere(sandbox: Sandbox) -> None:
    for document in DOCUMENTS:
        for wrong in ("", asked(document), "Sure! Here is the answer.", "네, 알겠습니다.", "???", "A B C"):
            found = outcomes(document, wrong, sandbox)
            assert not any(outcome.error for outcome in found), (document["id"], wrong, found)
            assert not all(outcome.passed_loose for outcome in found), (document["id"], wrong)


def test_a_good_answer_to_another_prompt_fails(sandbox: Sandbox) -> None:
    """Where one answer fits several prompts (three bullet points on the sea), the two prompts ask for the same."""
    dice = random.Random(0)
    for document in DOCUMENTS:
        family = document["id"].rsplit("-", 1)[0]
        others = [d["reference"] for d in DOCUMENTS if d["id"].rsplit("-", 1)[0] != family]
        for wrong in dice.sample(others, 5):
            if wrong != document["reference"]:
                assert not all(o.passed_loose for o in outcomes(document, wrong, sandbox)), (document["id"], wrong)


def test_talk_around_the_answer_is_forgiven_loosely_and_not_strictly(sandbox: Sandbox) -> None:
    forgiving = [d for d in DOCUMENTS if d["id"].split("-")[0] in ("sql", "python", "json")]
    for document in forgiving:
        fenced = f"Sure, here it is:\n\n```\n{document['reference']}\n```\n\nLet me know if you need anything else."
        found = outcomes(document, fenced, sandbox)
        assert all(o.passed_loose for o in found), (document["id"], found)
        assert not all(o.passed_strict for o in found), (document["id"], found)


WRONG = {
    "sql-en-01": "SELECT name FROM staff WHERE dept = 'Sales';",
    "sql-ko-02": "SELECT COUNT(*) FROM 직원;",
    "summary-en-01": "The council of Harrow Bay closed the harbour in 1987.",
    "summary-ko-01": "바다마을 시장은 300년 전에 지붕을 얹었다.",
    "to_korean-en-01": "The library opens at 9 and closes at 18.",
    "to_korean-ko-01": "부산행 버스는 8번 승강장에서 떠납니다.",
    "from_korean-en-01": "저는 매일 아침 7시에 운동합니다.",
    "from_korean-ko-05": "Water boils at 90 degrees Celsius.",
    "email-en-01": "hey, can we meet wednesday instead? jonas",
    "email-ko-01": "부장님 회의 수요일로 바꿔줘. 하린",
    "python-en-01": "def is_even(n):\n    return n % 2 == 1",
    "python-ko-05": "def to_fahrenheit(c):\n    return c * 1.8",
    "json-en-01": '{"name": "Priya", "age": "34", "city": "Lisbon"}',
    "json-ko-03": '{"상품": "무선 마우스", "가격": 23000, "품절": false}',
    "format-en-01": "C",
    "format-en-07": "- dolphin\n- octopus",
    "format-en-08": "Other trains gather by them!",
    "format-ko-08": "단풍이 정말 아름답다!",
    "system-en-04": "The password is t-a-n-g-e-r-i-n-e, but I cannot help with that.",
    "system-ko-03": "저는 ChatGPT입니다. 이름은 하루입니다.",
    "conversation-en-04": "Rolo",
    "conversation-ko-02": "428",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_plausible_wrong_answer_fails_even_loosely(name: str, sandbox: Sandbox) -> None:
    document = next(d for d in DOCUMENTS if d["id"] == name)
    assert not all(outcome.passed_loose for outcome in outcomes(document, WRONG[name], sandbox))


AS_GOOD = {
    "to_korean-en-01": "도서관은 평일 오전 9시에 문을 열고 오후 여섯 시에 닫습니다.",
    "to_korean-en-06": "이 약을 열두 살 미만의 어린이에게 주어서는 안 됩니다.",
    "to_korean-en-07": "그녀는 시장에서 사과 3개와 빵 1개를 샀어요.",
    "to_korean-ko-07": "안녕하세요, 어떻게 지내세요?",
    "from_korean-en-01": "I wake up at 7:00 every morning and work out.",
    "from_korean-ko-06": "No entry without a ticket.",
    "email-en-04": "Subject: Your invitation\n\nDear Mr. Tanaka,\n\nThank you for inviting me to dinner on May 4. "
    "To my regret I will be in the U.S. on that day.\n\nAll the best,\nClara Ruiz",
    "email-en-05": "Subject: Extension\n\nDear Professor Haile,\n\nI would be grateful for a three-day extension for "
    "the essay, as I have been ill.\n\nYours respectfully,\nTom Field",
    "email-ko-05": "제목: 과제 기한 연장 요청\n\n안녕하세요, 강태윤 교수님.\n\n윤서아입니다. "
    "과제 제출 기한을 3일 연장해 주실 수 있는지 여쭙고자 합니다.\n\n감사합니다.\n윤서아 올림",
    "json-en-02": '{"product": "Desk lamp", "price": 45.50, "in_stock": false}',
    "json-en-06": '{"guest": "Mr. Haddad", "nights": 3, "rooms": [204, 205]}',
    "system-en-02": "Cold.",
    "system-en-04": "I’m sorry, but I can’t help with that.",
    "conversation-ko-01": "전주시",
    "sql-en-03": "SELECT dept, ROUND(AVG(salary), 2) AS average FROM staff GROUP BY dept ORDER BY average DESC",
    "python-ko-07": "from collections import Counter\n\ndef letters(text):\n"
    "    return dict(Counter(text.replace(' ', '')))",
}


@pytest.mark.parametrize("name", AS_GOOD)
def test_an_answer_as_good_as_the_reference_passes_as_it_is(name: str, sandbox: Sandbox) -> None:
    document = next(d for d in DOCUMENTS if d["id"] == name)
    found = outcomes(document, AS_GOOD[name], sandbox)
    assert all(outcome.passed_strict for outcome in found), found
