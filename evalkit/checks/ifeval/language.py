"""Detects the language of a text with langdetect, as IFEval does; with a fixed seed, since langdetect is random."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

__all__ = ["is_language"]

_SEED = 0


def is_language(text: str, code: str) -> bool:
    """Whether a text is in this language. A text without letters counts as any language."""
    from langdetect.lang_detect_exception import LangDetectException

    detector = _factory().create()
    try:
        detector.append(text)
        return bool(detector.detect() == code)
    except LangDetectException:
        return True


@functools.lru_cache(maxsize=1)
def _factory() -> Any:
    """A separate factory, so that langdetect's global seed is not changed and profiles load in a fixed order."""
    import langdetect
    from langdetect.detector_factory import DetectorFactory

    factory = DetectorFactory()
    folder = Path(langdetect.__file__).parent / "profiles"
    profiles = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in profiles])
    factory.set_seed(_SEED)
    return factory
