// One document: what was asked, what was wanted, what each run answered.

const SAID = {
  lost: ["worse", "lost", "▼"],
  gained: ["better", "gained", "▲"],
  wrong: ["even", "wrong in both", "✕"],
  right: ["even", "right in both", "✓"],
  same: ["even", "unchanged", "="],
  unanswered: ["warn", "no answer", "∅"],
};
const SAID_ALONE = { wrong: ["worse", "wrong", "✕"], right: ["better", "right", "✓"], same: ["even", "in between", "="] };
const FLAGS = [
  [1, "prompt cut"],
  [2, "unfinished"],
  [4, "unparsed"],
  [8, "error"],
  [16, "missing"],
];

const flagWords = (bits) => FLAGS.filter(([bit]) => bits & bit).map(([, word]) => word);

function outcomePill(outcome, alone) {
  const [kind, word, mark] = (alone && SAID_ALONE[outcome]) || SAID[outcome];
  return pill(kind, word, mark);
}

async function drawDetail(node, view, doc, query) {
  const drawing = (node.drawing = Symbol("drawing"));
  const row = doc.text >= 0 && TEXTS.possible ? await TEXTS.row(doc.text) : null;
  if (node.drawing !== drawing) return;
  const alone = view.baseline === null;
  const body = el("div", { class: "doc" });
  body.append(
    el("p", { class: "doc-head" }, outcomePill(doc.outcome, alone), el("b", { text: doc.leaf }), ` document ${doc.id} `, el("a", { class: "small address", href: addressOf(view, doc), title: "the address of this document in this page", text: "link" })),
  );
  if (!row) body.append(el("p", { class: "card note", text: whyNoTexts(view, doc) }));
  else {
    const chose = row.c && Object.values(row.a).some((side) => side.l);
    const inPrompt = flat(row.p).trim().endsWith(flat(row.q).trim());
    if (row.q.length && !(inPrompt && row.q === row.p)) body.append(part("Question", row.q, query));
    if (!chose) body.append(part("Target", row.t, query));
    body.append(chose ? choices(view, doc, row, query) : answersBeside(view, doc, row, query));
    body.append(promptPart(row, query));
  }
  clear(node).append(body);
}

function whyNoTexts(view, doc) {
  if (!TEXTS.possible && doc.text >= 0) return "This browser cannot open the texts in this page (it lacks DecompressionStream): use one from 2023 or later.";
  const lacking = Object.entries(DATA.texts.not_kept).filter(([, leaves]) => leaves.includes(doc.leaf));
  const mine = lacking.filter(([place]) => Number(place) === view.run || Number(place) === view.baseline);
  if (mine.length) {
    const names = mine.map(([place]) => DATA.runs[place].run_id).join(" and ");
    return `No texts: the folder of ${names} holds no rows of ${doc.leaf} (samples/), only its scores.`;
  }
  if (DATA.texts.no_room) return "The texts of this document are not in this page, for want of room: documents that changed come first. Write it again with a larger --texts to have more of them.";
  return "No texts: the run's folder holds no row of this document.";
}

function part(title, text, query) {
  return el("section", { class: "part" }, el("h4", { text: title }), textBlock(text, query));
}

/** Long texts were shortened when the page was written, and say so where they were. */
function textBlock(text, query, name = "") {
  const block = el("div", { class: `text ${name}`, dir: "auto" });
  if (typeof text === "string") marked(block, text, query);
  else {
    marked(block, text[0], query);
    block.append(el("span", { class: "cut", text: ` … ${plural(text[1], "character")} left out … ` }));
    marked(block, text[2], query);
  }
  if (text === "") block.append(el("i", { class: "none", text: "(empty)" }));
  return block;
}

function marked(node, text, query) {
  const low = query ? text.toLowerCase() : "";
  // Where folding changes a text's length, places would not fit: then nothing is marked.
  if (!query || low.length !== text.length) return node.append(text);
  let from = 0;
  for (let at = low.indexOf(query); at >= 0; at = low.indexOf(query, from)) {
    node.append(text.slice(from, at), el("mark", { text: text.slice(at, at + query.length) }));
    from = at + query.length;
  }
  node.append(text.slice(from));
}

function sides(view, doc) {
  const both = [
    { place: view.run, value: doc.b, flags: doc.fb, role: "candidate" },
  ];
  if (view.baseline !== null) both.unshift({ place: view.baseline, value: doc.a, flags: doc.fa, role: "baseline" });
  return both;
}

function sideHead(side) {
  const value = side.value === null ? "no answer" : Number(side.value.toPrecision(4)).toString();
  return el(
    "h4",
    { class: side.role },
    el("span", { class: "model", text: nameOf(side.place) }),
    " ",
    el("span", { class: "value", title: "this document's figure", text: value }),
    flagWords(side.flags).map((word) => [" ", pill("warn", word)]),
  );
}

