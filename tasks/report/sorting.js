// Makes the headings of tables buttons: the first press sorts, the next the other way round, the third restores. Numbers count as numbers,
// in whatever unit of time; a cell without a figure comes last; what is equal stays in the order of the page.
(() => {
  const NUMBER = /^[^\p{L}\p{N}+\-−.]*([+\-−]?\d[\d,\u00a0\u202f]*(?:\.\d+)?(?:e[+-]?\d+)?)\s*(µs|ms|s|min|h)?(?![\p{L}\p{N}_])/u;
  const SECONDS = {"µs": 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600};
  const NOTHING = ["", "–", "—"];

  function text(cell) {
    if (cell.dataset.value !== undefined) return cell.dataset.value;
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("small").forEach((small) => small.remove()); // intervals
    return copy.textContent.trim();
  }

  function number(value) {
    const found = NUMBER.exec(value);
    return found ? Number(found[1].replace("−", "-").replace(/[,\u00a0\u202f]/g, "")) * (SECONDS[found[2]] ?? 1) : NaN;
  }

  function column(rows, at) {
    const texts = rows.map((row) => text(row.cells[at]));
    const known = texts.filter((value) => !NOTHING.includes(value));
    const numeric = known.length > 0 && known.every((value) => !Number.isNaN(number(value)));
    return {numeric, values: texts.map((value) => (NOTHING.includes(value) ? null : numeric ? number(value) : value))};
  }

  const compare = new Intl.Collator("en", {numeric: true}).compare;

  function sortable(table) {
    const body = table.tBodies[0], rows = [...body.rows], headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, at) => {
      const button = document.createElement("button");
      button.type = "button";
      const put = () => { button.append(...heading.childNodes); heading.append(button); };
      put();
      addEventListener("beforeprint", () => button.replaceWith(...button.childNodes)); // headings with buttons stand on the first sheet only
      addEventListener("afterprint", put);
      button.addEventListener("click", () => {
        const {numeric, values} = column(rows, at);
        const turns = [numeric ? "descending" : "ascending", numeric ? "ascending" : "descending", null]; // who sorts figures wants the best
        const order = turns[(turns.indexOf(heading.getAttribute("aria-sort")) + 1) % 3];
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        if (order) heading.setAttribute("aria-sort", order);
        const sign = order === "descending" ? -1 : 1;
        const places = rows.map((_, place) => place);
        if (order) {
          places.sort((a, b) => {
            const [one, other] = [values[a], values[b]];
            if (one === null || other === null) return (one === null) - (other === null) || a - b;
            return sign * (numeric ? one - other : compare(one, other)) || a - b;
          });
        }
        body.append(...places.map((place) => rows[place]));
      });
    });
  }

  for (const table of document.querySelectorAll("main table")) {
    const rows = table.tHead && table.tBodies.length === 1 ? [...table.tBodies[0].rows] : [];
    if (rows.length > 1 && rows.every((row) => row.cells.length === table.tHead.rows[0].cells.length)) sortable(table);
  }
})();
