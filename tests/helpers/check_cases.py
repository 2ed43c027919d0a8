"""Examples for every kind of check in English and Korean: what strict takes, what only loose takes, what neither."""

from __future__ import annotations

from tests.helpers.check_case import Case
from tests.helpers.check_cases_short import SHORT_CASES

__all__ = ["ARTICLE", "CASES", "STAFF", "Case"]

STAFF = (
    "CREATE TABLE staff (name TEXT, team TEXT, pay INTEGER);"
    "INSERT INTO staff VALUES ('Ann', 'sales', 300), ('Bob', 'sales', 200), ('Cy', 'tech', 400);"
)

STUDENTS = (
    "CREATE TABLE 학생 (이름 TEXT, 반 TEXT, 점수 INTEGER);"
    "INSERT INTO 학생 VALUES ('김철수', '1반', 90), ('이영희', '2반', 75), ('박민수', '1반', 85);"
)

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}

ARTICLE = (
    "The city library opened a new branch on 3 May. It holds 12,500 books and has room for 80 readers. The mayor "
    "said that the building cost 2.4 million dollars, which is 15% less than planned, and that two more branches will "
    "follow."
)

NEWS = (
    "시립 도서관이 5월 3일에 새 분관을 열었다. 책 1만 2,500권을 갖추었고 열람석은 여든 석이다. 시장은 건축비가 "
    "24억 원으로 계획보다 15퍼센트 적게 들었으며 앞으로 분관 두 곳을 더 짓겠다고 말했다."
)

LETTER = """Subject: Request for leave on 12 June

Dear Ms. Park,

I am writing to ask for one day of leave on 12 June. My sister is getting married in Busan, and I would like to attend.
All of my tasks will be finished before that day.

Kind regards,
Minho Lee"""

편지 = """제목: 6월 12일 휴가 신청

박지영 팀장님께,

안녕하십니까. 영업팀 이민호입니다.
6월 12일에 하루 휴가를 신청하고자 합니다. 부산에서 누나의 결혼식이 있어 참석하려고 합니다.
맡은 업무는 그 전에 모두 마치겠습니다.

감사합니다.
이민호 드림"""

