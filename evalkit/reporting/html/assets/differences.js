// What changed: the verdict, then every task's paired difference on one axis.

function drawDifferences(view) {
  const section = clear(byId("differences"));
  const run = DATA.runs[view.run];
  if (view.baseline === null) {
    const others = DATA.runs.length > 1;
    heading(section, "Figures", others ? `${nameOf(view.run)}, by itself.` : "One run by itself. Name a second one to see what changed.");
    if (view.reason) section.append(el("p", { class: "card note bad", text: `Not compared with ${nameOf(0)}: ${view.reason}` }));
    section.append(figuresAlone(view), ...refused(view));
    return;
  }
  const baseline = DATA.runs[view.baseline];
  heading(section, "What changed");
  section.append(banner(view, run, baseline), forest(view));
  section.append(...refused(view));
  const said = [...view.notes, ...(view.gate ? view.gate.notes : [])];
  for (const task of view.tasks) said.push(...remarks(task));
  const list = notes(said);
  if (list) section.append(el("h3", { text: "To know when reading this" }), list);
}

function banner(view, run, baseline) {
  const card = el("div", { class: `card banner ${view.gate ? view.gate.verdict : ""}` });
  if (view.gate) {
    const [word, ...rest] = view.gate.headline.split(": ");
    card.append(
      el("p", { class: "verdict" }, el("span", { "aria-hidden": "true", text: `${MARKS[view.gate.verdict]} ` }), word),
      el("p", { class: "headline", text: rest.join(": ") || "" }),
    );
  } else {
    card.append(el("p", { class: "headline", text: `No verdict: ${view.gate_reason || "nothing was judged"}` }));
  }
  card.append(
    el(
      "p",
      { class: "small" },
      el("b", { text: run.label }),
      ` (${run.run_id})`,
      stamps(run).map((stamp) => [" ", stamp]),
      " against ",
      el("b", { text: baseline.label }),
      ` (${baseline.run_id})`,
      stamps(baseline).map((stamp) => [" ", stamp]),
      view.gate ? `, ${view.gate.policy}.` : "",
    ),
  );
  const without = Object.keys(view.refused);
  if (view.gate && without.length) card.append(el("p", { class: "trouble" }, `Without ${without.join(", ")}: see below why.`));
  return card;
}

/** Better is always to the right: where lower figures are better, the axis is turned round. */
function forest(view) {
  const tasks = [...view.tasks, ...view.others];
  const turn = (task) => (task.higher_is_better ? 1 : -1) / task.scale;
  const ends = [0];
  for (const task of tasks) {
    if (task.delta !== null) ends.push(task.delta * turn(task));
    if (task.ci95) ends.push(...task.ci95.map((end) => end * turn(task)));
    if (task.gate && typeof task.gate.tolerance === "number") ends.push(-task.gate.tolerance / task.scale);
  }
  const scale = scaleOf(Math.min(...ends), Math.max(...ends));
  const table = el("div", { class: "card forest", role: "table", "aria-label": "Paired differences" });
  table.append(
    el(
      "div",
      { class: "row head", role: "row" },
      ["Task", "Figures", "Difference, 95% interval", "", "Lost / gained", "Verdict"].map((text) =>
        el("span", { role: "columnheader", text }),
      ),
    ),
  );
  for (const task of tasks) table.append(forestRow(task, scale, turn(task)));
  const points = tasks.every(inPoints);
  table.append(
    el(
      "div",
      { class: "row foot", "aria-hidden": "true" },
      el(
        "div",
        { class: "plot" },
        axis(scale, (mark) => signed(mark, true, scale.step < 0.01 ? 1 : 0)),
        el("p", { class: "ways" }, el("span", { text: "← worse" }), el("span", { text: points ? "points" : "% of the scale" }), el("span", { text: "better →" })),
      ),
    ),
  );
  return el(
    "div",
    {},
    table,
    el("p", {
      class: "small",
      text:
        "Dot: candidate less baseline over the documents that both answered; line: its 95% interval, paired. " +
        "Dashed: the drop that is tolerated.",
    }),
  );
}

