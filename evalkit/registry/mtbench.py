"""MT-Bench's questions: two turns each, of which the model writes both answers."""

from __future__ import annotations

from typing import Any

from evalkit.types import RawDocument

__all__ = ["process_docs"]


def process_docs(dataset: Any) -> Any:
    """Each question as a conversation whose first answer the model writes before the second turn is shown."""
    kept = ("question_id", "category", "messages", "reference", "instruction")
    mapped = dataset.map(_document)
    return mapped.remove_columns([name for name in mapped.column_names if name not in kept])


def _document(doc: RawDocument) -> RawDocument:
    first, second = doc["turns"]
    references = list(doc.get("reference") or doc.get("gpt4_reference") or [])
    return {
        "messages": [
            {"role": "user", "content": first},
            {"role": "assistant", "content": None},
            {"role": "user", "content": second},
        ],
        # Of the second answer, which is the one that is judged.
        "reference": str(references[-1]) if len(references) > 1 else "",
        "instruction": second,
    }
