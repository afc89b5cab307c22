"""Which requests in other languages are to be answered by yes or no."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.abroad import find_answers, is_abroad
from memedit.editors.prompting.polar import is_polar
from tests.editors.prompting.test_polar import OTHERS, POLAR

ASKED = {
    ("Ja", "Nein"): """
Kann ich die Lampe noch zurückgeben?
Ist Parken bei euch kostenlos?
Darf mein Hund mit ins Zimmer?
Hat das Museum am Montag offen?
Gibt es ein Schwimmbad?
Muss ich mich vorher anmelden?
Wenn ich heute bestelle, kommt das Paket bis Freitag?
Das Frühstück ist inklusive, oder?
Ein Tagesticket kostet 9 Euro, stimmt's?
Ist Frau Dr. Roth die Leiterin der Abteilung?
Ich habe die Jacke vor 40 Tagen gekauft. Kann ich sie noch umtauschen?
Und gilt das auch für Studenten?
Ja oder nein: Wird die Filiale in Graz von Teodora geleitet?
Nehmen wir auch Kreditkarten an?
Hallo, sind Kinder unter 6 frei?
Kostet die Lieferung nach Österreich extra?
Bekomme ich als Rentner einen Rabatt?
Ist die Garantie übertragbar?
Liefert ihr auch am Samstag?
Kann man das Abo jederzeit kündigen?
kann ich den gutschein auch online einlösen
Wird der Aufzug gerade repariert?
Haben Sie auch vegane Gerichte?
Sind Haustiere erlaubt?
Bin ich mit dem Basistarif im Ausland versichert?
Stimmt es, dass die Kasse um 18 Uhr schließt?
Der Chef heißt jetzt Meier, richtig?
Reichen 30 Tage für die Rückgabe?
Darf ein Schüler ohne Eltern buchen?
Fährt der Bus 12 noch zum Bahnhof?
Ist das Fest im Mai 2027, 10 Uhr?
Ist die Adresse Hauptstraße 5, 10115 Berlin?
Ist der Laden jetzt 24/7?
Kostet die Karte 5 €, am Wochenende 6 €?
Ist das Büro in Paris, Frankreich?
""",
    ("Oui", "Non"): """
Est-ce que je peux encore rendre la lampe ?
Puis-je venir avec mon chien ?
Le musée est-il ouvert le lundi ?
Y a-t-il une piscine ?
Faut-il réserver ?
Vous avez un parking ?
Le petit déjeuner est compris, non ?
Un billet à la journée coûte 9 euros, n'est-ce pas ?
Peut-on payer par carte ?
Si je commande aujourd'hui, est-ce que le colis arrive vendredi ?
J'ai acheté la veste il y a 40 jours. Je peux encore l'échanger ?
La livraison est gratuite à partir de 80 euros ?
Oui ou non : le bureau est dirigé par Teodora.
C'est valable aussi pour les étudiants ?
Dois-je apporter une pièce d'identité ?
Les chiens sont-ils admis ?
Acceptez-vous les chèques ?
La garantie est-elle transférable ?
Est-ce gratuit pour les enfants ?
Peut-on annuler à tout moment ?
On peut venir avec une poussette ?
Est-il possible de payer en trois fois ?
Mon abonnement couvre-t-il l'étranger ?
Le directeur s'appelle maintenant Meyer, c'est ça ?
Je suis étudiant. Ai-je droit à une réduction ?
Y a-t-il encore des places samedi ?
est ce que la livraison est offerte
30 jours suffisent-ils pour le retour ?
Il y a un ascenseur ?
Suis-je obligé d'apporter une photo ?
""",
    ("Sí", "No"): """
