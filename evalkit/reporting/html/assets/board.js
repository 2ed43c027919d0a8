// The leaderboard: one table, and for each benchmark the runs' figures on one axis.

function drawBoard() {
  const section = clear(byId("leaderboard"));
  const board = DATA.board;
  heading(section, "Leaderboard");
  if (!board.rows.length) {
    section.append(el("p", { class: "card note", text: "No run here can stand on a leaderboard." }), notes(board.notes) || "");
    return;
  }
  const head = ["rank", "model", "mean", "above chance", ...Object.keys(board.benchmarks)];
  const table = el(
    "table",
    {},
    el("thead", {}, el("tr", {}, head.map((text, i) => el("th", { scope: "col", class: i > 1 ? "num" : null, text })))),
    el("tbody", {}, board.rows.map((row) => boardRow(board, row))),
  );
  section.append(el("div", { class: "card wide", tabindex: "0", role: "region", "aria-label": "Leaderboard table" }, table));
  section.append(el("div", { class: "panels" }, Object.entries(board.benchmarks).map(([name, about]) => panel(board, name, about))));
  section.append(el("p", { class: "small", text: `${board.about.charAt(0).toUpperCase()}${board.about.slice(1)}` }));
  const list = notes(board.notes);
  if (list) section.append(list);
}

function boardRow(board, row) {
  const run = DATA.runs[row.run];
  const said = (value, what) => (value !== null && typeof value === "object" ? `${what} not said` : String(value));
  const facts = [
    typeof row.parameters === "number" ? `${size(row.parameters)} parameters` : "parameters not said",
    [said(row.engine, "engine"), said(row.precision, "precision")].join(" "),
    typeof row.license === "string" ? `licence ${row.license}` : "licence not said",
  ];
  return el(
    "tr",
    {},
    el("td", { class: "rank", text: row.rank === null ? "–" : row.rank.tied ? `${row.rank.best}–${row.rank.worst} tied` : String(row.rank.best) }),
    el("th", { scope: "row" }, el("span", { class: "model", text: nameOf(row.run) }), " ", stamps(run), el("small", { text: `${row.run_id} · ${said(row.date, "date")}` }), el("small", { text: facts.join(" · ") })),
    scoreCell(row.mean),
    scoreCell(row.normalised_mean),
    Object.keys(board.benchmarks).map((name) => scoreCell(row.benchmarks[name])),
  );
}

function scoreCell(score) {
  if (score.value === null) return el("td", { class: "num none" }, "n/a", el("small", { text: score.reason }));
  return el("td", { class: "num" }, decimals(score.value), el("small", { text: score.ci95 ? range(score.ci95) : "no interval" }));
}

const decimals = (value) => value.toFixed(3).replace("-", "−");

/** A dash between figures that may be negative reads as another minus. */
const range = ([low, high]) => `${decimals(low)}${low < 0 ? " to " : "–"}${decimals(high)}`;

function panel(board, name, about) {
  const scores = board.rows.map((row) => ({ row, score: row.benchmarks[name] }));
  const ends = scores.flatMap(({ score }) => [score.value, ...(score.ci95 || [])]).filter((v) => typeof v === "number");
  const node = el(
    "figure",
    { class: "card panel" },
    el("figcaption", {}, el("b", { text: name }), ` ${about.metric.replace(/,none$/, "")}${about.higher_is_better === false ? " ↓" : ""}`),
  );
  if (!ends.length) {
    node.append(el("p", { class: "none", text: scores.map(({ row, score }) => `${nameOf(row.run)}: ${score.reason}`).join("; ") }));
    return node;
  }
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  // One figure by itself spans nothing: a share has its own ends.
  const scale = least === most && least >= 0 && most <= 1 ? scaleOf(0, 1, { ticks: 4 }) : scaleOf(least, most, { ticks: 4 });
  for (const { row, score } of scores) {
    node.append(
      el("p", { class: "label" }, el("span", { class: "model", text: nameOf(row.run) }), el("span", { class: "num", text: score.value === null ? "n/a" : decimals(score.value) })),
    );
    if (score.value === null) {
      node.append(el("p", { class: "none small", text: score.reason }));
      continue;
    }
    const [low, high] = score.ci95 || [null, null];
    node.append(
      strip(scale, {
        height: 18,
        label: `${nameOf(row.run)}: ${score.value.toFixed(3)}${score.ci95 ? `, 95% interval ${low.toFixed(3)} to ${high.toFixed(3)}` : ""}`,
        marks: [{ value: score.value, low, high, kind: row.run === 0 && DATA.runs.length > 1 ? "baseline" : "candidate" }],
      }),
    );
  }
  node.append(axis(scale, (mark) => String(Number(mark.toPrecision(6)))));
  return node;
}

function size(parameters) {
  for (const [unit, worth] of [["T", 1e12], ["B", 1e9], ["M", 1e6], ["K", 1e3]]) {
    if (parameters >= worth) return `${Number((parameters / worth).toPrecision(3))}${unit}`;
  }
  return String(parameters);
}

// The same for every run that is looked at: drawn once.
DRAW.leaderboard = () => byId("leaderboard").childElementCount || drawBoard();
