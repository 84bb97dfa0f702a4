// A slider between two words, which tells the kernel while it moves, not oftener than is of use.

const OFTEN = 60; // milliseconds from one value that is sent to the next

function render({ model, el }) {
  const label = document.createElement("label"), input = document.createElement("input");
  const word = document.createElement("span");
  const ends = document.createElement("div"), [low, high] = [0, 1].map(() => document.createElement("span"));
  input.type = "range"; label.append(word, input);
  ends.className = "nst-slider-ends"; ends.setAttribute("aria-hidden", "true");
  ends.append(low, high); el.append(label, ends);
  const draw = () => {
    for (const name of ["min", "max", "step"]) input[name] = model.get(name);
    word.textContent = model.get("label");
    low.textContent = model.get("low"); high.textContent = model.get("high");
    const part = (model.get("value") - model.get("min")) / (model.get("max") - model.get("min"));
    input.value = model.get("value");
    input.style.setProperty("--nst-part", `${100 * part}%`);
    input.setAttribute("aria-valuetext",
      `${Math.round(100 * part)} % of the way from ${model.get("low")} to ${model.get("high")}`);
  };
  let waiting = null;
  const send = () => { clearTimeout(waiting); waiting = null; model.save_changes(); };
  input.addEventListener("input", () => {
    model.set("value", Number(input.value));
    waiting ??= setTimeout(send, OFTEN);
  });
  input.addEventListener("change", send);
  for (const name of ["value", "min", "max", "label", "low", "high"]) model.on("change:" + name, draw);
  draw();
  return () => clearTimeout(waiting);
}
export default { render };
