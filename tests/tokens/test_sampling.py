"""Generation arguments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import UsageError
from evalkit.tokens import sampling_of


@settings(max_examples=100)
@given(
    kwargs=st.fixed_dictionaries(
        {},
        optional={
            "until": st.one_of(st.just("\n"), st.lists(st.sampled_from(["\n", "Q:", "</s>"]), max_size=3)),
            "max_gen_toks": st.integers(1, 500),
            "max_new_tokens": st.integers(1, 500),
            "max_tokens": st.integers(1, 500),
            "do_sample": st.booleans(),
            "temperature": st.sampled_from([0.0, 0.2, 1.0]),
            "top_p": st.sampled_from([0.5, 1.0]),
            "num_beams": st.integers(1, 3),
        },
    )
)
def test_generation_arguments_are_read_as_lm_eval_reads_them(kwargs: dict[str, Any]) -> None:
    from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs

    theirs = normalize_gen_kwargs(kwargs, 256)
    stops = handle_stop_sequences(list(theirs["until"]), eos="</s>")
    ours = sampling_of(kwargs, "</s>")
    assert ours.max_tokens == theirs["max_gen_toks"]
    assert ours.stop == tuple(stops)
    greedy = not theirs["do_sample"] or not theirs.get("temperature", 0.0)
    assert ours.temperature == (0.0 if greedy else theirs["temperature"])
    assert dict(ours.extra) == {key: value for key, value in kwargs.items() if key == "num_beams"}


def test_nonsense_in_generation_arguments_is_one_line() -> None:
    for kwargs in ({"max_gen_toks": 0}, {"max_gen_toks": "many"}, {"until": [3]}, {"temperature": "hot"}):
        with pytest.raises(UsageError):
            sampling_of(kwargs, None)
