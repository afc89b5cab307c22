// The page. What comes from the server or from people is set as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
const PAGE = 50;
const WAITS = "Proposed. It waits until another person approves it, with a key of their own.";
const state = { key: "", me: "", scopes: [], shown: 0, asked: null, editing: null, fires: {}, questions: [], left: new Map(), timer: 0 };

function el(tag, text, attributes) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  return made;
}

function button(text, work, label) {
  const made = el("button", text, { type: "button" });
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", () => guarded(made, work));
  return made;
}

async function guarded(control, work) {
  if (control) control.disabled = true;
  try {
    await work();
  } catch (error) {
    say(error.message);
  } finally {
    if (control) control.disabled = false;
  }
}

function say(text, undo) {
  const box = $("status");
  clearTimeout(state.timer);
  box.replaceChildren(el("span", text));
  if (undo) box.append(button("Undo", undo));
  state.timer = setTimeout(() => box.replaceChildren(), undo ? 20000 : 8000);
}

/** What the server answers; throws what it says is wrong. */
async function send(method, path, body, options) {
  const headers = {};
  if (state.key) headers.Authorization = "Bearer " + state.key;
  let content = body;
  if (body !== undefined && !(options && options.raw)) {
    headers["Content-Type"] = "application/json";
    content = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: content });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  if (answer.status === 401) {
    $("key-form").hidden = false;
    $("key").focus();
    throw new Error(state.key ? "This key is not known here. Each start of the server makes a new one." : "This page needs a key: see above.");
  }
  if (answer.ok) return answer;
  const found = await answer.json().catch(() => null);
  throw new Error((found && found.error && found.error.message) || "Error " + answer.status);
}

async function call(method, path, body, options) {
  const answer = await send(method, path, body, options);
  return options && options.text ? answer.text() : answer.json().catch(() => null);
}

/** The last of the events of an answer; `each` is told of those before it. */
async function stream(path, body, each) {
  const reader = (await send("POST", path, { ...body, stream: true })).body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  let last = null;
  for (;;) {
    const { done, value } = await reader.read().catch(() => { throw new Error("The server broke off."); });
    if (done) break;
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      const found = JSON.parse(part.replace(/^data: /, ""));
      if (found.error) throw new Error(found.error.message);
      if (found.of) each(found);
      else last = found;
    }
  }
  if (!last) throw new Error("The server broke off.");
  return last;
}

// Asking

async function ask() {
  const query = $("question").value.trim();
  if (!query) return;
  const boxes = { answer: $("edited"), base_answer: $("base") };
  const grow = ({ of, text }) => {
    if ($("answers").getAttribute("aria-busy") !== "true") begin();
    boxes[of].textContent = (boxes[of].textContent + text).trimStart();
  };
  const found = await waiting("Answering, with and without your edits", () => stream("v1/explain", { query }, grow))
    .finally(() => $("answers").removeAttribute("aria-busy"));
  state.asked = found;
  if (!state.questions.includes(query)) state.questions.push(query);
  $("answers").hidden = false;
  $("answers").classList.toggle("fired", found.in_scope);
  $("edited").textContent = found.answer || "(nothing)";
  $("base").textContent = found.base_answer || "(nothing)";
  $("wrong").hidden = false;
  $("false-fire").hidden = !found.in_scope;
  $("missed").hidden = found.in_scope || Boolean(nearest(found));
  $("why").replaceChildren(...why(found));
  await stats();
}

/** Make room for the pieces of two answers. */
function begin() {
  $("answers").hidden = false;
  $("answers").setAttribute("aria-busy", "true");
  $("answers").classList.remove("fired");
  $("wrong").hidden = $("false-fire").hidden = $("missed").hidden = true; // of an answer that is there
  for (const each of ["edited", "base", "why"]) $(each).replaceChildren();
}