function forestRow(task, scale, turn) {
  const points = inPoints(task);
  const interval = task.ci95 ? `${signed(task.ci95[0], points)} to ${signed(task.ci95[1], points)}` : "no interval";
  const moved = !task.ci95 || (task.ci95[0] <= 0 && task.ci95[1] >= 0) ? "even" : (task.delta > 0) === task.higher_is_better ? "better" : "worse";
  const ci = task.ci95 ? task.ci95.map((end) => end * turn).sort((a, b) => a - b) : [null, null];
  const tolerance = task.gate && typeof task.gate.tolerance === "number" ? task.gate.tolerance : null;
  const plot = strip(scale, {
    label: `${task.name}: ${signed(task.delta, points)}, 95% interval ${interval}`,
    zero: 0,
    bounds: tolerance === null ? [] : [-tolerance / task.scale],
    marks: [{ value: task.delta === null ? null : task.delta * turn, low: ci[0], high: ci[1], kind: moved }],
    height: 30,
  });
  return el(
    "div",
    { class: "row", role: "row" },
    el(
      "span",
      { role: "rowheader", class: "name" },
      el("b", {}, breakable(task.name)),
      el("small", { text: task.metric.replace(/,none$/, "") + (task.higher_is_better ? "" : " ↓ lower is better") }),
    ),
    el("span", { role: "cell", class: "num pair" }, `${number(task.baseline, points)} → ${number(task.candidate, points)}`, el("small", { text: `n ${count(task.n)}` })),
    el("span", { role: "cell", class: "plot" }, plot),
    el("span", { role: "cell", class: `num delta ${moved}` }, el("b", { text: signed(task.delta, points) }), el("small", { text: interval })),
    el(
      "span",
      { role: "cell", class: "num flips" },
      flips(task),
      el("small", { text: task.p === null || !task.figures ? "" : `p ${task.p < 0.001 ? "<0.001" : task.p.toPrecision(2)}` }),
    ),
    el("span", { role: "cell", class: "word" }, task.gate ? [verdictPill(task.gate.verdict), tierOf(task.gate)] : el("small", { text: "not judged" })),
    task.gate ? why(task.gate.reasons) : null,
  );
}

/** Leads to the documents, where the page has them under this metric. */
function flips(task) {
  const text = `${count(task.flips.lost)} / ${count(task.flips.gained)}`;
  if (!task.figures) return text;
  return el("button", {
    type: "button",
    class: "link",
    text,
    "aria-label": `Show the ${count(task.flips.lost)} lost and ${count(task.flips.gained)} gained documents of ${task.name}`,
    on: { click: () => showDocuments({ name: task.name, outcomes: ["lost", "gained"] }) },
  });
}

/** The deciding reason, and the others for who wants them. */
function why([first, ...rest]) {
  const more = rest.length ? el("details", {}, el("summary", { text: `${plural(rest.length, "more reason")}` }), el("ul", {}, rest.map((text) => el("li", { text })))) : null;
  return el("div", { class: "why", role: "cell" }, el("span", { text: first || "" }), more);
}

function refused(view) {
  return Object.entries(view.refused).map(([name, reason]) => el("p", { class: "card note bad" }, el("b", { text: name }), ` is left out: ${reason}`));
}

const tierOf = ({ tier }) => (tier && tier !== "critical" ? el("small", { text: tier }) : null);

function remarks(task) {
  const said = [];
  const lacking = [
    ["only_baseline", "only in the baseline"],
    ["only_candidate", "only in the candidate"],
    ["prompt_differs", "asked with another prompt"],
    ["outside_limit", "outside the other run's limit"],
  ];
  for (const [key, why] of lacking) {
    if (task.unpaired && task.unpaired[key]) said.push(`${task.name}: ${plural(task.unpaired[key], "document")} not paired, ${why}`);
  }
  const alone = task.unpaired || {};
  const here = task.missing ? Math.max(0, task.missing.baseline - (alone.only_candidate || 0)) : 0;
  const there = task.missing ? Math.max(0, task.missing.candidate - (alone.only_baseline || 0)) : 0;
  if (here || there) said.push(`${task.name}: left out for want of an answer, ${count(there)} in the candidate and ${count(here)} in the baseline`);
  return said;
}

/** A run without a partner: its own figures with their own intervals. */
function figuresAlone(view) {
  const table = el("div", { class: "card forest alone", role: "table", "aria-label": "Figures" });
  const scales = view.tasks.map((task) => ({ task, points: inPoints(task), figure: task.figures[1] || {} }));
  const scale = scaleOf(0, 1);
  for (const { task, points, figure } of scales) {
    const [low, high] = figure.ci95 || [null, null];
    table.append(
      el(
        "div",
        { class: "row", role: "row" },
        el("span", { role: "rowheader", class: "name" }, el("b", {}, breakable(task.name)), el("small", { text: task.metric.replace(/,none$/, "") + (task.higher_is_better ? "" : " ↓ lower is better") })),
        el("span", { role: "cell", class: "plot" }, points ? strip(scale, { label: `${task.name}: ${number(figure.value, true)}`, marks: [{ value: figure.value, low, high, kind: "candidate" }] }) : null),
        el(
          "span",
          { role: "cell", class: "num" },
          el("b", { text: number(figure.value, points) }),
          el("small", { text: figure.value === null ? figure.reason || "no reason given" : low === null ? figure.stderr_reason || "no interval" : `${number(low, points)} to ${number(high, points)}` }),
        ),
        el("span", { role: "cell", class: "num", text: `n ${count(task.n)}` }),
      ),
    );
  }
  if (scales.some(({ points }) => points)) {
    table.append(el("div", { class: "row foot", "aria-hidden": "true" }, el("div", { class: "plot" }, axis(scale, (mark) => number(mark, true, 0)))));
  }
  return table;
}

DRAW.differences = drawDifferences;
