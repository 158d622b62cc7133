/*
 * page.js: what is asked when, and what is said when nobody answers.
 *
 *     every 5 s     /memory, /memory/holders
 *     every 15 s    the last hour, /memory/trend, /memory/doctor, /drills
 *     every 60 s    the last days, /v1/cardinality, /memory/snapshots
 *
 * A hidden page asks nothing. Figures are stale when they are older than 15 s; without an answer they are grey, and a
 * banner says since when.
 */
const TURN_MS = 5000;
const STALE_MS = 15000;

const state = {
  memory: null,     /* the last answer of /memory */
  config: null,     /* of /v1/config, asked again when the service was started anew */
  answeredAt: null, /* by this browser's clock, as is all that ages here */
  goneSince: null,
  turn: 0,
};

const histories = makeHistories(byId('history'));

/* ---- a turn ---- */

async function refreshMemory() {
  const memory = await askJson('/memory');
  if (state.memory === null || state.memory.start !== memory.start) {
    state.config = await askJson('/v1/config');
    state.turn = 0;
  }
  state.memory = memory;
  drawMemory(memory);
  document.documentElement.dataset.now = memory.now;
}

function isDue(seconds) {
  return state.turn % (seconds * 1000 / TURN_MS) === 0;
}

async function refresh() {
  const [hour, days] = histories;
  await refreshMemory();
  answered();
  drawHolders(await askJson('/memory/holders'));
  if (isDue(15)) {
    await hour.refresh(state.memory, state.config);
    await refreshTrend();
    await refreshDrills(state.config);
  }
  if (isDue(60)) {
    await days.refresh(state.memory, state.config);
    drawCardinality(await askJson('/v1/cardinality'));
    await refreshSnapshots();
  }
  state.turn++;
}

/* ---- how old it is ---- */

function setState(name) {
  document.documentElement.dataset.state = name;
}

function showBanner(text) {
  byId('banner').hidden = text === '';
  setText(byId('banner'), text);
}

function answered() {
  state.answeredAt = Date.now();
  state.goneSince = null;
  showAge();
}

function failed(problem) {
  if (!(problem instanceof Refusal)) {
    setState('gone');
    showBanner(`This page failed: ${problem.message}`);
    throw problem;
  }
  state.goneSince ??= state.answeredAt ?? Date.now();
  const clock = formatClock(state.goneSince / 1000);
  setState('gone');
  showBanner(problem.status > 0 ? `Refused since ${clock}: ${problem.message}` : `No answer since ${clock}`);
}

function showAge() {
  if (state.answeredAt === null)
    return;
  const isStale = Date.now() - state.answeredAt > STALE_MS;
  const clock = formatClock(state.answeredAt / 1000);
  setText(byId('updated'), isStale ? `stale: of ${clock}` : `as of ${clock}`);
  if (state.goneSince !== null)
    return;
  setState(isStale ? 'stale' : 'fresh');
  showBanner(isStale ? `Stale: these figures are of ${clock}` : '');
}

/* ---- the clock of it ---- */

let turning = false;

async function turn() {
  if (turning || document.hidden)
    return;
  turning = true;
  try {
    await refresh();
  } catch (problem) {
    failed(problem);
  } finally {
    turning = false;
  }
}

setText(byId('host'), location.host);
document.title = `mayfly ${location.host}`;
startSnapshots();
turn().then(startQuery);
setInterval(turn, TURN_MS);
setInterval(showAge, 1000);
document.addEventListener('visibilitychange', turn);
