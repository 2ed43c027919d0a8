// What determined the runs: side by side, what differs first.

function drawSettings(view) {
  const section = clear(byId("settings"));
  heading(section, "Settings", "All that determined each run, from its manifest.");
  const shown = view.baseline === null ? [view.run] : [view.baseline, view.run];
  const facts = shown.map((place) => settingsOf(DATA.runs[place].manifest));
  const keys = [...new Set(facts.flatMap((one) => [...one.keys()]))];
  // A task that one of them did not run differs in being there, not in each of its settings.
  const named = shown.map((place) => Object.keys(DATA.runs[place].manifest.tasks || {}));
  const lone = named.flat().filter((name) => !named.every((names) => names.includes(name)));
  const apart = new Set(lone.flatMap((name) => facts.flatMap((one) => [...one.keys()].filter((key) => key.startsWith(`tasks.${name}.`)))));
  const differing = keys.filter((key) => !apart.has(key) && facts.some((one) => one.get(key) !== facts[0].get(key)));
  const main = keys.filter((key) => !/^(tasks|sandbox|versions|hardware)\./.test(key));
  const body = el("div", {});
  const draw = (which) => clear(body).append(settingsTable(shown, facts, which === "all" ? keys : which === "main" ? main : differing, new Set(differing)));
  const options = [...(shown.length > 1 ? [["differing", `what differs (${differing.length})`]] : []), ["main", "the main ones"], ["all", `all (${keys.length})`]];
  section.append(el("div", { class: "bar" }, choice("Settings", options, options[0][0], draw)), body);
  draw(options[0][0]);
  for (const place of shown) {
    const run = DATA.runs[place];
    section.append(
      el("details", { class: "card raw" }, el("summary", {}, "manifest.json of ", el("b", { text: `${run.label} (${run.run_id})` })), el("pre", { text: JSON.stringify(run.manifest, null, 1) })),
    );
  }
  section.append(work(shown));
}

/** All but what the run found: verdicts that it came to stand with the figures. */
function settingsOf({ early_stopping, tasks, ...rest }) {
  const out = flatten(rest);
  if (tasks) out.set("tasks", Object.keys(tasks).join(", "));
  return tasks ? flatten(tasks, "tasks", out) : out;
}

function flatten(value, path = "", out = new Map()) {
  if (value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length) {
    for (const [key, item] of Object.entries(value)) flatten(item, path ? `${path}.${key}` : key, out);
  } else out.set(path, typeof value === "string" ? value : JSON.stringify(value));
  return out;
}

function settingsTable(shown, facts, keys, differing) {
  if (!keys.length) return el("p", { class: "card note", text: "Nothing differs." });
  return el(
    "div",
    { class: "card wide", tabindex: "0", role: "region", "aria-label": "Settings table" },
    el(
      "table",
      { class: "settings" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "setting" }), shown.map((place) => el("th", { scope: "col" }, el("span", { class: "model", text: nameOf(place) }), " ", stamps(DATA.runs[place]))))),
      el(
        "tbody",
        {},
        keys.map((key) =>
          el(
            "tr",
            { class: differing.has(key) ? "differs" : null },
            el("th", { scope: "row", text: key }),
            facts.map((one) => (one.has(key) ? el("td", { text: shorten(one.get(key), 400) }) : el("td", { class: "none", text: "not said" }))),
          ),
        ),
      ),
    ),
  );
}

/** Seconds and tokens: a run's own work, without what the journal knew. */
function work(shown) {
  const rows = [];
  for (const [part, unit] of [["timing", " s"], ["tokens", ""]]) {
    const keys = new Set(shown.flatMap((place) => Object.keys(DATA.runs[place][part] || {})));
    for (const key of keys) {
      rows.push(
        el(
          "tr",
          {},
          el("th", { scope: "row", text: `${part}: ${key}` }),
          shown.map((place) => {
            const value = (DATA.runs[place][part] || {})[key];
            if (typeof value === "number") return el("td", { class: "num", text: (part === "timing" ? value.toFixed(1) : count(value)) + unit });
            const reason = (value && value.reason) || (DATA.runs[place][part] || {})[`${key}_reason`] || "not said";
            return typeof value === "string" ? null : el("td", { class: "num none" }, "n/a", el("small", { text: reason }));
          }),
        ),
      );
    }
  }
  if (!rows.length) return el("p", { class: "small", text: "The runs say nothing of their time and tokens." });
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "work done" }), shown.map((place) => el("th", { scope: "col", class: "num" }, el("span", { class: "model", text: nameOf(place) })))));
  return el("div", { class: "card wide", tabindex: "0", role: "region", "aria-label": "Work done" }, el("table", {}, head, el("tbody", {}, rows)));
}

DRAW.settings = drawSettings;
