"""Finds tasks that need an image, a sound, a file or the network, which a text model does not have."""

from __future__ import annotations

import re

__all__ = ["needs_media"]

_ENGLISH = re.compile(
    r"\b(?:images?|pictures?|photos?|photographs?|screenshots?|videos?|audio|sound ?clips?|recordings?"
    r"|flow ?charts?|diagrams?"
    r"|(?:attached|uploaded|following|given|provided|this|the) (?:files?|graphs?|charts?|maps?|pdf|spreadsheet"
    r"|link|url)"
    r"|draw (?:a|an|the|me)|plot (?:a|an|the) (?:graph|chart|line|histogram|curve|function)"
    r"|(?:listen|watch|click|browse|download)(?: to| the| on)?\b|go to (?:the|this|http))",
    re.IGNORECASE,
)
_KOREAN = re.compile(
    r"이미지|사진|그림|스크린샷|동영상|영상을|비디오|오디오|음성 ?파일|녹음|첨부|업로드|다이어그램|순서도"
    r"|도표를 그|그래프를 그|"
    r"(?:다음|이|위|아래|주어진) (?:파일|그래프|차트|지도|링크)|들어 ?보고|시청하|클릭|다운로드|내려받"
)


def needs_media(text: str) -> bool:
    return bool(_ENGLISH.search(text) or _KOREAN.search(text))
