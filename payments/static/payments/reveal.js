// Credentials: one locked field at a time comes from the server, after the password. Nothing is stored here.

const dialog = document.getElementById("reveal-dialog");
const form = dialog.querySelector("form");
const problem = dialog.querySelector("[data-reveal-error]");

async function ask(data) {
  const answer = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" }, cache: "no-store" });
  const type = answer.headers.get("Content-Type") || "";
  if (!type.startsWith("application/json")) throw new Error(`reveal: ${answer.status}`);
  return answer.json();
}

function fields(key, password) {
  const data = new FormData(form);
  data.set("field", key);
  data.set("password", password);
  return data;
}

function show(button, secret) {
  const row = button.closest("[data-secret-row]");
  const place = document.createElement("bdi");
  place.className = "code font-medium break-all whitespace-pre-wrap";
  place.textContent = secret;
  row.querySelector("[data-secret]").replaceChildren(place);
  const copy = document.getElementById("copy-template").content.firstElementChild.cloneNode(true);
  copy.dataset.copy = secret;
  copy.querySelector(".sr-only").textContent = ` ${button.dataset.label}`;
  button.replaceWith(copy);
  copy.focus();
}

function failed() {
  document.dispatchEvent(new CustomEvent("store:failed", { detail: { text: document.body.dataset.failed } }));
}

function openDialog(button) {
  dialog.querySelector("[data-reveal-label]").textContent = button.dataset.label;
  form.elements.field.value = button.dataset.reveal;
  form.elements.password.value = "";
  problem.hidden = true;
  dialog.showModal();
  form.elements.password.focus();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-reveal]");
  if (!button) return;
  button.disabled = true;
  try {
    // The password may have been given a moment ago; then the server opens the field without asking.
    const answer = await ask(fields(button.dataset.reveal, ""));
    if ("value" in answer) show(button, answer.value);
    else if (answer.ask) openDialog(button);
    else document.dispatchEvent(new CustomEvent("store:failed", { detail: { text: answer.detail } }));
  } catch {
    failed();
  } finally {
    button.disabled = false;
  }
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = form.elements.field.value;
  const button = document.querySelector(`[data-reveal="${CSS.escape(key)}"]`);
  const send = form.querySelector("button:not([type=button])");
  send.disabled = true;
  try {
    const answer = await ask(fields(key, form.elements.password.value));
    form.elements.password.value = "";
    if ("value" in answer) {
      dialog.close();
      if (button) show(button, answer.value);
    } else {
      problem.textContent = answer.detail;
      problem.hidden = false;
      form.elements.password.focus();
    }
  } catch {
    dialog.close();
    failed();
  } finally {
    send.disabled = false;
  }
});
