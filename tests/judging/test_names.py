"""What a judge is called where its address holds a user and a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.engines.openai.keys import find_key
from evalkit.errors import UsageError
from evalkit.judging.backends.spec import parse_judge
from evalkit.scrub import without_userinfo
from tests.helpers.hostile import HostileServer, answered
from tests.helpers.judged import RUBRIC, make_run

PASSWORD = "hunter2hunter2pw"


@pytest.mark.parametrize("user", [f"bob:{PASSWORD}", f"bob:p@ss{PASSWORD}", PASSWORD])
def test_a_name_has_no_password(user: str) -> None:
    named = parse_judge(f"openai:x@http://{user}@host:1/v1")
    assert named.typed == "openai:x@http://host:1/v1"
    assert named.model == f"x@http://{user}@host:1/v1"
    assert without_userinfo(f"see http://{user}@host/v1, me@host") == "see http://host/v1, me@host"
    with pytest.raises(UsageError) as refused:
        parse_judge(f"opnai:x@http://{user}@host:1/v1")
    assert PASSWORD not in str(refused.value)


def test_nothing_that_a_judge_leaves_holds_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    make_run(tmp_path, 2)
    rubric = tmp_path / "one.yaml"
    rubric.write_text(RUBRIC)
    coded = (find_key("OPENAI_API_KEY", "http://x", f"bob:{PASSWORD}").authorization or "").split()[1]
    with HostileServer(lambda _, headers, __: answered(f"Score: 3 {headers['authorization']}")) as server:
        url = server.url.replace("http://", f"http://bob:{PASSWORD}@")
        asked = ["judge", "run", "r1", "--rubric", str(rubric), "--judge", f"openai:x@{url}"]
        with pytest.raises(SystemExit):
            main([*asked, "--output-path", str(tmp_path)])
    shown = capsys.readouterr()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (PASSWORD, coded):
        assert secret not in shown.out + shown.err
        assert secret.encode() not in kept
