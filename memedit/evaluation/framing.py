"""How a prompt is put to a model: verbatim, as a question, after examples, in a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from memedit.core.registry import unknown_name
from memedit.data.formats.mquake import with_shots

CHAT = "chat"
"""The model's own chat template, which the model applies itself."""


def _qa(prompt: str) -> str:
    return f"Question: {prompt}\nAnswer:" if _asks(prompt) else prompt


def _shots(prompt: str) -> str:
    return with_shots(prompt) if _asks(prompt) else prompt


def _instruction(prompt: str) -> str:
    task = "Answer the question" if _asks(prompt) else "Complete the sentence"
    return f"{task} in a few words.\n{prompt}"


def _dialogue(prompt: str) -> str:
    before = "User: Thanks for your help yesterday.\nAssistant: You are welcome! What is next?\n"
    return f"{before}User: {prompt}\nAssistant:" if _asks(prompt) else f"{before}User: {prompt}"


def _asks(prompt: str) -> bool:
    return prompt.rstrip().endswith("?")


_FRAMES: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "qa": _qa,
    "shots": _shots,
    "instruction": _instruction,
    "dialogue": _dialogue,
    CHAT: str,
}
FRAMES = tuple(_FRAMES)


def put_in_frame(frame: str, prompt: str) -> str:
    """The text that is asked.

    ``plain``: verbatim; ``qa``: a question as ``Question: ...\\nAnswer:``; ``shots``: a question
    after eight answered ones; ``instruction``: after a task; ``dialogue``: as the second turn of a
    conversation in plain text; ``chat``: left to the model's chat template.

    Raises:
        UnknownNameError: no such frame.
    """
    return check(frame)(prompt)


def check(frame: str) -> Callable[[str], str]:
    """The frame's function.

    Raises:
        UnknownNameError: no such frame.
    """
    if frame not in _FRAMES:
        raise unknown_name("frame", frame, FRAMES)
    return _FRAMES[frame]
