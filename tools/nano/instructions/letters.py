"""Formal letters to be written: subject, greeting, body, close, signature."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.instructions.dialogue import (
    Dialogue,
    ask,
    english_name,
    korean_name,
    made_up,
    noun,
    number,
    one,
    plural,
)

__all__ = ["FAMILY"]

_DAYS = (
    ("Monday", "월요일"),
    ("Tuesday", "화요일"),
    ("Wednesday", "수요일"),
    ("Thursday", "목요일"),
    ("Friday", "금요일"),
)
_MONTHS = (
    ("January", "1월"), ("February", "2월"), ("March", "3월"), ("April", "4월"), ("July", "7월"), ("August", "8월"),
    ("September", "9월"), ("October", "10월"), ("November", "11월"), ("December", "12월"),
)  # fmt: skip
_TITLES = (
    ("Mr", "사장"),
    ("Ms", "팀장"),
    ("Dr", "선생"),
    ("Mr.", "과장"),
    ("Ms.", "부장"),
    ("Dr.", "박사"),
    ("Professor", "교수"),
    ("Mrs.", "대리"),
    ("Director", "이사"),
)
_ROLES = (("the landlord", "집주인"), ("the editor", "편집장"), ("the museum", "박물관"), ("the hotel", "호텔"),
          ("a supplier", "거래처"), ("the bank", "은행"), ("the school", "학교"), ("the office", "사무실"))  # fmt: skip
_DEEDS: tuple[tuple[str, str, str], ...] = (
    ("ask about", "문의", "에 대해 문의드리고자"), ("order", "주문", "을(를) 주문하고자"),
    ("cancel", "취소", " 건을 취소하고자"), ("complain about", "불편 사항", "에 대해 불편한 점을 말씀드리고자"),
    ("confirm", "확인", " 건을 확인하고자"), ("thank you for", "감사 인사", "에 대해 감사의 말씀을 드리고자"),
    ("apologise for", "사과", "에 대해 사과의 말씀을 드리고자"), ("request", "요청", "을(를) 요청드리고자"),
    ("report", "보고", "에 대해 보고드리고자"), ("return", "반품", "을(를) 반품하고자"),
)  # fmt: skip


def _both(word: str, marked: str) -> str:
    """`을(를)` settled by the word's last syllable."""
    closed = "가" <= word[-1] <= "힣" and (ord(word[-1]) - 0xAC00) % 28
    return word + marked.replace("을(를)", "을" if closed else "를")


def _date(rng: random.Random) -> tuple[str, str]:
    month, korean = rng.choice(_MONTHS)
    day = rng.randint(1, 28)
    weekday, korean_weekday = rng.choice(_DAYS)
    if rng.random() < 0.5:
        return f"on {weekday}", korean_weekday
    return f"on {day} {month}", f"{korean} {day}일"


def _purpose(rng: random.Random) -> str:
    """What follows after "to": the letter repeats it word for word."""
    thing, other = noun(rng)[0], noun(rng)[0]
    (day, _), (later, _), n = _date(rng), _date(rng), number(rng)
    deed = rng.choice(_DEEDS)[0]
    return one(
        rng,
        f"{deed} the {thing} from last {rng.choice(_DAYS)[0]}",
        f"{deed} {n} of the {plural(thing)}",
        f"{deed} order {n}",
        f"{deed} the {made_up(rng)} {thing} {day}",
        f"{deed} the {thing} and the {other}",
        f"say that the {thing} will be closed {day}",
        f"say that the {thing} {n} is broken and a {other} is missing",
        f"ask whether the {thing} can come {day} and not {later}",
        f"ask for a new {thing} for {n} {plural(other)}",
        f"thank you for the {thing} about {made_up(rng)} {plural(other)}",
        f"tell you that {n} {plural(thing)} will arrive {day}",
        f"accept the invitation to the {thing} {day}",
        f"apply for the {thing} of {english_name(rng)}",
    )


def _subject(purpose: str) -> str:
    deed = next((deed for deed, *_ in _DEEDS if purpose.startswith(deed)), purpose.split()[0])
    return purpose.removeprefix(deed).strip().removeprefix("that ").removeprefix("you ").capitalize()


