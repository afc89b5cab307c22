"""A bank's handbook: are the documents that a task needs among the passages shown?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.facts_common import Facts, Row, share
from memedit.core.documents import place_of
from memedit.core.types import Decision
from memedit.data.documents.reading import parse_document

_SAID = re.compile(r"[\"“]([^\"”]{15,600})[\"”]")
_DEEP = 16


def put(documents: Sequence[Row], facts: Facts) -> dict[str, str]:
    """Put every document in force; by the data's id what it is called here."""
    names: dict[str, str] = {}
    for number, row in enumerate(documents):
        original = row["original"]
        text = f"# {original['title']}\n\n{original['content']}"
        name = f"d{number}"
        facts.memory.put_document(parse_document(text.encode(), "markdown", name))
        names[original["id"]] = name
    return names


def tasks(documents: Sequence[Row], rows: Sequence[Row], facts: Facts) -> Row:
    """Of the documents each task needs, the share shown: for what its customer says, and for the
    title of each as a clerk would look it up."""
    names = put(documents, facts)
    titles = {row["original"]["id"]: row["original"]["title"] for row in documents}
    customer, near = list[bool](), list[bool]()
    clerk, clerk_near, whole = list[bool](), list[bool](), list[bool]()
    for row in rows:
        task = row["original"]
        needed = [id for id in task["required_documents"] if id in names]
        lines = _SAID.findall(task["user_scenario"]["instructions"])
        decisions = [facts.ask(line) for line in lines]
        shown = {name for d in decisions for name in _shown(d)}
        weighed = {name for d in decisions for name in _weighed(d)}
        customer += [names[id] in shown for id in needed]
        near += [names[id] in weighed for id in needed]
        looked_up = {id: facts.ask(f"{titles[id]}?") for id in needed}
        clerk += [names[id] in _shown(looked_up[id]) for id in needed]
        clerk_near += [names[id] in _weighed(looked_up[id]) for id in needed]
        whole.append(all(names[id] in _shown(looked_up[id]) for id in needed))
    return {
        "documents": len(names),
        "passages": len(facts.memory),
        "customer_shown": share(customer),
        "customer_among_candidates": share(near),
        "by_title_shown": share(clerk),
        "by_title_among_candidates": share(clerk_near),
        "tasks_with_all_by_title": share(whole),
    }


def _shown(decision: Decision) -> set[str]:
    return {hit.passage.document for hit in decision.bearing if hit.passage is not None}


def _weighed(decision: Decision) -> set[str]:
    places = (place_of(hit.record.source) for hit in decision.candidates[:_DEEP])
    return {place.document for place in places if place is not None}
