"""What the tests of checks share: the original of IFEval's checks, and a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from evalkit.sandbox import Sandbox


@pytest.fixture(scope="session")
def nltk_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """NLTK with its English Punkt model, written from a package that carries the same tables: nothing is fetched."""
    nltk = pytest.importorskip("nltk", reason="nltk is in the dev extra")
    from punkt import load_model

    model = load_model("english")
    root = tmp_path_factory.mktemp("nltk_data")
    folder = root / "tokenizers" / "punkt_tab" / "english"
    folder.mkdir(parents=True)
    (folder / "collocations.tab").write_text("".join(f"{a}\t{b}\n" for a, b in sorted(model.collocations)))
    (folder / "sent_starters.txt").write_text("\n".join(sorted(model.sent_starters)))
    (folder / "abbrev_types.txt").write_text("\n".join(sorted(model.abbrev_types)))
    (folder / "ortho_context.tab").write_text("".join(f"{w}\t{n}\n" for w, n in model.ortho_context.items()))
    nltk.data.path.insert(0, str(root))
    yield nltk
    nltk.data.path.remove(str(root))


@pytest.fixture(scope="session")
def original(nltk_data: Any) -> Any:
    """lm-eval's own checks, with the seed that langdetect does not set by itself."""
    pytest.importorskip("immutabledict", reason="lm-eval's ifeval needs immutabledict: it is in the dev extra")
    import langdetect
    from lm_eval.tasks.ifeval import utils

    langdetect.DetectorFactory.seed = 0
    return utils


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as started:
        yield started