/** Show that something is being done, and for how long, until it is. */
async function waiting(text, work) {
  const begun = Date.now();
  const tick = () => { $("seconds").textContent = Math.round((Date.now() - begun) / 1000) + " s"; };
  $("doing").textContent = text;
  tick();
  const timer = setInterval(tick, 1000);
  $("progress").hidden = false;
  $("hint").hidden = true;
  try {
    return await work();
  } finally {
    clearInterval(timer);
    $("progress").hidden = true;
    $("hint").hidden = false;
    $("doing").textContent = "";
  }
}

/** A score in words: what a support lead wants to know of it. */
function sureness(found) {
  if (!found.in_scope) return found.unsure ? "almost enough" : "not at all";
  return found.score >= 0.9 ? "very" : found.score >= (1 + found.threshold) / 2 ? "quite" : "just enough";
}

/** The edit that may have been missed: first the one that was told to leave this question alone. */
const nearest = (found) => state.left.get(found.query) || found.candidates[0];

function why(found) {
  const lines = [];
  const informs = found.informs || [];
  if (found.in_scope) {
    const hit = found.hits[0];
    // A reader may find in a fact no answer to the question: the model's own stands, word for word.
    const own = found.answer === found.base_answer;
    lines.push(el("p", (own ? "Your edit was found, but the answer is the same as without it: " : "Answered from your edit: ") + hit.fact));
    if (own) lines.push(el("p", "If that is wrong, say the right answer under “This answer is wrong”.", { class: "quiet" }));
    const of = hit.document;
    if (of) lines.push(el("p", `Document ${of.name}, version ${of.version}, passage ${of.passage} of ${of.of}`, { class: "quiet" }));
    const matched = [hit.mention, ...hit.words].filter((word) => word && !/^[a-z]$/i.test(word)); // "I" tells nothing
    if (matched.length) lines.push(el("p", "Recognised by: " + [...new Set(matched)].join(", "), { class: "quiet" }));
  } else if (informs.length) {
    const own = found.answer === found.base_answer;
    lines.push(el("p", "No edit says this itself; " + (own ? "with what bears on it, the answer is the same as without." : "the answer was worked out from what bears on it.")));
  } else {
    lines.push(el("p", found.unsure ? "One of your edits came close, but not close enough: the model answered by itself." : "None of your edits is about this: the model answered by itself."));
    const near = nearest(found);
    if (near) {
      const line = el("p", "The nearest is: " + near.fact + " ", { class: "quiet" });
      line.append(button("It should have answered", () => missed(near.id, found.query)));
      lines.push(line);
    }
  }
  for (const hit of informs) {
    const line = el("p", "The answer depends on: " + hit.fact + " ", { class: "quiet" });
    if (!found.in_scope) line.append(button("It should have answered", () => missed(hit.id, found.query)));
    lines.push(line);
  }
  if (!found.in_scope && (informs.length || !found.candidates.length)) return lines;
  const score = el("p", "How sure that this edit is meant: " + sureness(found) + " ", {
    title: "Score " + found.score.toFixed(3) + "; an edit is used from " + found.threshold.toFixed(3),
  });
  score.append(el("meter", "", { min: 0, max: 1, value: Math.max(0, Math.min(1, found.score)), "aria-label": "How sure" }));
  lines.push(score);
  return lines;
}

/** An edit did not fire where it should have: from now on it does. */
async function missed(edit, query) {
  if (await report("miss", query, edit, "Learnt. This edit will answer that question.")) await ask();
}

/** Note what somebody says of an answer, and teach it the edit; whether it has learnt. */
async function report(kind, query, edit, text) {
  await call("POST", "v1/reports", edit ? { kind, query, edit } : { kind, query });
  const path = "v1/edits/" + encodeURIComponent(edit) + "/reports";
  const learnt = edit && await call("POST", path, { kind, query }).catch(() => null);
  if (!learnt) return say("Reported."); // which edit is not known, or the key may not change it
  told(learnt, text);
  if (learnt.proposal) return false;
  state.left.delete(query);
  await refresh();
  return true;
}

