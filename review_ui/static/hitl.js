// Keys, the moment before a verdict counts, the undo clock and the hold. Pages work without this file.
(() => {
  "use strict";
  const ARM_MS = 700; // nothing is decided right after a review appears
  const RENEW_MS = 60_000; // how often use of the page renews the hold
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

  let shownAt = performance.now();
  let busy = false;
  let usedAt = 0;
  let renewedAt = performance.now();
  let clock = 0;
  let unseen = new Set();

  root.classList.add("js");

  // A tab is known by a name of its own: the hold on a review belongs to it, not to the person.
  const tab = () => {
    let name = sessionStorage.getItem("hitl-tab");
    if (!name) {
      name = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
      sessionStorage.setItem("hitl-tab", name);
    }
    return name;
  };
  const nameTab = () => {
    if (!$('input[name="held"][value="1"]')) $$('input[name="fence"]').forEach((i) => { i.value = tab(); });
  };

  const say = (words) => {
    const line = $("#decide-say") || $("#announce");
    if (line) line.textContent = words;
  };

  const appeared = () => {
    shownAt = renewedAt = performance.now();
    nameTab();
    listLooks();
    startUndoClock();
  };

  // Approve counts once what there is to look at was on screen: all of it where the risk is high, the
  // evidence on a small screen, where it starts below the fold.
  const listLooks = () => {
    const small = matchMedia("(max-width: 760px)").matches;
    const wanted = $('main[data-risk="high"]') ? "[data-look]" : small ? '[data-look="evidence"]' : null;
    unseen = new Set(wanted && $("#approve") ? $$(wanted) : []);
  };
  const look = () => {
    const bar = $("#decide")?.getBoundingClientRect().top ?? innerHeight;
    for (const section of unseen) {
      const { top, bottom, height } = section.getBoundingClientRect();
      if (Math.min(bottom, bar) - Math.max(top, 52) >= Math.min(160, height * 0.9)) unseen.delete(section);
    }
  };
  addEventListener("scroll", look, { passive: true });

  const startUndoClock = () => {
    clearInterval(clock);
    const strip = $("#undo-strip");
    if (!strip) return;
    const until = performance.now() + Number(strip.dataset.undoSeconds) * 1000;
    clock = setInterval(() => {
      const left = Math.ceil((until - performance.now()) / 1000);
      const shown = $("[data-undo-left]", strip);
      if (left > 0 && strip.isConnected) { if (shown) shown.textContent = String(left); return; }
      clearInterval(clock);
      strip.remove();
    }, 250);
  };

  // ── deciding ─────────────────────────────────────────────────────────────────────────────────
  const held = (form) => {
    if (busy) return "One moment: the last answer is on its way.";
    if (performance.now() - shownAt < ARM_MS) return "Too quick: this review has only just appeared.";
    if (form.id === "together") {
      const left = $$("[name=looked]:not(:checked)", form);
      if (left.length) {
        left[0].closest("[data-item]").scrollIntoView({ block: "center" });
        return `Look at each first: ${left.length} not looked at yet.`;
      }
    }
    if (form.id === "approve") look();
    if (form.id === "approve" && unseen.size) {
      const first = unseen.values().next().value;
      first.scrollIntoView({ block: "center" });
      unseen.delete(first);
      return "Look at this first, then approve.";
    }
    return "";
  };

  // Between a swap and htmx taking the new forms over, a submit would leave the page: wait for it.
  const isEarly = (form) => form.hasAttribute("hx-post") && "htmx" in window && !form.dataset.htmxPowered;

  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (isEarly(form)) {
      e.preventDefault();
      e.stopImmediatePropagation();
      setTimeout(() => { if (form.isConnected) form.requestSubmit(e.submitter); }, 20);
      return;
    }
    if (!form.matches("form[data-verdict]")) return;
    const why = held(form);
    if (why) {
      e.preventDefault();
      e.stopImmediatePropagation();
      say(why);
      return;
    }
    form.elements.shown_ms.value = String(Math.round(performance.now() - shownAt));
  }, true);

  const sendDeny = () => $("#denybox .send")?.click();
  const deny = () => {
    const box = $("#denybox");
    if (!box) return false;
    if (box.open) sendDeny();
    else box.open = true;
    return true;
  };

  const pick = (input) => {
    const box = $("#denybox");
    if (box && !box.open) box.open = true;
    input.click();
    if (input.name === "remedy" && input.value === "answer") {
      $("[data-answer] :is(input, textarea, select)")?.focus();
    }
  };

  const chooseNext = () => {
    const all = $$('[name="answer.choice"]');
    const next = all[(all.findIndex((each) => each.checked) + 1) % all.length];
    next.checked = true;
    next.closest(".choice").scrollIntoView({ block: "nearest" });
    say(`Number ${next.value} is chosen.`);
  };

  const closeDeny = () => {
    const box = $("#denybox");
    if (!box?.open) return false;
    box.open = false;
    $("main h1")?.focus();
    return true;
  };

  // ── keys ─────────────────────────────────────────────────────────────────────────────────────
  const isTyping = (e) => e.target.closest?.('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]');

  const step = (by) => {
    const rows = $$(".row a.t, .item a.t");
    if (!rows.length) return false;
    const at = rows.indexOf(document.activeElement);
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
    next.focus();
    next.closest("[data-item]")?.scrollIntoView({ block: "center" });
    return true;
  };

  const act = (key) => {
    if (key === "?") { $("#keys-list").showModal(); return true; }
    if ((key === "j" || key === "k") && step(key === "j" ? 1 : -1)) return true;
    if (key === "d" && $("#denybox")) return deny();
    if (key === "a" && $("#denybox")?.open) {
      say("The deny panel is open. Esc closes it, then A approves.");
      return true;
    }
    const row = document.activeElement?.closest(".row");
    const target = $(`[data-key="${CSS.escape(key)}"]`) || (row && $(`[data-row-key="${CSS.escape(key)}"]`, row));
    if (!target || target.disabled) return false;
    if (target.matches("[type=search]")) { target.focus(); target.select(); }
    else if (target.matches("input[data-key]")) pick(target);
    else target.click();
    return true;
  };

  document.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.isComposing && e.target.closest?.("#work")) {
      // Work is handed in by its button or with Ctrl; a slip in a line of it hands nothing in.
      if (e.ctrlKey || e.metaKey) $("#work").requestSubmit();
      if (e.ctrlKey || e.metaKey || e.target.matches("input")) e.preventDefault();
      return;
    }
    if (e.isComposing || e.ctrlKey || e.metaKey || e.altKey || $("dialog[open]")) return;
    if (e.key === "Escape") { if (closeDeny()) e.preventDefault(); return; }
    if (e.repeat || isTyping(e)) return; // a held key counts once
    const onPage = e.target === document.body || e.target.matches("h1");
    if (e.key === "Enter") {
      if (onPage && $("#denybox")?.open) { e.preventDefault(); sendDeny(); }
      return;
    }
    if (root.dataset.keys === "off" || e.key.length !== 1) return;
    if (act(e.key.toLowerCase())) e.preventDefault();
  });

  document.addEventListener("click", (e) => {
    const opener = e.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open)?.showModal();
    if (e.target.closest("[data-next-choice]")) chooseNext();
    if (e.target.closest("[data-close-deny]")) closeDeny();
    const choice = e.target.closest("[data-set-theme], [data-set-keys]");
    if (choice) choose(choice);
    $$("details.menu[open]").forEach((m) => { if (!m.contains(e.target)) m.open = false; });
  });

  const choose = (button) => {
    const { setTheme, setKeys } = button.dataset;
    if (setTheme === "auto") delete root.dataset.theme;
    else if (setTheme) root.dataset.theme = setTheme;
    if (setKeys) root.dataset.keys = setKeys;
    $$("button", button.parentElement).forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
  };

  // ── the hold ─────────────────────────────────────────────────────────────────────────────────
  for (const kind of ["keydown", "pointerdown", "pointermove", "scroll", "wheel"]) {
    addEventListener(kind, () => { usedAt = performance.now(); }, { passive: true, capture: true });
  }
  setInterval(() => {
    const hold = $("#hold");
    if (!hold || document.hidden || usedAt < renewedAt || performance.now() - renewedAt < RENEW_MS) return;
    renewedAt = performance.now();
    hold.dispatchEvent(new CustomEvent("renew"));
  }, 5_000);
  addEventListener("pagehide", () => {
    const hold = $("#hold");
    if (hold && $('input[name="held"][value="1"]')) {
      navigator.sendBeacon(hold.dataset.release, new URLSearchParams({ fence: hold.elements.fence.value }));
    }
  });

  // ── htmx ─────────────────────────────────────────────────────────────────────────────────────
  const source = (e) => e.detail?.ctx?.sourceElement;
  document.addEventListener("htmx:before:request", (e) => { if (source(e)?.matches("form[data-verdict]")) busy = true; });
  document.addEventListener("htmx:finally:request", (e) => { if (source(e)?.matches("form[data-verdict]")) busy = false; });
  document.addEventListener("htmx:error", (e) => {
    root.dataset.offline = "";
    if (e.detail?.ctx?.sourceElement?.matches?.("form[data-verdict]")) {
      say("No answer from the queue. Whether it was saved is unknown; send it again, it is never counted twice.");
    }
  });
  document.addEventListener("htmx:after:swap", (e) => {
    delete root.dataset.offline;
    const target = e.detail.ctx.target; // polls and the hold swap too; only a new review starts over
    if (target?.id !== "page") { nameTab(); return; }
    busy = false;
    appeared();
    scrollTo(0, 0);
    $("main h1")?.focus();
  });

  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
  appeared();
})();
