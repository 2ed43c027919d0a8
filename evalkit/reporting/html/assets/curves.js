// Says what the point nearest to the pointer is, below each chart; a point with the keyboard's focus too.
for (const figure of document.querySelectorAll(".drawn")) {
  const svg = figure.querySelector("svg"), said = figure.querySelector(".hover");
  const marks = [...svg.querySelectorAll(".mark")];
  const show = (mark) => {
    for (const other of marks) other.classList.toggle("near", other === mark);
    said.textContent = mark ? mark.getAttribute("aria-label") : "\u00a0";
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const away = (mark) => Math.abs(Number(mark.getAttribute("cx")) - at);
    show(marks.reduce((best, mark) => (away(mark) < away(best) ? mark : best), marks[0]));
  });
  svg.addEventListener("pointerleave", () => show(null));
  for (const mark of marks) {
    mark.addEventListener("focus", () => show(mark));
    mark.addEventListener("blur", () => show(null));
  }
}
document.body.dataset.ready = "";