function subjectOf(text) {
  const words = text.replace(/[?!.]+$/, "").split(/\s+/);
  let best = [];
  let run = [];
  words.forEach((word, at) => {
    const capital = /^["'“(]?\p{Lu}/u.test(word) && !/^I(['’]\w+)?,?$/.test(word) && !(at === 0 && words.length > 1);
    run = capital ? [...run, word.replace(/^["'“(]+|[,;:"'”)]+$|['’]s$/g, "")] : [];
    if (run.length >= best.length && run.length) best = run;
  });
  const found = best.join(" ");
  return found && text.includes(found) ? found : "";
}

// One edit

function openEditor(record, question, hint) {
  state.editing = record ? record.id : null;
  $("editor-title").textContent = question ? "What is the right answer?" : record ? "Change an edit" : "Add an edit";
  const statement = Boolean(record && record.target_new === null);
  $(statement ? "kind-statement" : "kind-pair").checked = true;
  $("prompt").value = record && !statement ? record.prompt : question || "";
  $("target").value = (record && record.target_new) || "";
  $("statement").value = statement ? record.prompt : "";
  $("subject").value = record ? record.subject || "" : question ? subjectOf(question) : "";
  const found = record && question && question !== record.prompt && !record.queries.includes(question) ? [question] : [];
  $("queries").value = record ? [...record.queries, ...found].join("\n") : "";
  $("from").value = day(record && record.valid_from);
  $("until").value = lastDay(record && record.valid_until);
  state.dates = { from: $("from").value, until: $("until").value };
  $("source").value = record ? record.source : "";
  $("edit-error").textContent = "";
  $("edit-hint").textContent = hint || "";
  kind();
  $("editor").showModal();
  const first = statement ? $("statement") : question || record ? $("target") : $("prompt");
  first.focus();
  if (record && question) first.select();
}

const day = (moment) => (moment ? moment.slice(0, 10) : "");
const lastDay = (moment) => (moment ? day(new Date(Date.parse(moment) - 1).toISOString()) : "");

function kind() {
  const statement = $("kind-statement").checked;
  $("statement-fields").hidden = !statement;
  $("pair-fields").hidden = statement;
}

async function save() {
  const statement = $("kind-statement").checked;
  const body = statement
    ? { statement: $("statement").value.trim() }
    : { prompt: $("prompt").value.trim(), target_new: $("target").value.trim() };
  for (const [name, value] of Object.entries(body)) {
    if (!value) throw new Error({ statement: "Write the fact.", prompt: "Write the question.", target_new: "Write the right answer." }[name]);
  }
  body.subject = $("subject").value.trim() || null;
  body.queries = $("queries").value.split("\n").map((line) => line.trim()).filter(Boolean);
  body.source = $("source").value.trim() || null;
  for (const [id, name] of [["from", "valid_from"], ["until", "valid_until"]]) {
    // A day is a whole day in the memory's zone; one that nobody touched stays to the second.
    if (!state.editing || $(id).value !== state.dates[id]) body[name] = $(id).value || null;
  }
  const made = state.editing
    ? await call("PATCH", "v1/edits/" + encodeURIComponent(state.editing), body)
    : await call("POST", "v1/edits", body);
  $("editor").close();
  told(made, made.status === "duplicate" ? "This was there already: " + made.record.statement : "Saved.");
  await refresh();
  if (state.asked) await ask();
}

const WORDS = { target_new: "right answer", prompt: "question", valid_from: "Holds from", valid_until: "to the end of" };

/** What the server says of its fields, by the names they have here; what it quotes stays. */
const plain = (message) => message.replace(/'(?:[^'\\]|\\.)*'|\b(target_new|prompt|valid_from|valid_until)\b/g,
  (all, name) => WORDS[name] || all);

