// Draws the charts that the page describes in JSON, in the page's colours, with native controls.
(function () {
  "use strict";
  const root = document.documentElement;
  const colour = function (name) { return getComputedStyle(root).getPropertyValue(name).trim(); };
  const specs = new WeakMap();

  function look() {
    const axis = { gridcolor: colour("--grid"), linecolor: colour("--grid"), tickcolor: colour("--grid") };
    return { layout: { font: { color: colour("--ink") }, xaxis: axis, yaxis: axis,
      annotationdefaults: { font: { color: colour("--soft") } } } };
  }
  function draw(div, spec) {
    specs.set(div, spec);
    const layout = Object.assign({}, spec.layout, { template: look(), font: { size: 13, color: colour("--ink") } });
    return Plotly.react(div, spec.data, layout, { displayModeBar: false, responsive: true });
  }
  function repaint() {
    document.querySelectorAll(".plot.js-plotly-plot").forEach(function (div) {
      Plotly.relayout(div, { template: look(), "font.color": colour("--ink") });
    });
  }
  function labelled(text, input) {
    const label = document.createElement("label");
    label.className = "control";
    const said = document.createElement("span");
    said.textContent = text;
    label.append(said, input);
    return label;
  }
  function addMenu(div, spec) {
    const select = document.createElement("select");
    spec.menu.forEach(function (entry, index) { select.add(new Option(entry.label, index)); });
    select.addEventListener("change", function () {
      const chosen = spec.menu[select.value];
      Plotly.update(div, chosen.traces, chosen.layout);
    });
    div.before(labelled("metric", select));
  }
  function addSlider(div, spec) {
    const range = document.createElement("input");
    Object.assign(range, { type: "range", min: 0, max: spec.frames.length - 1, value: spec.frames.length - 1 });
    const label = labelled("", range);
    function show() {
      const frame = spec.frames[range.value];
      label.firstChild.textContent = frame.name;
      range.setAttribute("aria-valuetext", frame.name);
      Plotly.restyle(div, { z: [frame.z] }, [0]);
    }
    range.addEventListener("input", show);
    div.before(label);
    show();
  }
  function start(scope) {
    scope.querySelectorAll("script[data-chart]").forEach(function (source) {
      const div = document.getElementById(source.dataset.chart);
      const spec = JSON.parse(source.textContent);
      draw(div, spec);
      if (spec.menu && spec.menu.length) addMenu(div, spec);
      if (spec.frames && spec.frames.length > 1) addSlider(div, spec);
    });
  }
  window.toolkitCharts = { draw: draw, start: start };

  function addSorting(table) {
    table.querySelectorAll("thead th").forEach(function (head, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.append.apply(button, Array.from(head.childNodes));
      head.append(button);
      button.addEventListener("click", function () {
        const up = head.getAttribute("aria-sort") !== "ascending";
        table.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const key = function (row) {
          const cell = row.cells[column], raw = cell.dataset.value || cell.textContent.trim();
          const number = Number(raw);
          return raw === "" || raw === "–" ? null : Number.isNaN(number) ? raw : number;
        };
        const rows = Array.from(body.rows).map(function (row) { return [key(row), row]; });
        rows.sort(function (a, b) {
          if (a[0] === null || b[0] === null) return (a[0] === null) - (b[0] === null);
          if (a[0] === b[0]) return 0;
          // Numbers before words, so that a column of both has one order.
          const words = (typeof a[0] === "string") - (typeof b[0] === "string");
          const less = words ? words < 0 : a[0] < b[0];
          return less === up ? -1 : 1;
        });
        rows.forEach(function (entry) { body.append(entry[1]); });
      });
    });
  }
  function begin() {
    document.querySelectorAll("table.sortable").forEach(addSorting);
    if (!window.Plotly) return;
    start(document);
    window.toolkitCharts.ready = true;
    document.dispatchEvent(new Event("charts-ready"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    matchMedia("print").addEventListener("change", repaint);
  }
  const packed = document.getElementById("plotly-packed");
  if (!packed) { begin(); return; }
  // A page that has something to show before its charts asks for them when it has shown it.
  if (root.hasAttribute("data-charts-later")) document.addEventListener("charts-wanted", unpack, { once: true });
  else unpack();
  function unpack() {
    const bytes = Uint8Array.from(atob(packed.textContent.trim()), function (c) { return c.charCodeAt(0); });
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    new Response(stream).text().then(function (code) {
      const script = document.createElement("script");
      script.textContent = code;
      document.head.append(script);
      begin();
    }, function () {
      document.querySelectorAll(".plot").forEach(function (div) {
        div.textContent = "This browser cannot draw charts: it is older than 2023.";
      });
    });
  }
})();
