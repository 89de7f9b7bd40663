// Follows runs by server-sent events, and shows them with the report's charts and looks.
(function () {
  "use strict";
  const token = new URLSearchParams(location.search).get("token") || "";
  const PAGE = 100, MOST_POINTS = 2000, MOST_LINES = 300, MOST_AXES = 9, MOST_CURVES = 12;
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7a5195", "#8b6914", "#56b4e9", "#a01b5c", "#4f7a28"];
  const SHADES = ["#b8c4ce", "#94bdd9", "#5ba4d4", "#0072b2", "#d55e00"];
  const STATE_COLOURS = { done: "#0072b2", pruned: "#e69f00", failed: "#c0392b", oom: "#c0392b", timeout: "#c0392b", invalid: "#c0392b" };
  const byId = function (id) { return document.getElementById(id); };
  const runs = new Map();
  const chosen = new Set();
  const picked = new Set();
  let listed = [], source = null, sort = { key: "number", up: false }, place = 0, timer = null, cost = 0, charts = false, touched = false;
  let fetched = { key: "", at: 0, curves: {} };

  function address(path, query) {
    return path + "?" + new URLSearchParams(Object.assign({ token: token }, query || {}));
  }
  async function ask(path, query, method) {
    const answer = await fetch(address(path, query), { method: method || "GET" });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error + (content.hint ? "\n" + content.hint : ""));
    return content;
  }
  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = text;
    if (className) made.className = className;
    return made;
  }
  const isNumber = function (value) { return typeof value === "number" && Number.isFinite(value); };
  const escaped = function (text) { return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;"); };
  const words = function (name) { return escaped(name.replaceAll("_", " ")); };
  const isShare = function (name) { return /accuracy|f1|precision|recall|auc|error_rate/.test(name.toLowerCase()); };
  function said(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "boolean") return String(value);
    if (!isNumber(value)) return String(value);
    if (value && Math.abs(value) < 1e-4) return value.toExponential(3);
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  }
  function metricText(name, value) {
    if (!isNumber(value)) return "";
    return isShare(name) && Math.abs(value) <= 1 ? (100 * value).toFixed(2) + " %" : said(value);
  }
  function clock(seconds) {
    const whole = Math.round(seconds);
    return Math.floor(whole / 3600) + ":" + String(Math.floor(whole / 60) % 60).padStart(2, "0") + ":" + String(whole % 60).padStart(2, "0");
  }
  function thinned(items, most) {
    if (items.length <= most) return items;
    return Array.from({ length: most }, function (_, i) { return items[Math.round(i * (items.length - 1) / (most - 1))]; });
  }

  // The runs that are shown, and what is known of each.
  function shownRuns() {
    return listed.filter(function (run) { return chosen.has(run.id) && runs.has(run.id); })
      .map(function (run) { return Object.assign({ id: run.id, title: run.title, evaluation: run.evaluation }, runs.get(run.id)); });
  }
  function objective(run) { return Object.keys(run.objectives)[0] || ""; }
  function direction(run) { return Object.values(run.objectives)[0] === "minimize" ? -1 : 1; }
  function results(run) {
    const metric = objective(run);
    return Array.from(run.rows.values()).filter(function (row) { return !row.final && isNumber(row.values[metric]); });
  }
  function best(run) {
    const metric = objective(run), sign = direction(run);
    return results(run).filter(function (row) { return row.best; }).reduce(function (a, b) {
      return a && sign * a.values[metric] >= sign * b.values[metric] ? a : b;
    }, null);
  }

  // What a person looks for among the trials: the best so far, and what is in best/.
  function markOf(run, row) {
    if (row.final) return run.handed_over && row.label === run.handed_over ? "in best/" : "";
    if (Object.keys(run.objectives).length > 1) return run.front.indexOf(row.number) >= 0 ? "on the front" : "";
    return run.bestNumber === row.number ? "best so far" : "";
  }
  function isLive(run) { return run.state === "running" || run.state === "open study"; }
  function measured(run) { return (run.state.endsWith("study") ? "" : "validation ") + objective(run); }
  function bestText(run, known) {
    const metric = Object.keys(run.objectives || {})[0] || "";
    if (run.evaluation) return "";
    const live = known && Object.keys(known.objectives).length === 1 ? best(known) : null;
    if (live) return metricText(metric, live.values[metric]) + " (trial " + live.number + ")";
    return run.best ? metricText(metric, run.best.value) + " (trial " + run.best.number + ")" : "";
  }
  function handedText(run) {
    const metric = Object.keys(run.objectives || {})[0] || "", given = run.handed_over;
    if (run.evaluation) return run.evaluation;
    if (!given) return "";
    return given.network + (isNumber(given.test) ? ", test " + metricText(metric, given.test) : "");
  }

  async function list() {
    try {
      listed = await ask("/runs");
    } catch (fault) {
      byId("status").textContent = "The server does not answer: it was ended, or this address is old.";
      return;
    }
    const first = touched ? null : opened();
    if (first && !chosen.has(first.id)) {
      chosen.clear();
      chosen.add(first.id);
      follow();
    }
    showList();
  }
  // Until somebody ticks a run: the newest one at work, the one that was shown once none is, the newest.
  function opened() {
    const newest = function (all) { return all.reduce(function (a, b) { return a && (a.created || 0) >= (b.created || 0) ? a : b; }, null); };
    const shown = listed.find(function (run) { return chosen.has(run.id); });
    if (shown && isLive(shown)) return shown;
    const whole = listed.filter(function (run) { return !listed.some(function (other) { return other.folder && run.folder && run.folder.startsWith(other.folder + "/"); }); });
    return newest(whole.filter(isLive)) || shown || newest(whole);
  }
  function showList() {
    const body = byId("runs").tBodies[0], focus = document.activeElement && document.activeElement.dataset.key;
    const rows = listed.map(function (run) {
      const row = document.createElement("tr"), known = runs.get(run.id);
      const box = element("input");
      Object.assign(box, { type: "checkbox", checked: chosen.has(run.id) });
      box.dataset.key = "show " + run.id;
      box.setAttribute("aria-label", "show " + run.title);
      box.addEventListener("change", function () {
        touched = true;
        if (box.checked) chosen.add(run.id); else chosen.delete(run.id);
        picked.clear();
        follow();
        render();
      });
      const show = element("td");
      show.append(box);
      const state = element("td");
      state.append(element("span", run.state, "state " + run.state));
      // Trials that a constraint refuses, or that repeat another one, are not paid for: there may be more.
      const count = run.trials === undefined ? "" : run.trials + (!run.budget ? "" : run.trials > run.budget ? ", budget " + run.budget : " of " + run.budget);
      const report = element("td"), link = element("a", "report");
      Object.assign(link, { href: address("/report", { id: run.id }), target: "_blank", rel: "noopener" });
      report.append(link);
      row.append(show, element("td", run.error ? run.title + ": " + run.error : run.title), state, element("td", run.strategy),
        element("td", count, "number"), element("td", bestText(run, known), "number"), element("td", handedText(run)),
        report, buttons(run));
      return row;
    });
    body.replaceChildren.apply(body, rows);
    const region = byId("runs").parentElement;
    byId("runs-said").textContent = listed.length > 1 ? listed.length + " runs" + (region.scrollHeight > region.clientHeight + 1 ? "; scroll the list to see all of them." : ".") : "";
    if (focus) { const again = body.querySelector('[data-key="' + CSS.escape(focus) + '"]'); if (again) again.focus(); }
  }
  function buttons(run) {
    const cell = element("td");
    if (run.error || run.state === "done" || run.state.endsWith("study")) return cell;
    const button = element("button", run.state === "running" ? "stop" : "go on");
    button.type = "button";
    button.dataset.key = "engine " + run.id;
    button.setAttribute("aria-label", button.textContent + " " + run.title);
    button.addEventListener("click", async function () {
      button.disabled = true;
      try {
        if (run.state === "running") {
          if (confirm("Stop " + run.title + " after its current epochs?\nOnce more ends it at once.")) await ask("/stop", { id: run.id }, "POST");
        } else {
          const content = await ask("/command", { id: run.id });
          if (confirm("Go on with " + run.title + " by this command?\n\n" + content.command)) await ask("/go-on", { id: run.id }, "POST");
        }
      } catch (fault) { alert(fault.message); }
      button.disabled = false;
      list();
    });
    cell.append(button);
    return cell;
  }

  function follow() {
    if (source) source.close();
    source = null;
    runs.clear();
    if (!chosen.size) return;
    source = new EventSource(address("/events", { ids: Array.from(chosen).join(",") }));
    source.onopen = function () { runs.clear(); };
    source.onmessage = function (event) {
      const news = JSON.parse(event.data);
      const run = runs.get(news.id) || { rows: new Map() };
      news.rows.forEach(function (row) { run.rows.set(row.number, row); });
      const entry = listed.find(function (each) { return each.id === news.id; });
      if (entry && entry.state !== news.state) { entry.state = news.state; }
      runs.set(news.id, Object.assign(run, { state: news.state, objectives: news.objectives, front: news.front, handed_over: news.handed_over, used: news.used_s }));
      soon();
    };
  }
  function soon() {
    const pause = document.querySelector("#trials tbody tr") ? Math.max(500, 4 * cost) : 0;
    if (timer === null) timer = setTimeout(function () {
      const began = performance.now();
      timer = null;
      render();
      cost = performance.now() - began;
    }, pause);
  }
  function render() {
    const all = shownRuns();
    byId("status").textContent = !listed.length ? "There is no run here yet." : all.map(function (run) {
      const open = Array.from(run.rows.values()).filter(function (row) { return row.state === "running"; }).length;
      return run.title + ": " + run.state + ", " + run.rows.size + " trials" + (open ? ", " + open + " running" : "") + ", " + clock(run.used) + " used";
    }).join(" · ");
    showList();
    showTrials(all);
    if (!all.length) return;
    if (charts) setTimeout(function () { showCharts(all); }, 0);
    else requestAnimationFrame(function () { setTimeout(function () { document.dispatchEvent(new Event("charts-wanted")); }, 0); });
  }

  // The table: filtered, sorted, a page at a time.
  function columns(all) {
    const chosenNames = new Map(), decidedNames = new Map(), metrics = new Set();
    const note = function (known, values) {
      for (const name in values) {
        if (!known.has(name)) known.set(name, new Set());
        if (known.get(name).size < 2) known.get(name).add(String(values[name]));
      }
    };
    all.forEach(function (run) {
      if (objective(run)) metrics.add(objective(run));
      run.rows.forEach(function (row) {
        note(chosenNames, row.chosen);
        if (!row.final) note(decidedNames, row.decided);
        Object.keys(row.values).forEach(function (name) { if (name !== "parameters" && name !== "train_loss") metrics.add(name); });
      });
    });
    const varied = function (known) { return Array.from(known).filter(function (entry) { return entry[1].size > 1; }).map(function (entry) { return entry[0]; }); };
    // Decisions of an architecture join the searched values where they are few.
    const decided = varied(decidedNames);
    return { varied: varied(chosenNames).concat(decided.length <= MOST_AXES ? decided : []), metrics: Array.from(metrics) };
  }
  function cellsOf(all) {
    const names = columns(all), several = all.length > 1;
    const heads = [{ key: "curve", title: "curve" }].concat(several ? [{ key: "run", title: "run" }] : [],
      [{ key: "number", title: "trial", right: true }, { key: "state", title: "state" }, { key: "label", title: "what" }],
      names.varied.map(function (name) { return { key: "chosen:" + name, title: name, right: true }; }),
      names.metrics.map(function (name) { return { key: "value:" + name, title: name.replaceAll("_", " "), right: true }; }),
      [{ key: "parameters", title: "parameters", right: true }, { key: "duration_s", title: "seconds", right: true }, { key: "error", title: "remarks" }]);
    return heads;
  }
  function valueNamed(row, name) { return name in row.chosen ? row.chosen[name] : row.decided[name]; }
  function valueOf(entry, key) {
    const row = entry.row;
    if (key.startsWith("chosen:")) return valueNamed(row, key.slice(7));
    if (key.startsWith("value:")) return row.values[key.slice(6)];
    if (key === "label") return [row.label, markOf(entry.run, row)].filter(Boolean).join(", ");
    if (key === "run") return entry.title;
    if (key === "error") return row.error || (row.source === null ? "" : "answered by trial " + row.source);
    return row[key];
  }
  function compared(a, b) {
    const nothing = function (value) { return value === null || value === undefined || value === ""; };
    if (nothing(a) || nothing(b)) return nothing(a) - nothing(b);
    if (typeof a === "boolean") a = String(a);
    if (typeof b === "boolean") b = String(b);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  function tests(text, heads) {
    return text.trim().split(/\s+/).filter(Boolean).map(function (part) {
      const found = /^([^<>=!]+)(<=|>=|!=|<|>|=)(.+)$/.exec(part);
      if (!found) {
        const low = part.toLowerCase();
        return function (entry) { return heads.some(function (head) { const value = valueOf(entry, head.key); return value !== undefined && value !== null && String(value).toLowerCase().includes(low); }); };
      }
      const name = found[1].toLowerCase().replaceAll("_", " "), wanted = found[3];
      const head = heads.find(function (each) { return each.title.toLowerCase().replaceAll("_", " ") === name || each.title.toLowerCase().split(".").pop() === found[1].toLowerCase(); });
      return function (entry) {
        if (!head) return false;
        const value = valueOf(entry, head.key);
        if (value === undefined || value === null) return false;
        if (found[2] === "=") return String(value) === wanted || (isNumber(value) && value === Number(wanted));
        if (found[2] === "!=") return !(String(value) === wanted || (isNumber(value) && value === Number(wanted)));
        const limit = Number(wanted);
        return isNumber(value) && !Number.isNaN(limit) && { "<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit }[found[2]];
      };
    });
  }
  function showTrials(all) {
    const heads = cellsOf(all), phase = byId("phase").value, wanted = tests(byId("filter").value, heads);
    let entries = [];
    all.forEach(function (run) {
      const top = best(run);
      run.bestNumber = top && !run.evaluation ? top.number : 0;
      run.rows.forEach(function (row) { entries.push({ title: run.title, row: row, run: run }); });
    });
    const whole = entries.length;
    entries = entries.filter(function (entry) {
      return (!phase || entry.row.final === (phase === "final")) && wanted.every(function (test) { return test(entry); });
    });
    const sign = sort.up ? 1 : -1;
    entries.sort(function (a, b) {
      const x = valueOf(a, sort.key), y = valueOf(b, sort.key);
      const missing = (x === undefined || x === null || x === "") || (y === undefined || y === null || y === "");
      return (missing ? 1 : sign) * compared(x, y);
    });
    place = Math.max(0, Math.min(place, Math.floor((entries.length - 1) / PAGE) * PAGE));
    const shown = entries.slice(place, place + PAGE);
    byId("shown").textContent = entries.length ? (place + 1) + " to " + (place + shown.length) + " of " + entries.length + (whole > entries.length ? " (of " + whole + ")" : "") : "no trial";
    byId("earlier").disabled = place === 0;
    byId("later").disabled = place + PAGE >= entries.length;
    showHeads(heads);
    const body = byId("trials").tBodies[0], focus = document.activeElement && document.activeElement.dataset.key;
    body.replaceChildren.apply(body, shown.map(function (entry) { return tableRow(entry, heads); }));
    if (focus) { const again = document.querySelector('[data-key="' + CSS.escape(focus) + '"]'); if (again) again.focus(); }
  }
  function showHeads(heads) {
    const head = byId("trials").tHead, key = heads.map(function (each) { return each.key; }).join("|") + sort.key + sort.up;
    if (head.dataset.key === key) return;
    head.dataset.key = key;
    const row = document.createElement("tr");
    heads.forEach(function (each) {
      const cell = element("th", null, each.right ? "number" : ""), button = element("button", each.title);
      button.type = "button";
      button.dataset.key = "sort " + each.key;
      if (sort.key === each.key) cell.setAttribute("aria-sort", sort.up ? "ascending" : "descending");
      button.addEventListener("click", function () {
        sort = { key: each.key, up: sort.key === each.key ? !sort.up : true };
        place = 0;
        showTrials(shownRuns());
      });
      if (each.key === "curve") cell.textContent = each.title; else cell.append(button);
      row.append(cell);
    });
    const focus = document.activeElement && document.activeElement.dataset.key;
    head.replaceChildren(row);
    if (focus) { const again = head.querySelector('[data-key="' + CSS.escape(focus) + '"]'); if (again) again.focus(); }
  }
  function tableRow(entry, heads) {
    const row = element("tr", null, markOf(entry.run, entry.row) ? "found" : ""), mark = entry.run.id + ":" + entry.row.number;
    heads.forEach(function (head) {
      const cell = element("td", null, head.right ? "number" : head.key === "error" ? "wrap" : "");
      const value = head.key === "curve" ? null : valueOf(entry, head.key);
      if (head.key === "curve") {
        const box = element("input");
        Object.assign(box, { type: "checkbox", checked: picked.has(mark) });
        box.dataset.key = "curve " + mark;
        box.setAttribute("aria-label", "curve of trial " + entry.row.number + " of " + entry.title);
        box.addEventListener("change", function () { if (box.checked) picked.add(mark); else picked.delete(mark); showCurves(shownRuns()); });
        cell.append(box);
      } else if (head.key === "state") {
        cell.append(element("span", value, "state " + value));
      } else {
        cell.textContent = head.key.startsWith("value:") ? metricText(head.key.slice(6), value) : said(value);
      }
      row.append(cell);
    });
    return row;
  }

  // Charts.
  function layout(more) {
    return Object.assign({ margin: { l: 64, r: 16, t: 28, b: 48 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      hovermode: "closest", legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 } }, more);
  }
  function axis(name, metric) {
    return { title: { text: words(name), standoff: 14, font: { size: 13 } }, zeroline: false, automargin: true,
      tickformat: metric && isShare(metric) ? ".1~%" : "", autorangeoptions: metric && isShare(metric) ? { clipmin: 0, clipmax: 1.01 } : {} };
  }
  function showCharts(all) {
    showProgress(all);
    showFront(all);
    showCurves(all);
    showParallel(all);
  }
  function showProgress(all) {
    const traces = [];
    all.forEach(function (run, index) {
      const metric = objective(run), sign = direction(run), rows = results(run).sort(function (a, b) { return a.number - b.number; });
      if (all.length === 1) {
        const drawn = thinned(rows, MOST_POINTS);
        Array.from(new Set(drawn.map(function (row) { return row.state; }))).forEach(function (state) {
          const own = drawn.filter(function (row) { return row.state === state; });
          traces.push({ type: "scatter", mode: "markers", name: state, x: own.map(function (row) { return row.number; }), y: own.map(function (row) { return row.values[metric]; }),
            marker: { size: rows.length < 200 ? 8 : 5, color: STATE_COLOURS[state] || "#8a929b" }, hovertemplate: "trial %{x}: %{y}<extra></extra>" });
        });
      }
      const x = [], y = [];
      let top = null;
      rows.filter(function (row) { return row.best; }).forEach(function (row, i, done) {
        const value = row.values[metric];
        if (top === null || sign * value > sign * top || i === done.length - 1) {
          top = top === null || sign * value > sign * top ? value : top;
          x.push(row.number); y.push(top);
        }
      });
      traces.push({ type: "scatter", mode: "lines", name: all.length > 1 ? escaped(run.title) : "best so far", x: x, y: y,
        line: { shape: "hv", color: all.length > 1 ? COLOURS[index % COLOURS.length] : "#d55e00" } });
    });
    const metric = all.length ? objective(all[0]) : "";
    window.toolkitCharts.draw(byId("progress"), { data: traces, layout: layout({ xaxis: axis("trial"), yaxis: axis(all.length ? measured(all[0]) : "", metric), height: 320 }) });
  }
  function showFront(all) {
    const several = all.filter(function (run) { return Object.keys(run.objectives).length > 1; });
    byId("front-part").hidden = !several.length;
    if (!several.length) return;
    const names = Object.keys(several[0].objectives), traces = [];
    several.forEach(function (run, index) {
      const own = results(run).filter(function (row) { return row.best && isNumber(row.values[names[1]]); }), on = new Set(run.front);
      const front = own.filter(function (row) { return on.has(row.number); }).sort(function (a, b) { return a.values[names[1]] - b.values[names[1]]; });
      const rest = thinned(own.filter(function (row) { return !on.has(row.number); }), MOST_POINTS);
      const part = function (rows, name, marker, mode) {
        return { type: "scatter", mode: mode, name: escaped(several.length > 1 ? run.title + ", " + name : name), marker: marker, line: { shape: "hv", color: marker.color },
          x: rows.map(function (row) { return row.values[names[1]]; }), y: rows.map(function (row) { return row.values[names[0]]; }),
          text: rows.map(function (row) { return "trial " + row.number; }) };
      };
      const colour = COLOURS[index % COLOURS.length];
      traces.push(part(rest, "dominated", { color: several.length > 1 ? colour : "#8a929b", size: 6, opacity: 0.4 }, "markers"));
      traces.push(part(front, "on the front", { color: colour, size: 10 }, names.length === 2 ? "lines+markers" : "markers"));
    });
    window.toolkitCharts.draw(byId("front"), { data: traces, layout: layout({ xaxis: axis(names[1], names[1]), yaxis: axis(names[0], names[0]), height: 360 }) });
  }
  function wantedCurves(all) {
    if (picked.size) return Array.from(picked).map(function (mark) { return mark.split(":"); }).filter(function (pair) { return chosen.has(pair[0]); });
    const pairs = [];
    all.forEach(function (run) {
      const rows = Array.from(run.rows.values()), metric = objective(run), sign = direction(run);
      let own = rows.filter(function (row) { return row.state === "running"; });
      if (!own.length) own = results(run).filter(function (row) { return row.best; }).sort(function (a, b) { return sign * (b.values[metric] - a.values[metric]); });
      own.slice(0, Math.max(1, Math.floor(MOST_CURVES / 2 / all.length))).forEach(function (row) { pairs.push([run.id, String(row.number)]); });
    });
    return pairs;
  }
  async function showCurves(all) {
    const pairs = wantedCurves(all).slice(0, MOST_CURVES), key = pairs.join(";");
    const running = all.some(isLive);
    if (key !== fetched.key || (running && Date.now() - fetched.at > 1500)) {
      const numbers = {};
      pairs.forEach(function (pair) { (numbers[pair[0]] = numbers[pair[0]] || []).push(pair[1]); });
      fetched = { key: key, at: Date.now(), curves: fetched.curves };
      const got = {};
      try {
        await Promise.all(Object.entries(numbers).map(async function (entry) { got[entry[0]] = await ask("/curves", { id: entry[0], numbers: entry[1].join(",") }); }));
      } catch (fault) { return; }
      if (fetched.key !== key) return;
      fetched.curves = got;
    }
    const metric = all.length ? objective(all[0]) : "", traces = [];
    pairs.forEach(function (pair, index) {
      const points = ((fetched.curves[pair[0]] || {})[pair[1]] || []).filter(function (point) { return isNumber(point[1][metric]); });
      if (!points.length) return;
      const run = listed.find(function (each) { return each.id === pair[0]; });
      traces.push({ type: "scatter", mode: points.length > 1 ? "lines" : "markers", name: escaped((all.length > 1 && run ? run.title + " " : "") + "trial " + pair[1]), showlegend: true,
        x: points.map(function (point) { return point[0]; }), y: points.map(function (point) { return point[1][metric]; }), line: { color: COLOURS[index % COLOURS.length], width: 2 } });
    });
    byId("curves").parentElement.hidden = !traces.length;
    if (!traces.length) {
      byId("curves-said").textContent = "These trials have told no " + (metric ? metric.replaceAll("_", " ") : "result") + " by epoch; tick others in the table below.";
      return;
    }
    byId("curves-said").textContent = picked.size ? "The trials that are ticked below." : running ? "The trials that are running; tick others in the table below." : "The best trials; tick others in the table below.";
    window.toolkitCharts.draw(byId("curves"), { data: traces, layout: layout({ xaxis: axis("epoch (or fold)"), yaxis: axis(metric, metric), height: 320 }) });
  }
  function scale(values) {
    const known = values.filter(function (value) { return value !== undefined && value !== null; });
    if (known.length && known.every(isNumber)) {
      let low = known.reduce(function (a, b) { return Math.min(a, b); }), high = known.reduce(function (a, b) { return Math.max(a, b); });
      const marks = low === high ? [low] : [low, high], log = low > 0 && high / low >= 100;
      const of = function (value) { return log ? Math.log(value) : value; };
      const span = of(high) - of(low) || 1, put = function (value) { return isNumber(value) ? (of(value) - of(low)) / span : null; };
      return { put: put, marks: marks.map(function (value) { return [said(value), put(value)]; }) };
    }
    const names = Array.from(new Set(known.map(said))).sort();
    const places = new Map(names.map(function (name, i) { return [name, names.length > 1 ? i / (names.length - 1) : 0]; }));
    return { put: function (value) { return value === undefined || value === null ? null : places.get(said(value)); }, marks: names.length <= 9 ? Array.from(places) : [] };
  }
  function showParallel(all) {
    const metric = all.length ? objective(all[0]) : "", axes = columns(all).varied.slice(0, MOST_AXES);
    let rows = [];
    all.filter(function (run) { return objective(run) === metric; }).forEach(function (run) { rows = rows.concat(results(run).filter(function (row) { return row.best; })); });
    const sign = all.length ? direction(all[0]) : 1;
    rows = thinned(rows.sort(function (a, b) { return sign * (a.values[metric] - b.values[metric]); }), MOST_LINES);
    byId("parallel-part").hidden = !axes.length || rows.length < 3;
    if (byId("parallel-part").hidden) return;
    const scales = axes.map(function (name) { return scale(rows.map(function (row) { return valueNamed(row, name); })); });
    scales.push(scale(rows.map(function (row) { return row.values[metric]; })));
    const names = axes.concat([metric]), traces = SHADES.map(function (colour, shade) {
      const x = [], y = [], text = [];
      rows.forEach(function (row, index) {
        if (Math.floor(index * SHADES.length / rows.length) !== shade) return;
        names.forEach(function (name, at) {
          const value = at < axes.length ? valueNamed(row, name) : row.values[metric];
          x.push(at); y.push(scales[at].put(value)); text.push("trial " + row.number + "<br>" + words(name) + ": " + escaped(said(value)));
        });
        x.push(null); y.push(null); text.push("");
      });
      const best = shade === SHADES.length - 1;
      return { type: "scatter", mode: "lines", x: x, y: y, text: text, hoverinfo: "text", line: { color: colour, width: best ? 2 : 1 }, name: best ? "best fifth" : shade ? "" : "worst fifth", showlegend: best || !shade };
    });
    const notes = [];
    scales.forEach(function (each, at) {
      each.marks.forEach(function (mark) { notes.push({ x: at, y: mark[1], text: escaped(mark[0]), showarrow: false, font: { size: 11 }, xanchor: "left", yanchor: mark[1] > 0.99 ? "bottom" : mark[1] < 0.01 ? "top" : "middle" }); });
    });
    window.toolkitCharts.draw(byId("parallel"), { data: traces, layout: layout({ annotations: notes, height: 400, margin: { l: 56, r: 16, t: 28, b: 48 },
      shapes: names.map(function (_, at) { return { type: "line", xref: "x", yref: "y", x0: at, x1: at, y0: 0, y1: 1, line: { width: 1, color: "rgba(128,140,152,0.5)" } }; }),
      xaxis: { tickvals: names.map(function (_, at) { return at; }), ticktext: names.map(function (name) { return words(name.length > 18 ? "…" + name.slice(-17) : name); }), showgrid: false, zeroline: false, automargin: true, range: [-0.1, names.length - 0.6] },
      yaxis: { visible: false, range: [-0.1, 1.1] } }) });
  }

  byId("filter").addEventListener("input", function () { place = 0; showTrials(shownRuns()); });
  byId("phase").addEventListener("change", function () { place = 0; showTrials(shownRuns()); });
  byId("earlier").addEventListener("click", function () { place -= PAGE; showTrials(shownRuns()); });
  byId("later").addEventListener("click", function () { place += PAGE; showTrials(shownRuns()); });
  document.addEventListener("charts-ready", function () { charts = true; render(); });
  if (window.toolkitCharts && window.toolkitCharts.ready) charts = true;
  list();
  setInterval(list, 5000);
})();