function told(made, text) {
  if (made.proposal) return say(WAITS);
  if (made.status === "duplicate") return say(text);
  // What has only learnt a question takes its own place.
  const gone = (made.superseded || []).filter((each) => each.statement !== made.record.statement);
  if (gone.length) text += " It replaces: " + some(gone);
  if (made.conflicts && made.conflicts.length) text += ` It may contradict: ${some(made.conflicts)} Both stay: take back the one that is wrong.`;
  if (made.may_rest && made.may_rest.length) text += " What may rest on what is gone: " + some(made.may_rest);
  const since = made.record && made.record.valid_from;
  if (since && Date.parse(since) > Date.now()) text += ` It holds from ${day(since)}.`;
  if (made.open_start) text += ` It says “${made.open_start}”, but holds already: give it that day under Holds from.`;
  if (made.open_end) text += ` It says “${made.open_end}”, but holds after it, too: give it a last day.`;
  say(text, () => goBack(made.version - 1, made.version, "Undone."));
}

/** The first of some facts as a sentence, and how many more there are. */
function some(records) {
  const first = records[0].statement.replace(/(?<![.!?])$/, ".");
  return records.length > 1 ? `${first} (and ${records.length - 1} more)` : first;
}

async function goBack(version, ifVersion, text) {
  const body = { version };
  if (ifVersion !== undefined) body.if_version = ifVersion;
  const made = await call("POST", "v1/restore", body);
  const but = made.purged ? ` What was erased since (${made.purged}) stays so.` : "";
  say(made.proposal ? WAITS : text + but);
  await refresh();
  if (state.asked) await ask();
}

async function forget(record) {
  told(await call("DELETE", "v1/edits/" + encodeURIComponent(record.id)), "Taken back.");
  await refresh();
  if (state.asked) await ask();
}

async function historyOf(record) {
  const found = await call("GET", "v1/edits/" + encodeURIComponent(record.id) + "/history");
  $("one-list").replaceChildren(...found.data.map(eventLine));
  $("one").showModal();
}

// The table

async function list(more) {
  const offset = more ? state.shown : 0;
  const query = new URLSearchParams({ match: $("search").value, limit: PAGE, offset });
  const found = await call("GET", "v1/edits?" + query);
  const rows = found.data.map(row);
  if (more) $("edits").append(...rows);
  else $("edits").replaceChildren(...rows);
  state.shown = offset + found.data.length;
  $("count").textContent = found.total.toLocaleString("en");
  $("none").hidden = found.total > 0;
  $("none").textContent = $("search").value ? "No edit holds these words." : "No edits yet. Ask something, and correct the answer.";
  $("more").hidden = state.shown >= found.total;
}

/** Name and version of the document that an edit is a passage of; null: it is none. */
function passageOf(record) {
  const found = /^document:([^@]+)@(\d+)#/.exec(record.source);
  return found && { name: found[1], version: found[2] };
}

function row(record) {
  const line = el("tr");
  const fact = el("td");
  if (record.target_new === null) fact.append(el("span", record.prompt));
  else fact.append(el("span", record.prompt + " "), el("strong", record.target_new));
  const document = passageOf(record);
  const source = document ? `document ${document.name}, version ${document.version}` : record.source;
  const about = [record.subject && "about " + record.subject, source].filter(Boolean).join(" · ");
  if (about) fact.append(el("div", about, { class: "quiet" }));
  const holds = el("td", null, { "data-label": "Holds" });
  if (record.valid_from) holds.append(el("span", "from " + day(record.valid_from), { class: "day" }), " ");
  if (record.valid_until) holds.append(el("span", "until " + lastDay(record.valid_until), { class: "day" }));
  const actions = el("td", null, { class: "actions" });
  // A passage is changed with its document, by the next version of the file.
  if (!document) actions.append(button("Edit", () => openEditor(record), "Edit: " + record.statement));
  actions.append(
    button("History", () => historyOf(record), "History: " + record.statement),
    button("Take back", () => forget(record), "Take back: " + record.statement),
  );
  const fired = el("td", state.fires[record.id] || "", { "data-label": "Used", "data-id": record.id });
  line.append(fact, holds, fired, actions);
  return line;
}

