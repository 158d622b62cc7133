/*
 * chart.js: a chart of lines over time, by dygraphs.
 *
 *     const chart = new Chart(place, 'Resident', {tall: false});
 *     chart.draw({unit: 'bytes', from, to, lines: [{colour, points: [[t, v], …]}], limit, zero: true});
 *
 * Beside the lines stand last, min and max as words, which are also the chart's text for those who cannot see it. The
 * pointer, or the arrow keys, pick a moment; the words are then of that moment.
 */

/*
 * dygraphs' legend writes names of series into innerHTML, and a style attribute, which the policy forbids. Ours is made
 * of text.
 */
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

const LINE_COLOURS = 10; /* --line-0 … in page.css; then they come again, dashed */
const DASHES = [6, 4];
const POINTS_WITHOUT_LINE = 3; /* so few are drawn as dots, too */

const charts = new Set();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function lineColour(index) {
  return colour(`line-${index % LINE_COLOURS}`);
}

function isDashed(index) {
  return index >= LINE_COLOURS;
}

function lineName(index) {
  return `line ${index}`;
}

/* ---- the figures of a line ---- */

function summaryOf(points) {
  const values = points.map(([, value]) => value).filter(isKnown);
  if (values.length === 0)
    return null;
  const min = values.reduce((a, b) => Math.min(a, b));
  const max = values.reduce((a, b) => Math.max(a, b));
  return {last: values[values.length - 1], min, max};
}

function summaryText(points, format) {
  const summary = summaryOf(points);
  if (summary === null)
    return 'nothing held yet';
  return `last ${format(summary.last)}, min ${format(summary.min)}, max ${format(summary.max)}`;
}

/* ---- rows as dygraphs takes them ---- */

/* Lines that share a step have the same times; what one lacks is a gap. */
function rowsOf(lines) {
  const byTime = new Map();
  lines.forEach((line, column) => {
    for (const [time, value] of line.points) {
      if (!byTime.has(time))
        byTime.set(time, [new Date(time * 1000), ...lines.map(() => null)]);
      byTime.get(time)[column + 1] = value;
    }
  });
  return [...byTime.keys()].sort((a, b) => a - b).map((time) => byTime.get(time));
}

function topOf(drawing) {
  const tops = drawing.lines.map((line) => summaryOf(line.points)?.max ?? 0);
  return Math.max(drawing.limit ?? 0, ...tops) * 1.12 || 1;
}

/* ---- a chart ---- */

class Chart {
  constructor(place, title, {tall = false} = {}) {
    this.title = title;
    this.words = make('span', {className: 'words'});
    this.plot = make('div', {className: tall ? 'plot tall' : 'plot', tabIndex: 0});
    this.plot.setAttribute('role', 'slider'); /* so that its keys reach it, and its text is spoken at each */
    this.nothing = make('p', {className: 'quiet', text: 'nothing held yet'});
    this.element = make('figure', {className: 'chart'},
      make('figcaption', {}, make('b', {text: title}), ' ', this.words), this.plot, this.nothing);
    this.plot.addEventListener('keydown', (event) => this.onKey(event));
    this.plot.addEventListener('blur', () => this.leave());
    place.append(this.element);
    this.graph = null;
    this.row = null;
    charts.add(this);
  }

  draw(drawing) {
    const rows = rowsOf(drawing.lines);
    const hasRows = rows.some((row) => row.slice(1).some((value) => value !== null));
    const moment = this.moment();
    this.drawing = {...drawing, rows, format: FORMATS[drawing.unit]};
    this.plot.hidden = !hasRows;
    this.nothing.hidden = hasRows;
    if (hasRows)
      this.drawRows();
    this.choose(rows.findIndex(([time]) => time.getTime() === moment));
  }

  /* The time that is chosen, by the pointer or the keys. */
  moment() {
    return this.row === null ? null : this.drawing.rows[this.row][0].getTime();
  }

  /* -1: none */
  choose(row) {
    if (row < 0) {
      this.summarize();
      return;
    }
    this.graph.setSelection(row);
    this.say(row);
  }

  drawRows() {
    const options = this.options();
    if (this.graph !== null && this.graph.numColumns() === this.drawing.lines.length + 1) {
      if (this.isZoomed())
        delete options.dateWindow;
      else
        this.window = options.dateWindow;
      this.graph.updateOptions({...options, file: this.drawing.rows});
      return;
    }
    this.graph?.destroy();
    this.graph = new Dygraph(this.plot, this.drawing.rows, options);
    this.window = options.dateWindow;
  }

  /* By hand: dygraphs' own isZoomed() is true of any window that was set. */
  isZoomed() {
    return this.graph.xAxisRange().some((edge, index) => Math.abs(edge - this.window[index]) > 1);
  }

