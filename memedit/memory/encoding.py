"""Texts to vectors, by the one encoder that a memory's vectors are of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from memedit.core.errors import EncoderMismatchError, InvalidInputError
from memedit.core.protocols import Encoder
from memedit.core.types import Vectors
from memedit.memory.address import Address, hide_password

ENCODE_CHUNK = 1_024  # progress is told between two chunks
Encode = Callable[[Sequence[str]], dict[str, Vectors]]
"""Vector by text."""


class VectorTable(dict[str, Vectors]):
    """Vector by text; a text that was not foreseen is encoded when asked for."""

    def __init__(self, encode: Encode) -> None:
        super().__init__()
        self._encode_texts = encode

    def __missing__(self, text: str) -> Vectors:
        self.foresee([text])
        return self[text]

    def foresee(self, texts: Sequence[str], report: Callable[[int], None] | None = None) -> None:
        """Encode those that are missing, 1,024 in one call; ``report`` is told how many are."""
        missing = [text for text in texts if text not in self]
        for start in range(0, len(missing), ENCODE_CHUNK):
            chunk = missing[start : start + ENCODE_CHUNK]
            self.update(self._encode_texts(chunk))
            if report is not None:
                report(start + len(chunk))


class Encoding:
    """A memory's encoder, and the check that it is the memory's.

    Args:
        encoder: None loads the default one when it is first asked for.
        address: The memory's, for messages.
        built_with: The encoder's id and dimension that the memory's vectors are of; None while
            there are none.
    """

    def __init__(
        self,
        encoder: Encoder | None,
        address: Address,
        built_with: Callable[[], tuple[str, int] | None],
    ) -> None:
        self._encoder, self._address, self._built_with = encoder, address, built_with
        # Two first questions at once must not load two encoders.
        self._loading = threading.RLock()
        self._kept = ContextVar[dict[tuple[str, str], Vectors] | None]("kept", default=None)

    @property
    def encoder(self) -> Encoder:
        """The encoder; the default one is loaded when first asked for."""
        with self._loading:
            if self._encoder is None:
                from memedit.engine.encoders import load_encoder

                self._encoder = load_encoder()
            return self._encoder

    def change(self, encoder: Encoder | None) -> Encoder | None:
        """Use another encoder; the one that was used (None: not loaded yet)."""
        with self._loading:
            old, self._encoder = self._encoder, encoder
            return old

    @contextmanager
    def once(self) -> Iterator[None]:
        """Within, in this thread or task, a text is encoded once however often it is asked for."""
        token = self._kept.set({})
        try:
            yield
        finally:
            self._kept.reset(token)

    def check(self) -> None:
        """:class:`EncoderMismatchError` unless the memory's vectors are this encoder's."""
        expected = self._built_with()
        if expected is None:
            return
        mine = (self.encoder.id, self.encoder.dimension)
        if mine != expected:
            where = "DIR" if self._address is None else hide_password(self._address)
            raise EncoderMismatchError(
                f"This memory was built with encoder {expected[0]!r} ({expected[1]} dimensions), "
                f"not with {mine[0]!r} ({mine[1]}).",
                hint="Open it with that encoder (--encoder), or re-encode it with yours: memedit "
                f"edit reembed --encoder NAME --memory {where} (in Python: "
                "EditMemory(path).reembed(encoder)).",
            )

    def encode(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Vector by text, in one call of the encoder.

        Raises:
            InvalidInputError: it gave vectors of another shape, or that are not finite.
        """
        encoder = self.encoder
        vectors = np.asarray(encoder.encode(texts), dtype=np.float32)
        # NaN would be stored for good, and compare with nothing ever after.
        if vectors.shape != (len(texts), encoder.dimension) or not np.isfinite(vectors).all():
            raise InvalidInputError(
                f"Encoder {encoder.id!r} gave {vectors.shape} for {len(texts)} texts of dimension "
                f"{encoder.dimension}, or values that are not finite.",
                hint="encode() must return finite float32 [n, dimension].",
            )
        return dict(zip(texts, vectors, strict=True))

    def encode_checked(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """:meth:`check`, then :meth:`encode`, or what :meth:`once` knows."""
        self.check()
        kept = self._kept.get()
        if kept is None:
            return self.encode(texts)
        encoder = self.encoder.id  # which another thread may change meanwhile
        if missing := [text for text in dict.fromkeys(texts) if (encoder, text) not in kept]:
            kept |= {(encoder, text): found for text, found in self.encode(missing).items()}
        return {text: kept[encoder, text] for text in texts}
