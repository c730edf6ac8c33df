// The page's own behaviour: the gallery's filter, and the dialog with an asset's 3D view, passes and history.

addEventListener("error", (event) => note(event.message));
addEventListener("unhandledrejection", (event) => note(String(event.reason)));
function note(message) {
  document.documentElement.dataset.errors = (document.documentElement.dataset.errors || "") + message + "; ";
}

const $ = (query, root = document) => root.querySelector(query);
const $$ = (query, root = document) => [...root.querySelectorAll(query)];
const cards = $$(".asset"), dialog = $("#dialog");
let viewer, asset = null, view = 0, pass = 0;

// The gallery: a picture follows the pointer through its views; chips and words filter.
for (const card of cards) {
  const image = $("img", card), columns = Number(card.dataset.views) || 1;
  const turn = (k) => { if (image) image.style.transform = `translateX(${(-100 * k) / columns}%)`; };
  card.addEventListener("pointermove", (event) => {
    const box = card.getBoundingClientRect();
    if (event.pointerType === "mouse") turn(Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns)));
  });
  card.addEventListener("pointerleave", () => turn(0));
}
function filter() {
  const words = $("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const source = $(".chip[aria-pressed=true]")?.dataset.source || "";
  let shown = 0;
  for (const card of cards) {
    card.hidden = (source && card.dataset.source !== source) || !words.every((word) => card.dataset.words.includes(word));
    shown += !card.hidden;
  }
  $("#shown").textContent = shown === cards.length ? "" : `${shown} of ${cards.length}`;
}
if ($("#search")) {
  $("#search").addEventListener("input", filter);
  $$(".chip").forEach((chip) => chip.addEventListener("click", () => {
    const on = chip.getAttribute("aria-pressed") !== "true";
    $$(".chip").forEach((other) => other.setAttribute("aria-pressed", "false"));
    chip.setAttribute("aria-pressed", on);
    filter();
  }));
}

// One cell of an asset's sheet, as a style: row `r` is a pass, column `c` a view.
function cell(sheet, r, c) {
  const rows = asset.pictures.passes.length, columns = asset.pictures.views.length;
  const share = (k, n) => (n > 1 ? (100 * k) / (n - 1) : 0);
  return `background-image:url(${sheet});background-size:${100 * columns}% ${100 * rows}%;` +
    `background-position:${share(c, columns)}% ${share(r, rows)}%;aspect-ratio:${asset.pictures.width}/${asset.pictures.height};`;
}
function paintPictures() {
  const there = Boolean(asset.pictures);
  $("#pictures").hidden = !there;
  if (!there) return;
  const sheet = asset.pictures.sheet;
  $("#picture").style.cssText = cell(sheet, pass, view);
  $("#picture").setAttribute("aria-label", `${asset.pictures.passes[pass]}, view ${asset.pictures.views[view]}`);
  $("#caption").textContent = `${asset.pictures.passes[pass].replace(/_/g, " ")}, view ${asset.pictures.views[view]} of ${asset.lens.length}`;
  $("#passes").replaceChildren(...asset.pictures.passes.map((name, k) => button(name.replace(/_/g, " "), k === pass, () => { pass = k; paintPictures(); })));
  $("#strip").replaceChildren(...asset.pictures.views.map((number, k) => {
    const thumb = button("", k === view, () => { view = k; paintPictures(); viewer?.look(number); });
    thumb.style.cssText = cell(sheet, pass, k);
    thumb.title = `view ${number}`;
    thumb.setAttribute("aria-label", `view ${number}`);
    return thumb;
  }));
}
function button(text, pressed, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-pressed", pressed);
  made.addEventListener("click", action);
  return made;
}
function paintTools() {
  if (!viewer) return;
  $$("[data-mode]").forEach((tool) => tool.setAttribute("aria-pressed", Number(tool.dataset.mode) === viewer.state.mode));
  $$("[data-toggle]").forEach((tool) => tool.setAttribute("aria-pressed", viewer.state[tool.dataset.toggle]));
}

const number = (value) => value.toLocaleString("en");
function open(index) {
  const holder = document.getElementById(`data-${index}`);
  if (!holder) return;
  asset = JSON.parse(holder.textContent);
  if (asset.pictures) asset.pictures.sheet = $(`.asset[href="#asset-${index}"] img`).src;
  view = 0;
  if (pass >= (asset.pictures?.passes.length || 0)) pass = 0;
  $("#name").textContent = `${asset.source} ${asset.index}`;
  $("#text").textContent = asset.caption;
  const mesh = asset.mesh;
  const facts = [
    ["split", asset.split], ["id", asset.id], ["triangles", number(asset.faces)],
    ["shown", mesh ? (mesh.triangles < mesh.faces ? `thinned to ${number(mesh.triangles)}` : "all of them") : "no mesh on this page"],
    ["materials, parts", mesh ? `${mesh.layers.count}, ${mesh.parts.length}` : ""], ["views", asset.lens.length || "none"],
    ["score", asset.score === null ? "" : asset.score.toPrecision(4)],
    ["depth to surface", asset.error === null ? "not measured" : asset.error.toPrecision(2)],
    ["licences", asset.licences.join(", ")], ["GLB in the row", asset.glb ? `${(asset.glb / 1e6).toFixed(2)} MB` : ""],
  ];
  const thinner = mesh && mesh.triangles < mesh.faces;
  $("#thinned").textContent = thinner ? `shown with ${number(mesh.triangles)} of ${number(mesh.faces)} triangles` : "";
  $("#facts").replaceChildren(...facts.filter(([, value]) => value !== "").flatMap(([name, value]) => {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
  $("#tags").replaceChildren(...asset.tags.map((tag) => Object.assign(document.createElement("span"), { textContent: tag })));
  $("#history").textContent = asset.history;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  if (viewer === undefined) {
    viewer = createViewer($("#canvas"), paintTools);
    if (!viewer) $("#stage").dataset.message = "This browser has no WebGL 2: the pictures are below.";
  }
  $("#stage").toggleAttribute("data-empty", !mesh);
  viewer?.show(mesh, asset.cameras, asset.lens).catch((error) => note(String(error)));
  paintPictures();
  paintTools();
}
function close() {
  if (dialog.open) dialog.close();
}
function follow() {
  const match = location.hash.match(/^#asset-(\d+)$/);
  if (match) open(match[1]);
  else close();
}
function step(by) {
  const shown = cards.filter((card) => !card.hidden), here = shown.findIndex((card) => card.hash === location.hash);
  if (shown.length) location.hash = shown[(here + by + shown.length) % shown.length].hash;
}
if (dialog) {
  addEventListener("hashchange", follow);
  dialog.addEventListener("close", () => { if (location.hash.startsWith("#asset-")) history.replaceState(null, "", location.pathname + location.search); viewer?.show(null, [], []); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "PageDown" || event.key === "n") step(1);
    else if (event.key === "PageUp" || event.key === "p") step(-1);
  });
  $("#close").addEventListener("click", close);
  $("#next").addEventListener("click", () => step(1));
  $("#previous").addEventListener("click", () => step(-1));
  $("#home").addEventListener("click", () => viewer?.home());
  $$("[data-mode]").forEach((tool) => tool.addEventListener("click", () => viewer?.set("mode", Number(tool.dataset.mode))));
  $$("[data-toggle]").forEach((tool) => tool.addEventListener("click", () => viewer?.set(tool.dataset.toggle, !viewer.state[tool.dataset.toggle])));
  follow();
}
$$("code[data-copy]").forEach((code) => code.addEventListener("click", () => {
  navigator.clipboard?.writeText(code.textContent).then(() => { code.dataset.copied = "1"; setTimeout(() => delete code.dataset.copied, 1200); });
}));
document.documentElement.dataset.ready = "1";