  unzoom() {
    const {from, to} = this.drawing;
    this.window = [from * 1000, to * 1000];
    this.graph.updateOptions({dateWindow: this.window});
  }

  options() {
    const {lines, from, to, zero, rows} = this.drawing;
    const few = rows.filter((row) => row.slice(1).some((value) => value !== null)).length <= POINTS_WITHOUT_LINE;
    return {
      labels: ['time', ...lines.map((_, index) => lineName(index))],
      series: this.dashes(),
      legend: 'never',
      dateWindow: [from * 1000, to * 1000],
      valueRange: zero ? [0, topOf(this.drawing)] : null,
      yRangePad: zero ? 0 : 12,
      strokeWidth: 1.6,
      drawPoints: few,
      pointSize: 2.5,
      highlightCircleSize: 4,
      rightGap: 8,
      labelsKMG2: this.drawing.unit === 'bytes',
      ...this.colours(),
      axes: this.axes(),
      interactionModel: this.interaction(),
      highlightCallback: (event, time, points, row) => this.say(row),
      unhighlightCallback: () => this.summarize(),
      underlayCallback: (context, area, graph) => this.drawLimit(context, area, graph),
    };
  }

  dashes() {
    return Object.fromEntries(this.drawing.lines.map((_, index) =>
      [lineName(index), {strokePattern: isDashed(index) ? DASHES : null}]));
  }

  colours() {
    const {lines} = this.drawing;
    return {
      colors: lines.map((line, index) => (line.colour ? colour(line.colour) : lineColour(index))),
      axisLineColor: colour('line'),
      gridLineColor: colour('line'),
      fillGraph: lines.length === 1,
      fillAlpha: 0.13,
    };
  }

  axes() {
    const {format} = this.drawing;
    return {
      x: {pixelsPerLabel: 76, axisLabelFontSize: 11, drawGrid: false},
      y: {pixelsPerLabel: 28, axisLabelFontSize: 11, axisLabelWidth: 62, axisLabelFormatter: (value) => format(value)},
    };
  }

  /* Drag to zoom, by the mouse, and twice a click to end it; fingers scroll the page. */
  interaction() {
    const {mousedown, willDestroyContextMyself} = Dygraph.defaultInteractionModel;
    return {mousedown, willDestroyContextMyself, dblclick: () => this.unzoom()};
  }

  drawLimit(context, area, graph) {
    const {limit, limitName, format} = this.drawing;
    if (!isKnown(limit))
      return;
    const y = Math.round(graph.toDomYCoord(limit)) + 0.5;
    context.save();
    context.strokeStyle = context.fillStyle = colour('bad');
    context.setLineDash([5, 4]);
    context.beginPath();
    context.moveTo(area.x, y);
    context.lineTo(area.x + area.w, y);
    context.stroke();
    context.font = '11px system-ui, sans-serif';
    context.fillText(`${limitName} ${format(limit)}`, area.x + 6, y + 13);
    context.restore();
  }

  /* ---- words ---- */

  summarize() {
    const {lines, format} = this.drawing;
    const text = lines.length === 1 ? summaryText(lines[0].points, format)
      : `${lines.length} series`;
    setText(this.words, text);
    this.plot.setAttribute('aria-label', `${this.title}: ${text}. Arrow keys walk along the line.`);
    this.row = null;
    this.showValue(this.drawing.rows.length - 1, text);
  }

  /* Of one moment. */
  say(row) {
    const [time, ...values] = this.drawing.rows[row];
    const texts = values.slice(0, 4).map((value) => (value === null ? UNKNOWN : this.drawing.format(value)));
    if (values.length > texts.length)
      texts.push('…');
    setText(this.words, `${formatTime(time.getTime() / 1000)}: ${texts.join(', ')}`);
    this.row = row;
    this.showValue(row, this.words.textContent);
  }

  showValue(row, text) {
    this.plot.ariaValueMin = '0';
    this.plot.ariaValueMax = String(Math.max(0, this.drawing.rows.length - 1));
    this.plot.ariaValueNow = String(Math.max(0, row));
    this.plot.ariaValueText = text;
  }

  onKey(event) {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (step === undefined || this.graph === null || this.plot.hidden)
      return;
    event.preventDefault();
    const last = this.drawing.rows.length - 1;
    const row = this.row === null ? last : Math.min(last, Math.max(0, this.row + step));
    this.choose(row);
  }

  leave() {
    this.graph?.clearSelection();
    this.summarize();
  }

  recolour() {
    if (this.graph !== null)
      this.graph.updateOptions({...this.colours()});
  }

  remove() {
    this.graph?.destroy();
    this.element.remove();
    charts.delete(this);
  }
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const chart of charts)
    chart.recolour();
});
