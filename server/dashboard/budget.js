/*
 * budget.js: the plan as a bar, and the pools as a table.
 *
 *     |requests|growth |series    |windows …        |cache| code |stacks|  |   the limit is the whole width
 *      ▓▓|      ▓       ▓▓▓▓|      ▓▓▓▓▓▓▓|                                     live as a fill, the peak as a tick
 */

/* Parts of the plan that are no pools. */
const REGION = 'region';

function poolSegment(pool, limit) {
  const segment = make('span', {className: `part of-${pool.lifetime}`, title: poolText(pool)}, ...poolFill(pool),
    make('span', {className: 'name', text: pool.name}));
  return sized(segment, pool.capacity_bytes, limit);
}

/* Live as a fill, the peak as a tick. */
function poolFill(pool) {
  const peak = shareOf(pool.peak_bytes, pool.capacity_bytes);
  return [span('live', 0, shareOf(pool.live_bytes, pool.capacity_bytes)), span('peak', peak, peak)];
}

function poolText(pool) {
  return `${pool.name}: ${formatBytes(pool.live_bytes)} live, peak ${formatBytes(pool.peak_bytes)}, ` +
    `of ${formatBytes(pool.capacity_bytes)}`;
}

function outsideSegment(part, limit) {
  const title = `${part.part}: ${formatBytes(part.bytes)}, beside the region`;
  const segment = make('span', {className: 'part outside', title}, make('span', {className: 'name', text: part.part}));
  return sized(segment, part.bytes, limit);
}

function sized(segment, bytes, limit) {
  segment.style.width = percentOf(shareOf(bytes, limit));
  return segment;
}

function drawBar(memory) {
  const limit = memory.budget.limit_bytes;
  const pools = memory.pools.filter((pool) => pool.capacity_bytes > 0);
  const outside = memory.plan.filter((part) => part.part !== REGION && part.bytes > 0);
  const bar = byId('bar');
  bar.replaceChildren(...pools.map((pool) => poolSegment(pool, limit)),
    ...outside.map((part) => outsideSegment(part, limit)));
  bar.setAttribute('aria-label', `The budget of ${formatBytes(limit)}, of which ` +
    `${formatBytes(memory.live_bytes)} are live. The table of pools has each part.`);
}

function drawResidentBar(memory) {
  const limit = memory.budget.limit_bytes;
  const {rss_bytes: resident, rss_peak_bytes: peak} = memory.process;
  const text = `Resident: ${formatBytes(resident)}, peak ${formatBytes(peak)}, of ${formatBytes(limit)}`;
  const bar = byId('resident-bar');
  bar.replaceChildren(span('live', 0, shareOf(resident, limit)),
    span('peak', shareOf(peak, limit), shareOf(peak, limit)));
  bar.setAttribute('aria-label', text);
  bar.title = text;
}

function drawKey(memory) {
  const lifetimes = [...new Set(memory.pools.map((pool) => pool.lifetime))];
  const items = lifetimes.map((lifetime) =>
    make('li', {}, make('span', {className: `swatch of-${lifetime}`}), lifetime));
  byId('bar-key').replaceChildren(...items,
    make('li', {}, make('span', {className: 'swatch outside'}), 'outside the region'),
    make('li', {}, make('span', {className: 'swatch tick'}), 'peak'));
}

/* ---- the figures above it ---- */

function tile(name, content, note) {
  return make('div', {}, make('dt', {text: name}), make('dd', {}, content), make('dd', {className: 'quiet'}, note));
}

function drawTiles(memory) {
  const {budget, process, requests} = memory;
  const limit = budget.limit_bytes;
  const bytes = (value, key) => figure(value, 'bytes', key);
  byId('tiles').replaceChildren(
    tile('limit', bytes(limit, 'budget.limit_bytes'),
      pieces('plan ', bytes(budget.planned_bytes, 'budget.planned_bytes'))),
    tile('resident', bytes(process.rss_bytes, 'process.rss_bytes'),
      pieces(`${formatPercent(shareOf(process.rss_bytes, limit))}, peak `,
        bytes(process.rss_peak_bytes, 'process.rss_peak_bytes'))),
    tile('live', bytes(memory.live_bytes, 'live_bytes'),
      pieces('peak ', bytes(memory.peak_bytes, 'peak_bytes'), ' at ', moment(memory.peak_at))),
    tile('headroom', bytes(budget.headroom_bytes, 'budget.headroom_bytes'),
      `admission ${budget.admission.state}`),
    tile('unaccounted', bytes(process.unaccounted_bytes, 'process.unaccounted_bytes'),
      pieces('heap unexplained ', bytes(process.malloc?.unexplained_bytes, 'process.malloc.unexplained_bytes'),
        ', ledger off by ', bytes(memory.audit?.ledger_mismatch_bytes, 'audit.ledger_mismatch_bytes'))),
    tile('in flight', figure(requests.live, 'count', 'requests.live'),
      pieces(figure(requests.completed_total, 'count', 'requests.completed_total'), ' completed')));
}

/* ---- the table ---- */

function useBar(pool) {
  const bar = make('span', {className: `meter of-${pool.lifetime}`, title: poolText(pool)}, ...poolFill(pool));
  const share = shareOf(pool.live_bytes, pool.capacity_bytes);
  return pieces(bar, make('span', {className: 'hidden', text: formatPercent(share)}));
}

function refusals(pool) {
  return Object.values(pool.refusals_total ?? {}).reduce((sum, count) => sum + count, 0);
}

function drawButton(pool) {
  const button = linkButton(pool.name, 'draw its live bytes over time');
  button.dataset.pool = pool.name;
  return button;
}

function poolRow(pool, index) {
  const key = (name) => `pools.${index}.${name}`;
  const draw = byId('query').hidden ? pool.name : drawButton(pool);
  return make('tr', {}, rowHead(draw), cell(pool.lifetime, 'mid'), cell(useBar(pool), 'use'),
    numberCell(figure(pool.live_bytes, 'bytes', key('live_bytes'))),
    numberCell(figure(pool.period_peak_bytes, 'bytes', key('period_peak_bytes')), 'mid'),
    numberCell(figure(pool.peak_bytes, 'bytes', key('peak_bytes'))),
    numberCell(figure(pool.capacity_bytes, 'bytes', key('capacity_bytes'))),
    numberCell(figure(pool.live_objects, 'count', key('live_objects')), 'mid'),
    numberCell(figure(pool.oldest_object_age_seconds, 'seconds', key('oldest_object_age_seconds')), 'far'),
    numberCell(figure(pool.allocations_total, 'count', key('allocations_total')), 'far'),
    numberCell(figure(refusals(pool), 'count'), 'mid'));
}

/* null: peaks were never reset. */
function drawPeriod(start) {
  byId('period').replaceChildren('The period began ', ...(start === null ? ['with the service'] : ['at ', moment(start)]), '.');
}

function drawBudget(memory) {
  drawTiles(memory);
  drawBar(memory);
  drawResidentBar(memory);
  drawKey(memory);
  drawPeriod(memory.period_start);
  refreshRows(byId('pools'), memory.pools.map(poolRow));
}
