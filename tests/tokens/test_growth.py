"""A template from a stranger fills no memory and comes to an end, and an honest one gives what it always gave."""

from __future__ import annotations

import lm_eval.utils
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from evalkit.registry.templates import TemplateNeverEnds, Templates
from evalkit.tokens.growth import Bounded

BOMBS = {
    "product": "{{ 'a' * 10000000000 }}",
    "product of a list": "{{ ([0] * 1000000000) | length }}",
    "power": "{{ 10 ** (10 ** 9) }}",
    "powers": "{{ (2 ** 100000000) ** 100 }}",
    "width of a method": "{{ 'a'.center(10000000000) }}",
    "width by name": "{{ 'a'.ljust(width=10000000000) }}",
    "width of a filter": "{{ 'a' | center(10000000000) }}",
    "percent": "{{ '%10000000000d' % 1 }}",
    "percent with a star": "{{ '%*d' % (10000000000, 1) }}",
    "format": "{{ '{:10000000000}'.format(1) }}",
    "format within a format": "{{ '{:{}}'.format(1, '10000000000') }}",
    "format as a filter": "{{ '%10000000000d' | format(1) }}",
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "doubling": "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "doubling by plus": "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "doubling without a loop": "{% set a = 'aaaaaaaa' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
    "lists in lists": "{% set a = ['x'] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}",
    "mappings in mappings": "{% set a = {'x': 1} %}" + "{% set a = {'p': a, 'q': a} %}" * 60 + "{{ a | tojson }}",
    "mappings by a call": "{% set a = dict(x=1) %}" + "{% set a = dict(p=a, q=a) %}" * 60 + "{{ a }}",
    "blocks": "{% set a = 'aaaa' %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40,
    "a macro of itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "placeholder text": "{{ lipsum(n=1000000000) }}",
    "many places": "{{ ('{0}' * 100000).format('a' * 1000000) }}",
    "many wide places": "{{ ('{0:>999999}' * 10000).format(1) }}",
    "many precise places": "{{ ('%.999999f' * 10000) % ((1.0,) * 10000) }}",
    "many named places": "{{ ('%(a)s' * 100000) % {'a': 'a' * 1000000} }}",
    "many places by a filter": "{{ ('%(a)s' * 100000) | format(a='a' * 1000000) }}",
    "many parts of an object": "{% set c = cycler('a' * 1000000) %}{{ ('{0.items}' * 100000).format(c) }}",
    "a namespace written many times": "{% set n = namespace(x='a' * 1000000) %}{{ [n] * 100000 }}",
    "a namespace in a format": "{% set n = namespace(x='a' * 1000000) %}{{ ('%s' * 10000) % ((n,) * 10000) }}",
    "replace": "{% set a = 'a' * 100000 %}{{ a.replace('a', a) }}",
    "replace as a filter": "{% set a = 'a' * 100000 %}{{ a | replace('a', a) }}",
    "join": "{% set a = 'a' * 100000 %}{{ a.join('b' * 100000) }}",
    "join of a map": "{% set a = 'a' * 100000 %}{{ ('b' * 100000) | map('upper') | join(a) }}",
    "translate": "{% set a = 'a' * 100000 %}{{ a.translate({97: a}) }}",
    "indent": "{{ ('a\\n' * 100000) | indent(1000000) }}",
    "expandtabs": "{{ ('a\\t' * 100000).expandtabs(1000000) }}",
    "bytes of a number": "{{ (1).to_bytes(10000000000, 'big') }}",
    "indented JSON": "{{ range(99999) | list | tojson(indent=1000000) }}",
    "slices": "{% set a = 'a' * 10000000 %}{{ [" + "a[1:], " * 100 + "] | length }}",
    "sum of lists": "{{ ([[1] * 1000] * 10000) | sum(start=[]) | length }}",
    "brackets": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "long output": "{% for a in range(99999) %}" + "x" * 100000 + "{% endfor %}",
}


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates(lm_eval.utils.env)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(templates: Templates, name: str) -> None:
    with pytest.raises(TemplateNeverEnds, match="takes too many steps or makes too much text"):
        templates.render(BOMBS[name], {"q": "x"})


HONEST = """{% set ns = namespace(text='', n=0) %}
{%- macro show(m) -%}<{{ m.role | upper }}>{{ m['content'] | trim }}{% endmacro %}
{%- for m in messages[::-1] %}{{ show(m) ~ '-' * 3 }}{% set ns.text = ns.text + m.content[1:] %}{% endfor %}
{{- ns.text.replace('e', '3') | indent(2) }}{{ [1, 2.5, 'x'] + [none] }}{{ {'a': [1, (2, 3)]} | tojson }}
{{- '%s of %3d' % ('a', 5) }}{{ '{:>{}}'.format('r', 4) }}{{ 2 ** 10 * 3 % 7 }}{{ 'x' | center(5) }}
{{- messages | map(attribute='role') | join(', ') }}{% filter upper %}end{% endfilter %}
{%- set made %}a{{ 1 }}{% endset %}{{ made }}{{ 1 ~ 2.5 ~ none ~ ['a'] }}"""
MESSAGES = [{"role": "user", "content": " hello there\nyou "}, {"role": "assistant", "content": "yes"}]


def test_an_honest_template_gives_what_jinja_gives() -> None:
    counting = type("Counting", (Bounded, ImmutableSandboxedEnvironment), {})()
    counting.bound()
    expected = ImmutableSandboxedEnvironment().from_string(HONEST).render(messages=MESSAGES)
    assert counting.from_string(HONEST).render(messages=MESSAGES) == expected
