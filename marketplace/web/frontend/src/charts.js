// Draws a chart in every element with data-chart. The options of ECharts are JSON, in data-options or in the
// <script type="application/json"> that data-chart="ID" names (htmx drops scripts from parts it swaps in, so those parts
// use data-options). JSON holds no functions, so "valueFormatter" names one of FORMATS below.
import { BarChart, LineChart, PieChart, SankeyChart } from "echarts/charts";
import {
  AriaComponent,
  DatasetComponent,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  TooltipComponent,
} from "echarts/components";
import * as echarts from "echarts/core";
import langZH from "echarts/i18n/langZH-obj.js";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([
  BarChart, LineChart, PieChart, SankeyChart, AriaComponent, DatasetComponent, DataZoomComponent, GridComponent,
  LegendComponent, MarkLineComponent, TitleComponent, TooltipComponent, CanvasRenderer,
]);
echarts.registerLocale("ZH", langZH);

const chinese = document.documentElement.lang.startsWith("zh");
const number = new Intl.NumberFormat(chinese ? "zh-CN" : "en", { maximumFractionDigits: 2 });
const yuan = new Intl.NumberFormat(chinese ? "zh-CN" : "en", {
  style: "currency", currency: "CNY", currencyDisplay: "narrowSymbol",
});
const short = new Intl.NumberFormat(chinese ? "zh-CN" : "en", {
  style: "currency", currency: "CNY", currencyDisplay: "narrowSymbol", notation: "compact", maximumFractionDigits: 2,
});
const shortNumber = new Intl.NumberFormat(chinese ? "zh-CN" : "en", { notation: "compact", maximumFractionDigits: 2 });

const FORMATS = {
  number: (value) => number.format(value),
  yuan: (value) => yuan.format(value),
  fen: (value) => yuan.format(value / 100), // whole fen as the server sends them
  shortfen: (value) => short.format(value / 100), // on an axis: 50亿, 1.2万; 5B, 12K
  shortyuan: (value) => short.format(value),
  short: (value) => shortNumber.format(value),
  percent: (value) => `${number.format(value)} %`,
  kwh: (value) => `${number.format(value)} kWh`,
  kw: (value) => `${number.format(value)} kW`,
};

const COLOURS = ["#066fd1", "#2fb344", "#f59f00", "#ae3ec9", "#17a2b8", "#d63939", "#667382", "#74b816"];

function named(options) {
  const format = FORMATS[options.tooltip?.valueFormatter];
  const axes = [options.xAxis, options.yAxis].flat().filter(Boolean);
  for (const axis of axes) {
    const label = FORMATS[axis.axisLabel?.formatter];
    if (label) axis.axisLabel.formatter = label;
  }
  return {
    color: COLOURS,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    aria: { enabled: true },
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    ...options,
    // The tooltip is painted, not written as HTML: the content security policy allows no style attributes.
    tooltip: { ...options.tooltip, renderMode: "richText", valueFormatter: format },
  };
}

const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) echarts.getInstanceByDom(target)?.resize();
});

function within(root, selector) {
  return [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
}

export function drawCharts(root) {
  for (const element of within(root, "[data-chart]")) {
    const source = element.dataset.options ?? document.getElementById(element.dataset.chart)?.textContent;
    if (!source || echarts.getInstanceByDom(element)) continue;
    const chart = echarts.init(element, null, { renderer: "canvas", locale: chinese ? "ZH" : "EN" });
    chart.setOption(named(JSON.parse(source)));
    chart.on("finished", () => element.setAttribute("data-chart-drawn", "")); // browser tests wait for it
    watcher.observe(element);
  }
}

export function forgetCharts(element) {
  const chart = element instanceof HTMLElement ? echarts.getInstanceByDom(element) : undefined;
  if (chart) {
    watcher.unobserve(element);
    chart.dispose();
  }
}
