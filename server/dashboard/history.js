/*
 * history.js: resident and live bytes over the last hour and the last days, out of the service's own history, which
 * clients cannot shorten.
 */
const HOUR = 3600;
const DAY = 86400;

const SPANS = [
  {name: 'last hour', seconds: HOUR, tier: 'windows.fine'},
  {name: 'last three days', seconds: 3 * DAY, tier: 'windows.coarse'},
];

const POINTS_MAX = 450; /* three days of ten minutes are 432 */

const HISTORY_LINES = [
  {title: 'Resident', metric: 'mayfly_process_resident_memory_bytes', colour: 'resident', hasLimit: true},
  {title: 'Live', metric: 'mayfly_memory_live_bytes', colour: 'live', hasLimit: false},
];

/* A chart is no narrower than this, so that a service just started has a line and not a dot at its edge. */
const SHORTEST = 120;

/* So far back there can be something. */
function reachOf(span, memory) {
  return Math.ceil(Math.min(span.seconds, memory.now - memory.start + SHORTEST));
}

/* History is of windows, so a step is a multiple of one. */
function stepOf(span, memory, config) {
  const window = config.settings[span.tier].value;
  return window * Math.ceil(reachOf(span, memory) / (window * POINTS_MAX));
}

async function askHistory(metric, span, memory, config) {
  return askJson(queryTarget([
    ['metric', metric], ['fn', 'max'],
    ['from', `-${reachOf(span, memory)}s`], ['step', `${stepOf(span, memory, config)}s`],
  ]));
}

class HistoryColumn {
  constructor(place, span) {
    this.span = span;
    this.charts = HISTORY_LINES.map((line) => new Chart(place, `${line.title}, ${span.name}`));
  }

  async refresh(memory, config) {
    for (const [index, line] of HISTORY_LINES.entries()) {
      const answer = await askHistory(line.metric, this.span, memory, config);
      this.charts[index].draw(this.drawing(answer, line, memory));
    }
  }

  drawing(answer, line, memory) {
    const points = answer.series.length > 0 ? answer.series[0].points : [];
    const held = points.filter(([, value]) => value !== null);
    const begun = held.length > 0 ? held[0][0] : answer.to;
    const width = Math.min(this.span.seconds, Math.max(SHORTEST, (answer.to - begun) * 1.02));
    const from = answer.to - width;
    return {
      unit: 'bytes', zero: true, from, to: answer.to,
      lines: [{colour: line.colour, points: points.filter(([time]) => time >= from)}],
      ...(line.hasLimit ? {limit: memory.budget.limit_bytes, limitName: 'limit'} : {}),
    };
  }
}

/* Ordered so that a column is a span and a row is a line of HISTORY_LINES. */
function makeHistories(place) {
  return SPANS.map((span) => {
    const column = make('div', {});
    place.append(column);
    return new HistoryColumn(column, span);
  });
}
