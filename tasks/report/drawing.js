// Draws every chart, anew where the window gets another width. `ast` makes Vega interpret its expressions, so that the page needs no right
// to make code out of text. A legend stands in two columns where its names leave room for them, and names are cut only where they are wider
// than the page.
(() => {
  const drawn = new Map(); // figure → {width, result}: what stands there, and for which width

  function fit(part, width) {
    const names = part.legend && part.scale && part.scale.domain;
    if (Array.isArray(names)) {
      const widest = Math.max(...names.map((name) => String(name).length)) * 7 + 60;
      part.legend.columns = 2 * widest <= width ? 2 : 1;
      part.legend.labelLimit = width / part.legend.columns - 30;
    }
    for (const key of Object.keys(part)) {
      if (key !== "values" && part[key] && typeof part[key] === "object") fit(part[key], width);
    }
  }

  async function draw(figure) {
    const width = figure.clientWidth, before = drawn.get(figure);
    if (!width || (before && before.width === width)) return; // folded away, or as it should be
    const now = {width};
    drawn.set(figure, now);
    const specification = JSON.parse(figure.querySelector("script").textContent);
    fit(specification, width - 50);
    if (before && before.result) before.result.finalize();
    const options = {renderer: "svg", actions: false, ast: true};
    now.result = await vegaEmbed(figure.querySelector(".drawing"), specification, options);
    figure.querySelector("form.vega-bindings")?.remove(); // no chart asks for anything
  }

  const figures = document.querySelectorAll("figure[data-chart]");
  let waiting = 0;
  const watch = new ResizeObserver((entries) => {
    clearTimeout(waiting);
    const late = entries.some((entry) => drawn.has(entry.target)) ? 150 : 0; // while a window is dragged, once at the end
    waiting = setTimeout(() => figures.forEach(draw), late);
  });
  figures.forEach(draw);
  figures.forEach((figure) => watch.observe(figure));
})();
