"""The documentation as a site, and pages that say the same in two languages."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import warm

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    for module in ("mkdocs", "material"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} builds the site: pip install mkdocs-material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for page in ("index.html", "cli/index.html", "reference/index.html", "ten-minutes.ko/index.html"):
        assert (tmp_path / "site" / page).is_file(), page
    reference = (tmp_path / "site" / "reference" / "index.html").read_text(encoding="utf-8")
    assert "ek.evaluate" in reference
    assert "ek.gate" in reference


def test_a_page_that_the_menu_does_not_name_is_added_to_it() -> None:
    """So that whoever writes a page need not know of the menu."""
    from types import SimpleNamespace

    from tools import site

    made = site.on_config(SimpleNamespace(nav=[{"Start": ["index.md", "gate.md"]}]))
    assert made.nav[0] == {"Start": ["index.md", "gate.md"]}
    assert "files.md" in made.nav[1]["More"]
    assert "gate.md" not in made.nav[1]["More"]


def test_no_link_waits_for_somebody_to_fill_it_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the source lies is said in one variable, by whoever builds the site or has the workflow."""
    from tools import site

    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*"), ROOT / "action.yml", ROOT / "tools" / "site.py"):
        assert "OWNER/" not in path.read_text(encoding="utf-8"), path
    text = "See [the action](../action.yml#L3) and [`gate.yaml`](gate.yaml), [gate](gate.md)."
    monkeypatch.setattr(site, "REPOSITORY", "")
    plain = "See the action (`action.yml`) and `gate.yaml` (`docs/gate.yaml`), [gate](gate.md)."
    assert site.on_page_markdown(text, None, None, None) == plain
    monkeypatch.setattr(site, "REPOSITORY", "org/evalkit")
    assert "(https://github.com/org/evalkit/blob/main/action.yml#L3)" in site.on_page_markdown(text, None, None, None)


# ── from zero to a gated pull request ────────────────────────────────────────


def commands(page: Path) -> list[str]:
    """The commands of a page, those that go over several lines whole."""
    found: list[str] = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        lines = iter(block.splitlines())
        for line in lines:
            command = [line]
            if "<<'END'" in line:
                for more in lines:
                    command.append(more)
                    if more == "END":
                        break
            found.append("\n".join(command))
    return found


def test_the_ten_minutes_are_followed_command_by_command(tmp_path: Path) -> None:
    """All but the installation: what is installed is what is tested."""
    programs = tmp_path / "bin"
    programs.mkdir()
    warm.program(programs)
    work = tmp_path / "work"
    work.mkdir()
    author = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**os.environ, **author, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    said: dict[str, str] = {}
    for command in commands(ROOT / "docs" / "ten-minutes.md"):
        if command.startswith("pip install"):
            continue
        expected = re.search(r"# exit (\d)$", command)
        done = subprocess.run(["bash", "-c", command], cwd=work, env=env, capture_output=True, text=True)
        assert done.returncode == (int(expected.group(1)) if expected else 0), f"{command}\n{done.stdout}{done.stderr}"
        said[command] = done.stdout
    verdicts = [text for command, text in said.items() if command.startswith("evalkit gate @baseline")]
    assert "PASS" in verdicts[0]
    assert "REGRESSION" in verdicts[1]
    assert (work / "report.html").is_file()
    kept = subprocess.run(["git", "ls-files"], cwd=work, capture_output=True, text=True, check=True).stdout
    assert "evals/nano/baseline/scores.parquet" in kept
    assert "evals/baseline.json" in kept
    assert "samples" not in kept
    assert ".journal" not in kept


# ── two languages ────────────────────────────────────────────────────────────


def shell_lines(page: Path) -> list[str]:
    """Indented commands without their comments."""
    lines = re.findall(r"^    (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    typed = [re.sub(r"\s+# .*$", "", line).strip() for line in lines]
    return [line for line in typed if re.match(r"(evalkit|pip|make|printf|python) ?", line)]


def test_the_korean_readme_has_the_commands_of_the_english_one() -> None:
    english, korean = shell_lines(ROOT / "README.md"), shell_lines(ROOT / "README.ko.md")
    assert len(korean) >= 18
    assert not [line for line in korean if line not in english], (
        "the English README types it in another way, or not at all"
    )
    for needed in ("make demo", 'pip install "lm-evalkit[vllm]"', "evalkit leaderboard --csv leaderboard.csv"):
        assert needed in korean
    order = [english.index(line) for line in korean]
    assert order == sorted(order)


def test_the_korean_quick_start_has_the_commands_of_the_english_one() -> None:
    english, korean = (commands(ROOT / "docs" / f"ten-minutes{end}.md") for end in ("", ".ko"))
    assert english == korean
    assert len(english) >= 12


@pytest.mark.parametrize("name", ["README.ko.md", "docs/ten-minutes.ko.md"])
def test_korean_pages_are_korean_and_their_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|^    .*$|`[^`]*`|\([^)]*\)", "", text, flags=re.DOTALL | re.MULTILINE)
    letters = [letter for letter in prose if letter.isalpha()]
    assert sum("가" <= letter <= "힣" for letter in letters) / len(letters) > 0.5
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
