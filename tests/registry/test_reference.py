"""How close an answer is to a reference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalkit.registry.reference import compare_with_reference, lcs, tokens


def compare(answer: str, reference: str) -> dict[str, float | None]:
    return compare_with_reference({"output": reference}, [answer])


def test_equal_texts_are_equal_in_every_script_and_composition() -> None:
    for text in ("서울입니다.", "Seoul, 1.5 km", "東京です", "서울", "한글과 English 12"):
        found = compare(f" {text}\n", text)
        assert found == {**dict.fromkeys(found, 1.0)}, text
    assert compare("서울", "서울")["exact_match"] == 1.0, "decomposed Hangul"


def test_particles_do_not_hide_what_two_korean_texts_share() -> None:
    near, far = compare("학교에 갔다", "학교를 갔다"), compare("바다를 보았다", "학교를 갔다")
    for metric in ("chrf", "rouge_l", "token_f1"):
        assert 1.0 > near[metric] > far[metric] > 0.0, metric  # type: ignore[operator]
    assert compare("Seoul", "서울")["same_script"] == 0.0
    assert compare("가나다라", "가나")["length_ratio"] == 2.0


@given(st.lists(st.sampled_from("가나다ab"), max_size=30), st.lists(st.sampled_from("가나다ab"), max_size=30))
def test_the_longest_common_subsequence_is_that_of_the_table(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    assert lcs(a, b) == table[-1][-1]


@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_no_text_breaks_a_figure(answer: str, reference: str) -> None:
    found = compare(answer, reference)
    for metric in ("chrf", "rouge_l", "token_f1", "exact_match"):
        assert 0.0 <= float(found[metric] or 0.0) <= 1.0
    assert tokens(reference) == tokens(reference.upper()) or reference.upper().lower() != reference.lower()
