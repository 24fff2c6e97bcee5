// Editing and deleting one's own messages in their place. What was asked for is asked again after a drop, until the store
// answers: it takes the same change once. Without this script "Edit" is a page.

// client_id → { line, form, frame }; `frame` waits for its answer.
const open = new Map();

const tell = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));

function begin(line) {
  const root = line.closest("[data-chat]");
  const template = root.querySelector("template[data-chat-editor]");
  const clientId = line.dataset.clientId;
  if (!template || open.has(clientId)) return;
  const form = template.content.firstElementChild.cloneNode(true);
  const text = form.elements.body;
  const bubble = line.querySelector(".bubble");
  const files = line.querySelector("[data-files]").childElementCount;
  text.value = line.querySelector("[data-text]").textContent;
  text.required = !files;
  open.set(clientId, { line, form, bubble, conversation: root.dataset.chat });
  bubble.before(form);
  bubble.hidden = true;
  line.querySelector("[data-edit]").hidden = true;
  form.scrollIntoView({ block: "nearest" });
  text.focus();
  text.setSelectionRange(text.value.length, text.value.length);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(clientId, { type: "message.edit", body: text.value.trim(), confirmed: event.submitter?.name === "confirmed" });
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") end(clientId, true);
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.querySelector("[data-cancel]").addEventListener("click", () => end(clientId, true));
  form.querySelector("[data-delete]").addEventListener("click", () => ask(clientId, { type: "message.delete" }));
}

function ask(clientId, change) {
  const editor = open.get(clientId);
  editor.frame = { ...change, conversation: editor.conversation, client_id: clientId };
  busy(editor, true);
  tell("store:send", editor.frame);
}

function busy({ form }, is) {
  form.setAttribute("aria-busy", String(is));
  form.querySelector("[data-why]").hidden = true;
  for (const button of form.querySelectorAll("button:not([data-cancel])")) button.disabled = is;
}

function end(clientId, showEdit) {
  const { line, form, bubble } = open.get(clientId);
  open.delete(clientId);
  form.remove();
  bubble.hidden = !bubble.querySelector("[data-text]").textContent;
  const link = line.querySelector("[data-edit]");
  if (link) link.hidden = false;
  if (showEdit) link?.focus();
}

function refused({ client_id, detail }, warned) {
  const editor = open.get(client_id);
  if (!editor?.frame) return;
  editor.frame = null;
  busy(editor, false);
  const why = editor.form.querySelector("[data-why]");
  why.textContent = detail;
  why.hidden = false;
  editor.form.querySelector("button[name=confirmed]").hidden = !warned;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-chat] [data-edit]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  begin(link.closest(".msg"));
});

const on = (name, act) => document.body.addEventListener(name, (event) => act(event.detail));
const answered = (frame) => { if (open.get(frame.client_id)?.frame) end(frame.client_id, false); };
on("store:message.ack", answered);
on("store:message.warning", (frame) => refused(frame, true));
on("store:error", (frame) => refused(frame, false));
// Deleted in another tab: nothing is left to edit.
on("store:message.changed", (frame) => { if (frame.deleted && open.has(frame.client_id)) end(frame.client_id, false); });
on("store:connection", ({ up }) => {
  if (up) for (const { frame } of open.values()) if (frame) tell("store:send", frame);
});
