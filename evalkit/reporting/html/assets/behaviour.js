// Rates by group, with intervals, and the worst answers: folded, and put into the page only when they are asked for.

function drawBehaviour(view) {
  const section = clear(byId("behaviour"));
  heading(section, "Behaviour");
  section.append(el("p", { class: "lead", text: "A figure whose name begins with raw_ is a detector's, not people's: evalkit rate --labels corrects it." }));
  const shown = view.baseline === null ? [view.run] : [view.baseline, view.run];
  for (const task of DATA.behaviour) section.append(...behaviourOf(task, shown));
}

function behaviourOf(task, shown) {
  const table = el(
    "table",
    {},
    el(
      "thead",
      {},
      el("tr", {}, el("th", { scope: "col", text: "group" }), shown.length > 1 ? el("th", { scope: "col", text: "run" }) : null, task.metrics.map((name) => el("th", { scope: "col", class: "num", text: name })), el("th", { scope: "col", class: "num", text: "n" })),
    ),
  );
  for (const part of task.parts) {
    const body = el("tbody", {});
    shown.forEach((place, i) => {
      const found = part.runs[place];
      body.append(
        el(
          "tr",
          {},
          i === 0 ? el("th", { scope: "rowgroup", rowspan: shown.length }, breakable(part.name)) : null,
          shown.length > 1 ? el("td", { class: "model", text: nameOf(place) }) : null,
          task.metrics.map((name) => behaviourCell(found && found.figures[name])),
          el("td", { class: "num", text: found ? count(found.n) : "not run" }),
        ),
      );
    });
    table.append(body);
  }
  const worst = shown.flatMap((place) => (task.worst[place] || []).map((one) => ({ place, ...one })));
  return [
    el("h3", { text: task.name }),
    el("div", { class: "card wide", tabindex: "0", role: "region", "aria-label": `Groups of ${task.name}` }, table),
    worst.length ? worstAnswers(worst, shown.length > 1) : null,
  ].filter((node) => node !== null);
}

function behaviourCell(figure) {
  if (!figure || figure.value === null) return el("td", { class: "num none", title: (figure && figure.reason) || null, text: "–" });
  const between = figure.ci95 ? `${number(figure.ci95[0], true)} – ${number(figure.ci95[1], true)}` : "";
  return el("td", { class: "num" }, number(figure.value, true), between ? el("small", { text: ` ${between}` }) : null);
}

/** Nothing of it stands in the page before somebody opens it. */
function worstAnswers(worst, several) {
  const box = el("div", {});
  const fold = el("details", { class: "worst" }, el("summary", { text: `Worst answers (${worst.length}): they may be offensive` }), box);
  fold.addEventListener("toggle", () => {
    clear(box);
    if (!fold.open) return;
    for (const one of worst) {
      const where = [several ? nameOf(one.place) : "", `document ${one.doc_id}`, `${one.metric} ${number(one.value, false)}`];
      box.append(el("p", { class: "small", text: where.filter(Boolean).join(" · ") }), el("pre", { text: one.prompt }), el("pre", { text: one.answer }));
    }
  });
  return fold;
}

DRAW.behaviour = drawBehaviour;
