// A field that takes one file, and sends it in parts: a connection takes 10 MiB at once.
const PART = 2 ** 21;

function render({ model, el }) {
  const box = document.createElement("label"), input = document.createElement("input");
  const text = document.createElement("span");
  box.className = "nst-drop-box"; input.type = "file";
  box.append(input, text); el.append(box);
  let sending = null; // the file that is on its way
  const draw = () => {
    text.textContent = sending
      ? `Sending ${sending.name}: ${Math.round((100 * sending.sent) / Math.max(1, sending.size))} %`
      : model.get("label");
    input.accept = model.get("accept"); input.disabled = model.get("disabled");
    box.classList.toggle("nst-disabled", input.disabled);
  };
  const step = async (one) => {
    const { file, sent: place, name, size, id } = one;
    let part = null;
    try { part = await file.slice(place, place + PART).arrayBuffer(); } catch { /* a folder */ }
    if (one !== sending) return;
    model.send({ id, name, size, place, readable: part !== null }, undefined, part ? [part] : []);
    one.sent = Math.min(size, place + PART);
  };
  const take = (transfer) => {
    const file = transfer?.[0];
    if (input.disabled || !transfer) return;
    const id = String(Date.now()), name = file?.name ?? "", size = file?.size ?? 0;
    if (!file) { model.send({ id, name, size, place: 0, readable: false }, undefined, []); return; }
    sending = { file, name, size, id, sent: 0 };
    draw(); step(sending);
  };
  model.on("msg:custom", (answer) => {
    if (answer.id !== sending?.id) return;
    if (answer.more) step(sending); else sending = null;
    draw();
  });
  input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
  const over = (event) => {
    event.preventDefault(); event.stopPropagation();
    box.classList.toggle("nst-over", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files);
  };
  const KINDS = ["dragover", "dragleave", "drop"];
  for (const name of KINDS) box.addEventListener(name, over);
  for (const name of ["label", "accept", "disabled"]) model.on("change:" + name, draw);
  draw();
  // JupyterLab would take arrows and letters for itself, also those meant for lists and buttons.
  const keep = (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  };
  // Another part of the view takes files for this field too.
  const overOther = (event) => {
    if (el.isConnected && event.target.closest(model.get("also"))) over(event);
  };
  let done = false, view = null;
  const settle = () => {
    view = el.closest(".nst-view");
    if (!view) { if (!done) requestAnimationFrame(settle); return; }
    if (!view.dataset.nstCalm) { view.dataset.nstCalm = "yes"; view.addEventListener("keydown", keep); }
    if (model.get("also")) for (const name of KINDS) view.addEventListener(name, overOther);
  };
  settle();
  return () => {
    done = true;
    for (const name of KINDS) view?.removeEventListener(name, overOther);
  };
}
export default { render };
