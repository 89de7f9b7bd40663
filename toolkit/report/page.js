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
  // Where it is narrow, a legend below a chart has a row for each name, and needs room for them.
  function roomy(div, layout, data) {
    if (!layout.legend || layout.legend.yref !== "container") return layout;
    const names = data.filter(function (trace) {
      return trace.name && trace.showlegend !== false && trace.visible !== false;
    });
    const length = names.reduce(function (sum, trace) { return sum + 60 + 7 * trace.name.length; }, 0);
    const rows = length <= div.clientWidth - 80 ? 1 : div.clientWidth < 640 ? names.length
      : Math.ceil(length / (div.clientWidth - 80));
    const wanted = 58 + 20 * rows, more = wanted - layout.margin.b;
    if (more <= 0) return layout;
    const height = layout.height + more;
    div.style.height = height + "px";
    return Object.assign({}, layout, { height: height, margin: Object.assign({}, layout.margin, { b: wanted }) });
  }
  function draw(div, spec) {
    specs.set(div, spec);
    const layout = Object.assign({}, roomy(div, spec.layout, spec.data),
      { template: look(), font: { size: 13, color: colour("--ink") } });
    return Plotly.react(div, spec.data, layout, { displayModeBar: false, responsive: true });
  }
  function repaint() {
    document.querySelectorAll(".plot.js-plotly-plot").forEach(function (div) {
      Plotly.relayout(div, { template: look(), "font.color": colour("--ink") });
    });
  }
  // The blue of charts, as it is told from a dark page.
  function seen(text) {
    return matchMedia("(prefers-color-scheme: dark)").matches ? text.replaceAll('"#0072b2"', '"#3d9fe0"') : text;
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
  const SVG = "http://www.w3.org/2000/svg";
  function shape(parent, kind, attributes, text) {
    const made = document.createElementNS(SVG, kind);
    Object.keys(attributes).forEach(function (name) { made.setAttribute(name, attributes[name]); });
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }
  // A cell: nodes in a row, each edge a bundle of a line for each candidate, as wide as its weight.
  // Edges to the next node are straight; of longer ones, every second length goes below.
  function addGraph(div, graph) {
    const step = 190, rise = 66, gap = 8, ops = graph.operations.length;
    const level = function (edge) {
      const span = edge[1] - edge[0];
      return span % 2 ? -Math.floor(span / 2) : span / 2;
    };
    const levels = graph.edges.map(level).concat([0]);
    const above = Math.max.apply(null, levels), below = -Math.min.apply(null, levels);
    const margin = 14 + gap * ops / 2, base = above * rise + margin;
    const width = (graph.nodes.length - 1) * step + 60, height = base + below * rise + margin;
    const holder = document.createElement("div"), drawing = document.createElementNS(SVG, "svg");
    holder.className = "scroll graph";
    holder.tabIndex = 0;
    holder.setAttribute("role", "region");
    holder.setAttribute("aria-label", "drawing: " + div.getAttribute("aria-label"));
    drawing.setAttribute("viewBox", "0 0 " + width + " " + height);
    drawing.setAttribute("role", "img");
    drawing.style.minWidth = Math.min(width, 500) + "px";
    drawing.style.maxWidth = Math.round(1.3 * width) + "px";
    const place = function (node) { return 30 + node * step; };
    const lines = graph.edges.map(function (edge, row) {
      return graph.operations.map(function (name, column) {
        const from = place(edge[0]), to = place(edge[1]);
        const top = base - levels[row] * rise + (column - (ops - 1) / 2) * gap;
        const bend = Math.min(70, (to - from) / 2.5);
        const path = "M" + from + " " + base + " C" + (from + bend) + " " + top + " " + (from + bend) + " " + top +
          " " + (from + to) / 2 + " " + top + " S" + (to - bend) + " " + top + " " + to + " " + base;
        const line = shape(drawing, "path", { d: path, fill: "none", stroke: graph.colours[column] });
        shape(line, "title", {});
        return line;
      });
    });
    graph.nodes.forEach(function (name, node) {
      shape(drawing, "circle", { cx: place(node), cy: base, r: 15 });
      shape(drawing, "text", { x: place(node), y: base + 5, "text-anchor": "middle" }, name);
    });
    const key = document.createElement("p");
    key.className = "soft key";
    graph.operations.forEach(function (name, column) {
      const entry = document.createElement("span"), sign = document.createElement("i");
      sign.style.background = graph.colours[column];
      entry.append(sign, name);
      key.append(entry);
    });
    holder.append(drawing);
    div.before(holder, key);
    return function (frame) {
      const said = frame.z.map(function (row, edge) {
        const best = row.indexOf(Math.max.apply(null, row));
        const ends = graph.edges[edge].map(function (node) { return graph.nodes[node]; }).join(" to ");
        row.forEach(function (weight, column) {
          const line = lines[edge][column];
          line.style.strokeWidth = Math.max(0.3, 7 * weight / graph.most) + "px";
          line.style.strokeOpacity = column === best ? 1 : 0.45;
          line.firstChild.textContent = ends + ": " + graph.operations[column] + " " + weight.toFixed(3);
        });
        return ends + " " + graph.operations[best] + " " + row[best].toFixed(2);
      });
      drawing.setAttribute("aria-label", frame.name + ", the widest line of each edge: " + said.join("; "));
    };
  }
  function addFrames(div, spec) {
    const last = spec.frames.length - 1, range = document.createElement("input");
    Object.assign(range, { type: "range", min: 0, max: last, value: last });
    const label = labelled("", range);
    if (last) div.before(label);
    const redraw = spec.graph ? addGraph(div, spec.graph) : function () {};
    function show() {
      const frame = spec.frames[range.value];
      label.firstChild.textContent = frame.name;
      range.setAttribute("aria-valuetext", frame.name);
      redraw(frame);
      if (last) Plotly.restyle(div, { z: [frame.z] }, [0]);
    }
    range.addEventListener("input", show);
    show();
  }
  function start(scope) {
    scope.querySelectorAll("script[data-chart]").forEach(function (source) {
      const div = document.getElementById(source.dataset.chart);
      const spec = JSON.parse(seen(source.textContent));
      draw(div, spec);
      if (spec.menu && spec.menu.length) addMenu(div, spec);
      if (spec.frames && spec.frames.length) addFrames(div, spec);
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
