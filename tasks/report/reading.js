// What is folded away is opened where it is wanted: the contents where there is room for them beside the page, all of it on paper, and what a
// link leads into.
(() => {
  const contents = document.getElementById("contents");
  const wide = matchMedia("(min-width: 75rem)");
  const unfold = () => {
    if (matchMedia("print").matches) return;
    contents.open = wide.matches;
    contents.querySelector("summary").tabIndex = wide.matches ? -1 : 0; // nothing to fold where there is room
  };
  wide.addEventListener("change", unfold);
  unfold();
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a") && !wide.matches) contents.open = false;
  });

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => {
    folded.forEach((one) => { one.open = false; });
  });

  const find = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    for (let one = target; one; one = one.parentElement) {
      if (one.tagName === "DETAILS") one.open = true;
    }
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", find);
  find();
})();
