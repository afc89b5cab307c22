"""The process that compiles grammars from its standard input, and says why each cannot be kept to.

A line of JSON each: why, empty where it can, and the bytes of memory that it took. What is too
large takes this process with it, and not the server: nothing else ends a compilation, and one that
nests too deep ends its process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from llguidance import LLMatcher, LLParserLimits, LLTokenizer

SECONDS, MOST_SECONDS, BYTES = 1.0, 6, 1 << 30
"""Of the processor for one grammar, and for all; of memory."""
LIMITS = LLParserLimits(max_lexer_states=100_000, step_lexer_fuel=50_000)
"""Every answer has a matcher of its own, and a state takes 1 to 2 kB; llguidance's own limit is
250,000. A string of a bounded length needs about three for each of its characters. With its own
fuel, 200,000, one token of a pattern such as ``(a{1000}){1000}`` takes 4 seconds and more, while
nobody else is answered; with this half a second at most, and the answer ends there."""
_STACK = 1 << 20
"""Bytes: less than a thread of the server has."""
_SLOW = 0.3
"""Seconds to say which tokens come first."""


def error_of(matcher: LLMatcher) -> str:
    """Why a matcher fails, on one line; "" where it does not."""
    if not matcher.is_error():
        return ""
    first = matcher.get_error().splitlines()[0] or "unknown"
    first = first.split("compile JSON schema: ")[-1].split("; consider making")[0]
    return first.removeprefix("Parser Error: ")[:300]


def judge(made: LLMatcher) -> str:
    """Why a grammar cannot be kept to; "" where it can."""
    if why := error_of(made):
        return why
    begun = time.process_time()
    made.consume_tokens(made.compute_ff_tokens())  # what no answer can do without
    made.compute_logit_bias()
    if time.process_time() - begun > _SLOW:
        return "it takes too long to find the tokens that come next"
    return error_of(made)


def _judge_all() -> None:
    vocabulary = LLTokenizer("byte")
    kept = []  # what one has given back the next would take, which then would seem to need none
    for grammar in json.loads(sys.stdin.read()):
        with suppress(AttributeError):  # where the system has it: it ends the process
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
        before = _count_bytes()
        kept.append(LLMatcher(vocabulary, grammar, log_level=0, limits=LIMITS))
        told = judge(kept[-1]), max(0, _count_bytes() - before)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()  # after the next one nothing may be left


def _count_bytes() -> int:
    """Memory that this process has in use; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


def _limit(kind: str, most: int) -> None:
    """Set a limit where the system has it."""
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        resource.setrlimit(getattr(resource, kind), (most, most))


def main() -> None:
    """Judge, within limits."""
    _limit("RLIMIT_CPU", MOST_SECONDS)
    _limit("RLIMIT_AS", BYTES)
    _limit("RLIMIT_CORE", 0)
    threading.stack_size(_STACK)
    thread = threading.Thread(target=_judge_all)
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