function answersBeside(view, doc, row, query) {
  return el("div", { class: "beside" }, sides(view, doc).map((side) => answerOf(side, row, query)));
}

function answerOf(side, row, query) {
  const answer = row.a[side.place];
  const node = el("section", { class: "part side" }, sideHead(side));
  if (!answer) {
    node.append(el("p", { class: "none", text: "This run's row was not kept, or it has none." }));
    return node;
  }
  if (answer.e) node.append(el("p", { class: "trouble", text: `Error: ${answer.e}` }));
  if (answer.v) node.append(el("p", { class: "small" }, "Ran: ", el("b", { text: [answer.v].flat().slice(0, 4).join(", ") }), answer.r ? [": ", el("span", { text: flat(answer.r) })] : null));
  if (answer.x !== undefined) node.append(el("p", { class: "read" }, "Read as ", textBlock(answer.x, query, "inline")));
  if (answer.f) node.append(el("p", { class: "trouble small", text: `Ended by: ${answer.f.slice(0, 4).join(", ")}` }));
  if (answer.w) node.append(el("p", { class: "trouble small", text: `${plural(answer.w, "token")} of the prompt's beginning were cut off` }));
  for (const [kind, held, reason] of answer.h || []) {
    const mark = held === null ? pill("warn", kind, "?") : held ? pill("better", kind, "✓") : pill("worse", kind, "✕");
    node.append(el("p", { class: "small check-line" }, mark, held ? null : [" ", reason]));
  }
  for (const [role, text] of answer.s || []) node.append(el("p", { class: "small", text: role }), textBlock(text, query, "turn"));
  if (answer.s) node.append(el("p", { class: "small", text: "answer" }));
  answer.o.forEach((text, i) => {
    if (answer.o.length > 1 || answer.m) node.append(el("p", { class: "small", text: `Sample ${i + 1}` }));
    node.append(textBlock(text, query, "answer"));
  });
  if (answer.m) node.append(el("p", { class: "none", text: `… and ${plural(answer.m, "more sample")}` }));
  if (!answer.o.length) node.append(el("p", { class: "none", text: "No answer." }));
  return node;
}

function choices(view, doc, row, query) {
  const columns = sides(view, doc);
  const wanted = row.c.findIndex((text) => flat(text) === flat(row.t));
  const table = el(
    "table",
    { class: "choices" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "Choice" }), columns.map((side) => el("th", { scope: "col", class: "num" }, sideHead(side))))),
  );
  const body = el("tbody", {});
  row.c.forEach((text, i) => {
    body.append(
      el(
        "tr",
        { class: i === wanted ? "wanted" : null },
        el("th", { scope: "row" }, textBlock(text, query, "inline"), row.d ? [" ", textBlock(row.d[i], query, "inline")] : null, i === wanted ? [" ", pill("target", "target", "✓")] : null),
        columns.map((side) => choiceCell(row.a[side.place], i, side)),
      ),
    );
  });
  table.append(body);
  const node = el("section", { class: "part" }, el("h4", { text: "Choices, with their log-probabilities" }), table);
  if (wanted < 0) node.append(el("p", { class: "small" }, "Target: ", textBlock(row.t, query, "inline")));
  for (const side of columns) {
    const answer = row.a[side.place];
    if (answer && answer.e) node.append(el("p", { class: "trouble", text: `${nameOf(side.place)}: ${answer.e}` }));
    if (answer && answer.w) node.append(el("p", { class: "trouble small", text: `${nameOf(side.place)}: ${plural(answer.w, "token")} of the prompt's beginning were cut off` }));
  }
  return node;
}

function choiceCell(answer, i, side) {
  if (!answer || !answer.l || answer.l[i] === undefined) return el("td", { class: "num none", text: "n/a" });
  const taken = answer.k === i;
  return el(
    "td",
    { class: `num${taken ? ` taken ${side.role}` : ""}` },
    taken ? el("span", { class: "tick", "aria-hidden": "true", text: "● " }) : null,
    answer.l[i].toFixed(2),
    taken ? el("span", { class: "unseen", text: " chosen" }) : null,
  );
}

function promptPart(row, query) {
  const whole = typeof row.p === "string" ? row.prefix + row.p : [row.prefix + row.p[0], row.p[1], row.p[2]];
  const length = typeof whole === "string" ? whole.length : whole[0].length + whole[1] + whole[2].length;
  const body = textBlock(whole, query, "prompt");
  const details = el("details", { class: "part", open: true }, el("summary", {}, el("h4", { text: "Prompt, as the model saw it" }), el("small", { text: plural(length, "character") })), body);
  // The question stands at the end of a few-shot prompt.
  requestAnimationFrame(() => (body.scrollTop = body.scrollHeight));
  return details;
}
