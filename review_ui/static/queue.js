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
  document.addEventListener("toggle", (e) => {
    if (e.target.open && e.target.matches("[data-focus]")) $("select, input.txt", e.target)?.focus();
  }, true);

  // ── marks: only what is of one shape goes together, and at most 25 ───────────────────────────
  const MOST = 25;
  const kept = new Set(); // ids that are marked: the list is drawn anew every few seconds
  const marks = () => $$(".row input[data-shape]");
  const shape = () => marks().find((m) => kept.has(m.value))?.dataset.shape;
  const draw = () => {
    const bar = $("form.marked");
    if (!bar) return;
    const one = shape();
    for (const mark of marks()) {
      mark.checked = kept.has(mark.value);
      mark.disabled = !mark.checked && (kept.size >= MOST || Boolean(one && mark.dataset.shape !== one));
    }
    const here = new Set(marks().map((m) => m.value));
    kept.forEach((id) => { if (!here.has(id)) kept.delete(id); }); // gone from the list meanwhile
    bar.toggleAttribute("data-any", kept.size > 0);
    $("[data-marked]", bar).textContent = String(kept.size);
  };
  const markAlike = () => {
    for (const mark of marks()) if (mark.dataset.shape === shape() && kept.size < MOST) kept.add(mark.value);
    draw();
  };
  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-mark-alike]")) markAlike();
    if (e.target.closest("[data-unmark]")) { kept.clear(); draw(); }
  });
  document.addEventListener("htmx:after:swap", draw);

  // ── the sheet: each is looked at once most of it was on screen for a moment ──────────────────
  const MOMENT = 700;
  const waits = new Map();
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting, intersectionRatio, intersectionRect } of entries) {
      clearTimeout(waits.get(target));
      const enough = isIntersecting && (intersectionRatio > 0.8 || intersectionRect.height > innerHeight * 0.5);
      if (enough) waits.set(target, setTimeout(() => { $("[name=looked]", target).checked = true; }, MOMENT));
    }
  }, { threshold: [0, 0.25, 0.5, 0.81, 1], rootMargin: "-52px 0px -90px" });
  $$("[data-item]").forEach((item) => seen.observe(item));

  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-shape]")) {
      if (e.target.checked) kept.add(e.target.value); else kept.delete(e.target.value);
      draw();
    }
    if (e.target.matches("[data-auto]")) e.target.form.requestSubmit();
  });
})();
