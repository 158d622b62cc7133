/*
 * snapshots.js: take one, choose two, see what grew between them.
 */
const NOW = 'now';

function say(id, text, isBad = false) {
  byId(id).classList.toggle('bad', isBad);
  setText(byId(id), text);
}

/* Does it, and says what came of it. */
async function doAndSay(id, what) {
  try {
    say(id, await what());
  } catch (problem) {
    say(id, problem.message, true);
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

async function showDiff() {
  const [from, to] = [byId('diff-from').value, byId('diff-to').value];
  const diff = await askJson(`/memory/diff?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`);
  const table = byId('diff');
  const sum = diff.rows.reduce((total, row) => total + row.live_bytes_diff, 0);
  table.hidden = false;
  setText(table.caption, `From #${from} to ${to === NOW ? NOW : `#${to}`}: ${formatSigned(formatBytes, sum)} live`);
  setRows(table, diff.rows.filter(isChanged).map(diffRow), 'no pool holds more or less than then');
  return '';
}

function startSnapshots() {
  byId('snapshot-take').addEventListener('click', () => doAndSay('snapshots-said', takeSnapshot));
  byId('diff-form').addEventListener('submit', (event) => {
    event.preventDefault();
    doAndSay('snapshots-said', showDiff);
  });
  byId('peaks-reset').addEventListener('click', () => doAndSay('peaks-said', async () => {
    const period = await askJson('/memory/peaks/reset', 'POST');
    drawPeriod(period.period_start);
    return 'All-time peaks stay.';
  }));
}
