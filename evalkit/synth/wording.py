"""The sentences of the recipe `evalkit`, in English and Korean."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ENGLISH", "KOREAN", "Wording"]


@dataclass(frozen=True, slots=True)
class Wording:
    list_tasks: str
    topic: str
    """Takes the topic."""
    classify: str
    yes: str
    no: str
    task: str
    input: str
    output: str
    label: str
    answer_mark: str
    """Stands before yes or no."""
    answer: str
    answers: str
    """The same where several examples are wanted."""
    by_label: str
    by_labels: str


ENGLISH = Wording(
    list_tasks=(
        "Below is a numbered list of tasks for a language model. Go on with the list: eight more tasks, each on"
        " one line,"
        " each different from the others in subject, verb and length. A task must be clear without any image, file or"
        " link, and one can say whether an answer to it is right. Write the tasks only."
    ),
    topic="All new tasks are about: {}.",
    classify="Does the task have a fixed, small set of possible answers, so that it is a classification?",
    yes="Yes",
    no="No",
    task="Task",
    input="Input",
    output="Output",
    label="Class label",
    answer_mark="Classification?",
    answers=(
        "Give examples of the last task, in the form of the others: several, under Example 1, Example 2 …, where"
        " it takes"
        " an input; where it takes none, the output alone."
    ),
    by_labels=(
        "Give examples of the last task, in the form of the others: each of its possible class labels, and below it an"
        " input to which that label is the right answer."
    ),
    answer=(
        "Write one example of the last task, in the form of the others: the input that the task needs, made up in full"
        " (nothing where it needs none), then the right and complete output."
    ),
    by_label=(
        "Write one example of the last task, in the form of the others: first one of its possible class labels, then an"
        " input to which that label is the right answer."
    ),
)

KOREAN = Wording(
    list_tasks=(
        "다음은 언어 모델에게 시킬 과제를 번호로 나열한 목록입니다. 이어서 새 과제 여덟 개를 한 줄에 하나씩"
        " 한국어로 쓰세요."
        " 주제, 동사, 길이가 서로 달라야 합니다. 이미지나 파일, 링크 없이도 뜻이 분명해야 하고, 답이 맞았는지"
        " 가릴 수 있어야"
        " 합니다. 과제만 쓰세요."
    ),
    topic="새 과제는 모두 다음 주제에 관한 것입니다: {}.",
    classify="이 과제는 가능한 답이 몇 개로 정해져 있는 분류 과제입니까?",
    yes="예",
    no="아니요",
    task="과제",
    input="입력",
    output="출력",
    label="분류",
    answer_mark="분류 과제?",
    answers=(
        "앞의 예시와 같은 형식으로 마지막 과제의 예시를 쓰세요. 입력이 필요하면 Example 1, Example 2 … 아래에"
        " 여러 개를, 필요"
        " 없으면 출력만 쓰세요."
    ),
    by_labels=(
        "앞의 예시와 같은 형식으로 마지막 과제의 예시를 쓰세요. 가능한 분류를 하나씩 쓰고, 그 아래에 그 분류가"
        " 정답이 되는"
        " 입력을 쓰세요."
    ),
    answer=(
        "앞의 예시와 같은 형식으로 마지막 과제의 예시를 하나 쓰세요. 과제에 필요한 입력을 빠짐없이 지어"
        " 쓰고(필요 없으면 비워"
        " 두고), 이어서 정확하고 완전한 출력을 쓰세요."
    ),
    by_label=(
        "앞의 예시와 같은 형식으로 마지막 과제의 예시를 하나 쓰세요. 먼저 가능한 분류 하나를 쓰고, 이어서 그"
        " 분류가 정답이"
        " 되는 입력을 쓰세요."
    ),
)