def _english(rng: random.Random) -> Dialogue:
    sender = english_name(rng)
    if rng.random() < 0.6:
        sender += " " + one(rng, english_name(rng), noun(rng)[0].capitalize())
    purpose = _purpose(rng)
    kind = rng.random()
    if kind < 0.7:
        to = f"{rng.choice(_TITLES)[0]} {english_name(rng)}"
        greeting = f"Dear {to},"
    elif kind < 0.85:
        to = rng.choice(_ROLES)[0]
        greeting = "Dear Sir or Madam,"
    else:
        to = f"the {plural(noun(rng)[0])} of {made_up(rng).capitalize()}"
        greeting = f"Dear {to.removeprefix('the ')},"
    wanted = one(rng, "formal email", "polite email", "short formal message", "business email")
    prompt = one(
        rng,
        f"A {wanted} to {to} to {purpose}, please. I am {sender}.",
        f"I need to {purpose}. Draft the {wanted} to {to}. My name: {sender}",
        f"Compose a {wanted}. To: {to}. From: {sender}. Purpose: to {purpose}.",
        f"{sender} wants to {purpose}. What should the {wanted} to {to} say?",
        f"Email {to} formally in order to {purpose}. Subject line first; close with the name {sender}.",
        f"Please write {to} a {wanted} in which I {purpose}. It is from {sender}.",
        f"Write to {to}: a {wanted} with which {sender} would like to {purpose}. Subject, greeting, text, name.",
    )
    ends = one(rng, "I look forward to hearing from you.", "Please let me know if you need anything else.",
               "Thank you for your time and help.")  # fmt: skip
    close = one(rng, "Kind regards,", "Sincerely,", "Best regards,", "Yours faithfully,")
    answer = f"Subject: {_subject(purpose)}\n\n{greeting}\n\nI am writing to {purpose}. {ends}\n\n{close}\n{sender}"
    return ask(prompt, answer)


def _korean(rng: random.Random) -> Dialogue:
    _, deed, tail = rng.choice(_DEEDS)
    sender = korean_name(rng) if rng.random() < 0.8 else f"{noun(rng)[1]} {one(rng, '사무실', '본부', '모임')}"
    n, (_, day) = number(rng), _date(rng)
    thing, other = noun(rng)[1], noun(rng)[1]
    matter = one(
        rng,
        f"{day} 회의",
        f"{thing} {n}개",
        f"주문 번호 {n}번",
        f"{day}의 {thing}",
        f"{korean_name(rng)[1:]} {thing}",
        f"{thing} 수리 일정",
        f"{thing}에 관한 {other}",
        f"{day} {thing} {n}개의 {other}",
        f"{day} {n}시 {thing} 초대",
        f"{thing} {other} 자리",
    )
    if rng.random() < 0.6:
        to = f"{korean_name(rng)} {rng.choice(_TITLES)[1]}"
        greeting = f"{to}님께"
    else:
        to = rng.choice(_ROLES)[1]
        greeting = f"{to} 담당자님께"
    prompt = one(
        rng,
        f"{matter} {deed} 건으로 {to}님께 보낼 격식 있는 메일을 부탁해요. 저는 {sender}입니다.",
        f"받는 사람: {to}\n보내는 사람: {sender}\n용건: {matter} {deed}\n정중한 이메일을 작성해 주세요.",
        f"{to}에게 {matter} {deed} 메일을 정중하게 써 주세요. 이름은 {sender}입니다.",
        f"{to}님께 {matter} {deed}에 대한 격식체 메일을 써 주세요. {sender} 이름으로 보냅니다.",
        f"제목이 있는 공식 메일이 필요합니다. {to} 앞, {matter} {deed}, 보내는 이 {sender}.",
    )
    ends = one(
        rng,
        "검토 후 회신 부탁드립니다.",
        "바쁘시겠지만 답변 부탁드립니다.",
        "궁금하신 점이 있으시면 말씀해 주시기 바랍니다.",
    )
    answer = (
        f"제목: {matter} {deed}\n\n{greeting},\n\n안녕하십니까. {sender}입니다. "
        f"{_both(matter, tail)} 연락드립니다. {ends}\n\n감사합니다.\n{sender} {one(rng, '드림', '올림')}"
    )
    return ask(prompt, answer)


def letter(rng: random.Random) -> Dialogue:
    return (_english if rng.random() < 0.55 else _korean)(rng)


FAMILY: Callable[[random.Random], Dialogue] = letter
