// One switch a page for its code, remembered.  Without this script every cell keeps a bar of
// its own; with it the bars are gone until the reader asks for the code.
(() => {
  const KEY = "show-code";
  const remembered = () => {
    try { return localStorage.getItem(KEY) === "yes"; } catch { return false; }
  };
  const remember = (shown) => {
    try { localStorage.setItem(KEY, shown ? "yes" : "no"); } catch { /* a private window */ }
  };

  function start() {
    const cells = document.querySelectorAll("details.above-input");
    const title = document.querySelector(".bd-article h1");
    if (!cells.length || !title) return;
    const button = document.createElement("button");
    button.className = "code-switch";
    button.type = "button"; // its words say what it does, so it has no state to tell
    let now;
    const show = (shown) => {
      document.documentElement.classList.toggle("code-hidden", !shown);
      cells.forEach((cell) => { cell.open = shown; });
      now = shown;
      button.textContent = shown ? "Hide the code" : "Show the code";
    };
    button.addEventListener("click", () => {
      remember(!now);
      show(!now);
    });
    show(remembered());
    title.after(button);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
