"""What Prometheus is told."""

from __future__ import annotations

import threading
from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from memedit.core.phases import Phase
from memedit.core.types import Decision

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_PHASE_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_MOST_EDITS = 10_000
"""Edits that have a counter of their own; the fires of further ones are counted as "other"."""


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self.requests = Counter(
            "memedit_requests", "Requests.", ["route", "method", "status"], registry=r
        )
        self.seconds = Histogram(
            "memedit_request_seconds", "Time to the last byte.", ["route"], buckets=_SECONDS,
            registry=r,
        )  # fmt: skip
        self.phases = Histogram(
            "memedit_phase_seconds",
            "Time of each phase of an answer, once a batch: encode, search, decide, prefill, "
            "decode (an upstream's are its own).",
            ["phase"], buckets=_PHASE_SECONDS, registry=r,
        )  # fmt: skip
        self.decisions = Counter(
            "memedit_decisions", "Questions by what the scope said.", ["outcome"], registry=r
        )
        self.fires = Counter(
            "memedit_fires", "Answers by the edit that fired.", ["namespace", "edit"], registry=r
        )
        self.reports = Counter(
            "memedit_reports", "Reports of people: false fires, misses, wrong answers.", ["kind"],
            registry=r,
        )  # fmt: skip
        self.tokens = Counter("memedit_tokens", "Tokens.", ["kind"], registry=r)
        self.queue = Gauge("memedit_queue", "Sequences that wait.", registry=r)
        self.batch = Histogram(
            "memedit_batch", "Sequences generated at once.", buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=r,
        )  # fmt: skip
        self.upstream = Counter(
            "memedit_upstream", "Requests to the upstream.", ["outcome"], registry=r
        )
        self.edits = Gauge("memedit_edits", "Edits in force.", registry=r)
        self.version = Gauge("memedit_memory_version", "Version of the memory.", registry=r)
        self.connected = Gauge(
            "memedit_memory_connected", "Whether the memory's changes are heard of.", registry=r
        )
        self.stale = Gauge(
            "memedit_memory_stale_seconds", "How old this server's copy may be.", registry=r
        )
        self._lock = threading.Lock()
        self._fired: dict[str, Tally[str]] = {}
        self._known = 0

    def decided(self, namespace: str, decision: Decision) -> None:
        """Count one decision and the edit it let fire."""
        outcome = "in" if decision.hits else "unsure" if decision.unsure else "out"
        self.decisions.labels(outcome).inc()
        if not decision.hits:
            return
        id = decision.hits[0].record.id
        with self._lock:
            tally = self._fired.setdefault(namespace, Tally())
            if id not in tally:
                if self._known >= _MOST_EDITS:
                    id = "other"
                self._known += 1
            tally[id] += 1
        self.fires.labels(namespace, id).inc()

    def spent(self, phase: Phase, seconds: float) -> None:
        """Count the time of one phase."""
        self.phases.labels(phase).observe(seconds)

    def read_fires(self, namespace: str) -> dict[str, int]:
        """Fires by edit since the server started."""
        with self._lock:
            return dict(self._fired.get(namespace, {}))

    def text(self) -> bytes:
        """All of it in Prometheus's format."""
        return generate_latest(self.registry)
