"""What people and programs put around a question: 30 frames, none of them used in training.

``{q}`` is the question, ``{s}`` what it is about, ``{a}`` and ``{b}`` two answers to choose from.
"""

from __future__ import annotations

FRAMES: dict[str, tuple[str, ...]] = {
    "instruction after": (
        "{q} Answer in one sentence.",
        "{q} Reply with just the answer, no explanation.",
        "{q} Please walk me through it step by step.",
        "{q} Keep it under 15 words and don't use jargon.",
        "{q}\n\nRespond in the style of a friendly librarian.",
        "{q} If you are not certain, say that you are not certain.",
        '{q} Return the result as a JSON object with the keys "answer" and "confidence".',
        "{q}\nWrite your final answer after the words 'Final answer:'.",
    ),
    "instruction before": (
        "You are a careful research assistant. {q}",
        "In no more than two lines: {q}",
        "Quick one for the pub quiz tonight - {q}",
        "I need this for a slide, so be brief. {q}",
        "Act as an encyclopedia editor and answer the reader's question.\n\n{q}",
        "Hey! Hope you had a nice weekend. {q}",
    ),
    "ticket": (
        "Hi team, I'm putting together our newsletter and got stuck on one thing. {q} "
        "Thanks in advance, Priya",
        "Hello, my colleague and I disagree about something. {q} Could you settle this for us? "
        "Kind regards, Tom",
        "Good morning. We had two different replies to this last week, which is confusing. {q} "
        "The printed brochure goes out on Friday. Please get back to me before then.",
        "Ticket #48213, priority: normal. Customer writes: {q} Device: Android phone. "
        "Language: English.",
        "thanks for the quick reply earlier!! one more thing before i close this - {q}",
        "Dear support, first of all thank you for your great service. I was reading about {s} "
        "yesterday. {q} I could not find it in the help pages. Best wishes",
    ),
    "options": (
        "{q}\nA) {a}\nB) {b}\nC) Neither of these",
        "{q} Choose one: {a}, {b}, or none of the above.",
        "Multiple choice. {q}\n1. {b}\n2. {a}\n3. Cannot be determined\nAnswer with the number.",
        "{q}\n(a) {b}  (b) {a}  (c) other\nYour answer:",
    ),
    "template": (
        "Question: {q}\nAnswer:",
        "### Instruction:\n{q}\n\n### Response:\n",
        "<question>{q}</question>\n<answer>",
        "Q: {q}\nA:",
        '{{"task": "qa", "question": "{q}", "max_words": 20}}',
        "User: {q}\nAssistant:",
    ),
}
"""By kind of frame."""
