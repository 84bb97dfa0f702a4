// A brush over a picture: strokes are drawn here at once, and go to the kernel when they end.
// What is painted lies in the alpha of a canvas; the kernel gets it as a PNG, white on black.

const KEPT = 30; // steps that can be undone

const TOOLS = { brush: "Brush", eraser: "Eraser", fill: "Fill a colour" };

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className; made.textContent = text;
  return made;
}

function slider(text, least, most, value) {
  const label = element("label", "nst-brush-slider", text), input = document.createElement("input");
  Object.assign(input, { type: "range", min: least, max: most, value });
  label.append(input);
  return [label, input];
}

function button(text, act) {
  const made = element("button", "nst-brush-button", text);
  made.type = "button"; made.addEventListener("click", act);
  return made;
}

// The tools: what is chosen of them, and the parts that show them.
function toolbar(acts) {
  const bar = element("div", "nst-brush-bar"), more = element("div", "nst-brush-bar");
  const group = element("div", "nst-brush-tools"), chosen = { tool: "brush" };
  group.setAttribute("role", "group"); group.setAttribute("aria-label", "tool");
  const tools = Object.entries(TOOLS).map(([tool, text]) => {
    const made = button(text, () => { chosen.tool = tool; mark(); });
    made.dataset.tool = tool;
    return made;
  });
  const mark = () => tools.forEach((one) =>
    one.setAttribute("aria-pressed", String(one.dataset.tool === chosen.tool)));
  const [sizes, size] = slider("Size", 2, 100, 36), [alike, tolerance] = slider("How alike", 1, 100, 22);
  const colours = element("label", "nst-brush-slider", "Colour"), colour = document.createElement("input");
  Object.assign(colour, { type: "color", value: "#4682b4" });
  colours.append(colour);
  group.append(...tools);
  const undo = button("Undo", acts.undo);
  bar.append(group, sizes, undo, button("Clear", acts.clear), button("Invert", acts.invert));
  more.append(colours, alike, button("Add everywhere", acts.threshold));
  mark();
  return { parts: [bar, more], chosen, size, tolerance, colour, undo };
}

// How far colours are apart, from 0 to 100: the eye sees green best, and blue least.
function distance(pixels, at, [r, g, b]) {
  const dr = pixels[at] - r, dg = pixels[at + 1] - g, db = pixels[at + 2] - b;
  return Math.sqrt((2 * dr * dr + 4 * dg * dg + 3 * db * db) / 9) / 2.55;
}

// The places that are alike: all of them, or those that hang together with one.
function similar(image, colour, tolerance, from = null) {
  const { width, height, data } = image, alike = new Uint8Array(width * height);
  const near = (place) => distance(data, 4 * place, colour) <= tolerance;
  if (!from) {
    for (let place = 0; place < alike.length; place++) alike[place] = near(place);
    return alike;
  }
  const left = [from[1] * width + from[0]];
  alike[left[0]] = 1;
  while (left.length) {
    const place = left.pop(), x = place % width;
    for (const next of [x > 0 ? place - 1 : -1, x < width - 1 ? place + 1 : -1, place - width, place + width])
      if (next >= 0 && next < alike.length && !alike[next] && near(next)) { alike[next] = 1; left.push(next); }
  }
  return alike;
}

