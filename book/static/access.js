// What the theme and the widgets leave out for keyboards and screen readers: a way to the first
// figure, a name for the sidebar, names and values of the sliders; and figures for a dark page.
(() => {
  const FIRST = ".bd-article :is(.grokking-lab, figure, .cell_output :is(img, .widget-subarea))";

  // The theme's skip link leads to the text; the second one to what the page shows.
  function skip() {
    const links = document.getElementById("pst-skip-link");
    const first = document.querySelector(FIRST);
    if (!links || !first) return;
    const place = first.closest("figure") || first;
    place.id ||= "first-figure";
    place.tabIndex = -1;
    const link = document.createElement("a");
    link.href = `#${place.id}`;
    link.textContent = "Skip to the first figure";
    links.append(" ", link);
  }

  function landmarks() {
    for (const [selector, name] of [[".bd-sidebar-primary", "The book"], [".bd-sidebar-secondary", "This page"]])
      document.querySelectorAll(selector).forEach((side) => {
        side.setAttribute("role", "complementary");
        side.setAttribute("aria-label", name);
      });
  }

  // A slider of ipywidgets has its words beside it, where nobody who listens finds them.
  function nameSliders(root) {
    root.querySelectorAll(".widget-hslider").forEach((row) => {
      const handle = row.querySelector("[role=slider]");
      const [label, value] = [".widget-label", ".widget-readout"].map((part) => row.querySelector(part));
      if (!handle || !label || handle.hasAttribute("aria-label")) return;
      const say = () => handle.setAttribute("aria-valuetext", value.textContent);
      handle.setAttribute("aria-label", label.textContent);
      say();
      new MutationObserver(say).observe(value, { childList: true, characterData: true, subtree: true });
    });
  }

  // A picture behind a slider that scrolls by itself can be scrolled by keys.
  function reachPictures(root) {
    root.querySelectorAll(".jupyter-widgets .wide-picture").forEach((picture) => (picture.tabIndex = 0));
  }

  // Every figure has a dark variant beside it (book/_ext/pictures.py); paper is always light.
  function grounds() {
    const print = matchMedia("print");
    const choose = () => {
      const dark = document.documentElement.dataset.theme === "dark" && !print.matches;
      document.querySelectorAll("[data-dark]").forEach((e) => {
        const name = e.localName === "img" ? "src" : "srcset";
        e.dataset.light ??= e.getAttribute(name);
        const wanted = dark ? e.dataset.dark : e.dataset.light;
        if (e.getAttribute(name) !== wanted) e.setAttribute(name, wanted);
      });
    };
    choose();
    print.addEventListener("change", choose);
    new MutationObserver(choose).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  // The list of contents is a drawer on a phone, which hides where its links lead.
  function drawer() {
    document.addEventListener("click", (event) => {
      event.target.closest('dialog a[href^="#"]')?.closest("dialog").close();
    });
  }

  function start() {
    drawer();
    skip();
    landmarks();
    grounds();
    const article = document.querySelector(".bd-article");
    if (!article) return;
    const mend = () => {
      nameSliders(article);
      reachPictures(article);
    };
    mend();
    new MutationObserver(mend).observe(article, { childList: true, subtree: true });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
