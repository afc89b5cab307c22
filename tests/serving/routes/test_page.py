"""The page in a real browser: a wrong answer is fixed, seen, undone and gone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from memedit.serving.routes import page as page_routes
from tests.browsing import breaches
from tests.serving import patient
from tests.serving.helpers import CAPITAL, QUESTION, Running, ring, serving, tiny_service

SHOTS = os.environ.get("MEMEDIT_SCREENSHOTS")
STATIC = Path(page_routes.__file__).parent / "static"
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


@pytest.fixture
def server() -> Iterator[tuple[Running, str]]:
    held, (secret,), _ = ring(("read", "ask", "edit"))
    with serving(tiny_service(keys=held, max_tokens=16)) as running:
        yield running, secret


def opened(browser: Any, server: tuple[Running, str], **context: Any) -> Any:
    """The page, with its key, and whatever it complains of in ``page.problems``."""
    running, secret = server
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(120_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
    page.goto(f"{running.url}/#key={secret}")
    expect(page.locator("#where")).to_contain_text("tiny")
    assert secret not in page.url
    return page


def ask(page: Any, question: str) -> None:
    page.fill("#question", question)
    with page.expect_response("**/v1/explain"):
        page.press("#question", "Enter")
    expect(page.locator("#ask-button")).to_be_enabled()


def test_fix_a_wrong_answer_see_it_undo_it_see_it_gone(
    browser: Any, server: tuple[Running, str]
) -> None:
    page = opened(browser, server)
    page.evaluate("""() => {
        window.seen = [];
        const box = document.getElementById("progress");
        const note = () => window.seen.push(box.innerText);
        new MutationObserver(note).observe(box, { attributes: true });
        window.grown = [];
        const base = document.getElementById("base");
        window.offered = []; // of an answer that is still being written
        const busy = () => document.getElementById("answers").ariaBusy === "true";
        const wrong = document.getElementById("wrong");
        const grow = () => {
            window.grown.push(base.textContent);
            if (busy()) window.offered.push(wrong.checkVisibility());
        };
        new MutationObserver(grow).observe(base, { childList: true });
    }""")
    ask(page, QUESTION)
    assert "Answering, with and without your edits" in page.evaluate("window.seen[0]")
    # Piece by piece, of which a browser that is late shows several at once.
    grown = page.evaluate("window.grown")
    assert grown and all(b.startswith(a) for a, b in pairwise(grown))
    offered = page.evaluate("window.offered")
    assert offered and not any(offered)
    assert page.is_hidden("#progress")
    before = page.inner_text("#edited")
    assert before == page.inner_text("#base") and "None of your edits" in page.inner_text("#why")
    page.click("#wrong")
    assert page.input_value("#prompt") == QUESTION and page.input_value("#subject") == "France"
    page.keyboard.type("Lyon")  # the answer has the focus
    with page.expect_response("**/v1/explain"):
        page.keyboard.press("Enter")
    page.wait_for_selector(
        "#why >> text=Answered from your edit: What is the capital of France? Lyon"
    )
    after = page.inner_text("#edited")
    assert after != before and page.inner_text("#base") == before
    assert page.inner_text("#edits td >> nth=0").startswith(f"{QUESTION} Lyon")
    expect(page.locator("td[data-id]")).to_have_text("1")
    with page.expect_response("**/v1/explain"):
        page.click("#status >> text=Undo")
    page.wait_for_selector("#why >> text=None of your edits")
    assert page.inner_text("#edited") == before
    assert page.locator("#edits tr").count() == 0 and page.is_visible("#none")
    assert page.problems == []


def test_an_edit_that_changed_nothing_is_not_said_to_have_answered(
    browser: Any, server: tuple[Running, str]
) -> None:
    """The fault: a reader that found no answer in a fact sent the question back to the base, and
    the page said "Answered from your edit" beside two answers of the same words."""
    running, secret = server
    auth = {"Authorization": f"Bearer {secret}"}
    assert patient.post(f"{running.url}/v1/edits", json=CAPITAL, headers=auth).status_code == 201
    page = opened(browser, server)

    def sent_back(route: Any) -> None:  # the tiny model has no reader that declines
        told = route.fetch()
        text = r'"(?:[^"\\]|\\.)*"'
        (answer,) = re.findall(rf'"answer": ?({text})', told.text())
        given = re.sub(rf'("base_answer": ?){text}', lambda m: m[1] + answer, told.text())
        route.fulfill(response=told, body=given)

    page.route("**/v1/explain", sent_back)
    ask(page, QUESTION)
    page.wait_for_selector("#why >> text=Your edit was found, but the answer is the same")
    assert page.inner_text("#edited") == page.inner_text("#base")
    assert "Answered from" not in page.inner_text("#why") and page.problems == []


def test_the_table_change_take_back_search_and_history(
    browser: Any, server: tuple[Running, str]
) -> None:
    running, secret = server
    auth = {"Authorization": f"Bearer {secret}"}
    for edit in (CAPITAL, {"statement": "Our refund window is 60 days."}):
        assert patient.post(f"{running.url}/v1/edits", json=edit, headers=auth).status_code == 201
    page = opened(browser, server)
    page.wait_for_selector("#edits tr >> nth=1")
    page.click("[aria-label='Edit: The capital of France is Lyon']")
    page.fill("#target", "Nice")
    page.click("#editor details summary")
    page.fill("#until", "2040-05-01")
    page.click("#save")
    page.wait_for_selector("#edits >> text=until 2040-05-01")
    assert "It replaces: The capital of France is Lyon" in page.inner_text("#status")
    page.fill("#search", "refund")
    expect(page.locator("#edits tr")).to_have_count(1)
    page.fill("#search", "")
    expect(page.locator("#edits tr")).to_have_count(2)
    page.click("[aria-label='Take back: Our refund window is 60 days.']")
    expect(page.locator("#edits tr")).to_have_count(1)
    page.click("[aria-label='History: The capital of France is Nice']")
    page.wait_for_selector("#one-list >> text=added: The capital of France is Nice")
    page.keyboard.press("Escape")
    page.click("#history-box summary")
    page.wait_for_selector("#history >> text=taken back: Our refund window is 60 days.")
    page.locator("#history li", has_text="version 2").locator("button").click()
    expect(page.locator("#edits tr")).to_have_count(2)
    assert "The capital of France is Lyon" in page.inner_text("#edits")
    page.click("#measure")
    page.wait_for_selector("#chart >> text=Questions that your edits answer, answered as they say")
    assert page.problems == []


def test_what_was_saved_is_told_with_what_it_may_contradict(
    browser: Any, server: tuple[Running, str]
) -> None:
    page = opened(browser, server)

    def add(statement: str) -> str:
        page.click("#add")
        page.check("#kind-statement")
        page.fill("#statement", statement)
        page.click("#save")
        expect(page.locator("#editor")).to_be_hidden()
        return str(page.inner_text("#status"))

    add("Acme was founded in 1970.")
    told = add("Acme was founded in a garage in 1972.")
    assert "It may contradict: Acme was founded in 1970. Both stay" in told
    told = add("Acme was founded in 1970.")
    assert "This was there already: Acme was founded in 1970." in told
    expect(page.locator("#edits tr")).to_have_count(2)
    page.click("#add")
    page.check("#kind-statement")
    page.fill("#statement", "The CEO of Acme is")
    page.click("#save")
    expect(page.locator("#edit-error")).to_contain_text("a question whose right answer is missing")
    page.click("#cancel")
    page.fill("#search", "zebra")
    expect(page.locator("#none")).to_have_text("No edit holds these words.")
    page.fill("#search", "")
    expect(page.locator("#edits tr")).to_have_count(2)
    assert [text for text in page.problems if "400" not in text] == []


def test_an_answer_from_a_document_is_corrected_beside_it(
    browser: Any, server: tuple[Running, str], tmp_path: Path
) -> None:
    """The fault: the page offered to change the passage, and the server refused that."""
    page = opened(browser, server)
    file = tmp_path / "leave.md"
    file.write_text("# Leave\n\nEverybody has 27 days of leave a year.\n", "utf-8")
    page.set_input_files("#file", str(file))
    page.click("#report >> text=Put in force")
    page.wait_for_selector("#edits >> text=document leave, version 1")
    assert page.locator("#edits button", has_text="Edit").count() == 0
    question = "How many days of leave do I have a year?"
    ask(page, question)
    page.wait_for_selector("#why >> text=Document leave, version 1")
    page.click("#wrong")
    assert "from the document leave" in page.inner_text("#edit-hint")
    assert page.input_value("#prompt") == question and page.input_value("#subject") == ""
    page.fill("#target", "28")
    page.click("#save")
    expect(page.locator("#edits tr")).to_have_count(2)
    page.click("#reports-box summary")
    expect(page.locator("#reports li")).to_have_count(1)
    assert f"wrong answer: {question}" in page.inner_text("#reports")
    page.fill("#question", "")
    with page.expect_response("**/v1/explain"):
        page.click("#reports >> text=Ask again")
    assert page.input_value("#question") == question
    page.click("#add")
    assert page.inner_text("#edit-hint") == "" and page.problems == []


def test_an_edit_that_was_missed_learns_the_question(
    browser: Any, server: tuple[Running, str]
) -> None:
    running, secret = server
    auth = {"Authorization": f"Bearer {secret}"}
    assert patient.post(f"{running.url}/v1/edits", json=CAPITAL, headers=auth).status_code == 201
    page = opened(browser, server)
    ask(page, "Where does the French president live, in which city?")
    page.wait_for_selector("#why >> text=The nearest is: The capital of France is Lyon")
    with page.expect_response("**/v1/explain"):
        page.click("#why >> text=It should have answered")
    page.wait_for_selector("#why >> text=Answered from your edit: The capital of France is Lyon")
    assert "Learnt" in page.inner_text("#status")
    with page.expect_response("**/v1/explain"):  # asked again: it is seen to leave it alone
        page.click("#false-fire")
    page.wait_for_selector("#why >> text=None of your edits is about this")
    assert "will leave that question alone" in page.inner_text("#status")
    with page.expect_response("**/v1/explain"):
        page.click("#status >> text=Undo")
    page.wait_for_selector("#why >> text=Answered from your edit: The capital of France is Lyon")
    with page.expect_response("**/v1/explain"):
        page.click("#false-fire")
    # It was right after all: the edit, which the scope no longer names, is offered again.
    with page.expect_response("**/v1/explain"):
        page.click("#why >> text=It should have answered")
    page.wait_for_selector("#why >> text=Answered from your edit: The capital of France is Lyon")
    assert "It replaces" not in page.inner_text("#status")  # it has only learnt
    told = patient.get(f"{running.url}/v1/reports", headers=auth).json()["data"]
    assert [each["kind"] for each in told] == ["miss", "false_fire", "false_fire", "miss"]
    assert len({each["edit"] for each in told}) == 1 and page.problems == []


def test_who_may_change_no_edit_tells_that_one_was_missed(browser: Any) -> None:
    held, (asking, editing), _ = ring(("read", "ask"), ("edit",))
    with serving(tiny_service(keys=held, max_tokens=16)) as running:
        page = opened(browser, (running, asking))
        ask(page, QUESTION)
        assert page.is_hidden("#false-fire")
        page.click("#missed")
        page.wait_for_selector("#status >> text=Reported.")
        auth = {"Authorization": f"Bearer {editing}"}
        made = patient.post(f"{running.url}/v1/edits", json=CAPITAL, headers=auth).json()
        other = "Where does the French president live, in which city?"
        ask(page, other)
        assert page.is_hidden("#missed")  # the nearest one is offered instead
        with page.expect_response("**/v1/edits/*/reports") as refused:
            page.click("#why >> text=It should have answered")
        assert refused.value.status == 403
        auth = {"Authorization": f"Bearer {asking}"}
        told = patient.get(f"{running.url}/v1/reports", headers=auth).json()["data"]
    assert [(each["kind"], each["query"], each["edit"]) for each in told] == [
        ("miss", other, made["id"]), ("miss", QUESTION, None)
    ]  # fmt: skip


def test_import_by_file_with_errors_by_line(
    browser: Any, server: tuple[Running, str], tmp_path: Path
) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text(
        '{"statement": "Tea is at five."}\n{oops\n{"prompt": "x"}\n'
        '{"statement": "Until Sunday, tea is free."}\n'
        '{"statement": "From tomorrow tea is 2 euros."}\n'
    )
    page = opened(browser, server)
    page.set_input_files("#file", file)
    page.wait_for_selector("#report >> text=3 added, 0 there already, 2 refused.")
    page.wait_for_selector("#report >> text=1 of them name a last day, but hold after it.")
    page.wait_for_selector("#report >> text=1 of them name a first day, but hold already.")
    assert "Line 2: not JSON" in page.inner_text("#report")
    assert "Line 3: target_new is missing" in page.inner_text("#report")
    page.wait_for_selector("#edits >> text=Tea is at five.")
    # dropped, not chosen
    page.evaluate(
        """() => { const data = new DataTransfer();
        data.items.add(new File(['statement\\nSupper is at nine.\\n'], 'more.csv'));
        document.querySelector('#drop').dispatchEvent(
          new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })); }"""
    )
    page.wait_for_selector("#edits >> text=Supper is at nine.")
    # a document, which is tried first
    (tmp_path / "Meal plan.md").write_text("# Meals\n\nLunch is at noon.\n")
    page.set_input_files("#file", tmp_path / "Meal plan.md")
    page.wait_for_selector("#report >> text=The document meal-plan, passage by passage: 1 new.")
    page.click("#report >> text=Put in force")
    page.wait_for_selector("#edits >> text=Lunch is at noon.")
    assert "meal-plan is in force, version 1." in page.inner_text("#report")
    assert page.problems == []


def test_the_chart_and_a_weight_editor_beside_it(browser: Any, server: tuple[Running, str]) -> None:
    running, secret = server
    auth = {"Authorization": f"Bearer {secret}"}
    assert patient.post(f"{running.url}/v1/edits", json=CAPITAL, headers=auth).status_code == 201
    page = opened(browser, server)
    ask(page, "Bake the bread for an hour.")
    page.click("#measure")
    expect(page.locator("#chart .bars")).to_have_count(2)
    assert page.locator("#chart .bar.rival").count() == 0
    page.click("#developers summary")
    page.select_option("#rival", "ft_m")
    page.click("#duel")
    page.wait_for_selector("#chart >> text=1 of 1 edits put into the weights of a copy")
    assert page.locator("#chart .bar.rival").count() == 2
    assert page.locator("#chart").inner_text().count("FT-M") == 2
    page.select_option("#rival", "rome")  # there are no statistics of the tiny model
    page.click("#duel")
    page.wait_for_selector("#status >> text=memedit statistics")
    expect(page.locator("#duel")).to_be_enabled()
    assert page.problems == []


def test_a_day_that_an_edit_names_is_said(browser: Any, server: tuple[Running, str]) -> None:
    page = opened(browser, server)
    for text, said in (
        ("Until Sunday, tea is free.", "It says “Until Sunday”, but holds after it, too"),
        ("The fee is 50 euros.", "Saved."),
        ("From tomorrow the fee is 60 euros.", "It replaces: The fee is 50 euros. It holds from 2"),
    ):
        page.click("#add")
        page.check("#kind-statement")
        page.fill("#statement", text)
        page.click("#save")
        page.wait_for_selector(f"text={said}")
    assert page.problems == []


def test_text_is_never_html(browser: Any, server: tuple[Running, str]) -> None:
    page = opened(browser, server)
    page.click("#add")
    page.check("#kind-statement")
    page.fill("#statement", f"The motto of {EVIL} is peace.")
    page.click("#editor details summary")
    page.fill("#source", EVIL)
    page.click("#save")
    page.wait_for_selector("#edits tr")
    ask(page, f"The motto of {EVIL} is peace.")
    page.wait_for_selector("#why >> text=Answered from your edit")
    page.click("#history-box summary")
    page.wait_for_selector("#history li")
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script").count() == 0
    assert EVIL in page.inner_text("#edits") and EVIL in page.inner_text("#why")


def test_two_people_change_a_fact(browser: Any) -> None:
    """The faults: whoever approved saw the id of the edit to take back, and nothing of what it
    says; nothing was told of the decision; who proposed was offered to approve."""
    held, secrets, _ = ring(("read", "edit"), ("read", "edit"), ("read", "ask"))
    with serving(tiny_service(keys=held, approval=True)) as running:
        ann, bob, eve = (opened(browser, (running, secret)) for secret in secrets)
        ann.wait_for_selector("#proposals >> text=Nothing waits.")
        ann.click("#add")
        ann.fill("#prompt", QUESTION)
        ann.fill("#target", "Lyon")
        ann.click("#save")
        ann.wait_for_selector("#status >> text=another person approves it")
        ann.wait_for_selector("#proposals >> text=You proposed this")
        expect(ann.locator("#waiting-help")).to_contain_text("memedit keys add")
        assert ann.locator("[aria-label^='Approve']").count() == 0
        assert ann.locator("#edits tr").count() == 0
        eve.reload()
        eve.wait_for_selector("#proposals >> text=Proposed by key 0")
        assert "Your key may not approve it." in eve.inner_text("#proposals")
        assert eve.locator("#proposals button").count() == 0
        bob.reload()
        bob.click(f"[aria-label='Approve: add: {QUESTION} Lyon']")
        bob.wait_for_selector("#status >> text=Approved.")
        expect(bob.locator("#edits tr")).to_have_count(1)
        assert not bob.is_visible("#waiting-help")
        bob.click("[aria-label^='Take back']")
        bob.wait_for_selector("#status >> text=another person approves it")
        ann.reload()
        ann.click(f"[aria-label='Reject: take back: {QUESTION} Lyon']")
        ann.wait_for_selector("#status >> text=Rejected.")
        expect(ann.locator("#edits tr")).to_have_count(1)
        assert bob.problems == []


def test_who_proposed_may_withdraw_with_the_only_key(browser: Any) -> None:
    held, (secret,), _ = ring(("read", "ask", "edit", "admin"))
    with serving(tiny_service(keys=held, approval=True)) as running:
        page = opened(browser, (running, secret))
        page.click("#add")
        page.check("#kind-statement")
        page.fill("#statement", "The manual is at https://acme.example.")
        page.click("#save")
        page.wait_for_selector("#proposals >> text=Looks like more than a fact: link")
        assert breaches(page) == []
        page.click("[aria-label^='Withdraw: add: The manual']")
        page.wait_for_selector("#status >> text=Withdrawn.")
        page.wait_for_selector("#proposals >> text=Nothing waits.")
        assert not page.is_visible("#waiting-help")
        assert page.locator("#edits tr").count() == 0 and page.problems == []


def test_no_key_no_data(browser: Any, server: tuple[Running, str]) -> None:
    running, secret = server
    page = browser.new_context().new_page()
    page.goto(running.url)
    page.wait_for_selector("#key-form:not([hidden])")
    assert "printed a link that carries it" in page.inner_text("#key-help")
    page.wait_for_selector("#status >> text=This page needs a key")
    assert page.locator("#edits tr").count() == 0
    page.fill("#key", "mk_wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#status >> text=This key is not known here.")
    page.fill("#key", secret)
    page.keyboard.press("Enter")
    page.wait_for_selector("#status >> text=Ready.")
    assert not page.is_visible("#key-form")
    # The link, where the page stands open: the browser loads nothing anew.
    page = browser.new_context().new_page()
    page.goto(running.url)
    page.wait_for_selector("#key-form:not([hidden])")
    page.evaluate("key => { location.hash = 'key=' + key; }", secret)
    page.wait_for_selector("#status >> text=Ready.")
    assert not page.is_visible("#key-form") and secret not in page.url


def test_the_page_is_small() -> None:
    assert sum(each.stat().st_size for each in STATIC.iterdir()) <= 300_000


def test_the_page_speaks_a_support_leads_words() -> None:
    """The fault: edited prompts, weights and JSONL, beside what everybody reads."""
    whole = (STATIC / "page.html").read_text("utf-8")
    read = re.sub(r'<details id="developers">.*?</details>', "", whole, flags=re.DOTALL)
    assert read != whole
    read = re.sub(r"<code>.*?</code>", "", read)  # a command, for whoever runs the server
    words = set(re.findall(r"\w+", re.sub(r"<[^>]+>", " ", read).casefold()))
    script = (STATIC / "page.js").read_text("utf-8")
    for title in re.findall(r'bars\("([^"]+)"', script):
        words |= set(title.casefold().split())
    jargon = {"prompt", "prompts", "weights", "scope", "threshold", "score", "rome", "jsonl",
              "namespace", "token", "tokens", "embedding"}  # fmt: skip
    assert not words & jargon


@pytest.mark.parametrize("width", [1100, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_and_wide_light_and_dark(
    browser: Any, server: tuple[Running, str], width: int, scheme: str
) -> None:
    """Nothing sticks out, text stands out from its ground, and every control has a name."""
    running, secret = server
    auth = {"Authorization": f"Bearer {secret}"}
    long = {"prompt": "The capital of France" + "e" * 80 + " is", "target_new": "Lyon"}
    for edit in (CAPITAL | {"source": "atlas", "valid_from": "2026-01-01T00:00:00Z"}, long):
        assert patient.post(f"{running.url}/v1/edits", json=edit, headers=auth).status_code == 201
    size = {"width": width, "height": 900}
    page = opened(browser, server, viewport=size, color_scheme=scheme)
    ask(page, QUESTION)
    page.wait_for_selector("#edits tr >> nth=1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(_CONTRAST) >= 4.5
    assert page.evaluate(_NAMELESS) == []
    assert breaches(page) == []
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/page-{scheme}-{width}.png", full_page=True)
    page.click("#add")
    assert page.evaluate("document.activeElement.id") == "prompt"
    assert breaches(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/dialog-{scheme}-{width}.png")
    page.keyboard.press("Escape")
    assert not page.is_visible("#editor")
    assert page.problems == []


_CONTRAST = """() => {
  const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map((v) => {
    v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (c !== 'rgba(0, 0, 0, 0)' && c !== 'transparent') return c; } return 'rgb(255, 255, 255)'; };
  let least = 99;
  for (const e of document.querySelectorAll('h1, h2, h3, p, td, label, button, span, li')) {
    if (!e.offsetParent || !e.textContent.trim() || e.disabled) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    least = Math.min(least, (a + 0.05) / (b + 0.05));
  } return least; }"""
_NAMELESS = """() => [...document.querySelectorAll('button, input, textarea, select')].filter((e) =>
  e.offsetParent && !(e.textContent.trim() || e.ariaLabel || (e.labels || []).length))
  .map((e) => e.id)"""


def test_what_an_answer_was_worked_out_from_is_no_contradiction(
    browser: Any, server: tuple[Running, str]
) -> None:
    """The fault: "None of your edits is about this", "not at all" sure, above the fact that the
    answer came from; and "Recognised by: i"."""
    page = opened(browser, server)
    found: dict[str, Any] = {
        "query": "Can I pay by invoice?", "answer": "Yes.", "base_answer": "I do not know.",
        "in_scope": False, "unsure": False, "hits": [], "candidates": [{"id": "1", "fact": "x"}],
        "informs": [{"id": "2", "fact": "We take invoices."}], "score": 0.1, "threshold": 0.3,
    }  # fmt: skip
    page.route("**/v1/explain", lambda route: route.fulfill(body=f"data: {json.dumps(found)}\n\n"))
    ask(page, "Can I pay by invoice?")  # the tiny model works out nothing
    said = page.inner_text("#why")
    assert said.startswith("No edit says this itself; the answer was worked out from what bears")
    assert "The answer depends on: We take invoices. It should have answered" in said
    assert "None of your edits" not in said and "How sure" not in said
    hit = {"id": "2", "fact": "We take invoices.", "mention": "", "words": ["i"], "document": None}
    found |= {"in_scope": True, "hits": [hit], "informs": []}
    ask(page, "Can I pay by invoice?")
    page.wait_for_selector("#why >> text=Answered from your edit: We take invoices.")
    assert "Recognised by" not in page.inner_text("#why") and page.problems == []
