"""T-Patcher: one neuron for every wrong token (Huang et al. 2023, arXiv 2301.09785).

Neurons beside the last feed-forward layer, each trained to fire where one token of the target comes
out wrong, and nowhere else: ``y + relu(x k + b) v``. ReLU is exactly zero elsewhere, so the model
there is the base, bit for bit; taking a neuron away restores what was.

The published code widens the layer; here the neurons stand beside it, so that any feed-forward form
will do. Its memory of states that must not fire is drawn from training data; here it is what the
layer reads in texts that the model writes itself, and in the edit's own words about other subjects
(``earlier=True`` adds what it reads at the tokens of the edits before, as published). The end of
the answer is a token like any other. Each edit is trained on the unpatched model: no edit depends
on another's neurons.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM, Batch, Call
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Sequenced, sequence_edit
from memedit.editors.beside.negatives import inputs, states, strangers
from memedit.editors.beside.targets import Targets, chunk_rows, feed_forward, sites, to_cpu
from memedit.engine.interventions import Neurons

_TOP_ACTIVATIONS, _TOP_SHARE = 5, 0.003
"""The most that count in a loss. The published code takes the 1,000 largest activations of (states
x 8 copies of the example x neurons): of its 40,000 states the worst 125, 0.3%."""
_MARGIN = 3.0
_CLIP = 5.0
_PATIENCE = 1


@holds_settings
class Tpatcher:
    """Neurons in the last layer, one for each token that the model gets wrong.

    Attributes:
        patches: At most so many for an edit, the first wrong tokens.
        amplify: How much larger than 1 a value begins.
        memory: States from texts that must not fire (published: 40,000). The model writes the
            texts once, which takes minutes on a processor; of the states the 0.3% that come
            nearest to firing count at each step.
        earlier: The edits that are in the model already must not fire either: their states are
            added to that memory (published). Of edits made together none is in it.
        others: Other subjects, put into the edit's prompt, that must not fire.
        smoothing: Of the labels in the edit's loss.
        activation_weight, memory_weight: Of these losses, beside the edit's.
        rate, decay: Of Adam.
        steps: At most.
        end: The end of the answer is part of the target, as published.
        begin, every: First validation and how many steps between them.
        seed: Of the values' beginnings and of the texts.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "tpatcher"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    ungated: ClassVar[str] = "everything"
    """The scope that leaves the decision to the neurons, as in the paper."""
    patches: int = 5
    amplify: float = 10.0
    memory: int = 30_000
    earlier: bool = False
    others: int = 16
    smoothing: float = 0.1
    activation_weight: float = 1.0
    memory_weight: float = 5.0
    rate: float = 1e-2
    decay: float = 1e-2
    steps: int = 2_000
    end: bool = True
    begin: int = 100
    every: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.patches, self.steps, self.begin, self.every) < 1 or self.rate <= 0:
            raise InvalidInputError("patches, steps, begin, every and rate must be positive.")
        if min(self.memory, self.others, self.decay, self.activation_weight) < 0:
            raise InvalidInputError("memory, others, decay and the weights must not be negative.")
        if not 0 <= self.smoothing < 1:
            raise InvalidInputError("smoothing must be in [0, 1).")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """Each edit's neurons: ``k`` [m, d], ``b`` [m, 1], ``v`` [m, d]; m is 0 where the model is
        right already.

        Raises:
            InvalidEditError: an edit without a target.
            UnsupportedArchitectureError: a model without a feed-forward module (OPT).
        """
        rows = [sequence_edit(lm, edit, end=self.end) for edit in edits]
        layer = lm.sites.layers - 1
        site = feed_forward(lm, layer)
        payloads: list[Payload] = []
        for part in chunk_rows(rows):
            fitting = _Fitting(self, lm, edits[part], rows[part], site, layer)
            payloads += fitting.run()
        return payloads

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """The call with the neurons of each row's edits."""
        forms = [
            Neurons(site=site, editor=self.name, key=f"{site}/")
            for site in sites(batch, self.name, "k")
        ]
        return call(batch.intervene(*forms) if forms else batch)


def memory_loss(memory: Tensor, own: Tensor, share: float = _TOP_SHARE) -> Tensor:
    """[p] each neuron's memory loss: ``top1000_exp + top1000_exp`` of the published code.

    Args:
        memory: [p, n] its activations, before ReLU, on what must not fire.
        own: [p] on its own token.
        share: Of the states that count, those that come nearest to firing.
    """
    most = max(1, math.ceil(share * memory.shape[1]))
    above = (memory - own[:, None] + _MARGIN).exp()  # the mistake exceeds what is there by 3
    fires = (memory + _MARGIN).exp()  # and that stays below -3
    return sum((each.topk(most, dim=1).values.mean(1) for each in (above, fires)), own * 0)


