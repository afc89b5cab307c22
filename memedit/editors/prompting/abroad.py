"""Which requests in German, French, Spanish and Dutch are to be answered by yes or no.

Only of those that nobody put into English: a base that reads them as they are. Their words for yes
and no are what a reply may begin with. As in English, one that offers a choice, asks for a favour
("Können Sie …?") or asks openly ("Ab wann …?") is none; where it cannot be told, it is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from memedit.editors.prompting.polar import (
    LONGEST,
    LONGEST_QUESTION,
    find_sentences,
    is_formed,
    lists_amounts,
)


@dataclass(frozen=True, slots=True)
class Tongue:
    """How a language asks for a yes or a no.

    Attributes:
        answers: Its words for both.
        begins: How such a question begins, or what stands in it.
        bare: How one without its mark begins.
        named: Where both words are asked for.
        tag: What stands behind a sentence that is to be confirmed.
        openly: Words that ask for something else.
        choice: What offers one, once what matches ``either`` is gone.
        favour: What asks somebody to say or do something.
        order: How an order begins.
        words: Its own small words, by which it is told from others.
    """

    answers: tuple[str, str]
    begins: re.Pattern[str]
    bare: re.Pattern[str]
    named: re.Pattern[str]
    tag: re.Pattern[str]
    openly: re.Pattern[str]
    choice: re.Pattern[str]
    either: re.Pattern[str]
    favour: re.Pattern[str]
    order: re.Pattern[str]
    words: frozenset[str]


_ENGLISH = frozenset(
    "the and you your my with this that does have what for are is on to it at can how when "
    "he she they did will would should could there these those from his her been".split()
)
_ENGLISH_TOO = frozenset(
    "was were am an or has had a y n d o me van die den men pas mag de la von "
    "which who where".split()
)
"""What stands in English texts, too: in names, as an abbreviation."""
_WORD = re.compile(r"[^\W\d_]+")
_LEAD = r"(?:^|[,;:–—-]\s+|¿\s*)"
"""Where a question may begin: a clause may stand before it ("Wenn ich …, kann ich …?")."""

_GERMAN = Tongue(
    answers=("Ja", "Nein"),
    begins=re.compile(
        rf"{_LEAD}(?:(?:und|aber|also|oder|ok|okay|hallo|hi|moin|dann)[, ]+)?"
        r"(?:ist|sind|war|waren|bin|habe?|haben|hat|hatten?|kann|können|könnten?|darf|dürfen|"
        r"dürfte|muss|müssen|müsste|soll|sollen|sollten?|wird|werden|wurden?|gibt|gilt|gelten|geht|"
        r"gehen|kostet|kosten|dauert|brauch(?:t|e|en)|öffnet|schließt|bietet|bieten|nimmt|nehmen|"
        r"akzeptiert|akzeptieren|arbeitet|wohnt|liegt|fährt|hält|kommt|kommen|bekomm(?:t|e|en)|"
        r"krieg(?:t|e|en)|erh(?:ält|alte|alten)|steht|stimmt|reicht|zählt|enthält|gehört|"
        r"funktioniert|läuft|liefert|liefern|verkauft|macht|hilft|passt|trifft|beginnt|endet)\s+"
        r"(?:ich|man|wir|es|er|sie|da|das|die|der|dem|den|ein|eine|einen|dies\w*|mein\w*|unser\w*|"
        r"ihr\w*|sein\w*|euer|eure\w*|jede\w*|alle|auch|noch|schon|hier|dort|am|im|bei|"
        r"[a-zäöüß]\w+)|"
        r"^(?!bitte|danke|heute|leute)\w{2,}(?:e|t|en)\s+(?:ich|man|wir|ihr|es|er|sie|das|die|der|"
        r"ein|eine|mein|meine|unser|unsere|\d+)\b"
    ),
    bare=re.compile(
        r"(?:kann|darf|muss|soll) (?:ich|man|wir)\b|gibt es\b|(?:ist|sind|hat) (?:das|der|die|es)\b"
    ),
    named=re.compile(r"\bja\s*(?:/|oder)\s*nein\b"),
    tag=re.compile(
        r"[\s,–—-](?:oder|richtig|stimmt['’]?s|stimmt das|korrekt|ja|nicht wahr|gell)\s*\?$"
    ),
    openly=re.compile(
        r"\b(?:wer|was|wann|wo|wohin|woher|warum|wieso|weshalb|wie|wieviele?|wem|wen|wessen|"
        r"welche[rsnm]?|wof[üu]r|womit|worauf|wobei|wovon)\b(?! auch\b)"
    ),
    choice=re.compile(r"\boder\b"),
    either=re.compile(
        r"\bja\s*oder\s*nein\b|\boder (?:nicht|nein|so|mehr|weniger|länger)\b|,\s*oder\s*\?"
    ),
    favour=re.compile(
        r"\b(?:kannst|könntest|würdest|magst) du\b|\b(?:können|könnten|würden) sie\b|"
        r"\b(?:könnt|könntet|würdet) ihr\b|"
        r"\b(?:darf|kann|könnte|dürfte) ich (?:\w+ ){0,4}(?:fragen|wissen|erfahren)\b|"
        r"\b(?:haben|hast|habt|gibt|bekomm\w*|krieg\w*)\b[^?]*"
        r"(?:nummer|adresse|passwort|kennwort|link|liste|übersicht|code|e-?mail)\b"
    ),
    order=re.compile(
        r"(?:bitte )?(?:schreibe?|nenne?|gib|erkläre?|liste|zeige?|übersetze?|fasse?|formuliere?|"
        r"korrigiere?|verbessere?|wandle?|erzähle?|"
        r"berechne|beschreibe?|sage?|verfasse?|erstelle?|mache?|ergänze?|vervollständige?|"
        r"(?:schreiben|nennen|geben|erklären|zeigen|sagen|erstellen|machen|übersetzen|korrigieren|"
        r"formulieren|erzählen) sie)\b"
    ),
    words=frozenset(
        "dass um die nach von vom im am ich nicht und der das dem den ein eine einen einer kann "
        "können darf ist sind auch "
        "noch für mit zum zur bei auf es wir mein meine unser muss müssen gibt wird kostet ja "
        "nein oder sie ihr wenn schon hier".split()
    ),
)
_FRENCH = Tongue(
    answers=("Oui", "Non"),
    begins=re.compile(
        r"\best[- ]ce\b|\b(?!rendez)\w+-(?:t-)?(?:je|tu|il|elle|on|nous|vous|ils|elles)\b|"
        rf"{_LEAD}(?:(?:et|mais|donc|alors|ok|bonjour|salut)[, ]+)?"
        r"(?:(?:je|tu|il|elle|on|nous|vous|ils|elles)\s+(?!y a quo)\w|j['’]\w|c['’]est\b|"
        r"ce sont\b|ça\s+\w|"
        r"y a\b)|"
        r"^(?:le|la|les|l['’]|mon|ma|mes|votre|vos|ce|cette|un|une)\W?[^?]{1,80}\b(?:est|sont|a|"
        r"ont|"
        r"peut|peuvent|coûte|ouvre|ferme|accepte|inclut|comprend|fonctionne|livre)\b"
    ),
    bare=re.compile(r"est[- ]ce qu|puis[- ]je\b|peut[- ]on\b|y a[- ]t[- ]il\b"),
    named=re.compile(r"\boui\s*(?:/|ou)\s*non\b"),
    tag=re.compile(
        r"[\s,–—-](?:n['’]est[- ]ce pas|non|c['’]est (?:ça|bien ça|exact)|exact|oui|"
        r"d['’]accord)\s*\?$"
    ),
    openly=re.compile(
        r"\b(?:qui|quoi|quel(?:le)?s?|où|quand|comment|pourquoi|combien|lequel|laquelle|"
        r"lesquel(?:le)?s)\b|"
        r"\bqu['’]est[- ]ce\b|^que\b|\b(?:est|sont|était|coûte|s['’]appelle)(?: de| à)?\s*\?$"
    ),
    choice=re.compile(r"\bou\b"),
    either=re.compile(r"\boui\s*ou\s*non\b|\bou (?:pas|non|plus|moins)\b"),
    favour=re.compile(
        r"\b(?:pouvez|pourriez|voulez|voudriez)-vous\b|\b(?:peux|pourrais|veux)-tu\b|"
        r"\b(?:vous (?:pouvez|pourriez)|tu (?:peux|pourrais)) me\b|"
        r"\b(?:tu (?:connais|sais)|vous (?:connaissez|savez))\b|"
        r"\b(?:puis|pourrais)-je (?:savoir|demander|avoir|connaître)\b|"
        r"\b(?:avez|as|auriez|aurais|y a)\b[^?]*\b(?:numéro|adresse|mot de passe|lien|liste|code|"
        r"e-?mail)\b"
    ),
    order=re.compile(
        r"(?:s['’]il (?:te|vous) plaît,? )?(?:écri[st]|écrivez|donne[zr]?|dis|dites|liste[zr]?|"
        r"montre[zr]?|"
        r"tradui\w*|résume[zr]?|explique[zr]?|nomme[zr]?|rédige[zr]?|calcule[zr]?|décri[st]|"
        r"écrire|décrire|corrige[zr]?|reformule[zr]?|raconte[zr]?|complète)\b"
    ),
    words=frozenset(
        "je j tu il à de d n qu elle nous vous ils est ce c les des du au aux une dans pour avec "
        "sur pas "
        "que ça puis peut faut le la l un on et y a t ont sont mon ma mes votre vos oui non".split()
    ),
)
_SPANISH_VERB = (
    r"(?:puedo|puede|puedes|podemos|pueden|podría|podríamos|es|son|era|fue|está|están|estoy|hay|"
    r"había|"
    r"tiene|tienen|tengo|tenemos|debo|debe|debemos|abren?|cierran?|aceptan?|incluyen?|cuestan?|"
    r"vale|sirven?|funcionan?|necesito|necesita|existen?|sigue|llegan?|sale|cubren?|entra|ofrecen?|"
    r"permiten?|admiten?|venden?|trabaja|vive|pertenece|lleva|sería|será|hacen?|llaman?|pago|"
    r"paga|pagamos|ha|han|he|hace falta)"
)
_SPANISH = Tongue(
    answers=("Sí", "No"),
    begins=re.compile(
        r"(?:^|[,;:–—-]\s+|¿)\s*¿?(?:(?:y|pero|entonces|hola|ok)[, ]+)?"
        rf"(?:(?:se|me|te|nos|le|lo|la|ya|no|aún|todavía|también)\s+){{0,2}}{_SPANISH_VERB}\b|"
        rf"¿\s*(?:el|la|los|las|mi|mis|su|sus|un|una|este|esta|"
        rf"este)\s[^?¿]{{1,80}}\b{_SPANISH_VERB}\b"
    ),
    bare=re.compile(r"puedo\b|se puede\b|hay\b|es posible\b"),
    named=re.compile(r"\bs[ií]\s*(?:/|o)\s*no\b"),
    tag=re.compile(r"¿?\s*\b(?:verdad|no|cierto|correcto|sí|vale)\s*\?$"),
    openly=re.compile(
        r"\b(?:qué|quién(?:es)?|cuál(?:es)?|cuándo|cuánt[oa]s?|a?dónde|cómo)\b|"
        r"(?:^|¿)\s*(?:y |pero )?(?:(?:a|de|en|con|desde|hasta|por|para) )?"
        r"(?:que|quien(?:es)?|cual(?:es)?|cuando|cuant[oa]s?|a?donde|como)\b|"
        r"\b(?:es|son|era|se llama|cuesta|vale)(?: de| a)?\s*\?$"
    ),
    choice=re.compile(r"\b[ou]\b"),
    either=re.compile(r"\bs[ií]\s*o\s*no\b|\bo (?:no|más|menos)\b"),
    favour=re.compile(
        r"\b(?:puede[ns]?|podrías?|podrían?)\s+(?:usted(?:es)?\b|\w+(?:me|nos)\b)|"
        r"\b(?:me|nos)\s+(?:puede[ns]?|podrías?|podrían?)\b|"
        r"\bpuedo (?:saber|preguntar)\b|"
        r"\bpued(?:es|en) (?:traducir|escribir|explicar|resumir|corregir|redactar|decir)\b|"
        r"\b(?:tienen?|tienes|hay)\b[^?]*\b(?:número|dirección|teléfono|contraseña|enlace|lista|"
        r"código|correo)\b"
    ),
    order=re.compile(
        r"(?:por favor,? )?(?:escrib[ea]|dame|deme|dime|dígame|enumer[ae]|muestr[ae]|traduce|"
        r"resume|explica|"
        r"nombr[ae]|redact[ae]|calcul[ae]|describ[ea]|complet[ae]|corrig[ea]|reformul[ae]|cuenta|"
        r"cuéntame)\b"
    ),
    words=frozenset(
        "el la los las un una es por para con en que de del al se mi su hay puedo puede y "
        "está son tengo tiene me lo sí si abre acepta también todavía".split()
    ),
)
_DUTCH = Tongue(
    answers=("Ja", "Nee"),
    begins=re.compile(
        rf"{_LEAD}(?:(?:en|maar|dus|ok|oké|hallo|hoi|dan)[, ]+)?"
        r"(?:(?:is|was|waren|ben|bent|heb|had|hadden|kan|kon|wil|moet|gaat|komt|staat|ligt|werkt|"
        r"woont|hoort|past|kost|opent|sluit|geldt|gelden|kosten|duurt|vliegt|rijdt|krijg|neem|"
        r"doe|klopt)\s+"
        r"(?:ik|je|jij|hij|zij|ze|we|wij|jullie|het|de|er|een|dit|dat|deze|mijn|onze|jouw|haar|"
        r"hun|men|"
        r"['’]t|elke?)\b|"
        r"(?:zijn|zit|rijdt|opent|sluit|vertrekt|mag|mogen|moeten|heeft|hebben|kunnen|zal|zullen|"
        r"wordt|worden|krijgt|krijgen|hoef|hoeft|hoeven|"
        r"gelden|bestaat|accepteert|accepteren|levert|leveren|biedt|bieden|neemt|klopt)\s+\w)"
    ),
    bare=re.compile(r"(?:kan|mag|moet) (?:ik|men|we|wij)\b|is (?:er|de|het)\b"),
    named=re.compile(r"\bja\s*(?:/|of)\s*nee\b"),
    tag=re.compile(r"[\s,–—-](?:toch|hè|niet ?waar|klopt dat|klopt het|juist|ja)\s*\?$"),
    openly=re.compile(r"\b(?:wie|wiens|wat|waar\w*|wanneer|waarom|hoe|hoeveel|hoelang|welke?)\b"),
    choice=re.compile(r"\bof\b"),
    either=re.compile(r"\bja\s*of\s*nee\b|\bof (?:niet|nee|zo|meer|minder|langer)\b"),
    favour=re.compile(
        r"\b(?:kun|kan|zou|wil) (?:je|jij)\b|\b(?:kunt|kan|zou|wilt) u\b|\b(?:kunnen|zouden|"
        r"willen) jullie\b|"
        r"\bmag ik (?:\w+ ){0,4}(?:vragen|weten)\b|"
        r"\b(?:heeft|heb|hebben|is er|mag ik)\b[^?]*"
        r"(?:nummer|adres|wachtwoord|link|lijst|overzicht|code|e-?mail)\b"
    ),
    order=re.compile(
        r"(?:graag |a\.u\.b\. )?(?:schrijf|geef|noem|vertel|vertaal|vat|leg|toon|som|bereken|"
        r"beschrijf|maak|corrigeer|verbeter|herschrijf|"
        r"vul|zeg)\b"
    ),
    words=frozenset(
        "nu heet toch ik je jij u hij zij het een de is niet ook mag kan moet moeten heeft "
        "hebben wordt "
        "zijn deze dit mijn onze voor met op naar bij nog al er van te ja nee als".split()
    ),
)
_TONGUES = (_SPANISH, _FRENCH, _DUTCH, _GERMAN)


def find_answers(words: str) -> tuple[str, str] | None:
    """The words for yes and no of the language in which a user's words ask for one of them; None:
    they do not, or in another language."""
    if len(words) > LONGEST:
        return None
    parts = find_sentences(words)
    tongue = _find_tongue(" ".join(parts))
    return tongue.answers if tongue is not None and _asks(parts, tongue) else None


def is_abroad(words: str) -> bool:
    """Whether words are in one of these languages, whatever they ask: what begins in them as an
    English question does ("Is het Lyon of Parijs?") is none."""
    if len(words) > LONGEST:
        return False
    text = " ".join(find_sentences(words))
    tongue, said = _find_tongue(text), set(_WORD.findall(text))
    if tongue is None:
        return False
    own = len((said & tongue.words) - _ENGLISH - _ENGLISH_TOO)
    return own > len(said & (_ENGLISH | _ENGLISH_TOO) - tongue.words)


def _find_tongue(text: str) -> Tongue | None:
    """The one language of which most small words are; None: English, or it cannot be told."""
    said = set(_WORD.findall(text))
    counts = [len(said & each.words) for each in _TONGUES]
    counts[0] += 2 * ("¿" in text)
    most = max(counts)
    sure = most > len(said & _ENGLISH) and counts.count(most) == 1
    return _TONGUES[counts.index(most)] if sure else None


def _asks(parts: list[str], tongue: Tongue) -> bool:
    asked = [part for part in parts if part.endswith("?")]
    # One word answers one question.
    if any(map(tongue.order.match, parts)) or len(asked) > 1 or is_formed(parts):
        return False
    if any(map(tongue.named.search, parts)):
        return all(_is_closed(part, tongue) for part in asked)
    if not asked:
        return any(tongue.bare.match(part) and _is_closed(part, tongue) for part in parts[:1])
    return any(
        _is_closed(part, tongue) and bool(tongue.begins.search(part) or tongue.tag.search(part))
        for part in asked
    )


def _is_closed(question: str, tongue: Tongue) -> bool:
    return len(question) <= LONGEST_QUESTION and not (
        tongue.choice.search(tongue.either.sub("", question))
        or lists_amounts(question)
        or tongue.favour.search(question)
        or tongue.openly.search(question)
    )
