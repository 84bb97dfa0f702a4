// Small pictures of which one is chosen: a group of radio buttons, by click, touch or arrow keys.

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

function render({ model, el }) {
  const label = document.createElement("div"), group = document.createElement("div");
  label.className = "nst-thumbs-label"; label.setAttribute("aria-hidden", "true");
  group.className = "nst-thumbs-group"; group.setAttribute("role", "radiogroup");
  el.append(label, group);
  const addresses = new Map(); // of pictures, by name
  const choose = (name) => { model.set("value", name); model.save_changes(); };
  const mark = () => {
    const value = model.get("value"), all = [...group.children];
    const known = all.some((one) => one.dataset.name === value);
    all.forEach((one, i) => {
      const chosen = one.dataset.name === value;
      one.setAttribute("aria-checked", String(chosen));
      one.tabIndex = chosen || (!known && i === 0) ? 0 : -1;
    });
  };
  const one = (name) => {
    const made = document.createElement("button"), picture = document.createElement("span");
    const word = document.createElement("span"), data = model.get("pictures")[name];
    made.type = "button"; made.className = "nst-thumb"; made.dataset.name = name;
    made.setAttribute("role", "radio");
    picture.className = "nst-thumb-picture"; word.className = "nst-thumb-name";
    word.textContent = name;
    if (data?.byteLength) {
      addresses.set(name, URL.createObjectURL(new Blob([data])));
      picture.style.backgroundImage = `url(${addresses.get(name)})`;
    }
    made.append(picture, word);
    made.addEventListener("click", () => choose(name));
    return made;
  };
  const build = () => {
    const had = group.contains(document.activeElement);
    for (const address of addresses.values()) URL.revokeObjectURL(address);
    addresses.clear();
    label.textContent = model.get("label");
    group.setAttribute("aria-label", model.get("label"));
    group.replaceChildren(...model.get("options").map(one));
    mark();
    if (had) group.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  };
  group.addEventListener("keydown", (event) => {
    const all = [...group.children], now = all.indexOf(document.activeElement);
    const to = event.key in STEPS ? (now + STEPS[event.key] + all.length) % all.length
      : { Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || now < 0) return;
    event.preventDefault(); event.stopPropagation();
    all[to].focus(); choose(all[to].dataset.name);
  });
  for (const name of ["options", "pictures", "label"]) model.on("change:" + name, build);
  model.on("change:value", mark);
  build();
  return () => { for (const address of addresses.values()) URL.revokeObjectURL(address); };
}
export default { render };