class _Fitting:
    """The neurons of several edits, trained side by side; no edit influences another.

    Attributes:
        k, b, v: ``[p, d]``, ``[p]``, ``[p, d]`` (as e and its factors a) of all p neurons.
        owner: [p] the edit of each.
        query: [p, d] what the layer reads at its token.
        common, held_out: [n, d] states that must not fire, to train with and to validate with.
        strange: [p, s, d] states that must not fire of each neuron, where ``is_strange`` [p, s].
    """

    def __init__(
        self,
        how: Tpatcher,
        lm: LM,
        edits: Sequence[Edit],
        rows: Sequence[Sequenced],
        site: str,
        layer: int,
    ) -> None:
        self.how, self.lm, self.site, self.edits = how, lm, site, edits
        self.targets = Targets(lm, rows, first=layer)
        device = self.targets.device
        wrong = self._find_wrong()
        self.owner = self.targets.row[wrong]
        self.query = self._read()[wrong]
        width = self.query.shape[1]
        self.k = self.query / self.query.square().sum(1, keepdim=True)  # fires with exactly 1
        self.b = torch.zeros(len(wrong), device=device)
        self.e = torch.stack(self._noise(width)).to(device) if len(wrong) else self.k.clone()
        self.a = torch.full_like(self.e, how.amplify)
        self.common, self.held_out = self._texts(layer)
        if how.earlier:
            self.common = torch.cat([self.common, self._read_earlier(layer)])
        self.strange, self.is_strange = self._read_strangers(wrong, layer)

    # What it begins from

    def _find_wrong(self) -> Tensor:
        """[p] which target tokens get a neuron: the first wrong ones of each edit."""
        with torch.no_grad():
            said = self.targets.logs({}).argmax(-1)
        chosen: list[int] = []
        for row in range(len(self.targets)):
            mine = (self.targets.row == row) & (said != self.targets.token)
            chosen += mine.nonzero()[: self.how.patches, 0].tolist()
        return torch.tensor(chosen, dtype=torch.long, device=self.targets.device)

    def _read(self) -> Tensor:
        """[N, d] what the layer reads where each target token is predicted."""
        seen: list[Tensor] = []

        def read(x: Tensor, y: Tensor) -> None:
            seen.append(x[self.targets.row, self.targets.column].detach().float())

        with torch.no_grad():
            self.targets.passing.run(after={self.site: read})
        return seen[0]

    def _noise(self, width: int) -> list[Tensor]:
        """[d] for each neuron, from seed, edit and number alone."""
        found, count = [], 0
        for n, owner in enumerate(self.owner.tolist()):
            count = count + 1 if n and owner == int(self.owner[n - 1]) else 0
            edit = self.edits[owner]
            text = f"{self.how.seed}\n{count}\n{edit.prompt}\n{edit.target_new}".encode()
            number = int.from_bytes(hashlib.sha256(text).digest()[:7], "big")
            # From the edit alone: its neurons must not depend on what is fitted beside it.
            found.append(torch.randn(width, generator=torch.Generator().manual_seed(number)))
        return found

    def _texts(self, layer: int) -> tuple[Tensor, Tensor]:
        """Memory from texts, to train with and to validate with."""
        if not self.how.memory:
            return self.query[:0], self.query[:0]
        found = states(self.lm, self.site, layer, self.how.memory, self.how.seed)
        found = found.to(self.targets.device)
        # Every third state is held out: the states of one text follow each other.
        mine = torch.arange(len(found), device=found.device) % 3 < 2
        return found[mine], found[~mine]

    def _read_earlier(self, layer: int) -> Tensor:
        """[n, d] what the layer reads at the target tokens of the edits before."""
        edits = [r.edit for r in self.lm.records if self.how.name in r.payloads]
        if not edits:
            return self.query[:0]
        rows = [sequence_edit(self.lm, edit, end=self.how.end) for edit in edits]
        ids, places = [row.ids for row in rows], [row.places for row in rows]
        return inputs(self.lm.original, self.site, layer, ids, places).to(self.query)

    def _read_strangers(self, wrong: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """([p, s, d], [p, s] which are there) the neuron's place in the same words about others."""
        found: list[Tensor] = []
        for row, edit in enumerate(self.edits):
            mine = (self.targets.row == row).nonzero()[:, 0]
            here = [int(w) - int(mine[0]) for w in wrong if int(self.targets.row[w]) == row]
            each = []
            if here:
                each = strangers(self.lm, self.site, layer, edit, self.how.others, end=self.how.end)
            found += [each[t] for t in here]
        most = max((len(each) for each in found), default=0)
        states = self.query.new_zeros(len(found), most, self.query.shape[1])
        there = torch.zeros(len(found), most, dtype=torch.bool, device=states.device)
        for n, met in enumerate(found):
            states[n, : len(met)] = met.to(states) if len(met) else 0
            there[n, : len(met)] = True
        return states, there

    # The descent

    def run(self) -> list[Payload]:
        """The payloads of the edits."""
        if len(self.owner):
            self._train()
        value = self.e * self.a
        payloads: list[Payload] = []
        for row in range(len(self.edits)):
            mine = self.owner == row
            payloads.append(
                {
                    f"{self.site}/k": to_cpu(self.k[mine]),
                    f"{self.site}/b": to_cpu(self.b[mine, None]),
                    f"{self.site}/v": to_cpu(value[mine]),
                }
            )
        return payloads

    def _train(self) -> None:
        how, active = self.how, self.owner.unique()
        descent = _Descent(self, how)
        best = [t.clone() for t in self._leaves()]
        watch = _Watch(len(self.edits), how.rate)
        for step in range(1, how.steps + 1):
            descent.step(active, watch.rate)
            # The last step is validated, whatever its number.
            if step < how.steps and (step < how.begin or (step - how.begin) % how.every):
                continue
            loss, right, memory = self._validate(active)
            better, done = watch.see(active, loss, right, memory)
            for kept, leaf in zip(best, self._leaves(), strict=True):
                mine = torch.isin(self.owner, active[better])
                kept[mine] = leaf[mine]
            active = active[~done]
            if not len(active):
                break
        # Not the last state: that of the best validation of each edit.
        self.k, self.b, self.e, self.a = best

    def _leaves(self) -> list[Tensor]:
        return [self.k, self.b, self.e, self.a]

    def logs(self, leaves: Sequence[Tensor], active: Tensor) -> Tensor:
        """[N, V] log-probabilities at the active edits' tokens, their neurons in place."""
        k, b, e, a = leaves
        mine = torch.isin(self.owner, active)
        gate = (self.owner[mine][None] == active[:, None])[:, None]  # [B, 1, p]

        def add_change(x: Tensor, y: Tensor) -> Tensor:
            fired = torch.relu(x.float() @ k[mine].T + b[mine]) * gate
            change: Tensor = (fired @ (e * a)[mine]).to(y.dtype)
            return y + change

        return self.targets.logs({self.site: add_change}, active)

    def edit_loss(self, logs: Tensor, active: Tensor) -> Tensor:
        """[B] label-smoothed NLL of each edit, mean over its tokens."""
        token = self.targets.token[self.targets.of(active)]
        picked = logs.gather(-1, token[:, None])[:, 0]
        share = self.how.smoothing
        smooth = -(1 - share) * picked - share * logs.mean(-1)
        return self.targets.mean(smooth, active)

    def guard(self, k: Tensor, b: Tensor) -> Tensor:
        """[edits] the activation and memory losses of every edit."""
        how, own = self.how, (k * self.query).sum(1) + b
        # The neuron fires on its own token: the loss falls as its activation there grows.
        push = self._average_by_edit((-own).exp(), _TOP_ACTIVATIONS)
        kept = self.rate_remembered(self.common, k, b, own)
        if self.strange.shape[1]:
            on = torch.einsum("psd,pd->ps", self.strange, k) + b[:, None]
            near = memory_loss(on.masked_fill(~self.is_strange, -torch.inf), own, share=1.0)
            # Places that are not there (-inf) count in the mean with nothing: made up for.
            share = self.is_strange.shape[1] / self.is_strange.sum(1).clamp(min=1)
            met = self.is_strange.any(1)
            kept = torch.where(met, (kept + near * share) / 2 if len(self.common) else near, kept)
        losses: Tensor = how.activation_weight * push
        return losses + how.memory_weight * self._average_by_edit(kept, len(own))

    @staticmethod
    def rate_remembered(memory: Tensor, k: Tensor, b: Tensor, own: Tensor) -> Tensor:
        """[p] the memory loss of each neuron on states [n, d] that are the same for all."""
        if not len(memory):
            return own * 0
        return memory_loss(k @ memory.T + b[:, None], own)

    def _average_by_edit(self, values: Tensor, most: int) -> Tensor:
        """[edits] the mean of the ``most`` largest of the values [p] of each edit's neurons."""
        mine = self.owner[None] == torch.arange(len(self.edits), device=self.owner.device)[:, None]
        table = torch.where(mine, values[None], 0.0)  # the values are positive
        counts = mine.sum(1).clamp(min=1, max=most)
        mean: Tensor = table.topk(min(most, len(values)), dim=1).values.sum(1) / counts
        return mean

    def _validate(self, active: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """([B] edit losses, [B] all tokens right, [B] memory losses on texts held out)."""
        with torch.no_grad():
            logs = self.logs(self._leaves(), active)
            token = self.targets.token[self.targets.of(active)]
            right = self.targets.mean((logs.argmax(-1) == token).float(), active) == 1
            own = (self.k * self.query).sum(1) + self.b
            held = self.rate_remembered(self.held_out, self.k, self.b, own)
            memory = self._average_by_edit(held, len(held))[active]
            return self.edit_loss(logs, active), right, memory


class _Descent:
    """Adam with a rate, a decay and a clip of its own for each edit."""

    def __init__(self, fitting: _Fitting, how: Tpatcher) -> None:
        self.fitting, self.how, self.count = fitting, how, 0
        leaves = fitting._leaves()
        self.first = [torch.zeros_like(leaf) for leaf in leaves]
        self.second = [torch.zeros_like(leaf) for leaf in leaves]

    def step(self, active: Tensor, rates: Tensor) -> None:
        """One step of the edits that are active; ``rates`` [edits]."""
        fit, owner = self.fitting, self.fitting.owner
        leaves = [leaf.detach().requires_grad_() for leaf in fit._leaves()]
        logs = fit.logs(leaves, active)
        loss = fit.edit_loss(logs, active) + fit.guard(leaves[0], leaves[1])[active]
        grads = list(torch.autograd.grad(loss.sum(), leaves))
        norm = torch.zeros(len(fit.edits), device=owner.device)
        for grad in grads:
            norm.index_add_(0, owner, grad.reshape(len(owner), -1).square().sum(1))
        # Clipped edit by edit, so that a large gradient of one slows no other.
        scale = (_CLIP / norm.sqrt().clamp(min=1e-12)).clamp(max=1.0)[owner]
        rate = torch.where(torch.isin(owner, active), rates.to(owner.device)[owner], 0.0)
        self.count += 1
        moved = [self._move(i, leaves[i], grads[i], scale, rate) for i in range(len(leaves))]
        fit.k, fit.b, fit.e, fit.a = moved

    def _move(self, i: int, leaf: Tensor, grad: Tensor, scale: Tensor, rate: Tensor) -> Tensor:
        """The leaf after Adam's step (Kingma and Ba 2015), decay in the gradient."""
        shape = (-1,) + (1,) * (leaf.dim() - 1)
        grad = grad * scale.reshape(shape) + self.how.decay * leaf.detach()
        self.first[i] = 0.9 * self.first[i] + 0.1 * grad
        self.second[i] = 0.999 * self.second[i] + 0.001 * grad.square()
        mean = self.first[i] / (1 - 0.9**self.count)
        spread = (self.second[i] / (1 - 0.999**self.count)).sqrt() + 1e-8
        return (leaf - rate.reshape(shape) * mean / spread).detach()


class _Watch:
    """Which edits are done, what rate each has come to, and which state of each is the best.

    The rate halves when an edit's loss has not fallen by 5% for two validations; an edit is done
    when all its tokens are right and its loss on held-out memory has stopped falling by 0.001.
    """

    def __init__(self, edits: int, rate: float) -> None:
        self.rate = torch.full((edits,), rate)
        self._loss = torch.full((edits,), float("inf"))
        self._bad = torch.zeros(edits, dtype=torch.long)
        self._memory = torch.full((edits,), float("inf"))
        self._stale = torch.zeros(edits, dtype=torch.long)
        self._right = torch.zeros(edits, dtype=torch.bool)

    def see(
        self, active: Tensor, loss: Tensor, right: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """([B] this state is the best of its edit so far, [B] the edit is done)."""
        better, done = [], []
        for i, edit in enumerate(active.tolist()):
            fell = float(loss[i]) < self._loss[edit] * 0.95
            self._bad[edit] = 0 if fell else self._bad[edit] + 1
            self._loss[edit] = min(float(self._loss[edit]), float(loss[i]))
            if self._bad[edit] > _PATIENCE:
                self.rate[edit] *= 0.5
                self._bad[edit] = 0
            fewer = float(memory[i]) < self._memory[edit] - 1e-3
            now = bool(right[i])
            self._stale[edit] = 0 if fewer else self._stale[edit] + 1
            better.append((now and not self._right[edit]) or (fewer and now >= self._right[edit]))
            self._right[edit] |= now
            self._memory[edit] = float(memory[i]) if better[-1] else self._memory[edit]
            done.append(now and int(self._stale[edit]) > 0)
        return torch.tensor(better), torch.tensor(done)
