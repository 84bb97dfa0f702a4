// What every view does with the page around it: it says when kernel or server have ended, asks
// before a run is left, brings messages before the eye, keeps the focus, and gives controls the
// names and states that ipywidgets leaves out.

const MISSED = 4; // seconds without a sign of life, after which the kernel counts as gone
const SPEAK = 20; // seconds after which the page says again that it is there

function base() {
  const config = document.getElementById("jupyter-config-data");
  return (config && JSON.parse(config.textContent).baseUrl) || "/";
}

async function serverAnswers() {
  const options = { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(700) };
  const path = document.body.dataset.voila ? "voila/static/voila.js" : "static/favicon.ico";
  try { await fetch(base() + path, options); return true; } catch { return false; }
}

// One notice for all views of the page.
const lost = (window.nstLost ??= new Set());

function notice(text) {
  document.getElementById("nst-gone")?.remove();
  if (!text) return;
  const box = document.createElement("div");
  box.id = "nst-gone"; box.tabIndex = -1; box.setAttribute("role", "alert");
  box.textContent = text;
  document.body.append(box);
  box.focus({ preventScroll: true });
}

function watchKernel(model, el) {
  let alive = false, missed = 0, seconds = 0;
  const speak = () => model.send({ here: true });
  const mark = (is) => el.closest(".nst-view")?.classList.toggle("nst-lost", is);
  const found = () => {
    if (lost.delete(model)) { mark(false); if (!lost.size) notice(""); }
  };
  const hear = (message) => { alive = message.alive; missed = 0; found(); };
  const miss = async () => {
    lost.add(model);
    mark(true);
    const what = (await serverAnswers()) ? "kernel" : "server";
    if (!lost.has(model) || document.getElementById("nst-gone")) return;
    const broken = model.get("running") ? "; the run under way is lost" : "";
    notice(`The ${what} behind this page has ended${broken}. ${model.get("advice")[what]}`);
  };
  const timer = setInterval(() => {
    if (lost.has(model)) return;
    if (++seconds % SPEAK === 0) speak();
    if (alive && ++missed >= MISSED) miss();
  }, 1000);
  model.on("msg:custom", hear);
  speak();
  return () => { clearInterval(timer); model.off("msg:custom", hear); found(); };
}

function askBeforeLeaving(model) {
  const leave = (event) => {
    if (model.get("running") && !lost.has(model)) { event.preventDefault(); event.returnValue = true; }
  };
  window.addEventListener("beforeunload", leave);
  return () => window.removeEventListener("beforeunload", leave);
}

// Whoever is writing goes on; all others are taken to what is said to them.
const WRITING = "input:not([type=file], [type=checkbox]), textarea, select, [contenteditable=true]";

function bring(message) {
  message.scrollIntoView({ block: "nearest" });
  if (!document.activeElement?.matches(WRITING)) message.focus({ preventScroll: true });
}

function complete(view) {
  const set = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  for (const slider of view.querySelectorAll(".widget-slider")) {
    const name = slider.querySelector(".widget-label")?.textContent || "";
    for (const handle of slider.querySelectorAll(".noUi-handle")) set(handle, "aria-label", name);
    for (const number of slider.querySelectorAll(".widget-readout")) {
      set(number, "role", "textbox"); set(number, "aria-label", `${name}, as a number`);
    }
  }
  for (const group of view.querySelectorAll(".widget-toggle-buttons")) {
    set(group, "role", "group");
    set(group, "aria-label", group.querySelector(".widget-label")?.textContent || "");
    for (const one of group.querySelectorAll("button"))
      set(one, "aria-pressed", String(one.classList.contains("mod-active")));
  }
  // A title is for those who point at it.
  for (const field of view.querySelectorAll("input[title], textarea[title]"))
    if (![...field.labels].some((label) => label.textContent.trim()))
      set(field, "aria-label", field.title);
  for (const fold of view.querySelectorAll("button.nst-fold-button"))
    set(fold, "aria-expanded", String(fold.classList.contains("mod-active")));
  for (const place of view.querySelectorAll(".nst-said > .widget-html-content"))
    set(place, "aria-live", "polite");
}

// A button that can no longer be pressed loses the focus: one beside it that can be gets it, and if
// it can be pressed again when that one cannot, it gets the focus back.
function keepFocus(view) {
  let last = null, homeless = null, before = null, given = null;
  const note = (event) => { last = event.target; homeless = null; };
  const changed = (button) => {
    const now = document.activeElement, nobody = !now || now === document.body || now.disabled;
    if (button.disabled && button === last && nobody) homeless = button.parentElement;
    if (!homeless || !nobody) return;
    const back = before && !before.disabled && homeless.contains(before) ? before : null;
    const next = back ?? homeless.querySelector("button:not([disabled])");
    if (!next) return;
    if (last !== given) before = last; // that somebody chose
    given = next;
    next.focus({ preventScroll: true });
    homeless = null;
  };
  view.addEventListener("focusin", note);
  return changed;
}

function attend(view) {
  const changed = keepFocus(view), said = new Set();
  for (const message of view.querySelectorAll("[data-nst-call]")) said.add(message.dataset.nstCall);
  const observer = new MutationObserver((records) => {
    for (const { target, attributeName } of records)
      if (attributeName === "disabled" && target.matches("button")) changed(target);
    complete(view);
    for (const message of view.querySelectorAll("[data-nst-call]")) {
      if (!said.has(message.dataset.nstCall)) {
        said.add(message.dataset.nstCall);
        bring(message);
      }
    }
  });
  const attributeFilter = ["disabled", "class"];
  observer.observe(view, { childList: true, subtree: true, attributes: true, attributeFilter });
  complete(view);
  // A file that misses its field would else take the place of the page.
  const miss = (event) => { if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); };
  for (const name of ["dragover", "drop"]) view.addEventListener(name, miss);
  return () => observer.disconnect();
}

function render({ model, el }) {
  const ends = [watchKernel(model, el), askBeforeLeaving(model)];
  let over = false;
  const found = () => {
    const view = el.closest(".nst-view");
    if (view) ends.push(attend(view)); else if (!over) requestAnimationFrame(found);
  };
  found();
  if (!model.get("browser")) {
    let name = "";
    try {
      name = localStorage.nstBrowser ||= crypto.getRandomValues(new Uint32Array(4)).join("-");
    } catch { /* a browser that keeps nothing */ }
    if (name) { model.set("browser", name); model.save_changes(); }
  }
  return () => { over = true; ends.forEach((end) => end()); };
}

export default { render };
