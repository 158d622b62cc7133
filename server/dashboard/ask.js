/*
 * ask.js: requests to the service this page came from, one at a time, so that the page never holds more than one of its
 * connections.
 *
 *     const memory = await askJson('/memory');
 *
 * A failure is a Refusal with `status` (0: no answer at all; 200: one that is no JSON), `code` and the service's own
 * message.
 */
const ANSWER_MS = 10000;

let asking = Promise.resolve();

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function refusalOf(answer) {
  const text = await answer.text().catch(() => '');
  try {
    const {error} = JSON.parse(text);
    return new Refusal(answer.status, error.code, error.message || `status ${answer.status}`);
  } catch {
    return new Refusal(answer.status, String(answer.status), text.slice(0, 200) || `status ${answer.status}`);
  }
}

async function fetchText(target, method, accept) {
  let answer;
  try {
    answer = await fetch(target, {
      method, headers: {Accept: accept}, cache: 'no-store', credentials: 'omit',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.ok)
      return await answer.text();
  } catch (problem) {
    throw new Refusal(0, 'no_answer', problem.message);
  }
  throw await refusalOf(answer);
}

/* Behind what is being asked, whether that goes well or not. */
function ask(target, method, accept) {
  const answer = asking.then(() => fetchText(target, method, accept));
  asking = answer.catch(() => {});
  return answer;
}

async function askJson(target, method = 'GET') {
  const text = await ask(target, method, 'application/json');
  try {
    return JSON.parse(text);
  } catch (problem) {
    throw new Refusal(200, 'bad_answer', `the answer is no JSON: ${problem.message}`);
  }
}

function askText(target) {
  return ask(target, 'GET', 'text/plain');
}

function queryTarget(parameters) {
  const pairs = new URLSearchParams();
  for (const [name, value] of parameters) {
    if (value !== '')
      pairs.append(name, value);
  }
  return `/v1/query?${pairs}`;
}
