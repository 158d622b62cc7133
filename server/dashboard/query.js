/*
 * query.js: the query box: a question, its answer drawn, or why there is none. The question stands in the address
 * behind the #, so that it can be kept and sent.
 */
const LINES_MAX = 20; /* of an answer; the rest is counted */
const FUNCTIONS = [ /* offered; the service knows which there are */
  'sum', 'rate', 'avg', 'min', 'max', 'last', 'count', 'unique', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'quantile(0.99)',
];
const FIELDS = ['metric', 'fn', 'by', 'without', 'from', 'to', 'step'];
const MANY = 'match'; /* may be said more than once */

const POOL_METRIC = 'mayfly_memory_pool_live_bytes'; /* of the service's own history */

let queryChart = null;

function field(name) {
  return byId(`query-${name}`);
}

function setMetricNames(names) {
  byId('query-metrics').replaceChildren(...names.map((value) => make('option', {value})));
}

/* [name, value] of each parameter that is said. */
function queryParameters() {
  const matches = field('match').value.split('\n').filter((line) => line.trim() !== '');
  return [...FIELDS.map((name) => [name, field(name).value.trim()]), ...matches.map((match) => ['match', match])]
    .filter(([, value]) => value !== '');
}

/* What the box cannot ask, so that it asks nothing else instead; '' when it can. */
function queryProblem(parameters) {
  for (const name of new Set(parameters.keys())) {
    if (name !== MANY && !FIELDS.includes(name))
      return `The address says ${name}, which is no parameter of a query.`;
    if (name !== MANY && parameters.getAll(name).length > 1)
      return `The address says ${name} more than once.`;
  }
  return '';
}

function setQuery(parameters) {
  for (const name of FIELDS)
    field(name).value = parameters.get(name) ?? field(name).defaultValue ?? '';
  field('match').value = parameters.getAll('match').join('\n');
}

/* ---- the answer ---- */

function labelsText(labels) {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length > 0 ? `{${pairs.join(', ')}}` : 'all series together';
}

function lineRow(series, index, unit) {
  const swatch = make('span', {className: 'swatch'});
  swatch.style.setProperty('--of', `var(--line-${index % LINE_COLOURS})`);
  swatch.classList.toggle('dashed', isDashed(index));
  const summary = summaryOf(series.points) ?? {};
  return make('tr', {}, rowHead(pieces(swatch, labelsText(series.labels))),
    ...['last', 'min', 'max'].map((name) => numberCell(figure(summary[name], unit))));
}

/* A counter's or a share's unit is not its metric's. */
function unitOfAnswer(answer) {
  const isOfValues = !['rate', 'count', 'unique'].includes(answer.fn);
  return isOfValues ? unitOfMetric(answer.metric, answer.kind) : 'number';
}

/* A note speaks of fields by their names. */
function noteText(note, answer) {
  return note.replace(/\bheld_from\b/, () => (isKnown(answer.held_from) ? formatTime(answer.held_from) : 'held_from'));
}

function answerText(answer) {
  const count = answer.series.length;
  const parts = [`${answer.kind ?? 'no metric'}, ${answer.fn ?? 'no function'}, ${count} series, a point each ` +
    formatSeconds(answer.step)];
  if (count > LINES_MAX)
    parts.push(`the first ${LINES_MAX} are drawn`);
  if (answer.relative_error !== undefined)
    parts.push(`off by at most ${formatPercentUp(answer.relative_error)}`);
  return [...parts, ...(answer.notes ?? []).map((note) => noteText(note, answer))].join('; ');
}

function clearAnswer() {
  queryChart?.remove();
  queryChart = null;
  byId('query-rows').hidden = true;
}

function drawAnswer(answer) {
  const unit = unitOfAnswer(answer);
  const shown = answer.series.slice(0, LINES_MAX);
  clearAnswer();
  if (shown.length === 0)
    return;
  queryChart = new Chart(byId('query-chart'), answer.metric, {tall: true});
  queryChart.draw({unit, zero: false, from: answer.from, to: answer.to, lines: shown.map(({points}) => ({points}))});
  byId('query-rows').hidden = false;
  setRows(byId('query-rows'), shown.map((series, index) => lineRow(series, index, unit)));
}

async function runQuery() {
  const parameters = queryParameters();
  try {
    const answer = await askJson(queryTarget(parameters));
    drawAnswer(answer);
    return answerText(answer);
  } catch (problem) {
    clearAnswer();
    throw problem;
  } finally {
    history.replaceState(null, '', `#query?${new URLSearchParams(parameters)}`);
  }
}

/* One at a time; of all that are wished for meanwhile the last is asked. */
const wish = {isOpen: false, isRunning: false};

async function query() {
  wish.isOpen = true;
  if (wish.isRunning)
    return;
  wish.isRunning = true;
  while (wish.isOpen) {
    wish.isOpen = false;
    await doAndSay('query-said', field('draw'), runQuery);
  }
  wish.isRunning = false;
}

/* From elsewhere: a button on the page, or the address. */
function queryFor(parameters) {
  const wanted = new URLSearchParams(parameters);
  const problem = queryProblem(wanted);
  setQuery(wanted);
  byId('query').scrollIntoView();
  if (problem === '') {
    query();
    return;
  }
  clearAnswer();
  say('query-said', problem, true);
}

function onDraw(event) {
  const {metric, pool} = event.target.dataset;
  if (metric !== undefined)
    queryFor([['metric', metric]]);
  else if (pool !== undefined)
    queryFor([['metric', POOL_METRIC], ['fn', 'max'], ['match', `pool=${pool}`], ['from', '-1h']]);
  else
    return;
  field('metric').focus({preventScroll: true});
}

function queryFromAddress() {
  const place = '#query?';
  if (location.hash.startsWith(place) && location.hash !== place)
    queryFor(location.hash.slice(place.length));
}

function startQuery() {
  field('fns').replaceChildren(...FUNCTIONS.map((value) => make('option', {value})));
  byId('query-form').addEventListener('submit', (event) => {
    event.preventDefault();
    query();
  });
  byId('main').addEventListener('click', onDraw);
  addEventListener('hashchange', queryFromAddress);
  queryFromAddress();
}
