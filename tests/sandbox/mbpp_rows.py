"""Tasks in MBPP's format, written for the tests: a right program and three plain asserts each."""

from __future__ import annotations

__all__ = ["ROWS"]


def _row(code: str, *tests: str) -> dict[str, str]:
    return {"code": code.strip("\n"), "tests": "\n".join(f"assert {test}" for test in tests)}


ROWS = [
    _row(
        """
def shared(first, second):
    res = tuple(set(first) & set(second))
    return tuple(sorted(res))
""",
        "shared((3, 4, 5, 6), (5, 7, 4, 10)) == (4, 5)",
        "shared((1, 2), (3, 4)) == ()",
        "shared((11, 12, 14, 13), (13, 15, 14, 1)) == (13, 14)",
    ),
    _row(
        """
import math
def not_prime(n):
    result = n < 2
    for i in range(2, int(math.sqrt(n)) + 1):
        if n % i == 0:
            result = True
    return result
""",
        "not_prime(2) == False",
        "not_prime(10) == True",
        "not_prime(37) == False",
    ),
    _row(
        """
import heapq as hq
def largest(nums, n):
    return hq.nlargest(n, nums)
""",
        "largest([25, 35, 22, 85, 14, 65, 75, 22, 58], 3) == [85, 75, 65]",
        "largest([1, 2], 1) == [2]",
        "largest([4, 4, 1], 2) == [4, 4]",
    ),
    _row(
        """
def differ_at_one(a, b):
    x = a ^ b
    return x != 0 and (x & (x - 1)) == 0
""",
        "differ_at_one(13, 9) == True",
        "differ_at_one(15, 8) == False",
        "differ_at_one(2, 4) == False",
    ),
    _row(
        r"""
import re
def long_words(text, most=3):
    found = re.findall(r"\b\w{4,}\b", text)
    if most < 0:
        return []
    return found[:most]
""",
        "long_words('Please move back to stream') == ['Please', 'move', 'back']",
        "long_words('a an the') == []",
        "long_words('Jing Eco and Tech', 1) == ['Jing']",
    ),
    _row(
        """
def squares(nums):
    return list(map(lambda x: x ** 2, nums))
""",
        "squares([1, 2, 3, 4]) == [1, 4, 9, 16]",
        "squares([]) == []",
        "squares([10, -2]) == [100, 4]",
    ),
    _row(
        """
def rotations(text):
    doubled = text + text
    n = len(text)
    for i in range(1, n + 1):
        if text == doubled[i:i + n]:
            return i
    return 0
""",
        "rotations('aaaa') == 1",
        "rotations('ab') == 2",
        "rotations('abcabc') == 3",
    ),
    _row(
        """
from collections import Counter
def most_common(words, n):
    counts = Counter(words)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ranked[:n]
""",
        "most_common(['red', 'green', 'red', 'pink'], 2) == [('red', 2), ('green', 1)]",
        "most_common([], 3) == []",
        "most_common(['b', 'a'], 1) == [('a', 1)]",
    ),
    _row(
        """
def cheapest(cost, m, n):
    table = [[0] * (n + 1) for _ in range(m + 1)]
    table[0][0] = cost[0][0]
    for i in range(1, m + 1):
        table[i][0] = table[i - 1][0] + cost[i][0]
    for j in range(1, n + 1):
        table[0][j] = table[0][j - 1] + cost[0][j]
    for i in range(1, m + 1):
        for j in range(1, n + 1):
            table[i][j] = min(table[i - 1][j - 1], table[i - 1][j], table[i][j - 1]) + cost[i][j]
    return table[m][n]
""",
        "cheapest([[1, 2, 3], [4, 8, 2], [1, 5, 3]], 2, 2) == 8",
        "cheapest([[2, 3, 4], [5, 9, 3], [2, 6, 4]], 2, 2) == 12",
        "cheapest([[3]], 0, 0) == 3",
    ),
    _row(
        """
def volume(a, b, c):
    return (a * b * c) / 2
""",
        "volume(10, 8, 6) == 240",
        "volume(3, 2, 2) == 6",
        "volume(1, 2, 1) == 1",
    ),
    _row(
        """
def split_lower(text):
    parts, now = [], ''
    for letter in text:
        if letter.islower():
            if now:
                parts.append(now)
            now = ''
        else:
            now += letter
    if now:
        parts.append(now)
    return parts
""",
        "split_lower('AbCd') == ['A', 'C']",
        "split_lower('ABc12') == ['AB', '12']",
        "split_lower('abc') == []",
    ),
    _row(
        """
def woodall(n):
    if n % 2 == 0:
        return False
    n = n + 1
    p = 0
    for _ in range(64):
        if n % 2 != 0:
            break
        n = n // 2
        p = p + 1
        if p == n:
            return True
    return False
""",
        "woodall(383) == True",
        "woodall(254) == False",
        "woodall(7) == True",
    ),
    _row(
        """
def first_repeated(text):
    seen = set()
    for place, letter in enumerate(text):
        if letter in seen:
            return letter, place
        seen.add(letter)
    return None
""",
        "first_repeated('abcabc') == ('a', 3)",
        "first_repeated('abc') is None",
        "first_repeated('112') == ('1', 1)",
    ),
    _row(
        """
def binomial(n, k):
    table = [[0 for _ in range(k + 1)] for _ in range(n + 1)]
    for i in range(n + 1):
        for j in range(min(i, k) + 1):
            if j == 0 or j == i:
                table[i][j] = 1
            else:
                table[i][j] = table[i - 1][j - 1] + table[i - 1][j]
    return table[n][k]
""",
        "binomial(5, 2) == 10",
        "binomial(6, 3) == 20",
        "binomial(4, 0) == 1",
    ),
    _row(
        """
def moved_zeros(items, back=True):
    zeros = [x for x in items if x == 0]
    others = [x for x in items if x != 0]
    return others + zeros if back else zeros + others
""",
        "moved_zeros([0, 1, 0, 2]) == [1, 2, 0, 0]",
        "moved_zeros([3, 0], False) == [0, 3]",
        "moved_zeros([]) == []",
    ),
    _row(
        """
def area(r, digits=2):
    if r < 0:
        raise ValueError('a radius')
    return round(3.1415 * r * r, digits)
""",
        "area(10) == 314.15",
        "abs(area(5) - 78.54) < 0.01",
        "area(1, 0) == 3.0",
    ),
    _row(
        """
def longest_rise(items):
    best = [1] * len(items)
    for i in range(1, len(items)):
        for j in range(i):
            if items[j] < items[i] and best[j] + 1 > best[i]:
                best[i] = best[j] + 1
    return max(best, default=0)
""",
        "longest_rise([10, 22, 9, 33, 21, 50, 41, 60]) == 5",
        "longest_rise([]) == 0",
        "longest_rise([3, 3, 3]) == 1",
    ),
    _row(
        """
def sorted_matrix(rows):
    return sorted(rows, key=lambda row: (sum(row), len(row)))
""",
        "sorted_matrix([[1, 2, 3], [2, 4, 5], [1, 1, 1]]) == [[1, 1, 1], [1, 2, 3], [2, 4, 5]]",
        "sorted_matrix([[5], [2, 3]]) == [[5], [2, 3]]",
        "sorted_matrix([]) == []",
    ),
    _row(
        """
def bell(n):
    rows = [[1]]
    for i in range(1, n + 1):
        row = [rows[i - 1][-1]]
        for j in range(i):
            row.append(row[j] + rows[i - 1][j])
        rows.append(row)
    return rows[n][0]
""",
        "bell(2) == 2",
        "bell(4) == 15",
        "bell(0) == 1",
    ),
    _row(
        """
class Queue:
    def __init__(self, most):
        self.items, self.most = [], most

    def put(self, item):
        if len(self.items) >= self.most:
            return False
        self.items.append(item)
        return True

def fits(items, most):
    queue = Queue(most)
    return sum(1 for item in items if queue.put(item))
""",
        "fits([1, 2, 3], 2) == 2",
        "fits([], 2) == 0",
        "fits('abcd', 9) == 4",
    ),
    _row(
        """
def digits_sum(n):
    total = 0
    for digit in str(abs(n)):
        total += int(digit)
    return total - 1 if n < 0 else total
""",
        "digits_sum(345) == 12",
        "digits_sum(-12) == 2",
        "digits_sum(0) == 0",
    ),
    _row(
        """
def grouped(pairs, factor=1):
    out = {}
    for key, value in pairs:
        out.setdefault(key, []).append(value * factor)
    return out
""",
        "grouped([('x', 1), ('y', 2), ('x', 3)]) == {'x': [1, 3], 'y': [2]}",
        "grouped([], 2) == {}",
        "grouped([('a', 5)], 2) == {'a': [10]}",
    ),
    _row(
        """
def clock(minutes):
    hours, rest = minutes // 60 % 24, minutes % 60
    half = 'am' if hours < 12 else 'pm'
    return f'{hours % 12 or 12}:{rest:02d} {half}'
""",
        "clock(0) == '12:00 am'",
        "clock(805) == '1:25 pm'",
        "clock(1439) == '11:59 pm'",
    ),
    _row(
        """
def kept(items, low, high):
    return [x for x in items if low <= x <= high and isinstance(x, (int, float))]
""",
        "kept([1, 5, 9, 12], 5, 9) == [5, 9]",
        "kept([], 1, 2) == []",
        "kept([0.5, 2], 0, 1) == [0.5]",
    ),
]
