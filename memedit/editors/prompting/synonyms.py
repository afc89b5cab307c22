"""Words that say the same of a thing: what it costs and its price, who leads and its head."""

from __future__ import annotations

from collections.abc import Collection

PRICE = "price"
_ALIKE = tuple(
    frozenset(group.split())
    for group in (
        "cost costs price priced prices fee fees charge charged pay rate",
        "lyricist lyrics words text author written wrote write writer",
        "head headed heads lead leads led leader boss manager manages managed runs run charge"
        " responsible",
        "largest biggest",
        "smallest littlest",
        "looks after sees treats cares",
        "birthplace born birth",
        "buried burial",
        "death die died dies",
        "country location located based lies place take takes took occur occurs occurred held when"
        " where",
        "month year held",
        "listed exchange",
        "conflict involved",
        "say says said",
        "default standard",
        "limit allow allows allowed",
        "bike bikes bicycle bicycles",
        "holiday holidays vacation leave",
        "identity id",
        "slot slots appointment appointments",
    )
)


def means_one_of(word: str, told: Collection[str]) -> bool:
    """Whether one of some folded words says the same as another."""
    return any(word in group and not group.isdisjoint(told) for group in _ALIKE)


def others_for(told: Collection[str]) -> set[str]:
    """All words that say the same as one of some folded words."""
    return {word for group in _ALIKE if not group.isdisjoint(told) for word in group}
