// The browser of documents: filter by outcome, task, trouble and text; read one with both answers side by side.

const HEIGHT = 58;
const SLICE = 8; // milliseconds of work before the page gets to breathe
const wanted = { outcomes: new Set(), name: "", leaf: "", trouble: 0, text: "", whole: false };
let documentsView = null;

function drawDocuments(view) {
  const section = clear(byId("documents"));
  const columns = DATA.documents.views[DATA.views.indexOf(view)];
  const alone = view.baseline === null;
  heading(section, alone ? "Documents" : "Changed documents");
  const total = columns.id.length;
  if (!total) {
    documentsView = null;
    section.append(el("p", { class: "card note", text: "No documents: none of the figures here come with rows." }));
    return;
  }
  const state = { view, columns, alone, total, found: new Int32Array(0), turn: 0 };
  documentsView = state;
  const present = new Set(columns.out);
  const always = alone ? [] : ["lost", "gained"];
  state.outcomes = DATA.documents.outcomes.filter((outcome, code) => present.has(code) || always.includes(outcome));
  wanted.outcomes = new Set(alone ? state.outcomes : ["lost", "gained"]);
  wanted.name = wanted.leaf = wanted.text = "";
  wanted.trouble = 0;
  section.append(filters(state), resultBar(state), panes(state));
  const about = aboutTexts(state);
  if (about) section.append(about);
  refresh(state);
}

function filters(state) {
  const bar = el("div", { class: "bar filters" });
  state.chips = new Map();
  const group = el("div", { class: "chips", role: "group", "aria-label": "Outcome" });
  for (const outcome of state.outcomes) {
    const [kind, word, mark] = (state.alone && SAID_ALONE[outcome]) || SAID[outcome];
    const number = el("span", { class: "count" });
    const chip = el(
      "button",
      {
        type: "button",
        class: `chip ${kind}`,
        "data-outcome": outcome,
        on: {
          click: () => {
            if (wanted.outcomes.has(outcome)) wanted.outcomes.delete(outcome);
            else wanted.outcomes.add(outcome);
            refresh(state);
          },
        },
      },
      el("span", { "aria-hidden": "true", text: `${mark} ` }),
      `${word} `,
      number,
    );
    state.chips.set(outcome, { chip, number });
    group.append(chip);
  }
  state.task = taskSelect(state);
  state.trouble = el("select", { id: "doc-trouble", on: { change: () => ((wanted.trouble = Number(state.trouble.value)), refresh(state)) } });
  for (const [bits, text] of [[0, "with or without trouble"], [31, "with any trouble"], ...FLAGS]) state.trouble.append(el("option", { value: bits, text }));
  state.search = el("input", {
    type: "search",
    id: "doc-search",
    placeholder: "Search questions, answers, targets",
    autocomplete: "off",
    spellcheck: "false",
    on: { input: () => ((wanted.text = folded(state.search.value.trim())), refresh(state)) },
  });
  state.whole = el("input", { type: "checkbox", id: "doc-whole", on: { change: () => ((wanted.whole = state.whole.checked), refresh(state)) } });
  bar.append(
    group,
    el("label", {}, el("span", { class: "unseen", text: "Task" }), state.task),
    el("label", {}, el("span", { class: "unseen", text: "Trouble" }), state.trouble),
    el("label", { class: "grow" }, el("span", { class: "unseen", text: "Search" }), state.search),
    el("label", { class: "check" }, state.whole, " few-shot examples too"),
  );
  return bar;
}

function taskSelect(state) {
  const node = el("select", { id: "doc-task", on: { change: () => {
    [wanted.name, wanted.leaf] = JSON.parse(node.value);
    refresh(state);
  } } });
  node.append(el("option", { value: '["",""]', text: "all tasks" }));
  const leaves = new Map();
  const { name, leaf } = state.columns;
  for (let i = 0; i < state.total; i++) {
    if (!leaves.has(name[i])) leaves.set(name[i], new Set());
    leaves.get(name[i]).add(leaf[i]);
  }
  for (const [code, inside] of leaves) {
    const title = DATA.documents.names[code];
    if (inside.size === 1) {
      node.append(el("option", { value: JSON.stringify([title, ""]), text: title }));
      continue;
    }
    const group = el("optgroup", { label: title }, el("option", { value: JSON.stringify([title, ""]), text: `${title} (all ${inside.size})` }));
    for (const place of inside) {
      const one = DATA.documents.leaves[place];
      group.append(el("option", { value: JSON.stringify([title, one]), text: one.startsWith(`${title}_`) ? one.slice(title.length + 1) : one }));
    }
    node.append(group);
  }
  return node;
}

function resultBar(state) {
  state.summary = el("p", { id: "doc-count", class: "small", role: "status" });
  return el("div", { class: "bar result" }, state.summary);
}

