"""Which requests are to be answered by yes or no.

People ask for one of them in many ways: "Is it …?", "You do have a pool, right?", "£9 a day, yes or
no pls", "can i get there on the shuttle". A request that only looks like it, "Can you tell me …?"
or "May I know who …?", asks for something else. English ones only: some others are known to
:mod:`memedit.editors.prompting.abroad`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PART = re.compile(
    r"(?<=[.!])(?<!\bdr\.)(?<!\bmr\.)(?<!\bms\.)(?<!\bmrs\.)(?<!\bst\.)(?<!\bno\.)(?<!\bvs\.)"
    r"\s+|(?<=[.!?][\"”’'])\s+|(?<=\?)\s*(?![\"”’'])|\n+",
    re.IGNORECASE,
)
"""Between sentences; "Dr. Roth" is in one."""
_NAMED = re.compile(r"\byes\s*(?:/|or|-or-)\s*no\b|\by/n\b", re.IGNORECASE)
_EITHER = re.compile(
    r"\byes\s*(?:/|or|-or-)\s*no\b|\bor (?:not|no|so|more|less|fewer|older|younger|later|earlier|"
    r"over|above|under|longer|(?:any|some)\w*|owt)\b",
    re.IGNORECASE,
)
"""What is no choice between things."""
_NEGATED = "n['’]?t"
_AUXILIARY = (
    rf"(?:(?:is|are|was|were|does|did|do|has|have|had|should|can|could|will|would|may|must|might)"
    rf"(?:{_NEGATED})?|am|won['’]?t|can['’]?t|shall)"
)
_INVERTED = re.compile(
    rf"(?:^|[,;:–—-]\s+|\b(?:so|and|but|then|ok|hi|hey)\s+){_AUXILIARY}\s+"
    r"(?!(?:ist|sind|war|hat|kann|kostet|macht|muss|soll|für)\b)\w"  # German: "Was ist …?"
    r"|(?:^|[,;:]\s+)(?:any chance|ok(?:ay)?|alright|all right|fine|possible|allowed)\s+"
    r"(?:if|to|that|i|we|you|u|it|he|she|they)\b"
)
_BARE = re.compile(
    rf"(?:(?:so|and|but|then|ok|hi|hey)\s+)?(?:{_AUXILIARY}\s+(?:i|we|it|he|she|they|there|u)\b"
    r"|(?:is|are|does|did|can|will)\s+(?:the|a|an|my|our|this|that)\b|(?:do|are|have|did)\s+you\b)"
)
_STATED = re.compile(
    rf"(?!{_AUXILIARY}\b)[^,;:?]{{1,60}}\b(?:is|are|was|were|has|have|can|may|costs?|takes?|opens?|closes?|"
    r"got|gets?) [^,;:?\s]+ [^;:?]{1,120}\?$"
)
"""A statement with a mark: "theory is on thursdays as well?"."""
"""How a question without its mark begins: "do the following" is none."""
_TAG = re.compile(
    r"(?:^|[\s,–—-])(?:right|correct|true|yes|no|ok|okay|allowed|possible|inn?it|eh|yeah|"
    r"i (?:take it|suppose|assume|guess|presume|gather))\s*\?$"
)
_UNMARKED_TAG = re.compile(
    r"(?:[\s,](?:innit|(?<!git )(?<!npm )(?<!form )init|"
    r"(?:(?:is|are|was|were|do|does|did|could|would|should|must|have|has|had)n|can|won)['’]?t "
    r"(?:i|we|you|u|it|he|she|they|there|that))|, (?:right|correct)"
    r"|[\s,](?<!how )(?<!why )is (?:that|this|it) (?:so|right|correct|true)"
    r"|\b(?:is|are|costs?|takes?|opens?|closes?) [^,;:?]{1,60}(?<! the)(?<! to)(?<! on)(?<! all)"
    r" right)\W{0,3}$"
)
_SO = re.compile(
    r"so,? (?:(?:i|we|one|they) (?:can|could|may|must|need to|have to|still|only)\b|"
    r"(?:it|that|this|he|she)(?: (?:is|was|costs?|takes?|has|can|must)\b|['’]?s\b)|"
    r"there(?:['’]?s| is| are)\b|(?:the|an?|your|our) [^,;:]{1,40}? "
    r"(?:is|are|costs?|takes?|has|can|opens?|closes?|ends?|starts?)\b|"
    r"you (?:are|have|do|can|deliver|ship|open|close|offer|charge)\b)"
)
"""How a statement begins that is to be confirmed, where a chat holds nothing else."""
_OPENLY = "(?:who|whose|what|which|where|why|when|how)"
_OPENLY_ASKS = (
    rf"\b{_OPENLY}\b|(?:^|[,;.] |\b(?:and|so|but|then) ){_AUXILIARY} \w|"
    r"\b(?:need|want(?! to)|want to (?:know|ask|book|order)|like|tell|send|give|let|wonder\w*|know|"
    r"book|ask|any|anything|also|whom|please|pls|help|find|looking)\b"
)
"""In what goes on with a question, or with a wish."""
_TAKEN = re.compile(r"so,? (?:i|we|you|it|he|she|they|that|there|the|our|your) [^,;:]+\?$")
"""The same, with a mark."""
_SAID = re.compile(
    rf"(?:(?:and )?(?:it|that|this)(?:['’]s| is) (?!.*\b{_OPENLY}\b)"
    r"(?!(?:about|regarding|for|because)\b)|(?:the )?same again\b)[^,;:]*\?$"
)
"""What is said of what stands before it, and is to be confirmed: "That's the right amount?"."""
_UNMARKED = re.compile(
    rf"(?:(?:so|and|but|then|ok|hi|hey|well)\b,? )*{_OPENLY}(?:['’]?s\b| "
    r"(?:is|are|was|were|does?|did|can|could|should|will|would|much|many|long|late|early|often|far|time|day|kind)\b)"
)
"""How a question without its mark begins that yes and no do not answer."""
_LONGEST_SO = 120
_CHECKED_FIRST = re.compile(
    rf"^(?!{_AUXILIARY}\b)"
    r"(?P<said>(?:[^,;:?!\n]|(?<=\d)[.,](?=\d)){0,60}\b(?:is|are|costs?|takes?|opens?|closes?|has|have|was|were)\b"
    r"(?:[^,;:?!\n]|(?<=\d)[.,](?=\d)){1,60}?),? "
    r"(?P<tag>right|correct|inn?it|(?:is|are|does|do)n['’]?t (?:it|that|he|she|they))"
    r"(?:,? (?=(?:i|we|my|our)\b)|, (?=(?:he|she|it|they|you|the|there|nobody)\b|\w+['’]s ))"
    r"(?P<rest>[^?\n]{3,160})$"
)
"""What is to be confirmed, and its reason behind: "it is in Peru right, we want to go"."""
_NOT_SAID = re.compile(
    rf"\b{_OPENLY}\b|\b(?:not|no|never|if|whether|wrong|write|draft|note|mail|check|find|tell)\b|"
    r"n['’]t\b|\b(?:so|quite|always|all|just|only|the|an?|my|your|his|her|its|our|their|about|left|"
    r"everything|anything|nothing|is|are|was|were|\w+ly)$"
)
"""In what stands before "right" and is no statement, or goes on with it: "the right side"."""
_REASON = re.compile(r"(?:i|we|my|our|he|she|it|they|you|the|there|nobody)\b|\w+['’]s |thank")
_CONFIRM = r"(?:so |and |then )?(?:(?:just|only|please|pls|simply|kindly)[, ]+)*confirm "
CONFIRM_IT = re.compile(
    rf"{_CONFIRM}(?:that|this|it)(?: (?:for|to) me)?\W*"
    r"(?:$|and (?:do not|don['’]?t|nothing|stop)\b)"
)
"""How it is ordered to say yes: "Please just confirm that"."""
_CONFIRM_THAT = re.compile(
    rf"{_CONFIRM}that (?!(?:by|in|via|with|on|to|and)\b)\w(?!.*\b{_OPENLY}\b)"
)
_TURNED = re.compile(r"\b(?:left|turn|keep), right\b")
_FAVOUR = re.compile(
    r"\b(?:can|could|will|would)\s+(?:you|u)\b(?!(?: (?:still|also|really|even|ever))* "
    r"(?:accept|take|deliver|ship|open|close|refund|repair|collect|pick up|allow|charge|type out|"
    r"come|exchange|swap|replace|cover|store|host|serve|offer|support|"
    r"let (?:me|us|people|my|our)(?! know))\b)"
    r"|\b(?:may|can|could|might)\s+(?:i|we)\s+(?:please\s+)?"
    r"(?:know|ask|(?:have|get|see)\s+(?:the|your|its|his|her|their)\b)"
    r"|\b(?:can|could|would) (?:any|some)(?:one|body)\b(?! (?:from|of yours)\b)"
    r"|\bany(?:one|body) who\b"
    r"|\b(?:is there|have|get|see)\s+(?:an?|any|some|the|your|\w+['’]s)\s+[^?]*"
    r"\b(?:number|address|code|password|link|e-?mail|list|overview)\b"
    r"|\b(?:know|tell|say|sure|remember|idea|ask|explain|check|wonder\w*)\b[^?]*"
    r"\b(?:who|whose|what|when|where|which|why|how)\b"
)
_LEAD = r"(?:[^\w,;:–—-]|\b(?:so|and|but|then|ok|hi|hey|well)\b)*"
_OPEN = re.compile(
    rf"^{_LEAD}(?:(?:in|on|at|by|to|for|from|between|until|since|with|of|about)\s+)?{_OPENLY}\b|[,;:–—-]\s+{_LEAD}{_OPENLY}(?:['’]?s|\s+(?:is|are|was|were|does|do|did|has|"
    r"have|can|should|will|would|much|many|long|often|far|old|late|early))\b"
)
_ORDER = re.compile(
    r"^(?:(?:please|then|and|if (?:not|so|yes))[, ]+)*(?:write|draft|give|tell|list|show|"
    r"name|send|translate|"
    r"summari[sz]e|calculate|compute|compose|describe|suggest|recommend|rewrite|rephrase|"
    r"reword|correct(?!\?)|"
    r"classify|fix|make|fill|complete|quote|extract|return|shorten|proofread|say it)\b"
)
_FORMED = re.compile(
    r"[{}`]|\bjson\b|\bschema\b|\bkeys\b|(?:yes\s*(?:/|or|-or-)\s*no|y/n)\s+(?:questions?|quiz)"
)
"""Where yes and no are spoken of, and are no answer."""
_LANGUAGE = (
    r"(?:english|german|french|spanish|dutch|italian|portuguese|polish|turkish|chinese|japanese|"
    r"englisch\w*|deutsch\w*|französisch\w*|spanisch\w*|niederländisch\w*|italienisch\w*|"
    r"anglais|allemand|français|espagnol|néerlandais|italien|"
    r"inglés|alemán|francés|español|castellano|holandés|italiano|"
    r"engels|duits|frans|spaans|nederlands|italiaans)"
)
_IN_FORM = (
    rf"(?:\b(?:in|into|auf|ins|en|al|naar|in het|op zijn) {_LANGUAGE}\b|\b(?:json|yaml|emojis?)\b|"
    r"\b[01]['\"]?\s*(?:/|or|oder|ou|o|of)\s*['\"]?[01]\b)"
)
_OTHERWISE = re.compile(
    r"^\W*(?:(?:please|bitte|por favor|graag|s['’]il (?:te|vous) plaît|and|und|et|y|en)[, ]+)?"
    r"(?:(?:answer|reply|respond|say it|tell me|antworte|beantworte|réponds|répondez|répondre|"
    rf"responda?|responde[rd]?|contesta|antwoord|beantwoord)\w*\b.*?{_IN_FORM}|"
    # "In German, please.", but not "In German hotels, is it allowed?"
    rf"{_IN_FORM}(?=(?:,? (?:please|pls|bitte|graag|por favor|s['’]il \w+ plaît))?\s*(?:[.:,!]|$)))"
    r"|\bt/f\b|\b(?:true|wahr|richtig|vrai|verdadero|cierto|waar)['\"”]?\s*"
    r"(?:/|or|oder|ou|o|of)\s*['\"“]?(?:false|falsch|faux|falso|onwaar|niet waar)\b"
)
"""Where an answer is to be in a language of its own, or in words that are neither yes nor no."""
_YES_OR_NO = re.compile(
    r"\(?\b(?:(?:please|just|only|simply|answer|reply|respond|start|begin|say|with|by|in|a|"
    r"one) ){0,6}"
    r"(?:yes ?(?:/|or|-or-) ?no|y/n)\b(?: (?:only|pls|please|first|is enough|question))?"
    r"\)? ?[-–:.,!]?",
    re.IGNORECASE,
)
"""Words that ask for a yes or a no alone."""
_NUMBER = (
    r"(?:(?P<{0}_in>[€$£]) ?)?(?P<{0}>\d+(?:[.,:]\d+)*)(?:,-)?(?: ?(?P<{0}_of>[€$£%°]|[^\W\d_]+))?"
)
_LISTED = re.compile(
    rf"(?<![\w.,:/]){_NUMBER.format('one')}(?:(?P<comma>,) (?:[^\W\d_]{{1,5}} ){{0,2}}| ?/ ?)"
    rf"{_NUMBER.format('other')} ?\??$"
)
_MONEY = re.compile(r"[€$£%]|euros?|dollars?|pounds?|cents?|percent|prozent")
_CLAUSE = re.compile(
    rf"^(?:when|where|once) [^,?]{{3,60}}, (?={_AUXILIARY} (?:i|we|you|it|they|the)\b)"
)
"""With which a question begins that asks for no time: "when we refund somebody, do you ...?"."""
_ASKED_OPENLY = re.compile(
    rf"\b{_OPENLY}(?:['’]?s)?\b|\b['’]?ow\b|\bany(?:thing)?\b|"
    r"\b(?:looking|wonder\w*|need|want|like|trying|curious|interested)\b"
)
"""In a statement with a mark that is a question, or a wish."""
_AND_OPENLY = re.compile(rf"\b(?:and|or) {_OPENLY}\b")
_SMILE = re.compile(r"\s[:;]-?[()d](?=\s|$)")
LONGEST, LONGEST_QUESTION = 4000, 400
"""Characters of what is judged at all, and of one question."""


def drop_order(words: str) -> str:
    """Words without those that ask for a yes or a no alone, which a base that reads them gives
    without a thought; as they are if none is left."""
    left = _YES_OR_NO.sub("", re.sub(r"[^\S\n]+", " ", words)).strip()
    return left if re.search(r"\w{2}", left) else words


_OVER = re.compile(
    r",? or (?:has (?:that|the) (?:ship|train|boat) (?:sailed|left|gone)|"
    r"(?:is it|am i|are we) (?:now )?too late(?: (?:for that|now|already))?|"
    r"have (?:i|we) missed it|did (?:i|we) miss it|"
    r"not(?: any ?more)?|no longer|is (?:that|it) over)\?",
    re.IGNORECASE,
)
"""Behind a question, what says no more than that the answer may be no."""


def is_polar(words: str) -> bool:
    """Whether a user's words ask for a yes or a no, whatever stands around the question.

    One that offers a choice ("… or …?") and one that asks for a favour ("Can you …?") do not; nor
    do words that ask for something else beside it, or order it.
    """
    if len(words) > LONGEST:
        return False
    parts = find_sentences(_OVER.sub("?", words))
    text = "\n".join(parts)
    if any(map(_ORDER.match, parts)) or is_formed(parts):
        return False
    asked = [part for part in parts if part.endswith("?")]
    if _NAMED.search(text):
        return not _FORMED.search(text) and not any(
            len(part) > LONGEST_QUESTION or _OPEN.search(part) for part in asked
        )
    if len(asked) > 1:  # one word answers one question
        return False
    if not asked:
        bare = _begins_bare(parts) or _is_checked(parts) or _is_supposed(parts)
        return bare or any(CONFIRM_IT.match(each) or _CONFIRM_THAT.match(each) for each in parts)
    if _SAID.match(parts[-1]) and _is_closed(parts[-1]):
        return not any(map(_UNMARKED.match, parts[:-1]))
    turned = all(
        _is_closed(part) and (_INVERTED.search(part) or _TAG.search(part) or _TAKEN.match(part))
        for part in asked
    )
    return turned or (_is_confirmed(asked[0]) and not any(map(_UNMARKED.match, parts)))


def _begins_bare(parts: Sequence[str]) -> bool:
    """Whether the first or the last of some sentences begins as a question does, without its mark,
    and no other one may be one."""
    if not parts:
        return False
    if _BARE.match(parts[0]) and _is_closed(parts[0]):
        return True
    before = not any(map(_UNMARKED.match, parts[:-1])) and all(map(_is_closed, parts))
    return before and len(parts) > 1 and _BARE.match(parts[-1]) is not None


def _is_confirmed(part: str) -> bool:
    """Whether a sentence says something, and only its mark, or its tag, asks whether it is so."""
    stated = _STATED.match(part) and not _ASKED_OPENLY.search(part)
    return _is_closed(part) and bool(stated or _UNMARKED_TAG.search(part))


def _is_checked(parts: Sequence[str]) -> bool:
    """Whether the last of some sentences asks, without its mark, whether it is so ("…, innit"), and
    none asks anything else."""
    return (
        bool(parts)
        and _UNMARKED_TAG.search(parts[-1]) is not None
        and not _TURNED.search(parts[-1])
        and all(map(_is_closed, parts))
    )


def _is_supposed(parts: Sequence[str]) -> bool:
    """Whether one short sentence is all there is, and says what its writer supposes ("so it is 9
    euros")."""
    return (
        len(parts) == 1
        and len(parts[0]) <= _LONGEST_SO
        and _SO.match(parts[0]) is not None
        and not re.search(rf"\b{_OPENLY}\b", parts[0].replace(" who ", " ", 1))
        and _is_closed(parts[0])
    )


def is_formed(parts: Sequence[str]) -> bool:
    """Whether one of a text's folded sentences says in which language or words, other than yes and
    no, it is to be answered ("Reply in French.", "true or false")."""
    return any(map(_OTHERWISE.search, parts))


def find_sentences(words: str) -> list[str]:
    """The sentences of a user's words, folded."""
    text = _mark(re.sub(r"[^\S\n]+", " ", words.strip(' "“”')).casefold())
    text = _SMILE.sub(". ", text)
    return [part.strip() for part in _PART.split(text) if part.strip()]


def _mark(text: str) -> str:
    """A folded text whose mark is left out where it stands within: behind "…, right"."""
    found = _CHECKED_FIRST.match(text)
    if found is None or _TURNED.search(text) or _NOT_SAID.search(found["said"]):
        return text
    said, tag, rest = found.group("said", "tag", "rest")
    return f"{said} {tag}? {rest}" if gives_reason(rest) else text


def gives_reason(words: str) -> bool:
    """Whether folded words behind a question only say why it is asked: neither another one, nor a
    wish."""
    return _REASON.match(words) is not None and not re.search(_OPENLY_ASKS, words)


def lists_amounts(question: str) -> bool:
    """Whether a folded question ends in two amounts, one of which is asked for ("…, 5 €, 6 €?"),
    and not in a date ("4 May, 9 am?") or an address ("Elm Street 5, 10115 Berlin?")."""
    found = _LISTED.search(question)
    if found is None:
        return False
    one, other = (re.sub(r"\W", "", found[name]) for name in ("one", "other"))
    unit, of = (found[f"{each}_of"] or found[f"{each}_in"] for each in ("one", "other"))
    if found["comma"] is None and of is None:  # 24/7
        return False
    # "5, 6 €" is a list, "4, 9 am" is none.
    whole = unit is None and (of is None or _MONEY.fullmatch(of) is not None)
    return unit == of is not None or (whole and abs(len(one) - len(other)) < 2)


def _is_closed(question: str) -> bool:
    """Whether a sentence neither offers a choice, nor asks for a favour, nor openly."""
    question = _CLAUSE.sub("", question)
    return len(question) <= LONGEST_QUESTION and not (
        re.search(r"\bor\b", _EITHER.sub("", question))
        or lists_amounts(question)
        or _FAVOUR.search(question)
        or _AND_OPENLY.search(question)
        or _OPEN.search(question)
    )
