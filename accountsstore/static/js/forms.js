// Forms: one submit at a time, a button that says what happens, passwords that can be looked at.

const busyButtons = new WeakMap();

function busy(button) {
  if (!button || busyButtons.has(button)) return;
  busyButtons.set(button, button.innerHTML);
  button.disabled = true;
  const spinner = document.createElement("span");
  spinner.className = "loading loading-spinner loading-sm";
  spinner.setAttribute("aria-hidden", "true");
  const text = button.dataset.busy;
  button.replaceChildren(spinner, ...(text ? [text] : button.childNodes));
}

function ready(form) {
  delete form.dataset.sending;
  for (const button of document.querySelectorAll("button:disabled")) {
    if (!busyButtons.has(button) || button.form !== form) continue;
    button.innerHTML = busyButtons.get(button);
    button.disabled = false;
    busyButtons.delete(button);
  }
}

// Before anybody else sees it: a form that is on its way is not sent again.
document.addEventListener("submit", (event) => {
  if (!event.target.dataset.sending) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

// After everybody else: forms that only read, or that another script handles, stay as they are.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const byHtmx = form.hasAttribute("hx-post");
  // By attribute: a field called "method" would hide the form's own property.
  const posts = form.getAttribute("method")?.toLowerCase() === "post";
  if (!byHtmx && (!posts || event.defaultPrevented)) return;
  form.dataset.sending = "true";
  // A disabled button is not sent, so it is disabled after the browser has read the form.
  setTimeout(() => busy(event.submitter || form.querySelector("button:not([type=button])")));
});

// htmx took over, an upload failed, or the person came back by the browser's back button.
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form");
  if (form) ready(form);
});
document.addEventListener("store:form-ready", (event) => ready(event.target));
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sending]").forEach(ready);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-show-password]");
  if (!button) return;
  const input = button.parentElement.querySelector("input");
  const shown = input.type === "text";
  input.type = shown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!shown));
});

// A form that came back with errors begins at its summary.
const focusErrors = () => {
  (document.querySelector("[data-focus]") || document.querySelector(".is-invalid :is(input, select, textarea)"))?.focus();
};
focusErrors();
document.addEventListener("store:errors-shown", focusErrors);