¿Puedo devolver todavía la lámpara?
¿Se puede pagar con tarjeta?
¿El museo abre los lunes?
¿Hay piscina en el hotel?
¿Tengo que reservar antes?
¿Es gratis el aparcamiento?
El desayuno está incluido, ¿verdad?
La entrada cuesta 9 euros, ¿no?
Compré la chaqueta hace 40 días. ¿Puedo cambiarla?
Si pido hoy, ¿llega el paquete el viernes?
¿Y puedo llevar a mi perro?
¿La tienda acepta cheques de regalo?
¿Está permitido fumar en la terraza?
Sí o no: ¿dirige Teodora la oficina de Graz?
puedo entrar con mi hijo de 5 años?
¿Los perros pueden entrar?
¿Hacen descuento a jubilados?
¿Aceptan tarjetas de crédito?
¿La garantía es transferible?
¿Se admiten mascotas?
¿Puedo cancelar en cualquier momento?
¿El director se llama ahora Meyer?
¿Hay ascensor?
¿Me cubre el seguro en el extranjero?
Tengo 66 años. ¿Pago menos?
¿Está incluido el desayuno?
¿Necesito una foto?
¿Sigue abierta la cafetería?
¿Son suficientes 30 días para la devolución?
hay wifi en las habitaciones?
""",
    ("Ja", "Nee"): """
