"""What editing costs on an accelerator: random weights in the shapes of known models, no network.

    python -m benchmarks.device --json out.json                  # an accelerator, as it is
    python -m benchmarks.device --device cpu --tiny              # whether it runs

The words are nonsense, and every figure is one of time, of memory, or of equality: out of scope
against the bare model, in scope (a note of three facts; SERAC's adapter) against it, the encoder
here and there, seconds of a ROME and a MEMIT edit (identity for their statistics, which a model
needs once), the most memory used, and whether answers out of scope are the base's bit for bit.
"""

from __future__ import annotations

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from benchmarks.made_up import OUT_OF_SCOPE, Standing, edits, questions
from memedit import Edit, EditableModel, EditMemory
from memedit.editors.memit import Memit
from memedit.editors.rome import Rome
from memedit.editors.serac import Serac
from memedit.engine.encoders import load_encoder

Results = dict[str, Any]

SHAPES: dict[str, dict[str, Any]] = {
    "Llama-3.1-8B": dict(
        model_type="llama", hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, vocab_size=128_256, rope_theta=500_000.0,
        max_position_embeddings=131_072,
    ),
    "Qwen2.5-1.5B": dict(
        model_type="qwen2", hidden_size=1536, intermediate_size=8960, num_hidden_layers=28,
        num_attention_heads=12, num_key_value_heads=2, vocab_size=151_936, rope_theta=1_000_000.0,
        max_position_embeddings=32_768, tie_word_embeddings=True,
    ),
}  # fmt: skip
_TINY = dict(
    hidden_size=64, intermediate_size=128, num_hidden_layers=6, num_attention_heads=4,
    num_key_value_heads=2, vocab_size=512, max_position_embeddings=1024,
)  # fmt: skip
_RANK = 8
_CHUNK = 10_000
_FACTS = [
    Edit("The capital of France is", "Lyon", "France"),
    Edit("The chair of Acme is", "Ada Byron", "Acme"),
    Edit.from_statement("The refund window is 60 days."),
]


@dataclass(frozen=True)
class How:
    """Attributes:
    device: Where the model is; "auto" spreads it over what there is.
    tiny: Small shapes, few tokens.
    """

    device: str
    tiny: bool

    @property
    def tokens(self) -> int:
        return 4 if self.tiny else 32

    @property
    def repeats(self) -> int:
        return 2 if self.tiny else 7

    @property
    def cuda(self) -> bool:
        return self.device != "cpu"


