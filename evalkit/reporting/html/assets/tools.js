// Everything reaches the page as text nodes and attributes of elements made here: no markup is ever parsed.

const DATA = JSON.parse(document.getElementById("data").textContent);

const byId = (id) => document.getElementById(id);

/** An element with properties and children; strings among the children become text. */
function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (key === "text") node.textContent = value;
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function clear(node) {
  node.replaceChildren();
  return node;
}

const counted = new Intl.NumberFormat("en");
const count = (n) => (n === null || n === undefined ? "n/a" : counted.format(n));
const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** Shares of 1 read best as points of 100; other scales as they are. */
function inPoints(task) {
  const known = [task.baseline, task.candidate, ...(task.figures || []).map((f) => f && f.value)];
  return task.scale === 1 && known.every((v) => v === null || v === undefined || (v >= 0 && v <= 1));
}

function number(value, points, digits = 2) {
  if (value === null || value === undefined) return "n/a";
  return points ? (value * 100).toFixed(digits) : Number(value.toPrecision(4)).toString();
}

function signed(value, points, digits = 2) {
  if (value === null || value === undefined) return "n/a";
  const text = number(Math.abs(value), points, digits);
  return /^0(\.0*)?$/.test(text) ? text : (value < 0 ? "−" : "+") + text;
}

function percent(part, whole) {
  if (!whole || part === null || part === undefined) return "";
  const share = (part / whole) * 100;
  return share > 0 && share < 0.1 ? "<0.1%" : `${share.toFixed(share < 10 ? 1 : 0)}%`;
}

/** Up to `most` characters, an ellipsis for the rest. */
const shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** A long name, which may be broken behind its underlines and slashes. */
const breakable = (name) => name.match(/[^_/]*[_/]?/g).flatMap((part, i) => (part ? [i ? el("wbr") : null, part] : []));

const WORDS = { pass: "PASS", regression: "REGRESSION", cannot_tell: "CANNOT TELL" };
const MARKS = { pass: "✓", regression: "✕", cannot_tell: "?" };

function pill(kind, text, mark) {
  return el("span", { class: `pill ${kind}` }, mark ? el("span", { "aria-hidden": "true", text: `${mark} ` }) : null, text);
}

const verdictPill = (verdict) => pill(verdict, WORDS[verdict], MARKS[verdict]);

/** A run's model; where two runs share it, with the run's id. */
function nameOf(place) {
  const run = DATA.runs[place];
  return DATA.runs.some((other) => other !== run && other.label === run.label) ? `${run.label} (${run.run_id})` : run.label;
}

/** What must stand beside a run's name wherever its figures are read. */
function stamps(run) {
  const said = [];
  if (run.limited) said.push(pill("warn", "LIMITED"));
  if (run.status !== "complete" && run.status !== "limited") said.push(pill("warn", run.status.toUpperCase()));
  return said;
}

function heading(section, title, lead) {
  section.append(el("h2", { text: title }), lead ? el("p", { class: "lead", text: lead }) : "");
}

function notes(list) {
  return list.length ? el("ul", { class: "notes" }, list.map((text) => el("li", { text }))) : null;
}

/** One choice of several, as buttons. */
function choice(label, options, chosen, pick) {
  const group = el("div", { class: "choice", role: "group", "aria-label": label });
  for (const [value, text] of options) {
    group.append(
      el("button", {
        type: "button",
        "aria-pressed": String(value === chosen),
        text,
        on: {
          click: (event) => {
            for (const other of group.children) other.setAttribute("aria-pressed", String(other === event.currentTarget));
            pick(value);
          },
        },
      }),
    );
  }
  return group;
}
