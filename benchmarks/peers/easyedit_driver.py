"""EasyEdit's side: edits one record at a time and writes down what the model then does, raw.

    ENV/bin/python easyedit_driver.py JOB.json OUT.jsonl

It runs in EasyEdit's own environment and imports nothing of memedit. Of the snapshot it imports the
modules of one method only: the package's own ``__init__`` brings every method, and with them a
stack for images and video. The method is called as ``BaseEditor.edit`` calls it, ``apply_...`` with
``return_orig_weights``, and taken back by what it returns. Token ids come from the job, so that
both sides read the same tokens; nothing is judged here.

Each line of OUT is a record: ``{"case", "seconds", "before", "after"}``, the last two with ``said``
(the ids of a free answer to each prompt) and ``scored`` (of each target: the log-probability, and
the likeliest token, at every position). Records that are there are not edited again.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

METHODS = {
    "ROME": ("rome.rome_main", "apply_rome_to_model", "ROMEHyperParams"),
    "MEMIT": ("memit.memit_main", "apply_memit_to_model", "MEMITHyperParams"),
    "FT": ("ft.ft_main", "apply_ft_to_model", "FTHyperParams"),
    "GRACE": ("grace.grace_main", "apply_grace_to_model", "GraceHyperParams"),
}
_SEED = 42
"""``seed_everything(42)`` of its editor."""
_SAMPLES = 100_000
"""``mom2_n_samples``: a part of the name under which it looks for second moments."""
Json = dict[str, Any]


def open_method(snapshot: Path, name: str) -> tuple[Any, Any]:
    """(the function that edits, the class of its settings) of a method."""
    for package in ("easyeditor", "easyeditor.models"):
        made = types.ModuleType(package)
        made.__path__ = [str(snapshot / package.replace(".", "/"))]
        sys.modules[package] = made
    module, apply, settings = METHODS[name]
    found = importlib.import_module(f"easyeditor.models.{module}")
    return getattr(found, apply), getattr(found, settings)


def put_moments(job: Json) -> None:
    """Write the second moments, if the job has any, where EasyEdit looks for its own."""
    if not job["moments"]:
        return
    import numpy

    stats = importlib.import_module("easyeditor.util.runningstats")
    torch = importlib.import_module("torch")
    folder = Path(job["hparams"]["stats_dir"], Path(job["model"]).name, "wikipedia_stats")
    with numpy.load(job["moments"]) as held:
        for site in held.files:
            one = stats.SecondMoment()
            one.count, one.mom2 = 1, torch.from_numpy(held[site])
            file = folder / f"{site}_float32_mom2_{_SAMPLES}.npz"
            stats.save_cached_state(
                str(file), stats.CombinedStat(mom2=one), {"sample_size": _SAMPLES}
            )


class Asker:
    """Asks a model with token ids; greedy."""

    def __init__(self, model: Any, job: Json) -> None:
        self.torch = importlib.import_module("torch")
        self.model, self.tokens, self.ends = model, job["tokens"], job["ends"]

    def ask(self, case: Json) -> Json:
        """The free answers and the scores of a record, in the model as it is."""
        with self.torch.no_grad():
            return {
                "said": self._say(case["prompts"]),
                "scored": [self._score(prompt, target) for prompt, target in case["pairs"]],
            }

    def _say(self, prompts: list[list[int]]) -> list[list[int]]:
        width = max(map(len, prompts))
        ids = self.torch.tensor([[self.ends[0]] * (width - len(p)) + p for p in prompts])
        mask = self.torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        self._point(width - 1)
        out = self.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=self.tokens, do_sample=False,
            eos_token_id=self.ends, pad_token_id=self.ends[0],
        )  # fmt: skip
        new: list[list[int]] = out[:, width:].tolist()
        return [self._cut(row) for row in new]

    def _cut(self, row: list[int]) -> list[int]:
        """Up to and with the first token that ends a text."""
        at = next((i + 1 for i, token in enumerate(row) if token in self.ends), len(row))
        return row[:at]

    def _score(self, prompt: list[int], target: list[int]) -> list[list[Any]]:
        self._point(len(prompt) - 1)
        logits = self.model(input_ids=self.torch.tensor([prompt + target])).logits[0]
        here = logits[len(prompt) - 1 : -1].float().log_softmax(-1)
        wanted = self.torch.tensor(target)[:, None]
        return [here.gather(-1, wanted)[:, 0].tolist(), here.argmax(-1).tolist()]

    def _point(self, column: int) -> None:
        """Tell GRACE where the prompt ends: it would look where the *edited* prompt ended."""
        for module in self.model.modules():
            if type(module).__name__ == "GRACEAdapter":
                module.key_id = column


def edit(apply: Any, asker: Asker, tokenizer: Any, case: Json, settings: Any) -> Json:
    """One record: asked, edited, asked again, taken back."""
    before = asker.ask(case)
    request = {k: case[k] for k in ("prompt", "subject", "target_new")} | {"case_id": case["case"]}
    begun = time.perf_counter()
    _, original = apply(
        asker.model, tokenizer, [request], settings, copy=False, return_orig_weights=True,
        keep_original_weight=False,
    )  # fmt: skip
    seconds = time.perf_counter() - begun
    after = asker.ask(case)
    if callable(original):
        original()
    else:
        with asker.torch.no_grad():
            for name, weight in original.items():
                asker.model.get_parameter(name)[...] = weight
    return {"case": case["case"], "seconds": seconds, "before": before, "after": after}


def main(job_file: str, out_file: str) -> None:
    """Do what is left of a job."""
    job: Json = json.loads(Path(job_file).read_text("utf-8"))
    apply, settings = open_method(Path(job["snapshot"]), job["method"])
    put_moments(job)
    torch = importlib.import_module("torch")
    transformers = importlib.import_module("transformers")
    torch.manual_seed(_SEED)
    model = transformers.AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(job["model"])
    tokenizer.pad_token_id, tokenizer.padding_side = tokenizer.eos_token_id, job["padding"]
    out = Path(out_file)
    done = read_done(out)
    asker = Asker(model.eval(), job)
    for case in job["cases"]:
        if case["case"] not in done:
            row = edit(apply, asker, tokenizer, case, settings(**job["hparams"]))
            with out.open("a") as file:
                file.write(json.dumps(row) + "\n")


def read_done(out: Path) -> set[Any]:
    """The records that are done; a last line that was cut off with the process is taken away."""
    text = out.read_text() if out.is_file() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        out.write_text(whole)
    return {json.loads(line)["case"] for line in whole.splitlines()}


if __name__ == "__main__":
    main(*sys.argv[1:])
