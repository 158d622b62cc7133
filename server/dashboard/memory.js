/*
 * memory.js: what else /memory and /memory/holders say: the verdict in one line, requests, lifetimes, cache, retention.
 */
const STATUS_WORDS = {
  ok: ['OK', 'all within its bounds'],
  pressure: ['Pressure', 'a part is nearly full'],
  shedding: ['Shedding', 'requests are being refused for want of room'],
  leak_suspected: ['Leak suspected', 'something grows that should not'],
  ledger_error: ['Ledger error', 'the ledger and the pools disagree'],
};

function drawStatus(memory) {
  const [word, text] = STATUS_WORDS[memory.status] ?? [memory.status, ''];
  byId('status').dataset.status = memory.status;
  setText(byId('status-word'), word);
  setText(byId('status-text'), `${text}; trend ${trendWords(memory.trend)}`);
  setText(byId('uptime'), `up ${formatSeconds(memory.now - memory.start)}`);
  byId('uptime').title = `since ${formatUtc(memory.start)}`;
}

function trendWords(trend) {
  const verdict = trend.verdict.replace('_', ' ');
  return trend.worst === null ? verdict : `${verdict}: ${trend.worst}`;
}

function reasonText(reason) {
  const subject = reason.pool ?? reason.figure;
  return subject === undefined ? reason.text : `${subject}: ${reason.text}`;
}

function drawReasons(memory) {
  const items = memory.reasons.map((reason) => make('li', {text: reasonText(reason)}));
  const none = make('li', {className: 'quiet', text: 'No reason to worry is known.'});
  byId('reasons').replaceChildren(...(items.length > 0 ? items : [none]));
}

/* ---- lifetimes ---- */

/* Counts between the bounds, out of cumulative ones; the last is what was older than all of them. */
function countsOf(lifetime) {
  const upTo = [...lifetime.cumulative, lifetime.count];
  return upTo.map((count, index) => count - (index === 0 ? 0 : upTo[index - 1]));
}

function boundText(lifetime, index) {
  const {le} = lifetime;
  return index < le.length ? `≤ ${formatSeconds(le[index])}` : `> ${formatSeconds(le[le.length - 1])}`;
}

function lifetimeBars(lifetime) {
  const counts = countsOf(lifetime);
  const most = Math.max(1, ...counts);
  const bars = counts.map((count, index) => {
    const column = make('span', {className: 'column', title: `${boundText(lifetime, index)}: ${formatCount(count)}`});
    const fill = make('span', {});
    fill.style.height = `${Math.round(count / most * 100)}%`;
    column.append(fill);
    return column;
  });
  const text = counts.map((count, index) => `${boundText(lifetime, index)}: ${count}`).join('; ');
  return pieces(make('span', {className: 'columns', ariaHidden: 'true'}, ...bars),
    make('span', {className: 'hidden', text}));
}

function lifetimeRow(name, lifetime, key) {
  const mean = lifetime.count > 0 ? lifetime.sum / lifetime.count : null;
  return make('tr', {}, rowHead(name), numberCell(figure(lifetime.count, 'count', `${key}.count`)),
    numberCell(figure(mean, 'seconds'), 'mid'), numberCell(figure(lifetime.max, 'seconds', `${key}.max`)),
    cell(lifetimeBars(lifetime)));
}

function drawLifetimes(memory) {
  refreshRows(byId('lifetimes-table'), Object.entries(memory.lifetimes).map(([name, lifetime]) =>
    lifetimeRow(name, lifetime, `lifetimes.${name}`)));
}

/* ---- cache, retention ---- */

function drawCache(memory) {
  const {cache} = memory;
  const asked = cache.hits_total + cache.misses_total;
  const bytes = (name) => figure(cache[name], 'bytes', `cache.${name}`);
  const count = (name) => figure(cache[name], 'count', `cache.${name}`);
  const seconds = (name) => figure(cache[name], 'seconds', `cache.${name}`);
  setPairs(byId('cache-pairs'), [
    ['held', pieces(bytes('live_bytes'), ' of ', bytes('capacity_bytes'))],
    ['entries', pieces(count('entries'), `, ${cache.policy}`)],
    ['found', asked === 0 ? 'not asked yet' : `${formatPercent(cache.hits_total / asked)} of ${formatCount(asked)}`],
    ['hits, misses', pieces(count('hits_total'), ', ', count('misses_total'))],
    ['evicted for room', figure(cache.evictions_total.size, 'count', 'cache.evictions_total.size')],
    ['left with their window', figure(cache.evictions_total.retired, 'count', 'cache.evictions_total.retired')],
    ['evicted unused', count('evicted_unused_total')],
    ['oldest entry', seconds('oldest_entry_age_seconds')],
    ['time saved', seconds('seconds_saved_total')],
  ]);
}

function drawRetention(memory) {
  const rows = memory.windows.map((tier, index) => {
    const key = (name) => `windows.${index}.${name}`;
    const own = memory.own_windows[index];
    return make('tr', {}, rowHead(tier.tier),
      numberCell(figure(tier.retention_seconds, 'seconds', key('retention_seconds'))),
      numberCell(figure(tier.live_bytes, 'bytes', key('live_bytes'))),
      numberCell(figure(tier.capacity_bytes, 'bytes', key('capacity_bytes'))),
      numberCell(figure(tier.records, 'count', key('records')), 'mid'),
      numberCell(figure(own.retention_seconds, 'seconds', `own_windows.${index}.retention_seconds`), 'mid'));
  });
  refreshRows(byId('retention-table'), rows);
}

/* ---- requests in flight ---- */

function requestRow(request) {
  return make('tr', {}, rowHead(`${request.method} ${request.route ?? '?'}`), cell(request.peer, 'mid'),
    cell(request.state), numberCell(figure(request.age_seconds, 'seconds')),
    numberCell(figure(request.live_bytes, 'bytes')),
    numberCell(figure(request.peak_bytes, 'bytes'), 'mid'));
}

function drawHolders(holders) {
  const requests = [...holders.requests].sort((a, b) => b.age_seconds - a.age_seconds);
  const cut = holders.requests_truncated;
  refreshRows(byId('requests-table'), requests.map(requestRow));
  const note = cut > 0 ? `and ${formatCount(cut)} more` : 'One of them is this page’s own question.';
  setText(byId('requests-note'), note);
}

function drawMemory(memory) {
  drawStatus(memory);
  drawBudget(memory);
  drawReasons(memory);
  drawLifetimes(memory);
  drawCache(memory);
  drawRetention(memory);
}
