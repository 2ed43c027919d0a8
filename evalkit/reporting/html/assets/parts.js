// Subjects and subtasks: where a task's change comes from. They are shown, not tested.

const chosenPart = { name: null, order: "change" };

function drawParts(view) {
  const section = clear(byId("parts"));
  const tasks = view.tasks.filter((task) => task.parts.length > 1);
  heading(section, "Subjects and subtasks");
  if (!tasks.length) {
    section.append(el("p", { class: "card note", text: "No task here is made of subjects or subtasks." }));
    return;
  }
  if (!tasks.some((task) => task.name === chosenPart.name)) chosenPart.name = tasks[0].name;
  const body = el("div", {});
  const redraw = () => {
    clear(body).append(partsChart(view, tasks.find((task) => task.name === chosenPart.name)));
  };
  const bar = el("div", { class: "bar" });
  if (tasks.length > 1) {
    bar.append(
      el("label", {}, "Task ", select(tasks.map((task) => [task.name, `${task.name} (${task.parts.length})`]), chosenPart.name, (value) => {
        chosenPart.name = value;
        redraw();
      })),
    );
  }
  const orders = view.baseline === null ? [["value", "by figure"], ["n", "by size"], ["given", "as listed"]] : [["change", "by change"], ["value", "by figure"], ["n", "by size"], ["given", "as listed"]];
  if (!orders.some(([key]) => key === chosenPart.order)) chosenPart.order = orders[0][0];
  bar.append(choice("Order", orders, chosenPart.order, (value) => {
    chosenPart.order = value;
    redraw();
  }));
  section.append(
    el("p", {
      class: "lead",
      text: view.baseline === null ? "Each part's figure." : "Ring: baseline. Dot: candidate. Parts are shown, not tested: with few documents each, most of these moves are chance.",
    }),
    bar,
    body,
  );
  redraw();
}

function select(options, chosen, pick) {
  const node = el("select", { on: { change: () => pick(node.value) } });
  for (const [value, text] of options) {
    const option = el("option", { value, text });
    option.selected = value === chosen;
    node.append(option);
  }
  return node;
}

function partsChart(view, task) {
  const points = inPoints(task);
  const sign = task.higher_is_better ? 1 : -1;
  const rows = [...task.parts];
  const by = {
    change: (p, q) => sign * (p.b - p.a) - sign * (q.b - q.a),
    value: (p, q) => sign * (p.b - q.b),
    n: (p, q) => q.n - p.n,
    given: () => 0,
  };
  rows.sort(by[chosenPart.order]);
  const ends = rows.flatMap((part) => [part.a, part.b]);
  const scale = scaleOf(points ? Math.max(0, Math.min(...ends) - 0.02) : Math.min(...ends), Math.max(...ends));
  const alone = view.baseline === null;
  const prefix = `${task.name}_`;
  const card = el("div", { class: "card parts", role: "table", "aria-label": `Parts of ${task.name}` });
  for (const part of rows) {
    const change = sign * (part.b - part.a);
    const kind = alone ? "candidate" : change > 0 ? "better" : change < 0 ? "worse" : "even";
    const name = part.name.startsWith(prefix) ? part.name.slice(prefix.length) : part.name || "(none)";
    const plot = strip(scale, {
      height: 22,
      label: alone ? `${name}: ${number(part.b, points)}` : `${name}: ${number(part.a, points)} to ${number(part.b, points)}`,
      marks: alone
        ? [{ value: part.b, low: part.ci[1] && part.ci[1][0], high: part.ci[1] && part.ci[1][1], kind }]
        : [
            { low: Math.min(part.a, part.b), high: Math.max(part.a, part.b), kind: `${kind} path` },
            { value: part.a, kind: "baseline", shape: "ring" },
            { value: part.b, kind },
          ],
    });
    card.append(
      el(
        "div",
        { class: "row", role: "row" },
        el("span", { role: "rowheader", class: "name", title: part.name }, name),
        el("span", { role: "cell", class: "plot" }, plot),
        el("span", { role: "cell", class: `num ${kind}`, text: alone ? number(part.b, points) : signed(part.b - part.a, points) }),
        el("span", { role: "cell", class: "num small" }, alone ? `n ${count(part.n)}` : partFlips(task, part)),
      ),
    );
  }
  card.append(el("div", { class: "row foot", "aria-hidden": "true" }, el("span", {}), el("div", { class: "plot" }, axis(scale, (mark) => number(mark, points, 0)))));
  return card;
}

function partFlips(task, part) {
  if (task.parts_are !== "tasks") return `${count(part.lost)} / ${count(part.gained)} of ${count(part.n)}`;
  return el("button", {
    type: "button",
    class: "link",
    text: `${count(part.lost)} / ${count(part.gained)} of ${count(part.n)}`,
    "aria-label": `${count(part.lost)} lost and ${count(part.gained)} gained of ${count(part.n)}: show them`,
    on: { click: () => showDocuments({ name: task.name, leaf: part.name, outcomes: ["lost", "gained"] }) },
  });
}

DRAW.parts = drawParts;
