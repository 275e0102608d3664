// Small manners of forms: data-confirm asks before sending, a sent form cannot be sent twice, data-submit-on-change
// sends a filter at once. The server still refuses a second order with the same key; this only spares the wait.
function within(root, selector) {
  return [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
}

export function bindForms(root) {
  for (const form of within(root, "form")) {
    if (form.dataset.bound) continue;
    form.dataset.bound = "1";
    form.addEventListener("submit", (event) => {
      if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
        event.preventDefault();
        event.stopImmediatePropagation();
        return;
      }
      if (form.hasAttribute("hx-post") || form.method === "get") return; // htmx's hx-disabled-elt does it there
      requestAnimationFrame(() => {
        for (const button of form.querySelectorAll("button[type=submit], button:not([type])")) button.disabled = true;
      });
    });
  }
  for (const field of within(root, "[data-submit-on-change]")) {
    field.addEventListener("change", () => field.form?.requestSubmit());
  }
}

// A slider tells its value while it is moved; what follows from it comes from the server when it is let go.
document.addEventListener("input", (event) => {
  if (event.target.type !== "range") return;
  for (const label of event.target.labels ?? []) {
    const told = label.querySelector("output");
    if (told) told.value = event.target.value;
  }
});

// How much of a file has been sent, in the form's <progress>. Sent files that htmx carries tell of it.
document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = event.target.closest?.("[data-upload]")?.querySelector("progress");
  if (!bar || !event.detail.lengthComputable) return;
  bar.hidden = false;
  bar.value = Math.round((event.detail.loaded / event.detail.total) * 100);
});

// A refused form: the sentence that says why takes the focus, so that it is read out and the errors lie just below.
function showRefusal(root) {
  root.querySelector?.("#refusal")?.focus();
}
document.addEventListener("DOMContentLoaded", () => showRefusal(document));
document.addEventListener("htmx:afterSettle", (event) => showRefusal(event.target));

// A page taken back from the browser's memory has usable buttons again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const button of document.querySelectorAll("form button[disabled]")) button.disabled = false;
});
