/*
 * page.js: what is asked when, and what is said when nobody answers.
 *
 *     every 5 s     /memory, then whichever sections are due, one after the other:
 *                   requests 5 s; trend, doctor, drills, the last hour 15 s; the last days, cardinality, snapshots 60 s
 *
 * Only /memory decides whether the service is there: without it the figures are grey, and a banner says since when. They
 * are stale when they are older than 15 s. A section that is refused keeps its last figures and says so in its own card;
 * one whose route is not served here (the operator's listener has not all of them) is hidden. A hidden page asks nothing.
 */
const TURN_MS = 5000;
const STALE_MS = 15000;
const UNANSWERED_MS = 60000; /* so long a section that hangs is let be */

const state = {
  memory: null,     /* the last answer of /memory */
  config: null,     /* of /v1/config, asked again when the service was started anew */
  answeredAt: null, /* by this browser's clock, as is all that ages here */
  goneSince: null,
};

const [hour, days] = makeHistories(byId('history'));

/* ---- sections ---- */

/* Refreshed every so many seconds. What is wrong stands in the first of its cards; all of them are hidden together. */
class Section {
  constructor(cards, seconds, refresh) {
    this.cards = cards;
    this.everyMs = seconds * 1000;
    this.refresh = refresh;
    this.problem = make('p', {className: 'problem bad', hidden: true});
    byId(cards[0]).querySelector('h2').after(this.problem);
    this.begin();
  }

  begin() {
    this.dueAt = 0;
    showCards(this.cards, true);
  }

  isDue() {
    return !byId(this.cards[0]).hidden && Date.now() >= this.dueAt;
  }

  /* Whether others can be asked now: not when this one waited in vain. */
  async run() {
    this.dueAt = Date.now() + this.everyMs - TURN_MS / 2;
    try {
      await this.refresh();
      this.say('');
    } catch (problem) {
      return this.failed(problem);
    }
    return true;
  }

  failed(problem) {
    if (problem.status === 404)
      showCards(this.cards, false);
    else
      this.say(sectionProblem(problem));
    if (problem.status !== 0)
      return true;
    this.dueAt = Date.now() + UNANSWERED_MS;
    return false;
  }

  say(text) {
    this.problem.hidden = text === '';
    setText(this.problem, text);
  }
}

function sectionProblem(problem) {
  if (!(problem instanceof Refusal)) {
    console.error(problem);
    return `This part of the page failed: ${problem.message}`;
  }
  return problem.status === 0 ? 'Not answered; what stands here is older.'
    : `Refused: ${problem.message}; what stands here is older.`;
}

/* With the links that lead there. */
function showCards(ids, isShown) {
  for (const id of ids) {
    for (const element of document.querySelectorAll(`#${id}, nav a[href="#${id}"]`))
      element.hidden = !isShown;
  }
}

async function askConfig() {
  state.config ??= await askJson('/v1/config');
  return state.config;
}

/* In the order of asking: the verdict comes before the past. */
const sections = [
  new Section(['requests'], 5, async () => drawHolders(await askJson('/memory/holders'))),
  new Section(['verdict'], 15, async () => drawTrend(await askJson('/memory/trend'))),
  new Section(['verdict'], 15, async () => drawDoctor(await askText('/memory/doctor'))),
  new Section(['verdict'], 15, () => refreshDrills(state.memory)),
  new Section(['time', 'query', 'config-link'], 15, async () => hour.refresh(state.memory, await askConfig())),
  new Section(['time', 'query', 'config-link'], 60, async () => days.refresh(state.memory, await askConfig())),
  new Section(['cardinality'], 60, async () => drawCardinality(await askJson('/v1/cardinality'))),
  new Section(['snapshots'], 60, refreshSnapshots),
];

/* The service was started anew, or is back: all is asked again. */
function beginSections() {
  for (const section of sections)
    section.begin();
}

/* ---- a turn ---- */

async function refreshMemory() {
  const memory = await askJson('/memory');
  const isAnother = state.memory?.start !== memory.start;
  if (isAnother)
    state.config = null;
  if (isAnother || state.goneSince !== null)
    beginSections();
  state.memory = memory;
  drawMemory(memory);
  document.documentElement.dataset.now = memory.now;
}

async function refresh() {
  await refreshMemory();
  answered();
  for (const section of sections) {
    if (section.isDue() && !await section.run())
      return;
  }
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

/* Where the operator's listener is, as far as it is known: port 0 was any. */
function operatorWords() {
  const address = state.config?.settings.operator_listen?.value;
  return address && !address.endsWith(':0') ? `the operator listener, ${address},` : 'the operator listener';
}

function failureText(problem, clock) {
  if (!(problem instanceof Refusal))
    return `This page failed at ${clock}: ${problem.message}`;
  if (problem.status === 0)
    return `No answer since ${clock}`;
  const further = problem.status === 503 ? `; ${operatorWords()} answers from a reserve of its own` : '';
  return `Refused since ${clock}: ${problem.message}${further}`;
}

function failed(problem) {
  if (!(problem instanceof Refusal))
    console.error(problem);
  state.goneSince ??= state.answeredAt ?? Date.now();
  setState('gone');
  showBanner(failureText(problem, formatClock(state.goneSince / 1000)));
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
startQuery();
turn();
setInterval(turn, TURN_MS);
setInterval(showAge, 1000);
document.addEventListener('visibilitychange', turn);
