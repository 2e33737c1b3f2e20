// The list: peek, filters that act at once, marks that only fit together. Pages work without this file.
(() => {
  "use strict";
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

  const closePeek = () => {
    const pane = $("#peek");
    if (!pane?.firstElementChild) return;
    pane.replaceChildren();
    $(".row a.t[data-peeked]")?.focus();
  };
  document.addEventListener("click", (e) => {
    const look = e.target.closest("a.look");
    if (look) {
      $$("a.t[data-peeked]").forEach((a) => { delete a.dataset.peeked; });
      $("a.t", look.closest(".row")).dataset.peeked = "";
    }
    if (e.target.closest("[data-close-peek]")) closePeek();
  });
  document.addEventListener("keydown", (e) => { if (e.key === "Escape" && !$("dialog[open]")) closePeek(); });
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-auto]")) e.target.form.requestSubmit();
  });
})();
