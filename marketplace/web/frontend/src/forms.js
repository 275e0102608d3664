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

// A page taken back from the browser's memory has usable buttons again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const button of document.querySelectorAll("form button[disabled]")) button.disabled = false;
});
