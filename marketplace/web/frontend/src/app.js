// The pages' whole script. Pages hold no script of their own: what one needs is an attribute read here.
import "@tabler/core/dist/js/tabler.esm.js";
import { htmx } from "./htmx.js";
import { drawCharts, forgetCharts } from "./charts.js";
import { bindForms } from "./forms.js";
import { countDown } from "./countdown.js";
import "./menu.js";

htmx.onLoad((root) => {
  drawCharts(root);
  bindForms(root);
  countDown(root);
});
document.addEventListener("htmx:beforeCleanupElement", (event) => forgetCharts(event.target));
