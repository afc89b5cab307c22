"""ES, PS, NS, S of the real, unedited model against a straightforward computation."""

from __future__ import annotations

import gzip
import json
import os
from itertools import islice
from typing import Any

import pytest
import torch

from memedit import EditableModel
from memedit.evaluation import load_cases
from memedit.evaluation.runs.compare import compare
from tests.helpers import shared_data

RECORDS = int(os.environ.get("MEMEDIT_RECORDS", "3"))
"""200 agree too, in minutes: set MEMEDIT_RECORDS=200."""
NEIGHBOURS = 1


def geometric_mean(base: Any, tokenizer: Any, prompt: str, target: str) -> float:
    """P(target | prompt): one text at a time, nothing padded, nothing batched."""
    before = tokenizer(prompt).input_ids
    after = tokenizer(" " + target, add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = base(torch.tensor([before + after])).logits[0]
    rows = logits[len(before) - 1 : -1].log_softmax(-1)
    return float(rows[torch.arange(len(after)), torch.tensor(after)].mean().exp())


def naive(base: Any, tokenizer: Any, records: list[dict[str, Any]]) -> dict[str, float]:
    """The metrics as the ROME paper words them, straight from the file's records."""
    sums = dict.fromkeys(("es", "em", "ps", "pm", "ns", "nm"), 0.0)
    for record in records:
        rewrite = record["requested_rewrite"]
        new, true = rewrite["target_new"]["str"], rewrite["target_true"]["str"]
        groups = {
            "e": ([rewrite["prompt"].format(rewrite["subject"])], new, true),
            "p": (record["paraphrase_prompts"], new, true),
            "n": (record["neighborhood_prompts"][:NEIGHBOURS], true, new),
        }
        for letter, (prompts, wanted, other) in groups.items():
            gaps = [
                geometric_mean(base, tokenizer, p, wanted)
                - geometric_mean(base, tokenizer, p, other)
                for p in prompts
            ]
            sums[f"{letter}s"] += sum(gap > 0 for gap in gaps) / len(gaps)
            sums[f"{letter}m"] += sum(gaps) / len(gaps)
    found = {name: total / len(records) for name, total in sums.items()}
    found["s"] = 3 / sum(1 / found[name] for name in ("es", "ps", "ns"))
    return found


@pytest.mark.slow
def test_probability_metrics_agree_with_a_straightforward_computation(smollm: Any) -> None:
    base, tokenizer = smollm
    file = shared_data("counterfact_full.jsonl.gz")
    model = EditableModel(base, tokenizer, encoder="hashing", scope="mention")
    cases = load_cases(file, RECORDS, together=False, locality=NEIGHBOURS)
    used = {case.case_id for case in cases.cases}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        whole = (json.loads(line) for line in islice(lines, 2 * RECORDS))
        records = [r for r in whole if str(r["case_id"]) in used]
    assert len(records) == RECORDS
    found = compare(model, "none", cases, families=("tf",)).tables["none"][str(RECORDS)]
    for name, value in naive(base, tokenizer, records).items():
        assert found[name].mean == pytest.approx(value, abs=1e-4), name