Mag ik de lamp nog terugbrengen?
Is de winkel op zondag open?
Kan ik met pinpas betalen?
Is er een zwembad?
Moet ik vooraf reserveren?
Heeft het hotel een lift?
Mogen honden mee naar binnen?
Het ontbijt is inbegrepen, toch?
Een dagkaart kost 9 euro, klopt dat?
Ik heb de jas 40 dagen geleden gekocht. Mag ik hem nog ruilen?
Als ik vandaag bestel, komt het pakket dan vrijdag?
Geldt de korting ook voor studenten? Ja of nee.
Zijn kinderen onder de 6 gratis?
Wordt het kantoor in Graz door Teodora geleid?
Hoef ik geen kopie van mijn paspoort mee te nemen?
Zijn honden toegestaan?
Krijg ik korting als student?
Is de garantie overdraagbaar?
Kan ik elk moment opzeggen?
Leveren jullie ook op zaterdag?
Heeft de directeur een assistent?
Zit het ontbijt erbij?
Mag een kind alleen zwemmen?
Is er een lift?
De baas heet nu Meijer, toch?
Moet je een foto meenemen?
Ben ik in het buitenland verzekerd?
Zijn 30 dagen genoeg voor een retour?
kan ik online betalen
Rijdt bus 12 nog naar het station?
""",
}
NOT_ASKED = """
Was kostet das Parken?
Ab wann gilt der neue Tarif?
Kannst du mir sagen, wann ihr öffnet?
Ist das Lyon oder Paris?
Schreib eine Mail: Ist der Laden offen?
Darf ich fragen, wer die Abteilung leitet?
Und am Sonntag?
Haben Sie die Nummer vom Pförtner?
In welcher Stadt ist die Zentrale?
Der Laden hat am Sonntag zu.
Quel est le délai de retour ?
Qu'est-ce que vous proposez au petit déjeuner ?
Pouvez-vous me dire combien coûte le parking ?
Est-ce Lyon ou Paris ?
Écris un mail : le magasin est-il ouvert ?
Puis-je savoir qui dirige le service ?
Et le dimanche ?
Avez-vous l'adresse du bureau d'Oslo ?
Où est le siège ?
Le magasin est fermé le dimanche.
¿Cuánto cuesta el aparcamiento?
¿A qué hora abre el museo?
¿Puede decirme el plazo de devolución?
¿Es Lyon o París?
Escribe un correo: ¿está abierta la tienda?
¿Puedo saber quién dirige el departamento?
¿Y los domingos?
¿Tiene el número del portero?
¿Donde esta la oficina central?
La tienda cierra los domingos.
Wat kost parkeren?
Hoe laat gaat de winkel open?
Kunt u mij zeggen wanneer jullie open zijn?
Is het Lyon of Parijs?
Schrijf een mail: is de winkel open?
Mag ik weten wie de afdeling leidt?
En op zondag?
Heeft u het adres van het kantoor?
Waar staat het hoofdkantoor?
De winkel is op zondag dicht.
Wie lange ist die Garantie?
Welche Rabatte gibt es?
Sag mir bitte die Öffnungszeiten.
Soll ich den roten oder den blauen nehmen?
Könnten Sie mir die Adresse schicken?
Seit wann ist Meier Chef?
Wer ist Meier?
Bitte schreib dem Kunden, dass wir geschlossen haben.
Wo liegt das Büro, und ist es offen?
Und für Kinder?
Combien de temps dure la garantie ?
Quelles réductions proposez-vous ?
Dis-moi les horaires.
Je prends le rouge ou le bleu ?
Pourriez-vous m'envoyer l'adresse ?
Depuis quand Meyer est-il directeur ?
Qui est Meyer ?
Rédige un message au client.
Et pour les enfants ?
Le bureau est où ?
¿Cuánto dura la garantía?
¿Qué descuentos hay?
Dime el horario.
¿Cojo el rojo o el azul?
¿Podría enviarme la dirección?
¿Desde cuándo es Meyer director?
¿Quién es Meyer?
Redacta un mensaje al cliente.
¿Y para niños?
¿La oficina dónde está?
Hoe lang is de garantie?
Welke kortingen zijn er?
Geef me de openingstijden.
Neem ik de rode of de blauwe?
Zou u mij het adres kunnen sturen?
Sinds wanneer is Meijer directeur?
Wie is Meijer?
Schrijf een bericht aan de klant.
En voor kinderen?
Het kantoor is waar?
Darf ich bitte den Preis wissen?
Übersetzen Sie bitte ins Englische: Ist der Laden offen?
Korrigiere den Satz: Ist das Hotel offen?
Ist das Rauchen erlaubt? Antworte auf Englisch.
Ist das Rauchen erlaubt? Antworte in JSON.
Beantworte auf Englisch: Ist der Pool offen?
Ist das wahr? Antworte nur mit "wahr" oder "falsch".
La capitale de la France est ?
Tu connais le prix ?
Traduire en anglais : est-ce que le magasin est ouvert ?
Est-ce ouvert ? Réponds en anglais.
¿La capital de Francia es?
¿El precio es de?
¿Puedes traducir "está abierto" al inglés?
¿Está abierto? Responde en inglés.
Mag ik de prijs weten?
Is de winkel open? Antwoord in het Engels.
Ist das 5 €, 6 €?
Kostet das 5 € oder 6 €
Kostet die Lieferung 4,90 €/5,90 €?
Öffnet ihr um 9 Uhr, um 10 Uhr?
Est-ce que c'est 5 €, 6 € ?
Le billet coûte 9 ou 10 euros
Est-ce que ça coûte 9, 10 euros ?
¿Son 5 €, 6 €?
¿Cuesta 5 € o 6 €
¿Es a las 9, a las 10?
Is dat 5 euro, 6 euro?
Kost het € 5,-/€ 6?
Is het € 5, € 6?
Kost dat 5 euro of 6 euro
Hat size for kids?
War museum open today?
Bin collection on Mondays?
"""


@pytest.mark.parametrize("answers", ASKED)
def test_a_yes_or_a_no_is_asked_for(answers: tuple[str, str]) -> None:
    asked = ASKED[answers].strip().split("\n")
    assert {words: find_answers(words) for words in asked} == dict.fromkeys(asked, answers)


def test_something_else_is_asked_for_or_in_english() -> None:
    others = [*NOT_ASKED.strip().split("\n"), *POLAR, *OTHERS]
    assert [words for words in others if find_answers(words) is not None] == []


@pytest.mark.parametrize(("words", "abroad"), [
    ("Is het in Utrecht of in Delft?", True),
    ("Hast du eine Ahnung, was das kostet?", True),
    ("Vertaal naar het Engels: is de winkel open?", True),
    ("Is Rue de la Paix open?", False), ("A van is 79 a day right?", False),
    ("Was Ann a director?", False), ("is Elif Aydin still leading Hartmann? y/n", False),
])  # fmt: skip
def test_what_begins_as_an_english_question_may_be_none(words: str, abroad: bool) -> None:
    assert find_answers(words) is None and is_polar(words)
    assert is_abroad(words) is abroad
