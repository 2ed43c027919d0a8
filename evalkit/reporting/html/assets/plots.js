// Interval plots. Places are percentages, so that a plot fits whatever width it gets without a script.

/** A scale from data to percent, with round ticks. Some room on both sides keeps marks inside. */
function scaleOf(low, high, { ticks = 5, pad = 3 } = {}) {
  if (!(high > low)) [low, high] = [low - 0.5, low + 0.5];
  const step = roundStep((high - low) / ticks);
  const first = Math.floor(low / step + 1e-9) * step;
  const last = Math.ceil(high / step - 1e-9) * step;
  const marks = [];
  for (let i = 0; first + i * step <= last + step / 2; i++) marks.push(Number((first + i * step).toPrecision(12)));
  const at = (value) => pad + ((value - first) / (last - first)) * (100 - 2 * pad);
  return { at, marks, step };
}

function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const unit = rough / power;
  return (unit <= 1 ? 1 : unit <= 2 ? 2 : unit <= 5 ? 5 : 10) * power;
}

const pc = (value) => `${Math.max(0, Math.min(100, value)).toFixed(3)}%`;

function line(x1, x2, y1, y2, name) {
  return svg("line", { x1: pc(x1), x2: pc(x2), y1, y2, class: name });
}

/** A dot with its interval. `label` is what a screen reader says. */
function strip(scale, { height = 26, label, grid = true, zero, bounds = [], marks = [] }) {
  const middle = height / 2;
  const node = svg("svg", { class: "strip", width: "100%", height, role: "img", "aria-label": label });
  if (grid) for (const mark of scale.marks) node.append(line(scale.at(mark), scale.at(mark), 0, height, "grid"));
  for (const bound of bounds) node.append(line(scale.at(bound), scale.at(bound), 0, height, "bound"));
  if (zero !== undefined) node.append(line(scale.at(zero), scale.at(zero), 0, height, "zero"));
  for (const mark of marks) node.append(...drawn(scale, mark, mark.y === undefined ? middle : mark.y * height));
  return node;
}

function drawn(scale, { value, low, high, kind, shape = "dot" }, y) {
  const parts = [];
  if (low !== null && low !== undefined && high !== null && high !== undefined) {
    const [from, to] = [scale.at(low), scale.at(high)];
    parts.push(line(from, to, y, y, `whisker ${kind}`));
    for (const end of [from, to]) parts.push(line(end, end, y - 4, y + 4, `whisker ${kind}`));
  }
  if (value === null || value === undefined) return parts;
  const x = pc(scale.at(value));
  if (shape === "ring") parts.push(svg("circle", { cx: x, cy: y, r: 4.5, class: `ring ${kind}` }));
  else parts.push(svg("circle", { cx: x, cy: y, r: 5, class: `dot ${kind}` }));
  return parts;
}

/** The axis below a column of strips. */
function axis(scale, text) {
  const node = svg("svg", { class: "strip axis", width: "100%", height: 20, "aria-hidden": "true" });
  const crowded = scale.marks.length > 7;
  scale.marks.forEach((mark, i) => {
    if (crowded && i % 2) return;
    node.append(svg("text", { x: pc(scale.at(mark)), y: 14, "text-anchor": "middle" }, text(mark)));
  });
  return node;
}