async function stats() {
  const found = await call("GET", "v1/stats");
  Object.assign(state, { fires: found.fires, me: found.key, scopes: found.scopes });
  $("where").textContent = [found.model, found.namespace === "default" ? "" : found.namespace, `version ${found.version} of the edits`].filter(Boolean).join(" · ");
  for (const cell of document.querySelectorAll("td[data-id]")) cell.textContent = found.fires[cell.dataset.id] || "";
  if (found.approval) await proposals();
}

const PROPOSED = {
  create: "add", alter: "change", forget: "take back", report: "teach", import: "import", purge: "erase for good",
  restore: "go back to version", undo: "take back the last change up to version", document: "put in force the document", withdraw: "remove the document",
};

async function proposals() {
  const found = await call("GET", "v1/proposals?state=proposed");
  const lines = await Promise.all(found.data.map(proposal));
  $("waiting").hidden = false;
  $("waiting-help").hidden = !found.data.some(isMine);
  $("proposals").replaceChildren(...lines.length ? lines : [el("li", "Nothing waits.", { class: "quiet" })]);
}

const isMine = (each) => each.author === state.me;
const may = (scope) => state.scopes.includes(scope) || state.scopes.includes("admin");

/** A proposed change, with what the reader's key may do with it: of one's own only take it away. */
async function proposal(each) {
  const exactly = each.action === "undo" && each.body.version != null && "take back the change of version";
  const about = `${exactly || PROPOSED[each.action] || each.action}: ${await described(each.body)}`;
  const approves = !isMine(each) && may(each.action === "purge" ? "admin" : "edit");
  const who = isMine(each) ? "You proposed this" : `Proposed by ${each.name}`;
  const then = isMine(each) ? " Another person must approve it." : approves ? "" : " Your key may not approve it.";
  const line = el("li", about);
  line.append(el("div", `${who} on ${day(each.at)}.${then}`, { class: "quiet" }));
  if (each.suspicious.length) line.append(el("div", "Looks like more than a fact: " + each.suspicious.join(", "), { class: "error" }));
  const verdicts = isMine(each) ? [["reject", "Withdraw", "Withdrawn."]] : [["reject", "Reject", "Rejected."]];
  if (approves) verdicts.unshift(["approve", "Approve", "Approved."]);
  const row = el("div", null, { class: "row" });
  for (const [verdict, name, done] of may("edit") ? verdicts : []) {
    row.append(button(name, async () => {
      await call("POST", `v1/proposals/${encodeURIComponent(each.id)}/${verdict}`);
      say(done);
      await refresh();
    }, `${name}: ${about}`));
  }
  if (row.childElementCount) line.append(row);
  return line;
}

/** What a proposal is about; an edit that it only names, in its words. */
async function described(body) {
  const of = body.change || body;
  const text = of.statement || [of.prompt, of.target_new].filter(Boolean).join(" ") || body.title || body.name
    || (body.ids || []).join(", ") || body.subject || body.document || (body.everything && "everything")
    || (body.text || "").slice(0, 80) || (body.version ?? body.if_version);
  const said = body.said && `${body.said.kind === "miss" ? "it should answer" : "it should leave alone"}: ${body.said.query}`;
  const held = body.id && await call("GET", "v1/edits/" + encodeURIComponent(body.id)).catch(() => null);
  const dates = [of.valid_from && "from " + of.valid_from, of.valid_until && "until " + of.valid_until];
  return [held ? held.statement : body.id, body.change && "→", text, said, ...dates].filter((part) => part || part === 0).join(" ");
}

// Import

const DOCUMENTS = { md: "markdown", markdown: "markdown", html: "html", htm: "html", pdf: "pdf", docx: "docx" };

