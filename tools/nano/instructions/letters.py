"""Formal letters to be written: subject, greeting, body, close, signature."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.instructions.dialogue import THINGS, Dialogue, ask, english_name, korean_name, made_up, number, one

__all__ = ["FAMILY"]

_DAYS = (
    ("Monday", "월요일"),
    ("Tuesday", "화요일"),
    ("Wednesday", "수요일"),
    ("Thursday", "목요일"),
    ("Friday", "금요일"),
)
_TITLES = (
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


def _english(rng: random.Random) -> Dialogue:
    deed, _, _ = rng.choice(_DEEDS)
    sender = english_name(rng)
    if rng.random() < 0.3:
        sender += " " + english_name(rng)
    thing, day, n = rng.choice(THINGS)[0], rng.choice(_DAYS)[0], number(rng)
    matter = one(
        rng,
        f"the {thing} from last {day}",
        f"{n} of the {thing}s",
        f"order {n}",
        f"the {thing} at {made_up(rng).capitalize()}",
        f"the {made_up(rng)} {thing}",
        f"the meeting on {day}",
        f"invoice {n}",
        f"the {thing} and the {rng.choice(THINGS)[0]}",
    )
    if rng.random() < 0.6:
        to = f"{rng.choice(_TITLES)[0]} {english_name(rng)}"
        greeting = f"Dear {to},"
    else:
        to = rng.choice(_ROLES)[0]
        greeting = "Dear Sir or Madam,"
    prompt = one(
        rng,
        f"A formal email to {to} to {deed} {matter}, please. I am {sender}.",
        f"I need to {deed} {matter}. Draft the formal email to {to}. My name: {sender}",
        f"Compose a polite business email. To: {to}. From: {sender}. Purpose: {deed} {matter}.",
        f"{sender} wants to {deed} {matter}. What should the formal email to {to} say?",
        f"Email {to} formally in order to {deed} {matter}. Subject line first; close with the name {sender}.",
    )
    ends = one(rng, "I look forward to hearing from you.", "Please let me know if you need anything else.",
               "Thank you for your time and help.")  # fmt: skip
    close = one(rng, "Kind regards,", "Sincerely,", "Best regards,", "Yours faithfully,")
    subject = f"{deed.split()[0].capitalize() if deed != 'thank you for' else 'Thank you'}: {matter}"
    answer = f"Subject: {subject}\n\n{greeting}\n\nI am writing to {deed} {matter}. {ends}\n\n{close}\n{sender}"
    return ask(prompt, answer)


def _korean(rng: random.Random) -> Dialogue:
    _, noun, tail = rng.choice(_DEEDS)
    sender, n = korean_name(rng), number(rng)
    thing, day = rng.choice(THINGS)[1], rng.choice(_DAYS)[1]
    matter = one(
        rng,
        f"{day} 회의",
        f"{thing} {n}개",
        f"주문 번호 {n}번",
        f"지난 {day}의 {thing}",
        f"{korean_name(rng)[1:]} {thing}",
        f"{thing} 수리 일정",
    )
    if rng.random() < 0.6:
        to = f"{korean_name(rng)} {rng.choice(_TITLES)[1]}"
        greeting = f"{to}님께"
    else:
        to = rng.choice(_ROLES)[1]
        greeting = f"{to} 담당자님께"
    prompt = one(
        rng,
        f"{matter} {noun} 건으로 {to}님께 보낼 격식 있는 메일을 부탁해요. 저는 {sender}입니다.",
        f"받는 사람: {to}\n보내는 사람: {sender}\n용건: {matter} {noun}\n정중한 이메일을 작성해 주세요.",
        f"{to}에게 {matter} {noun} 메일을 정중하게 써 주세요. 이름은 {sender}입니다.",
        f"제목이 있는 공식 메일이 필요합니다. {to} 앞, {matter} {noun}, 보내는 이 {sender}.",
    )
    ends = one(
        rng,
        "검토 후 회신 부탁드립니다.",
        "바쁘시겠지만 답변 부탁드립니다.",
        "궁금하신 점이 있으시면 말씀해 주시기 바랍니다.",
    )
    answer = (
        f"제목: {matter} {noun}\n\n{greeting},\n\n안녕하십니까. {sender}입니다. "
        f"{_both(matter, tail)} 연락드립니다. {ends}\n\n감사합니다.\n{sender} {one(rng, '드림', '올림')}"
    )
    return ask(prompt, answer)


def letter(rng: random.Random) -> Dialogue:
    return (_english if rng.random() < 0.55 else _korean)(rng)


FAMILY: Callable[[random.Random], Dialogue] = letter