function panes(state) {
  state.list = virtualList({
    label: "Documents",
    height: HEIGHT,
    draw: (row, place) => drawItem(state, row, place),
    pick: (place) => {
      openDocument(state, place);
      history.replaceState(null, "", addressOf(state.view, documentAt(state, place)));
    },
  });
  state.body = el("div", { class: "detail-body" });
  const step = (by) => () => state.list.select(state.list.active() + by);
  state.place = el("span", { class: "small" });
  state.detail = el(
    "div",
    { class: "detail", role: "region", "aria-label": "Document" },
    el(
      "div",
      { class: "detail-bar" },
      el("button", { type: "button", class: "close", text: "← list", on: { click: () => closeDocument(state) } }),
      state.place,
      el("button", { type: "button", "aria-label": "Previous document", text: "↑", on: { click: step(-1) } }),
      el("button", { type: "button", "aria-label": "Next document", text: "↓", on: { click: step(1) } }),
    ),
    state.body,
  );
  state.detail.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeDocument(state);
  });
  return el("div", { class: "card panes" }, state.list.node, state.detail);
}

function aboutTexts(state) {
  const said = [];
  for (const [place, leaves] of Object.entries(DATA.texts.not_kept)) {
    if (Number(place) !== state.view.run && Number(place) !== state.view.baseline) continue;
    said.push(`${DATA.runs[place].run_id} holds no rows (samples/) of ${leaves.length > 4 ? plural(leaves.length, "task") : leaves.join(", ")}: those answers can't be shown, their figures can.`);
  }
  if (DATA.texts.no_room) said.push(`The texts of ${plural(DATA.texts.no_room, "document")} are not in this page, for want of room; documents that changed come first (--texts).`);
  return notes(said);
}

// ── filtering ───────────────────────────────────────────────────────────────

/** One pass over numbers; where a text is asked for, matches come in while the texts are still being read. */
async function refresh(state) {
  const turn = ++state.turn;
  const { columns } = state;
  const candidates = passing(state);
  state.codes = new Set([...wanted.outcomes].map((outcome) => DATA.documents.outcomes.indexOf(outcome)));
  state.counts = new Map();
  state.found = [];
  state.matching = 0;
  state.list.show(0);
  const box = state.list.node;
  box.setAttribute("aria-busy", "true");
  let since = performance.now();
  let shown = since;
  for (const i of candidates) {
    if (wanted.text) {
      const text = columns.text[i];
      if (text >= 0 && TEXTS.possible && !TEXTS.isOpen(text)) await TEXTS.reach(text);
      if (performance.now() - since > SLICE) {
        if (performance.now() - shown > 120) {
          progress(state);
          shown = performance.now();
        }
        await new Promise((resolve) => setTimeout(resolve));
        since = performance.now();
      }
      if (turn !== state.turn) return;
      if (!matches(columns, i)) continue;
    }
    state.matching++;
    state.counts.set(columns.out[i], (state.counts.get(columns.out[i]) || 0) + 1);
    if (state.codes.has(columns.out[i])) state.found.push(i);
  }
  box.removeAttribute("aria-busy");
  progress(state);
  state.summary.textContent = state.found.length ? `${plural(state.found.length, "document")} of ${count(state.total)}` : nothing(state.matching);
  box.classList.toggle("empty", !state.found.length);
  if (state.found.length) return;
  state.place.textContent = "";
  clear(state.body).append(el("p", { class: "none", text: "Nothing to show." }));
}

/** The documents that pass every filter but outcome and text. */
function passing({ columns, total }) {
  const name = wanted.name ? DATA.documents.names.indexOf(wanted.name) : -1;
  const leaf = wanted.leaf ? DATA.documents.leaves.indexOf(wanted.leaf) : -1;
  const found = [];
  for (let i = 0; i < total; i++) {
    if (name >= 0 && columns.name[i] !== name) continue;
    if (leaf >= 0 && columns.leaf[i] !== leaf) continue;
    if (wanted.trouble && !((columns.fa[i] | columns.fb[i]) & wanted.trouble)) continue;
    found.push(i);
  }
  return found;
}

function matches(columns, i) {
  const label = folded(`${DATA.documents.leaves[columns.leaf[i]]} #${columns.id[i]}`);
  return label.includes(wanted.text) || (columns.text[i] >= 0 && TEXTS.contains(columns.text[i], wanted.text, wanted.whole));
}

/** What is found so far. */
function progress(state) {
  for (const [outcome, { chip, number }] of state.chips) {
    number.textContent = count(state.counts.get(DATA.documents.outcomes.indexOf(outcome)) || 0);
    chip.setAttribute("aria-pressed", String(wanted.outcomes.has(outcome)));
  }
  state.list.node.classList.remove("empty");
  state.list.grow(state.found.length);
  state.summary.textContent = `${plural(state.found.length, "document")} so far …`;
  if (wide() && state.list.active() < 0 && state.found.length) {
    state.list.select(0, { quiet: true });
    openDocument(state, 0);
  }
}