async function importFile(file) {
  const kind = DOCUMENTS[file.name.split(".").pop().toLowerCase()];
  if (kind) return tryDocument(file, kind);
  const format = { json: "json", jsonl: "jsonl", csv: "csv", tsv: "tsv" }[file.name.split(".").pop().toLowerCase()];
  const query = new URLSearchParams({ source: file.name, ...(format ? { format } : {}) });
  const found = await call("POST", "v1/import?" + query, file, { raw: true });
  const box = $("report");
  if (found.proposal) return box.replaceChildren(el("p", WAITS));
  box.replaceChildren(el("p", `${file.name}: ${found.added} added, ${found.duplicate} there already, ${found.refused} refused.`));
  if (found.open_start) box.append(el("p", `${found.open_start} of them name a first day, but hold already.`));
  if (found.open_end) box.append(el("p", `${found.open_end} of them name a last day, but hold after it.`));
  if (found.refused_lines.length) {
    const lines = el("ul", null, { class: "plain" });
    for (const each of found.refused_lines) {
      const line = el("li", `Line ${each.line}: ${each.reason}`, { class: "error" });
      line.append(el("div", each.text, { class: "quiet" }));
      lines.append(line);
    }
    box.append(lines);
  }
  await refresh();
}

/** A document is tried first: what it would change is shown, and made when that is asked for. */
async function tryDocument(file, format) {
  const stem = file.name.replace(/\.[^.]+$/, "").toLowerCase();
  const name = stem.replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^[-_.]+|[-_.]+$/g, "").slice(0, 64) || "document";
  const path = `v1/documents/${encodeURIComponent(name)}?format=${format}`;
  const found = await call("PUT", path + "&dry_run=true", file, { raw: true });
  const box = $("report");
  if (found.status === "unchanged") return box.replaceChildren(el("p", `${name} says what is in force already.`));
  const counts = Object.fromEntries(["added", "retired", "moved"].map((as) => [as, found.diff.filter((each) => each.becomes === as).length]));
  const changes = [[counts.added, "new"], [counts.retired, "taken back"], [counts.moved, "moved"], [found.kept, "as before"]];
  const told = `The document ${name}, passage by passage: ${changes.filter(([n]) => n).map(([n, as]) => `${n} ${as}`).join(", ")}. Nothing is changed yet.`;
  const lines = el("ul", null, { class: "plain" });
  const words = { added: "new", retired: "taken back", moved: "moved" };
  for (const each of found.diff) lines.append(el("li", `${words[each.becomes]}: ${each.text}`));
  if (found.suspicious.length) lines.prepend(el("li", "Some passages look like more than facts: " + found.suspicious.join(", "), { class: "error" }));
  const make = button("Put in force", async () => {
    const made = await call("PUT", path, file, { raw: true });
    box.replaceChildren(el("p", made.proposal ? WAITS : `${name} is in force, version ${made.document_version}.`));
    if (!made.proposal) say(`${name} is in force.`, () => goBack(made.version - 1, made.version, "Undone."));
    await refresh();
  });
  box.replaceChildren(el("p", told), make, lines);
}

// History

function eventLine(event) {
  const words = { add: "added", forget: "taken back", supersede: "replaced", restore: "brought back", purge: "erased for good" };
  const line = el("li", `${event.at.slice(0, 16).replace("T", " ")} · version ${event.version} · ${words[event.kind]}: ${event.record.statement}`);
  if (event.replaces && event.replaces !== event.record.id) line.append(el("span", " (in place of an earlier edit)", { class: "quiet" }));
  if (event.reason) line.append(el("span", ` (${event.reason})`, { class: "quiet" }));
  return line;
}

async function listHistory() {
  const found = await call("GET", "v1/history?limit=100");
  $("history").replaceChildren(...found.data.map((event) => {
    const line = eventLine(event);
    line.append(" ", button("Back to here", () => goBack(event.version, undefined, "Restored version " + event.version + ".")));
    return line;
  }));
}

const REPORTED = { wrong_answer: "wrong answer", false_fire: "an edit was used that should not have been", miss: "an edit should have answered" };

/** What people said of answers, each question once. */
async function listReports() {
  const found = await call("GET", "v1/reports?limit=200");
  const lines = new Map();
  for (const each of found.data) {
    const same = each.kind + "\n" + each.query;
    lines.set(same, { ...(lines.get(same) || each), times: (lines.has(same) ? lines.get(same).times : 0) + 1 });
  }
  const none = el("li", "Nothing was reported.", { class: "quiet" });
  $("reports").replaceChildren(...(lines.size ? [...lines.values()].map(reportLine) : [none]));
}

