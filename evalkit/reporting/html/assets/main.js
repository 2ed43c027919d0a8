// The page: which runs, which of them is looked at, and the sections in their order.

function drawTop(current) {
  const runs = DATA.runs;
  const names = runs.slice(0, 4).flatMap((_, place) => [place ? " · " : null, el("span", { text: nameOf(place) })]);
  fill(clear(byId("title")), {}, [...names, runs.length > 4 ? ` and ${runs.length - 4} more` : null]);
  const box = clear(byId("runs"));
  runs.forEach((run, place) => {
    box.append(
      el(
        "p",
        { class: "run" },
        runs.length > 1 && DATA.views.some((view) => view.baseline === place) ? el("span", { class: "role", text: "baseline" }) : el("span", { class: "role candidate", text: runs.length > 1 ? "run" : "" }),
        el("b", { class: "model", text: run.label }),
        el("span", { class: "small", text: [run.run_id, run.engine, run.finished ? run.finished.slice(0, 10) : run.ended ? "date not said" : "not finished"].filter((text) => text && text !== run.label).join(" · ") }),
        stamps(run),
        DATA.views.filter((view) => view.run === place && view.gate).map((view) => verdictPill(view.gate.verdict)),
      ),
    );
  });
  if (DATA.views.length > 1) {
    const options = DATA.views.map((view, i) => [i, nameOf(view.run)]);
    box.append(el("div", { class: "bar" }, el("span", { class: "small", text: "Look at" }), choice("Run to look at", options, current, show)));
  }
}

function drawNav() {
  const links = new Map();
  byId("nav").firstElementChild.append(
    ...SECTIONS.map(([id, text]) => {
      const link = el("a", { href: `#${id}`, text });
      links.set(id, link);
      return link;
    }),
  );
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const [id, link] of links) link.toggleAttribute("aria-current", id === entry.target.id);
      }
    },
    { rootMargin: "-15% 0px -75% 0px" },
  );
  for (const [id] of SECTIONS) seen.observe(byId(id));
}

function show(place) {
  const view = DATA.views[place];
  for (const [id] of SECTIONS) DRAW[id](view);
}

/** As `show`, with the button of that run pressed. */
function showView(place) {
  drawTop(place);
  show(place);
}

byId("plain").remove();
drawTop(0);
drawNav();
show(0);
byId("foot").append(
  el("p", {
    class: "small",
    text: `Written by evalkit ${DATA.evalkit} on ${DATA.made.replace("T", " ").replace("+00:00", " UTC")}. Intervals are 95%. Differences are paired, document by document, as evalkit compare has them; verdicts are evalkit gate's. This page loads nothing from anywhere.`,
  }),
);
if (location.hash.startsWith("#doc=")) history.scrollRestoration = "manual";
addEventListener("hashchange", openAddress);
openAddress().then(() => {
  document.body.dataset.ready = "yes";
  if (TEXTS.possible) openQuietly();
});
