// A list of any length: only what can be seen is in the page.

function virtualList({ label, height, draw, pick }) {
  const space = el("div", { class: "space" });
  const box = el("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": label }, space);
  let total = 0;
  let active = -1;
  let shown = [0, 0];

  function render(force) {
    const first = Math.max(0, Math.floor(box.scrollTop / height) - 6);
    const last = Math.min(total, Math.ceil((box.scrollTop + box.clientHeight) / height) + 6);
    if (!force && first === shown[0] && last === shown[1]) return;
    shown = [first, last];
    const rows = [];
    for (let i = first; i < last; i++) {
      const row = el("div", { class: "item", role: "option", id: `item-${i}`, "aria-setsize": total, "aria-posinset": i + 1, "aria-selected": String(i === active) });
      row.style.transform = `translateY(${i * height}px)`;
      row.dataset.place = i;
      draw(row, i);
      rows.push(row);
    }
    space.replaceChildren(...rows);
  }

  function select(place, { quiet = false } = {}) {
    if (!total) return;
    active = Math.max(0, Math.min(total - 1, place));
    const top = active * height;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
    render(true);
    box.setAttribute("aria-activedescendant", `item-${active}`);
    if (!quiet) pick(active);
  }

  box.addEventListener("scroll", () => render(false), { passive: true });
  box.addEventListener("click", (event) => {
    const row = event.target.closest(".item");
    if (row) select(Number(row.dataset.place));
  });
  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -total, End: total };
    if (event.key in steps) select(active < 0 ? 0 : active + steps[event.key]);
    else if (event.key === "Enter" && active >= 0) pick(active);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(() => render(true)).observe(box);

  return {
    node: box,
    select,
    active: () => active,
    total: () => total,
    redraw: () => render(true),
    /** More of the same: what is seen and chosen stays. */
    grow(length) {
      total = length;
      space.style.height = `${length * height}px`;
      render(true);
    },
    show(length) {
      total = length;
      active = -1;
      box.removeAttribute("aria-activedescendant");
      space.style.height = `${length * height}px`;
      box.scrollTop = 0;
      render(true);
    },
  };
}