function reportLine(each) {
  const times = each.times > 1 ? `, ${each.times} times` : "";
  const line = el("li", `${each.at.slice(0, 10)} · ${REPORTED[each.kind]}${times}: ${each.query} `);
  line.append(button("Ask again", async () => {
    $("question").value = each.query;
    $("question").scrollIntoView();
    await ask();
  }, "Ask again: " + each.query));
  if (each.comment) line.append(el("div", each.comment, { class: "quiet" }));
  return line;
}

// The chart

const says = (text, target) => text.toLowerCase().includes(target.toLowerCase());

async function cases() {
  const listed = await call("GET", "v1/edits?limit=12");
  const targets = new Map(listed.data.filter((r) => r.target_new).map((r) => [r.prompt, r.target_new]));
  const queries = [...new Set([...targets.keys(), ...state.questions])].slice(0, 32);
  if (!queries.length) throw new Error("Add an edit or ask something first.");
  const found = await waiting(`Asking ${queries.length} questions, with and without your edits`,
    () => call("POST", "v1/compare", { queries, max_tokens: 24 }));
  return {
    queries, targets,
    edited: found.data.filter((each) => targets.has(each.query)),
    outside: found.data.filter((each) => !targets.has(each.query) && !each.in_scope),
  };
}

function draw({ targets, edited, outside }, rival) {
  const told = rival && new Map(rival.data.map((each) => [each.query, each.answer]));
  const right = (said) => edited.filter((each) => says(said(each), targets.get(each.query))).length;
  const same = (said) => outside.filter((each) => said(each) === each.base_answer).length;
  const other = (each) => told.get(each.query);
  const name = rival && [...$("rival").options].find((each) => each.value === rival.editor).text;
  $("chart").replaceChildren(
    ...bars("Questions that your edits answer, answered as they say", [
      ["with edits", right((each) => each.answer), "bar"],
      ...(rival ? [[name, right(other), "bar rival"]] : []),
      ["without", right((each) => each.base_answer), "bar other"],
    ], edited.length),
    ...bars("Other questions, answered word for word as without edits", [
      ["with edits", same((each) => each.answer), "bar"],
      ...(rival ? [[name, same(other), "bar rival"]] : []),
    ], outside.length),
    ...(rival ? [el("p", trialNote(rival), { class: "quiet" })] : []),
  );
}

function trialNote(rival) {
  const each = rival.fitted ? `, ${(rival.seconds / rival.fitted).toFixed(1)} s each` : "";
  const skipped = rival.skipped.length ? ` ${rival.skipped.length} could not be tried: ${rival.skipped[0].reason}` : "";
  return `${rival.fitted} of ${rival.edits} edits put into the weights of a copy${each}.${skipped}`;
}

async function measure() {
  draw(await cases());
}

async function duel() {
  const held = await cases();
  draw(held);
  let trial = await call("POST", "v1/trials", { editor: $("rival").value, queries: held.queries, limit: 12, max_tokens: 24 });
  const line = el("p", null, { class: "quiet" });
  let stopped = false;
  const stop = button("Stop", async () => { stopped = true; await call("DELETE", "v1/trials/" + trial.id); });
  $("chart").append(line, stop);
  while (trial.state === "running" && !stopped) {
    line.textContent = `Editing the weights: ${trial.fitted + trial.skipped.length} of ${trial.edits} edits. Answers may be slow meanwhile.`;
    await new Promise((done) => setTimeout(done, 500));
    trial = await call("GET", "v1/trials/" + trial.id);
  }
  line.remove();
  stop.remove();
  if (trial.state === "failed") throw new Error(trial.error);
  if (trial.state === "done") draw(held, trial);
}

function bars(title, rows, total) {
  if (!total) return [];
  const grid = el("div", null, { class: "bars" });
  for (const [name, count, look] of rows) {
    const bar = el("div", null, { class: look });
    bar.style.width = (100 * count) / total + "%";
    const track = el("div");
    track.append(bar);
    grid.append(el("span", name), track, el("span", `${count} of ${total}`));
  }
  return [el("h3", title), grid];
}

