/*
 * snapshots.js: take one, choose two, see what grew between them.
 */
const NOW = 'now';
const HEAP = 'heap'; /* a row of the difference that is no pool */
const ASKING = 'asking…';

function say(id, text, isBad = false) {
  byId(id).classList.toggle('bad', isBad);
  setText(byId(id), text);
}

/*
 * Does it, and says what came of it. Meanwhile the button is disabled by name only, so that it keeps the focus; pressed
 * again it does nothing.
 */
async function doAndSay(id, button, what) {
  if (button.ariaDisabled === 'true')
    return;
  button.ariaDisabled = 'true';
  say(id, ASKING);
  try {
    say(id, await what());
  } catch (problem) {
    say(id, problem.message, true);
  } finally {
    button.ariaDisabled = 'false';
  }
}

function snapshotOption(snapshot) {
  const text = `#${snapshot.id} of ${formatTime(snapshot.at)}, ${formatBytes(snapshot.live_bytes)}`;
  return make('option', {value: snapshot.id, text});
}

/* What was chosen stays chosen while it is there. */
function setOptions(select, options, preferred) {
  const chosen = select.value;
  select.replaceChildren(...options);
  const values = options.map((option) => option.value);
  for (const value of [chosen, preferred]) {
    if (values.includes(String(value))) {
      select.value = value;
      return;
    }
  }
}

function drawSnapshots(list) {
  const {snapshots} = list;
  const last = snapshots.length > 0 ? snapshots[snapshots.length - 1].id : undefined;
  setOptions(byId('diff-from'), snapshots.map(snapshotOption), last);
  setOptions(byId('diff-to'), [make('option', {value: NOW, text: NOW}), ...snapshots.map(snapshotOption)], NOW);
  byId('diff-show').disabled = snapshots.length === 0;
}

async function refreshSnapshots() {
  drawSnapshots(await askJson('/memory/snapshots'));
}

async function takeSnapshot() {
  const snapshot = await askJson('/memory/snapshots', 'POST');
  await refreshSnapshots();
  byId('diff-from').value = snapshot.id;
  return `#${snapshot.id} taken at ${formatTime(snapshot.at)}`;
}

/* ---- the difference ---- */

/* What is held and grew stands out; that there were more allocations says nothing. */
function grownCell(value, unit) {
  return numberCell(signedFigure(value, unit), value > 0 ? 'grown' : '');
}

function diffRow(row) {
  return make('tr', {}, rowHead(breakable(row.pool)),
    numberCell(figure(row.live_bytes, 'bytes')), grownCell(row.live_bytes_diff, 'bytes'),
    numberCell(figure(row.live_objects, 'count'), 'mid'), grownCell(row.live_objects_diff, 'count'),
    numberCell(signedFigure(row.allocations_diff, 'count'), 'mid'));
}

function isChanged(row) {
  return row.live_bytes_diff !== 0 || row.live_objects_diff !== 0;
}

/* Live is what the pools hold; the heap is beside them. */
function diffCaption(diff, from, to) {
  const heap = diff.rows.find((row) => row.pool === HEAP);
  const live = formatSigned(formatBytes, diff.to.live_bytes - diff.from.live_bytes);
  const beside = heap === undefined ? '' : `; the heap beside it ${formatSigned(formatBytes, heap.live_bytes_diff)}`;
  return `From #${from} to ${to === NOW ? NOW : `#${to}`}: ${live} live${beside}`;
}

async function askDiff(from, to) {
  try {
    return await askJson(`/memory/diff?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`);
  } catch (problem) {
    byId('diff').hidden = true;
    throw problem;
  }
}

async function showDiff() {
  const [from, to] = [byId('diff-from').value, byId('diff-to').value];
  const diff = await askDiff(from, to);
  const table = byId('diff');
  table.hidden = false;
  setText(table.caption, diffCaption(diff, from, to));
  setRows(table, diff.rows.filter(isChanged).map(diffRow), 'no pool holds more or less than then');
  return '';
}

async function resetPeaks() {
  const period = await askJson('/memory/peaks/reset', 'POST');
  drawPeriod(period.period_start);
  return 'All-time peaks stay.';
}

function onPress(button, sayingId, what) {
  byId(button).addEventListener('click', () => doAndSay(sayingId, byId(button), what));
}

function startSnapshots() {
  onPress('snapshot-take', 'snapshots-said', takeSnapshot);
  onPress('peaks-reset', 'peaks-said', resetPeaks);
  byId('diff-form').addEventListener('submit', (event) => {
    event.preventDefault();
    doAndSay('snapshots-said', byId('diff-show'), showDiff);
  });
}
