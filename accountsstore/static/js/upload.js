// Uploads: what was chosen, how far it got, and a way to stop it. Where the server offers it (data-incoming), files go
// straight to the bucket, and the form names them. Without this script the form posts as usual.

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

function progress(field, rows, event) {
  for (const row of rows) {
    const meter = row.querySelector("progress");
    meter.hidden = false;
    meter.max = event.total;
    meter.value = event.loaded;
    row.querySelector("[data-size]").textContent = field.dataset.of
      .replace("{sent}", sizeText(event.loaded)).replace("{total}", sizeText(event.total));
  }
}

const rowsOf = (field) => [...field.querySelectorAll("[data-upload-rows] > li")];

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

// Puts names in the place of a field's files, once all of them are in the bucket.
async function sendAhead(field, body) {
  const input = field.querySelector("input[type=file]");
  const named = [];
  for (const [index, file] of [...input.files].entries()) {
    const { incoming: address, purpose } = field.dataset;
    const ask = { file, address, purpose, token: body.get("csrfmiddlewaretoken") };
    ask.begun = (request) => { field.request = request; };
    ask.progress = (sent) => progress(field, [rowsOf(field)[index]], sent);
    document.body.dispatchEvent(new CustomEvent("store:incoming", { detail: ask }));
    named.push(`${input.name}:${await ask.sent}`);
  }
  body.delete(input.name);
  for (const each of named) body.append("incoming", each);
}

function send(form, fields, body, address) {
  const request = new XMLHttpRequest();
  for (const field of fields) field.request = request;
  request.upload.addEventListener("progress", (sent) => {
    // A form that only names its files is sent in no time.
    for (const field of fields) if (body.has(field.querySelector("input[type=file]").name)) progress(field, rowsOf(field), sent);
  });
  request.addEventListener("load", () => answer(form, request));
  request.addEventListener("error", () => stopped(form));
  request.addEventListener("abort", () => stopped(form, ""));
  request.open("POST", address);
  request.setRequestHeader("X-Upload", "progress");
  request.send(body);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const fields = [...form.querySelectorAll("[data-upload]")].filter((field) => field.querySelector("input[type=file]").files.length);
  if (event.defaultPrevented || !fields.length || form.hasAttribute("hx-post")) return;
  event.preventDefault();
  const body = new FormData(form, event.submitter);
  // By attribute: a field called "action" would hide the form's own property.
  const address = event.submitter?.getAttribute("formaction") || form.getAttribute("action") || location.href;
  for (const field of fields) {
    field.querySelectorAll("[data-upload-remove]").forEach((button) => button.setAttribute("aria-label", field.dataset.cancel));
  }
  for (const field of fields.filter((each) => each.dataset.incoming)) {
    try {
      await sendAhead(field, body);
    } catch (error) {
      if (error.name === "Stopped") return stopped(form, "");
      if (error.name === "Refused") {
        stopped(form, "");
        return showError(field, error.message);
      }
      // The bucket cannot be reached from here: the form carries its files itself.
    }
  }
  send(form, fields, body, address);
});