// Beginning

async function refresh() {
  await stats();
  await list(false);
  if ($("history-box").open) await listHistory();
  if ($("reports-box").open) await listReports();
}

function useKey(key) {
  state.key = key;
  sessionStorage.setItem("memedit-key", key);
}

function wire() {
  $("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded($("ask-button"), ask);
  });
  $("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!$("ask-button").disabled) $("ask-form").requestSubmit();
    }
  });
  $("wrong").addEventListener("click", () => {
    const { query, hits } = state.asked;
    const edit = hits.length === 1 ? hits[0].id : null; // the edit that fired is what is wrong
    const of = hits.length === 1 && hits[0].document;
    guarded(null, () => call("POST", "v1/reports", edit ? { kind: "wrong_answer", query, edit } : { kind: "wrong_answer", query }));
    if (of) return openEditor(null, query, `This was answered from the document ${of.name}. If the document is wrong, correct the file and drop it on Import; what you save here stands beside it.`);
    if (!edit) return openEditor(null, query);
    guarded($("wrong"), async () => openEditor(await call("GET", "v1/edits/" + encodeURIComponent(edit)), query));
  });
  $("false-fire").addEventListener("click", () => guarded($("false-fire"), async () => {
    const { query, hits } = state.asked;
    if (!await report("false_fire", query, hits[0].id, "Reported. This edit will leave that question alone.")) return;
    state.left.set(query, hits[0]); // the scope no longer names it
    await ask();
  }));
  $("missed").addEventListener("click", () => guarded($("missed"), () => report("miss", state.asked.query)));
  $("add").addEventListener("click", () => openEditor(null, ""));
  $("cancel").addEventListener("click", () => $("editor").close());
  for (const each of ["kind-pair", "kind-statement"]) $(each).addEventListener("change", kind);
  $("edit-form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("save").disabled = true;
    save().catch((error) => { $("edit-error").textContent = plain(error.message); })
      .finally(() => { $("save").disabled = false; });
  });
  let typing = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => guarded(null, () => list(false)), 200);
  });
  $("more").addEventListener("click", () => guarded($("more"), () => list(true)));
  $("export").addEventListener("click", () => guarded($("export"), async () => {
    const text = await call("GET", "v1/export", undefined, { text: true });
    const link = el("a", "", { download: "edits.jsonl", href: URL.createObjectURL(new Blob([text])) });
    link.click();
    URL.revokeObjectURL(link.href);
  }));
  $("file").addEventListener("change", () => guarded($("file"), async () => {
    const file = $("file").files[0];
    if (file) await importFile(file);
    $("file").value = "";
  }));
  const drop = $("drop");
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files[0]) guarded(null, () => importFile(event.dataTransfer.files[0]));
    });
  }
  $("history-box").addEventListener("toggle", () => { if ($("history-box").open) guarded(null, listHistory); });
  $("reports-box").addEventListener("toggle", () => { if ($("reports-box").open) guarded(null, listReports); });
  $("measure").addEventListener("click", () => guarded($("measure"), measure));
  $("duel").addEventListener("click", () => guarded($("duel"), duel));
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    enter($("key").value.trim());
  });
  // The link with the key, pasted where the page stands open already: nothing is loaded anew then.
  addEventListener("hashchange", () => { const key = takeKey(); if (key) enter(key); });
}

function enter(key) {
  useKey(key);
  guarded(null, async () => { await refresh(); $("key-form").hidden = true; say("Ready."); });
}

/** The key that the address carries, which is taken out of it. */
function takeKey() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key) window.history.replaceState(null, "", location.pathname);
  return key;
}

const given = takeKey();
if (given) useKey(given);
else state.key = sessionStorage.getItem("memedit-key") || "";
wire();
guarded(null, refresh);
setInterval(() => { if (!document.hidden && $("key-form").hidden) stats().catch(() => {}); }, 5000);
