// htmx, held to a strict content security policy: no eval, no scripts or styles written into the page.
import htmx from "htmx.org/dist/htmx.esm.js";

Object.assign(htmx.config, {
  allowEval: false,
  allowScriptTags: false,
  includeIndicatorStyles: false, // they stand in app.css
  selfRequestsOnly: true,
  historyCacheSize: 0, // pages hold money and names: none of them stays in the browser's storage
  defaultFocusScroll: true,
  responseHandling: [
    { code: "204", swap: false },
    { code: "[23]..", swap: true },
    { code: "4(09|22)", swap: true }, // a form answers with its errors
    { code: "...", swap: false, error: true },
  ],
});

// Every request of htmx carries the token that the page shows in <meta name="csrf-token" content="…">.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token;
});

export { htmx };
