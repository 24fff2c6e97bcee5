// Uploads: what was chosen, how far it got, and a way to stop it. Without this script the form posts as usual.

function sizeText(bytes) {
  const units = ["B", "kB", "MB"];
  let unit = 0;
  while (bytes >= 1024 && unit < 2) { bytes /= 1024; unit += 1; }
  return `${bytes.toFixed(unit === 2 ? 1 : 0)} ${units[unit]}`;
}

function showError(field, text) {
  const place = field.querySelector("[data-upload-errors]");
  const line = document.createElement("p");
  line.className = "field-error";
  line.textContent = text;
  place.replaceChildren(line);
  field.classList.add("is-invalid");
}

function choose(input, files) {
  const list = new DataTransfer();
  for (const file of files) list.items.add(file);
  input.files = list.files;
}

function draw(field) {
  const input = field.querySelector("input[type=file]");
  const rows = field.querySelector("[data-upload-rows]");
  rows.replaceChildren();
  field.querySelector("[data-upload-errors]").replaceChildren();
  field.classList.remove("is-invalid");
  for (const file of [...input.files]) {
    if (file.size > Number(field.dataset.maxBytes) || file.size === 0) {
      showError(field, `${file.name}: ${file.size ? field.dataset.tooBig : field.dataset.empty}`);
      choose(input, [...input.files].filter((other) => other !== file));
      continue;
    }
    const row = field.querySelector("template").content.firstElementChild.cloneNode(true);
    row.querySelector("[data-name]").textContent = file.name;
    row.querySelector("[data-size]").textContent = sizeText(file.size);
    row.querySelector("[data-upload-remove]").addEventListener("click", () => {
      if (field.request) return field.request.abort();
      choose(input, [...input.files].filter((other) => other !== file));
      draw(field);
      input.focus();
    });
    rows.append(row);
  }
}

document.addEventListener("change", (event) => {
  const field = event.target.closest("[data-upload]");
  if (field && event.target.type === "file") draw(field);
});

for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  document.addEventListener(name, (event) => {
    const drop = event.target.closest?.(".drop");
    if (!drop) return;
    event.preventDefault();
    drop.classList.toggle("is-over", over);
    if (name !== "drop" || !event.dataTransfer.files.length) return;
    const input = drop.querySelector("input[type=file]");
    choose(input, input.multiple ? event.dataTransfer.files : [event.dataTransfer.files[0]]);
    draw(drop.closest("[data-upload]"));
  });
}

function progress(field, event) {
  for (const meter of field.querySelectorAll("progress")) {
    meter.hidden = false;
    meter.max = event.total;
    meter.value = event.loaded;
    meter.closest("li").querySelector("[data-size]").textContent = field.dataset.of
      .replace("{sent}", sizeText(event.loaded)).replace("{total}", sizeText(event.total));
  }
}

function answer(form, request) {
  if (request.getResponseHeader("Content-Type")?.startsWith("application/json")) {
    location.assign(JSON.parse(request.responseText).location);
    return;
  }
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  const main = page.getElementById("main");
  if (!main) return stopped(form);
  document.getElementById("main").replaceWith(main);
  scrollTo(0, 0);
  document.dispatchEvent(new CustomEvent("store:errors-shown"));
}

function stopped(form, text) {
  form.dispatchEvent(new CustomEvent("store:form-ready", { bubbles: true }));
  for (const field of form.querySelectorAll("[data-upload]")) {
    delete field.request;
    draw(field);
  }
  if (text !== "") document.dispatchEvent(new CustomEvent("store:failed", { detail: { text } }));
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const fields = [...form.querySelectorAll("[data-upload]")].filter((field) => field.querySelector("input[type=file]").files.length);
  if (event.defaultPrevented || !fields.length || form.hasAttribute("hx-post")) return;
  event.preventDefault();
  const request = new XMLHttpRequest();
  for (const field of fields) {
    field.request = request;
    field.querySelectorAll("[data-upload-remove]").forEach((button) => button.setAttribute("aria-label", field.dataset.cancel));
  }
  request.upload.addEventListener("progress", (sent) => fields.forEach((field) => progress(field, sent)));
  request.addEventListener("load", () => answer(form, request));
  request.addEventListener("error", () => stopped(form));
  request.addEventListener("abort", () => stopped(form, ""));
  // By attribute: a field called "action" would hide the form's own property.
  request.open("POST", event.submitter?.getAttribute("formaction") || form.getAttribute("action") || location.href);
  request.setRequestHeader("X-Upload", "progress");
  request.send(new FormData(form, event.submitter));
});
