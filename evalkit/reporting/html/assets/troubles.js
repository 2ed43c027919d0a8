// What went wrong on the way to the figures: prompts that were cut, answers that ended early, were unreadable or absent.

const TROUBLES = [
  ["truncated_prompts", "prompts cut to the window", 1],
  ["unfinished", "answers cut off before their end", 2],
  ["unparsed", "answers that could not be read", 4],
  ["missing", "documents without an answer", 16],
  ["errors", "documents that raised an error", 8],
  ["not_run", "documents not run: the verdict was sure without them", 0],
];

function drawTroubles(view) {
  const section = clear(byId("troubles"));
  heading(section, "Cut, unreadable and missing");
  const shown = view.baseline === null ? [view.run] : [view.baseline, view.run];
  const rows = DATA.troubles.filter((row) => shown.some((place) => row.runs[place]));
  const has = (row, key) => shown.some((place) => row.runs[place] && row.runs[place][key]);
  const troubled = rows.filter((row) => TROUBLES.some(([key]) => has(row, key)));
  const kinds = TROUBLES.filter(([key]) => troubled.some((row) => has(row, key)));
  const unsaid = rows.some((row) => shown.some((place) => row.runs[place] && TROUBLES.some(([key, , bit]) => bit && row.runs[place][key] === null)));
  if (!troubled.length) {
    const none = unsaid ? "No trouble that the runs speak of; not every one of them counts all of these." : "Nothing was cut, unreadable, unanswered or in error.";
    section.append(el("p", { class: "lead", text: none }), ...flagVerdicts(view));
    return;
  }
  const quiet = rows.filter((row) => !row.depth && !troubled.includes(row));
  const table = el(
    "table",
    {},
    el(
      "thead",
      {},
      el("tr", {}, el("th", { scope: "col", text: "task" }), shown.length > 1 ? el("th", { scope: "col", text: "run" }) : null, kinds.map(([, words]) => el("th", { scope: "col", class: "num", text: words })), el("th", { scope: "col", class: "num", text: "documents" })),
    ),
  );
  for (const row of troubled) {
    const body = el("tbody", { class: row.depth ? "member" : null });
    shown.forEach((place, i) => {
      const counts = row.runs[place];
      body.append(
        el(
          "tr",
          {},
          i === 0 ? el("th", { scope: "rowgroup", rowspan: shown.length }, breakable(row.name)) : null,
          shown.length > 1 ? el("td", { class: "model", text: nameOf(place) }) : null,
          kinds.map(([key, , bit]) => troubleCell(view, row, counts, key, bit)),
          el("td", { class: "num", text: counts ? count(counts.asked) : "not run" }),
        ),
      );
    });
    table.append(body);
  }
  section.append(el("div", { class: "card wide", tabindex: "0", role: "region", "aria-label": "Troubles" }, table));
  if (quiet.length) section.append(el("p", { class: "small", text: `Nothing of the kind in ${listed(quiet.map((row) => row.name))}.` }));
  section.append(...flagVerdicts(view));
}

/** Names in a sentence; of many, the first. */
const listed = (names) => (names.length > 12 ? `${names.slice(0, 12).join(", ")} and ${names.length - 12} more` : names.join(", "));

function troubleCell(view, row, counts, key, bit) {
  if (!counts) return el("td", { class: "num none", text: "–" });
  const n = counts[key];
  if (n === null) return el("td", { class: "num none", title: "the run doesn't say", text: "not said" });
  if (!n) return el("td", { class: "num zero", text: "0" });
  const name = row.depth ? parentOf(view, row.name) : row.name;
  const known = bit && DATA.documents.names.includes(name);
  const text = [count(n), el("small", { text: percent(n, counts.asked) })];
  if (!known) return el("td", { class: "num" }, text);
  return el(
    "td",
    { class: "num" },
    el("button", { type: "button", class: "link", "aria-label": `${count(n)}: show these documents of ${row.name}`, on: { click: () => showDocuments({ name, leaf: row.depth ? row.name : "", trouble: bit }) } }, text),
  );
}

function parentOf(view, leaf) {
  const task = view.tasks.find((one) => one.parts_are === "tasks" && one.parts.some((part) => part.name === leaf));
  return task ? task.name : leaf;
}

/** The gate holds each kind of trouble against a limit of its own. */
function flagVerdicts(view) {
  const said = [];
  for (const task of view.tasks) {
    for (const [kind, flag] of Object.entries((task.gate && task.gate.flags) || {})) {
      if (flag.verdict === "pass" && !flag.baseline && !flag.candidate) continue;
      if (!flag.verdict) {
        said.push(el("li", {}, `${task.name}: ${kind} is not compared: ${flag.reason}`));
        continue;
      }
      said.push(
        el(
          "li",
          {},
          verdictPill(flag.verdict),
          ` ${task.name}: ${kind} ${count(flag.baseline)} → ${count(flag.candidate)} of ${count(flag.n)} answered by both (${signed(flag.rise, true)} points; ${number(flag.max_rise, true)} tolerated)`,
        ),
      );
    }
  }
  return said.length ? [el("h3", { text: "Held against the limits" }), el("ul", { class: "notes" }, said)] : [];
}

DRAW.troubles = drawTroubles;
