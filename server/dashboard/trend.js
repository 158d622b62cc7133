/*
 * trend.js: /memory/trend as a sentence and a table, /memory/doctor in its own words, and drills while they are on.
 */
/* Of the worst figure, where there is one. */
const VERDICT_WORDS = {
  flat: () => 'Flat: nothing grows that should not.',
  too_early: () => 'Too early to tell: a trend needs more blocks of time.',
  filling: (worst) => `Filling: ${worst} fills, and stops at its bound.`,
  growing: (worst) => `Growing: ${worst} grows, and has no bound of its own.`,
  leak: (worst) => `Leak: an exact promise about ${worst} is broken.`,
};

const VERDICT_ORDER = ['leak', 'growing', 'filling', 'too_early', 'flat'];

function blocksText(trend) {
  const needed = trend.blocks < trend.blocks_min ? ` of the ${trend.blocks_min} it needs` : '';
  return `${trend.blocks} blocks of ${formatSeconds(trend.block_seconds)}${needed}`;
}

function trendSentence(trend) {
  const words = VERDICT_WORDS[trend.verdict] ?? (() => trend.verdict);
  return `${words(trend.worst)} (${blocksText(trend)})`;
}

/* What a figure's verdict leaves unsaid. */
function verdictText(found) {
  const words = found.verdict.replace('_', ' ');
  if (found.verdict === 'too_early' && found.rising)
    return `${words}, rising`;
  return found.verdict === 'filling' && found.full_by_design ? `${words} by design` : words;
}

function slopeCell(figureOf, name, className) {
  return numberCell(signedFigure(figureOf[name], unitOf(figureOf.unit)), className);
}

function trendRow(trend) {
  const verdict = make('span', {className: `verdict is-${trend.verdict}`, text: verdictText(trend)});
  if (trend.since)
    verdict.title = `since ${formatUtc(trend.since)}`;
  return make('tr', {}, rowHead(breakable(trend.name)), cell(verdict), numberCell(figure(trend.value, unitOf(trend.unit))),
    slopeCell(trend, 'slope_per_hour', ''), slopeCell(trend, 'low_per_hour', 'mid'),
    slopeCell(trend, 'high_per_hour', 'mid'), numberCell(moment(trend.full_at), 'mid'));
}

/* What stands out, without what is flat. */
function isRemarkable(found) {
  return ['leak', 'growing'].includes(found.verdict) || (found.verdict === 'filling' && !found.full_by_design) ||
    found.rising;
}

function drawTrend(trend) {
  const order = (row) => VERDICT_ORDER.indexOf(row.verdict);
  const figures = [...trend.figures].sort((a, b) => order(a) - order(b));
  const remarkable = figures.filter(isRemarkable);
  setText(byId('trend-text'), trendSentence(trend));
  byId('remarkable').hidden = remarkable.length === 0;
  refreshRows(byId('remarkable'), remarkable.map(trendRow));
  byId('trend-more').hidden = false;
  refreshRows(byId('trend'), figures.map(trendRow));
}

function drawDoctor(text) {
  byId('doctor-box').hidden = false;
  setText(byId('doctor'), text.trimEnd());
}

/* ---- drills ---- */

function drillRow(drill) {
  return make('tr', {}, rowHead(breakable(drill.kind)), cell(drill.state),
    numberCell(figure(drill.leaked_bytes, 'bytes')), numberCell(figure(drill.cap_bytes, 'bytes')),
    numberCell(figure(drill.bytes, 'bytes'), 'mid'), cell(drill.per, 'mid'));
}

/*
 * They are asked for only where they can be: a refusal would stand in the browser's console. Where they are off their
 * pool has no bytes.
 */
async function refreshDrills(memory) {
  const isOn = memory.pools.some((pool) => pool.name === 'drills' && pool.capacity_bytes > 0);
  byId('drills-box').hidden = !isOn;
  if (!isOn)
    return;
  const {drills} = await askJson('/drills');
  refreshRows(byId('drills'), drills.map(drillRow), 'none has begun');
}