CASES = [
    Case(
        "en",
        {"kind": "sql", "schema": STAFF, "query": "SELECT name FROM staff WHERE team = 'sales'"},
        (
            "SELECT name FROM staff WHERE team = 'sales';",
            "select s.name from staff s where s.pay <= 300 order by 1 desc",
        ),
        (
            "You can use SELECT name FROM staff WHERE team='sales' to find them.",
            "SELECT name FROM staff WHERE team = ‘sales’",
            "\"SELECT name FROM staff WHERE team = 'sales'\"",
            "Here is the query:\n\nSELECT name\nFROM staff\nWHERE team = 'sales'\n\nIt lists everyone in sales.",
        ),
        (
            "hello world",
            "",
            "SELECT name FROM staff",
            "SELECT name, team FROM staff WHERE team = 'sales'",
            "SELECT nam FROM staff WHERE team = 'sales'",
            "SELECT name FROM staff WHERE team = 'sales' GROUP BY BY",
            "DELETE FROM staff WHERE team = 'tech'",
            "SELECT name FROM staff WHERE team = 'sales'; DROP TABLE staff;",
            "SELECT name FROM staff WHERE team = 'sales'; SELECT name FROM staff",
            "DELETE FROM staff;\nSELECT name FROM staff WHERE team = 'sales'",
            "EXPLAIN SELECT name FROM staff WHERE team = 'sales'",
            "```sql\nPRAGMA user_version = 3;\nSELECT name FROM staff WHERE team = 'sales';\n```",
        ),
    ),
    Case(
        "ko",
        {"kind": "sql", "schema": STUDENTS, "query": "SELECT 이름 FROM 학생 WHERE 반 = '1반' ORDER BY 점수 DESC"},
        ("SELECT 이름 FROM 학생 WHERE 반 = '1반' ORDER BY 점수 DESC",),
        (
            "다음 쿼리를 쓰세요.\nSELECT 이름 FROM 학생 WHERE 반 = '1반' ORDER BY 점수 DESC；\n도움이 되었기를.",
            "쿼리: SELECT 이름 FROM 학생 WHERE 반='1반' ORDER BY 점수 DESC;",
            "SELECT 이름 FROM 학생 WHERE 반='1반' ORDER BY 점수 DESC\n\n설명: WHERE 절은 반 = '1반'인 학생을 고릅니다.",
            "SELECT\u00a0이름 FROM\u3000학생 WHERE 반='1반' ORDER BY 점수 DESC",
        ),
        (
            "안녕하세요",
            "SELECT 이름 FROM 학생 WHERE 반 = '1반' ORDER BY 점수",
            "SELECT 이름 FROM 학생 WHERE 반 = '2반'",
            "SELECT 이름 FROM 학생 WHERE 반 = '1반' ORDER BY 점수 DESC\n\nLimit 1",
            "점수가 높은 순서로 김철수, 박민수입니다.",
        ),
    ),
    Case(
        "en",
        {"kind": "json", "schema": PERSON},
        ('{"name": "Ann", "age": 31}', '  {"age": 0,\n "name": ""}\n'),
        (
            'The record is {"name": "Ann", "age": 31}, as you asked.',
            '<think>{"name": "Bob", "age": 2}? No.</think>\n{"name": "Ann", "age": 31}',
        ),
        (
            '{"name": "Ann"}',
            '{"name": "Ann", "age": "31"}',
            '{"name": "Ann", "age": 31, "age": 32}',
            '{"name": "Ann", "age": NaN}',
            "{'name': 'Ann', 'age': 31}",
            '[{"name": "Ann", "age": 31}]'[:-1],
            "name: Ann",
        ),
    ),
    Case(
        "ko",
        {"kind": "json", "equals": {"이름": "김철수", "점수": [90, 85.5], "합격": True}},
        ('{"이름": "김철수", "점수": [90.0, 85.5], "합격": true}', '{"합격":true,"점수":[90,85.5],"이름":"김철수"}'),
        ('결과는 {"이름": "김철수", "점수": [90, 85.5], "합격": true} 입니다.',),
        (
            '{"이름": "김철수", "점수": [85.5, 90], "합격": true}',
            '{"이름": "김철수", "점수": [90, 85.5], "합격": 1}',
            '{"이름": "김영희", "점수": [90, 85.5], "합격": true}',
            "이름은 김철수입니다.",
        ),
    ),
    Case(
        "en",
        {"kind": "language", "language": "en"},
        (
            "It will rain tomorrow.",
            "Call `함수()` and print the result.\n```python\n# 한글 주석이 아주 길게 있습니다\n```",
        ),
        ("He said “안녕하세요 여러분 반갑습니다” to us all.",),
        ("내일은 비가 옵니다.", "12345 !?", "", "Привет, как дела?", "Rain 비가 옵니다 내일도"),
    ),
    Case(
        "ko",
        {"kind": "language", "language": "ko"},
        (
            "내일은 비가 옵니다.",
            "GPU 서버를 켭니다.",
            "`print(hello_world)` 를 실행하세요: https://example.com/aaaaaaaaaaa",
        ),
        (
            "그는 “To be, or not to be, that is the question”이라고 말했다.",
            "Python의 list comprehension은 편리합니다.",
            "GPT-4는 OpenAI가 만든 LLM(Large Language Model)입니다.",
            "Samsung Electronics와 Apple Inc.의 계약",
            "<think>The user wants a short answer in Korean.</think>\n네, 그렇습니다.",
        ),
        ("It will rain tomorrow.", "明日は雨です。", "42", "The word for rain is 비."),
    ),
    Case(
        "en",
        {"kind": "length", "min_words": 3, "max_words": 8, "max_sentences": 2},
        ("Dr. Kim met us at 3 p.m. today.", "One two three", "It fell, i.e. a lot. So?"),
        (
            "Sure! Here is a one-sentence summary: The cat sat down.",
            "---\n**Summary:** The cat sat down.\n---\n(Word count: 4 words in all)",
            "Here is a short summary of the text:\nThe cat sat down.",
            "Sure! Here it is as you wanted:\nIt rained. We stayed.",
        ),
        ("Too short", "", "one two three four five six seven eight nine", "Yes. No. Perhaps so."),
    ),
    Case(
        "ko",
        {"kind": "length", "max_chars": 20, "min_sentences": 1, "max_sentences": 2},
        ("비가 옵니다. 우산을 챙기세요.", "도서관이 새로 열렸다", "그는 “좋다.”라고 했다. 끝."),
        ("다음은 요청하신 글의 요약입니다:\n비가 옵니다.", "**도서관이 새로 문을 열었습니다.**"),
        ("오늘은 하루 종일 비가 내리고 바람도 매우 강하게 붑니다.", "네. 예. 응.", "좋다. 간다.가자. 응.", "   "),
    ),
    Case(
        "en",
        {"kind": "copy", "source": ARTICLE, "max_run": 6, "max_overlap": 0.6},
        ("A second library has been built for less money than expected.",),
        ('The mayor: "the building cost 2.4 million dollars, which is 15% less than planned" and was glad.',),
        (ARTICLE, "It holds 12,500 books and has room for 80 readers.", ""),
    ),
    Case(
        "ko",
        {"kind": "copy", "source": NEWS, "max_run": 4},
        ("새로 생긴 도서관은 예산을 아꼈고 더 늘어날 예정이다.",),
        ("시장은 “앞으로 분관 두 곳을 더 짓겠다”고 했다.".replace("짓겠다”고", "짓겠다고 말했다”고"),),
        (NEWS, "시장은 건축비가 24억 원으로 계획보다 15퍼센트 적게 들었으며 좋다고 했다."),
    ),
    Case(
        "en",
        {"kind": "numbers", "source": ARTICLE},
        (
            "12500 books, $2,400,000, 15 percent less; two reasons.",
            "It cost $2.4M.",
            "Opened on May 3.",
            "1. It opened.\n2. It is big.",
        ),
        (),
        ("It cost 2.5 million.", "It cost $2.4B.", "It holds 12,000 books.", "Forty readers fit in."),
    ),
    Case(
        "ko",
        {"kind": "numbers", "source": NEWS},
        ("책 12,500권과 80석, 2,400,000,000원", "１５％ 절감했고 책은 만 이천오백 권이다.", "5월 3일에 문을 열었다."),
        (),
        ("건축비는 25억 원이다.", "책이 1만 권이다.", "열람석은 아흔 석이다."),
    ),
    Case(
        "en",
        {"kind": "summary", "source": ARTICLE, "max_sentences": 2, "max_words": 30, "mentions": ["library"]},
        ("A new library branch with 12,500 books was finished below its budget. Others are planned.",),
        ("Here is the summary:\n\nA new **library** branch was finished below budget. Others are planned.",),
        (
            "A new library branch with 13,000 books was built.",
            "The city library opened a new branch on 3 May. It holds 12,500 books and has room for 80 readers.",
            "A new branch opened.",
            "",
            "The library grew. It is big. It is new.",
        ),
    ),
    Case(
        "ko",
        {"kind": "summary", "source": NEWS, "max_sentences": 2, "max_chars": 60, "mentions": ["분관"]},
        ("도서관이 책 12,500권을 갖춘 분관을 예산보다 싸게 지었다. 앞으로 더 늘린다.",),
        ("요약: 아래와 같습니다.\n도서관이 예산보다 싸게 분관을 지었다. 더 늘린다.",),
        ("분관 세 곳이 30억 원에 지어졌다.", "도서관이 생겼다.", NEWS),
    ),
    Case(
        "en",
        {"kind": "email", "language": "en", "mentions": ["12 June"]},
        (
            LETTER,
            LETTER.replace("Kind regards", "Yours sincerely").replace("Dear Ms. Park", "To whom it may concern"),
            LETTER.replace("Kind regards", "With best wishes").replace("Dear Ms. Park", "To the personnel office"),
            LETTER.replace("Kind regards", "Very truly yours").replace("Dear Ms. Park", "Ms. Park"),
            LETTER.replace("Kind regards", "All the best").replace("Dear Ms. Park", "Respected Madam"),
            LETTER.replace("Kind regards,\n", "Best regards, ").replace("in Busan", "in the U.S."),
            LETTER.replace("\n\nDear", "\n\n---\n\nDear"),
        ),
        (
            LETTER.replace("Subject:", "**Subject:**"),
            f"Certainly! Below is the email.\n\n---\n\n{LETTER}\n\n---\n\nLet me know if you would like any changes.",
        ),
        (
            LETTER.replace("Subject: Request for leave on 12 June", "12 June"),
            LETTER.replace("Dear Ms. Park,", ""),
            LETTER.replace("Kind regards,", ""),
            LETTER.removesuffix("\nMinho Lee"),
            LETTER.replace("I am writing", "Hey, I wanna write"),
            LETTER.replace("12 June", "June"),
            "Dear Ms. Park, I need leave. Kind regards, Minho",
            "",
        ),
    ),
    Case(
        "ko",
        {"kind": "email", "language": "ko", "mentions": ["6월 12일"]},
        (
            편지,
            편지.replace("이민호 드림", "이민호 올림"),
            편지.replace("감사합니다.\n이민호 드림", "감사합니다.\n\n영업팀 이민호 배상"),
            편지.replace("제목:", "[제목]"),
        ),
        (
            편지.replace("제목:", "**제목:**"),
            f"물론입니다! 아래는 이메일입니다.\n\n---\n\n{편지}\n\n---\n\n필요하시면 고쳐 드리겠습니다.",
        ),
        (
            편지.replace("제목: 6월 12일 휴가 신청\n", "6월 12일"),
            편지.replace("박지영 팀장님께,\n\n안녕하십니까. ", ""),
            편지.replace("감사합니다.\n이민호 드림", ""),
            편지.replace("신청하고자 합니다", "신청할게"),
            편지.replace("모두 마치겠습니다", "모두 마친다"),
            "휴가 좀 줘.",
        ),
    ),
    Case(
        "en",
        {"kind": "polite", "language": "en"},
        ("I would be grateful for your reply.", "The office is in the U.S. and opens at nine."),
        (),
        ("Hey dude, what's up", "Thanks!!", "I'm gonna be late.", ""),
    ),
    Case(
        "ko",
        {"kind": "polite", "language": "ko"},
        ("회의는 세 시에 시작합니다. 늦지 않게 와 주십시오.", "네, 알겠습니다! 곧 보내 드릴게요.", "맞습니다, 고객님."),
        (),
        (
            "회의는 세 시에 시작한다.",
            "빨리 와.",
            "알았어. 곧 보낼게.",
            "회의는 세 시입니다. 늦지 마라.",
            "회의는 3시임.",
        ),
    ),
    *SHORT_CASES,
]
