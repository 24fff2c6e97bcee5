// Files for a message: each is sent to the store as soon as it is chosen, with its progress and a way to take it back;
// the message then names them. Without this script the form carries them itself.
//
// `store:attach.take` {form, files: [], busy} is filled at once with what is to go along and empties the list; while
// something is still on its way it says busy, and the form is submitted again when everything has arrived.
// `store:attach.give` {form, files} puts uploaded files back.

const lists = new WeakMap();
const waiting = new WeakSet();

const listOf = (form) => lists.get(form) ?? lists.set(form, []).get(form);
const sizeText = (bytes) => (bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`);

function fail(form, text) {
  const line = document.createElement("p");
  line.className = "field-error";
  line.textContent = text;
  form.querySelector("[data-attach-errors]").replaceChildren(...(text ? [line] : []));
}

function addRow(form, name, size) {
  const row = form.parentElement.querySelector("template[data-attach-row]").content.firstElementChild.cloneNode(true);
  const label = form.querySelector("[data-attach]").dataset.remove;
  row.querySelector("[data-name]").textContent = name;
  row.querySelector("[data-size]").textContent = sizeText(size);
  const button = row.querySelector("[data-attach-remove]");
  button.setAttribute("aria-label", `${label}: ${name}`);
  const entry = { row };
  button.addEventListener("click", () => {
    entry.request?.abort();
    remove(form, entry);
    form.elements.body.focus();
  });
  form.querySelector("[data-attach-rows]").append(row);
  listOf(form).push(entry);
  return entry;
}

function remove(form, entry) {
  entry.row.remove();
  const list = listOf(form);
  if (list.includes(entry)) list.splice(list.indexOf(entry), 1);
}

function refuse(form, entry, text) {
  remove(form, entry);
  waiting.delete(form); // the person decides anew
  const name = entry.row.querySelector("[data-name]").textContent;
  fail(form, text || `${name}: ${form.querySelector("[data-attach]").dataset.failed}`);
}

async function upload(form, file) {
  const { url, incoming: address, purpose } = form.querySelector("[data-attach]").dataset;
  const entry = addRow(form, file.name, file.size);
  const meter = entry.row.querySelector("progress");
  const progress = (sent) => { meter.max = sent.total; meter.value = sent.loaded; };
  const body = new FormData();
  body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  const begun = (request) => { entry.request = request; if (!entry.row.isConnected) request.abort(); };
  try {
    body.append("incoming", `file:${await ahead({ file, address, purpose, token: body.get("csrfmiddlewaretoken"), begun, progress })}`);
  } catch (error) {
    if (error.name === "Stopped") return;
    if (error.name === "Refused") return refuse(form, entry, error.message);
    body.append("file", file);
  }
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (sent) => { if (body.has("file")) progress(sent); });
  request.addEventListener("load", () => {
    let said = {};
    try { said = JSON.parse(request.responseText); } catch { /* an error page */ }
    if (request.status !== 200 || !said.id) return refuse(form, entry, said.detail && `${file.name}: ${said.detail}`);
    entry.file = said;
    meter.hidden = true;
    if (waiting.has(form) && listOf(form).every((each) => each.file)) form.requestSubmit();
  });
  request.addEventListener("error", () => refuse(form, entry));
  request.open("POST", url);
  request.setRequestHeader("X-Upload", "progress");
  request.send(body);
  begun(request);
}

// Straight to the bucket where there is one (incoming.js), else it comes with the question.
async function ahead(ask) {
  if (!ask.address) throw new Error();
  document.body.dispatchEvent(new CustomEvent("store:incoming", { detail: ask }));
  return ask.sent;
}

function add(form, files) {
  const { maxBytes, maxFiles, tooBig, empty, tooMany } = form.querySelector("[data-attach]").dataset;
  fail(form, "");
  for (const file of files) {
    if (listOf(form).length >= Number(maxFiles)) fail(form, tooMany);
    else if (file.size > Number(maxBytes) || !file.size) fail(form, `${file.name}: ${file.size ? tooBig : empty}`);
    else upload(form, file);
  }
}

document.addEventListener("change", (event) => {
  const form = event.target.type === "file" && event.target.closest("[data-chat-form]");
  if (!form) return;
  const files = [...event.target.files];
  event.target.value = ""; // sent by itself, not with the form
  add(form, files);
});

document.addEventListener("paste", (event) => {
  const form = event.target.closest?.("[data-chat-form]");
  if (!form || !event.clipboardData.files.length) return;
  event.preventDefault();
  add(form, event.clipboardData.files);
});

document.body.addEventListener("store:attach.take", ({ detail }) => {
  const list = listOf(detail.form);
  detail.busy = list.some((entry) => !entry.file);
  if (detail.busy) return void waiting.add(detail.form);
  waiting.delete(detail.form);
  detail.files.push(...list.map((entry) => entry.file));
  for (const entry of [...list]) remove(detail.form, entry);
  fail(detail.form, "");
});
document.body.addEventListener("store:attach.give", ({ detail }) => {
  for (const file of detail.files) {
    const entry = addRow(detail.form, file.name, file.size);
    entry.file = file;
    entry.row.querySelector("progress").hidden = true;
  }
});
