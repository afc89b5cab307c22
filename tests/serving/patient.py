"""Requests of a client that waits: httpx itself gives up after five seconds, which a model's first
answer may take on a busy machine."""

from __future__ import annotations

from functools import partial

import httpx

SECONDS = 180.0

get = partial(httpx.get, timeout=SECONDS)
post = partial(httpx.post, timeout=SECONDS)
put = partial(httpx.put, timeout=SECONDS)