function nothing(elsewhere) {
  if (elsewhere) return `No document with these outcomes; ${plural(elsewhere, "document")} with others.`;
  if (wanted.text && !wanted.whole) return "No document matches. “Few-shot examples too” searches whole prompts.";
  return "No document matches.";
}

/** From elsewhere on the page: show these documents. */
function showDocuments({ name = "", leaf = "", outcomes, trouble = 0 }) {
  const state = documentsView;
  wanted.name = name;
  wanted.leaf = leaf;
  wanted.trouble = trouble;
  wanted.outcomes = new Set(outcomes || state.outcomes);
  wanted.text = state.search.value = "";
  state.trouble.value = String(trouble);
  const option = [...state.task.options].find((one) => one.value === JSON.stringify([name, leaf]));
  state.task.value = option ? option.value : JSON.stringify([name, ""]);
  const filtered = refresh(state);
  byId("documents").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  state.list.node.focus({ preventScroll: true });
  return filtered;
}

// ── a document's address ────────────────────────────────────────────────────

/** What to send to somebody: the run's id, the task and the document. */
function addressOf(view, doc) {
  return `#doc=${[DATA.runs[view.run].run_id, doc.leaf, doc.id].map(encodeURIComponent).join("/")}`;
}

/** Opens the document that the page's address names; says whether there is one. */
async function openAddress() {
  if (!location.hash.startsWith("#doc=")) return false;
  let parts;
  try {
    parts = location.hash.slice("#doc=".length).split("/").map(decodeURIComponent);
  } catch {
    return false;
  }
  const [run, leaf, id] = parts;
  const place = DATA.views.findIndex((view) => DATA.runs[view.run].run_id === run);
  if (place < 0) return false;
  if (!documentsView || documentsView.view !== DATA.views[place]) showView(place);
  const state = documentsView;
  if (!state) return false;
  const { columns } = state;
  const i = columns.id.findIndex((number, at) => String(number) === id && DATA.documents.leaves[columns.leaf[at]] === leaf);
  if (i < 0) return false;
  const name = DATA.documents.names[columns.name[i]];
  const inside = new Set(columns.leaf.filter((_, at) => columns.name[at] === columns.name[i])).size;
  await showDocuments({ name, leaf: inside > 1 ? leaf : "" });
  state.list.select(state.found.indexOf(i), { quiet: true });
  openDocument(state, state.list.active());
  byId("documents").scrollIntoView({ behavior: "instant" });
  return true;
}

// ── one item, one document ──────────────────────────────────────────────────

function documentAt(state, place) {
  const i = state.found[place];
  const { columns } = state;
  return {
    id: columns.id[i],
    leaf: DATA.documents.leaves[columns.leaf[i]],
    outcome: DATA.documents.outcomes[columns.out[i]],
    a: columns.a[i],
    b: columns.b[i],
    fa: columns.fa[i],
    fb: columns.fb[i],
    text: columns.text[i],
  };
}

function drawItem(state, row, place) {
  const doc = documentAt(state, place);
  const flags = [...new Set([...flagWords(doc.fa), ...flagWords(doc.fb)])];
  const snippet = el("span", { class: "snippet", dir: "auto" });
  row.append(
    el("span", { class: "item-head" }, outcomePill(doc.outcome, state.alone), el("span", { class: "where", text: `${doc.leaf} #${doc.id}` }), flags.map((word) => pill("warn", word))),
    snippet,
  );
  if (doc.text < 0 || !TEXTS.possible) {
    snippet.classList.add("none");
    snippet.textContent = "texts not in this page";
    return;
  }
  const put = (texts) => (snippet.textContent = shorten(flat(texts.q).replace(/\s+/g, " "), 180) || "(no question)");
  const ready = TEXTS.peek(doc.text);
  if (ready) put(ready);
  else TEXTS.row(doc.text).then(put);
}

const wide = () => matchMedia("(min-width: 820px)").matches;

function openDocument(state, place) {
  const doc = documentAt(state, place);
  state.place.textContent = `${count(place + 1)} of ${count(state.found.length)}`;
  drawDetail(state.body, state.view, doc, wanted.text);
  state.body.scrollTop = 0;
  if (wide() || state.detail.classList.contains("open")) return;
  state.detail.classList.add("open");
  document.body.classList.add("reading");
  state.detail.querySelector(".close").focus();
}

function closeDocument(state) {
  if (!state.detail.classList.contains("open")) return;
  state.detail.classList.remove("open");
  document.body.classList.remove("reading");
  state.list.node.focus();
}

DRAW.documents = drawDocuments;