function render({ model, el }) {
  const stage = element("div", "nst-brush-stage"), image = document.createElement("img");
  const canvas = element("canvas", "nst-brush-canvas"), ring = element("div", "nst-brush-ring");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const before = []; // what can be undone: the whole canvas before each step
  let sent = null, address = "", stroke = null, over = false;

  const all = () => pen.getImageData(0, 0, canvas.width, canvas.height);
  const tint = () => model.get("tint");
  const remember = () => { before.push(all()); if (before.length > KEPT) before.shift(); allow(); };
  const allow = () => { tools.undo.disabled = !before.length; };

  // The painted places get the tint, and what is left of them as their alpha.
  const dye = (operation) => {
    pen.save();
    pen.globalCompositeOperation = operation; pen.fillStyle = tint();
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.restore();
  };
  const put = (alike) => {
    const now = all(), [r, g, b] = rgb(tint());
    alike.forEach((is, place) => { if (is) now.data.set([r, g, b, 255], 4 * place); });
    pen.putImageData(now, 0, 0);
  };
  const acts = {
    undo: () => { if (before.length) { pen.putImageData(before.pop(), 0, 0); allow(); push(); } },
    clear: () => { remember(); pen.clearRect(0, 0, canvas.width, canvas.height); push(); },
    invert: () => { remember(); dye("xor"); push(); },
    threshold: () => {
      remember(); put(similar(seen(), rgb(tools.colour.value), Number(tools.tolerance.value))); push();
    },
  };
  const tools = toolbar(acts);

  const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  const copied = (draw) => {
    const other = document.createElement("canvas");
    other.width = canvas.width; other.height = canvas.height;
    draw(other.getContext("2d"));
    return other;
  };
  const seen = () => copied((pen) => pen.drawImage(image, 0, 0, canvas.width, canvas.height))
    .getContext("2d").getImageData(0, 0, canvas.width, canvas.height);

  const push = async () => {
    const pixels = all().data;
    let painted = 0;
    for (let at = 3; at < pixels.length; at += 4) painted += pixels[at];
    const white = copied((pen) => {
      pen.drawImage(canvas, 0, 0);
      pen.fillStyle = "#fff"; pen.globalCompositeOperation = "source-in";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.fillStyle = "#000"; pen.globalCompositeOperation = "destination-over";
      pen.fillRect(0, 0, canvas.width, canvas.height);
    });
    const file = painted ? await new Promise((done) => white.toBlob(done, "image/png")) : null;
    sent = new DataView(file ? await file.arrayBuffer() : new ArrayBuffer(0));
    model.set("region", sent); model.save_changes();
  };

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * canvas.width,
            (event.clientY - box.top) / box.height * canvas.height];
  };
  const wide = () => Number(tools.size.value) / 300 * Math.max(canvas.width, canvas.height);
  const line = (to) => {
    pen.save();
    pen.globalCompositeOperation = tools.chosen.tool === "eraser" ? "destination-out" : "source-over";
    pen.strokeStyle = tint(); pen.lineWidth = wide(); pen.lineCap = pen.lineJoin = "round";
    pen.beginPath(); pen.moveTo(...stroke); pen.lineTo(...to); pen.stroke();
    pen.restore();
    stroke = to;
  };
  const fill = ([x, y]) => {
    const picture = seen(), at = 4 * (Math.floor(y) * canvas.width + Math.floor(x));
    const colour = [...picture.data.slice(at, at + 3)];
    tools.colour.value = "#" + colour.map((n) => n.toString(16).padStart(2, "0")).join("");
    put(similar(picture, colour, Number(tools.tolerance.value), [Math.floor(x), Math.floor(y)]));
    push();
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    remember();
    if (tools.chosen.tool === "fill") { fill(place(event)); return; }
    canvas.setPointerCapture(event.pointerId);
    stroke = place(event); line(stroke);
  });
  canvas.addEventListener("pointermove", (event) => {
    const box = stage.getBoundingClientRect(), size = wide() * box.width / canvas.width;
    ring.hidden = event.pointerType === "touch" || tools.chosen.tool === "fill";
    Object.assign(ring.style, { width: `${size}px`, height: `${size}px`,
      left: `${event.clientX - box.left}px`, top: `${event.clientY - box.top}px` });
    if (!stroke || !event.isPrimary) return;
    for (const one of event.getCoalescedEvents?.() ?? []) line(place(one));
    line(place(event));
  });
  canvas.addEventListener("pointerleave", () => { ring.hidden = true; });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, () => { if (stroke) { stroke = null; push(); } });

  // What the kernel says: another picture, another region.
  const take = async () => {
    const region = model.get("region");
    if (region === sent || !canvas.width) return;
    const file = region?.byteLength ? await createImageBitmap(new Blob([region])) : null;
    if (over) return;
    before.length = 0; allow();
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (!file) return;
    pen.drawImage(file, 0, 0, canvas.width, canvas.height);
    const now = all(), [r, g, b] = rgb(tint());
    for (let at = 0; at < now.data.length; at += 4) now.data.set([r, g, b, now.data[at]], at);
    pen.putImageData(now, 0, 0);
  };
  image.addEventListener("load", () => {
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    sent = null; take();
  });
  const look = () => {
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([model.get("picture")]));
    image.src = address;
  };
  const name = () => {
    image.alt = model.get("alt"); stage.setAttribute("aria-label", model.get("alt"));
  };
  ring.hidden = true; stage.setAttribute("role", "group");
  stage.append(image, canvas, ring); el.append(stage, ...tools.parts);
  for (const [what, act] of [["picture", look], ["region", take], ["alt", name]]) model.on("change:" + what, act);
  allow(); name(); look();
  return () => { over = true; URL.revokeObjectURL(address); };
}
export default { render };