def byte_tokenizer() -> Any:
    """One token a byte; 256 ends a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(["<|end|>"])
    build: Any = PreTrainedTokenizerFast
    return build(tokenizer_object=core, eos_token="<|end|>", pad_token="<|end|>")


def random_model(shape: dict[str, Any], how: How) -> Any:
    """A causal LM of this shape in bfloat16, its weights random, made where it shall be."""
    settings = shape | (_TINY if how.tiny else {})
    config = AutoConfig.for_model(**settings, bos_token_id=256, eos_token_id=256, pad_token_id=256)
    build: Any = AutoModelForCausalLM.from_config
    torch.manual_seed(0)
    where = "cuda" if how.device == "auto" else how.device
    with torch.device(where):
        base = build(config, dtype=torch.bfloat16).eval()
    if how.device == "auto" and torch.cuda.device_count() > 1:
        from accelerate import dispatch_model, infer_auto_device_map

        room = {i: torch.cuda.mem_get_info(i)[0] // 2 for i in range(torch.cuda.device_count())}
        plan = infer_auto_device_map(
            base, max_memory=room, no_split_module_classes=base._no_split_modules
        )
        base = dispatch_model(base, plan)
    return base


class Bench:
    """One model, and what is measured on it."""

    def __init__(self, name: str, how: How) -> None:
        self.name, self.how, self.tokenizer = name, how, byte_tokenizer()
        self.base = random_model(SHAPES[name], how)
        self.device = self.base.get_input_embeddings().weight.device

    def seconds(self, action: Callable[[], object]) -> float:
        """Time of an action, with all that it left to be done on the device."""
        self._wait()
        start = time.perf_counter()
        action()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.how.cuda:
            for index in range(torch.cuda.device_count()):
                torch.cuda.synchronize(index)

    def ratio(self, ours: Callable[[], object], bare: Callable[[], object]) -> float:
        """Median of ours / bare over pairs run one after the other, in turn."""
        ours(), bare()
        ratios = []
        for turn in range(self.how.repeats):
            first, second = (ours, bare) if turn % 2 else (bare, ours)
            times = {first: self.seconds(first), second: self.seconds(second)}
            ratios.append(times[ours] / times[bare])
        return statistics.median(ratios)

    def inputs(self, texts: Sequence[str]) -> Any:
        made = self.tokenizer(list(texts), return_tensors="pt", padding=True, padding_side="left")
        return {name: made[name].to(self.device) for name in ("input_ids", "attention_mask")}

    def generate(self, model: EditableModel, texts: Sequence[str], *, same: bool) -> Results:
        """Against the base on the same tensors; out of scope the answers must be the same."""
        inputs, n = self.inputs(texts), self.how.tokens
        options = {"max_new_tokens": n, "min_new_tokens": n, "do_sample": False}
        ours, bare = (
            partial(m.generate, **inputs, **options, pad_token_id=256) for m in (model, self.base)
        )
        equal = torch.equal(ours(), bare())
        found: Results = {"of_bare": self.ratio(ours, bare), "bare_s": self.seconds(bare)}
        if same:
            logits = [m(**inputs).logits for m in (model, self.base)]
            found["bit_identical"] = equal and torch.equal(*logits)
        return found

    def out_of_scope(self, sizes: Sequence[int], batches: Sequence[int]) -> Results:
        """By number of edits and by batch."""
        found: Results = {}
        standing = Standing(load_encoder())
        memory, there = EditMemory(None, standing), 0
        for size in sizes:
            for first in range(there, size, _CHUNK):
                memory.add_many(edits(min(_CHUNK, size - first), first))
            there = size
            standing.real = True
            model = EditableModel(self.base, self.tokenizer, memory=memory, editor="note")
            for batch in batches:
                texts = [f"{OUT_OF_SCOPE[i % 8]} {i}" for i in range(batch)]
                found[f"{size} edits, batch {batch}"] = self.generate(model, texts, same=True)
            standing.real = False
        memory.close()
        return found

    def in_scope(self, batches: Sequence[int]) -> Results:
        """A note of three facts, and an adapter beside the base, by batch."""
        found: Results = {}
        with tempfile.TemporaryDirectory() as scratch:
            self._write_adapter(Path(scratch))
            serac = Serac(counterfactual=scratch, decline=False)
            for name, editor in {"note": "note", "serac": serac}.items():
                memory = EditMemory(None, load_encoder())
                chosen: Any = editor
                model = EditableModel(
                    self.base, self.tokenizer, memory=memory, editor=chosen, scope="everything"
                )
                model.edit_many(_FACTS)
                for batch in batches:
                    texts = [f"{_FACTS[0].prompt} {i}" for i in range(batch)]
                    found[f"{name}, batch {batch}"] = self.generate(model, texts, same=False)
        return found

    def _write_adapter(self, folder: Path) -> None:
        tensors = {}
        for path, module in self.base.named_modules():
            if path.endswith(("q_proj", "v_proj")):
                name = f"base_model.model.{path}"
                width, out = module.in_features, module.out_features
                tensors[f"{name}.lora_A.weight"] = torch.randn(_RANK, width) / width**0.5
                tensors[f"{name}.lora_B.weight"] = torch.randn(out, _RANK) / 100
        save_file(tensors, folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_text(json.dumps({"r": _RANK, "lora_alpha": _RANK}))
        (folder / "manifest.json").write_text(json.dumps({"base": "random"}))

    def weights(self) -> Results:
        """Seconds of one edit in the weights."""
        found: Results = {}
        steps: Any = {"steps": 2} if self.how.tiny else {}
        for made in (Rome(statistics="identity", **steps), Memit(statistics="identity", **steps)):
            with EditMemory(None, load_encoder("hashing")) as memory:
                model = EditableModel(
                    self.base, self.tokenizer, memory=memory, editor=made, scope="mention"
                )
                times = [self.seconds(partial(model.edit_many, [edit])) for edit in edits(3)]
                found[f"{made.name}_s"] = statistics.median(times)
        return found


def encoders(how: How) -> Results:
    """Milliseconds of an encoder call for one text and for 64, here and on the device."""
    found: Results = {}
    for device in dict.fromkeys(("cpu", "cuda" if how.cuda else "cpu")):
        encoder = load_encoder(device=device)
        for count in (1, 64):
            texts = questions(list(range(count)))
            encoder.encode(texts)
            times = []
            for _ in range(3 * how.repeats):
                start = time.perf_counter()
                encoder.encode(texts)  # comes back as an array: nothing is left to wait for
                times.append(1000 * (time.perf_counter() - start))
            found[f"{device}, {count} texts, ms"] = statistics.median(times)
    return found


@contextmanager
def peak(how: How, results: Results) -> Iterator[None]:
    """Notes the most memory that the devices used within the block, in GB."""
    if how.cuda:
        torch.cuda.reset_peak_memory_stats()
    yield
    if how.cuda:
        count = torch.cuda.device_count()
        results["peak_gb"] = [torch.cuda.max_memory_allocated(i) / 1e9 for i in range(count)]


def name_of_device(how: How) -> str:
    if not how.cuda:
        return "cpu"
    return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))


def table(results: Results) -> Table:
    """A row per figure."""

    def rows(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            for name, each in value.items():
                yield from rows(f"{prefix} / {name}" if prefix else name, each)
        else:
            yield prefix, f"{value:.3f}" if isinstance(value, float) else str(value)

    shown = Table("figure", "value")
    for row in rows("", results):
        shown.add_row(*row)
    return shown


def main(
    device: Annotated[str, typer.Option(help="cuda, cuda:1, auto (spread), cpu.")] = "cuda",
    shapes: Annotated[str, typer.Option(help="Which models.")] = ",".join(SHAPES),
    edits_: Annotated[str, typer.Option("--edits", help="Numbers of edits.")] = "1000,100000",
    batches_: Annotated[str, typer.Option("--batches", help="Prompts at once.")] = "1,8,64",
    tiny: Annotated[bool, typer.Option(help="Small shapes: whether it runs.")] = False,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """What editing costs on an accelerator."""
    if device != "cpu" and not torch.cuda.is_available():
        raise typer.BadParameter(f"There is no device {device!r}: --device cpu --tiny runs.")
    unknown = [name for name in shapes.split(",") if name not in SHAPES]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is no shape: {', '.join(SHAPES)}.")
    how, console = How(device, tiny), Console()
    sizes, batches = ([int(n) for n in text.split(",")] for text in (edits_, batches_))
    results: Results = {"device": name_of_device(how), "torch": torch.__version__}
    results["encoder"] = encoders(how)
    for name in shapes.split(","):
        found = results[name] = dict[str, Any]()
        bench = Bench(name, how)
        with peak(how, found):
            parts: dict[str, Callable[[], Results]] = {
                "in_scope": partial(bench.in_scope, batches),
                "weights": bench.weights,
                "out_of_scope": partial(bench.out_of_scope, sorted(sizes), batches),
            }
            for part, measure in parts.items():
                found[part] = measure()
                if json_ is not None:
                    json_.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        del bench, parts, measure
        gc.collect()
    if json_ is not None:
        json_.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    console.print(table(results))


if __name__ == "__main__":
    typer.run(main)
