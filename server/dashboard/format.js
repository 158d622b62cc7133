/*
 * format.js: figures as people read them. The exact number is in the element's title, see dom.js.
 */
const UNKNOWN = '–';
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/* What is missing or null in an answer is said as such, wherever it stands. */
function isKnown(value) {
  return Number.isFinite(value);
}

/* NaN, which is said as unknown, when a part or the whole is. */
function shareOf(part, whole) {
  return isKnown(part) && isKnown(whole) && whole !== 0 ? part / whole : NaN;
}

function formatScaled(value, digits) {
  const whole = Math.abs(value) >= 100 || Number.isInteger(value);
  return whole ? String(Math.round(value)) : value.toFixed(Math.abs(value) >= 10 ? 1 : digits);
}

function formatBytes(bytes) {
  if (!isKnown(bytes))
    return UNKNOWN;
  let unit = 0;
  let value = bytes;
  while (Math.abs(value) >= 1000 && unit + 1 < BYTE_UNITS.length) {
    value /= 1024;
    unit++;
  }
  return `${formatScaled(value, 2)} ${BYTE_UNITS[unit]}`;
}

function formatCount(count) {
  return isKnown(count) ? count.toLocaleString('en', {maximumFractionDigits: 2}) : UNKNOWN;
}

function formatSeconds(seconds) {
  if (!isKnown(seconds))
    return UNKNOWN;
  const size = Math.abs(seconds);
  if (size === 0)
    return '0 s';
  if (size < 1e-3)
    return `${formatScaled(seconds * 1e6, 0)} µs`;
  if (size < 1)
    return `${formatScaled(seconds * 1e3, 1)} ms`;
  if (size < 90)
    return `${formatScaled(seconds, 1)} s`;
  if (size < 5400)
    return formatTwo(seconds, 60, 'min', 1, 's');
  return size < 172800 ? formatTwo(seconds, 3600, 'h', 60, 'min') : formatTwo(seconds, 86400, 'd', 3600, 'h');
}

function formatTwo(seconds, large, largeName, small, smallName) {
  const smalls = Math.round(seconds / small);
  const whole = Math.trunc(smalls * small / large);
  const rest = Math.abs(smalls - whole * large / small);
  return rest === 0 ? `${whole} ${largeName}` : `${whole} ${largeName} ${rest} ${smallName}`;
}

/* 1234567 as 1.23 M; small ones as they are. */
function formatNumber(value) {
  if (!isKnown(value))
    return UNKNOWN;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e15))
    return value.toExponential(2);
  for (const [unit, name] of [[1e12, ' T'], [1e9, ' G'], [1e6, ' M'], [1e4, ' k']]) {
    if (size >= unit)
      return formatScaled(value / (name === ' k' ? 1e3 : unit), 2) + name;
  }
  return String(Number(value.toPrecision(4)));
}

/* Neither nothing nor all unless it is. */
function formatPercent(share) {
  if (!isKnown(share))
    return UNKNOWN;
  const percent = share * 100;
  if (percent > 0 && percent < 0.1)
    return '< 0.1 %';
  const rounded = percent < 10 && percent > 0 ? percent.toFixed(1) : Math.round(percent);
  return `${percent < 100 ? Math.min(rounded, 99) : rounded} %`;
}

/* Of a promise "at most": never below it. */
function formatPercentUp(share) {
  const steps = share < 0.1 ? 1000 : 100;
  return formatPercent(Math.ceil(share * steps - 1e-9) / steps);
}

function formatClock(unixSeconds) {
  return !isKnown(unixSeconds) ? UNKNOWN : new Date(unixSeconds * 1000).toLocaleTimeString('en-GB');
}

/* With the day, when it is another than today's. */
function formatTime(unixSeconds) {
  if (!isKnown(unixSeconds))
    return UNKNOWN;
  const date = new Date(unixSeconds * 1000);
  const clock = formatClock(unixSeconds);
  if (date.toDateString() === new Date().toDateString())
    return clock;
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())} ${clock}`;
}

function formatUtc(unixSeconds) {
  return isKnown(unixSeconds) ? new Date(unixSeconds * 1000).toISOString().replace('T', ' ') : UNKNOWN;
}

function twoDigits(number) {
  return String(number).padStart(2, '0');
}

/* Of an hour, say: growth has a sign. */
function formatSigned(format, value) {
  return value > 0 ? `+${format(value)}` : format(value);
}

const FORMATS = {
  bytes: formatBytes, count: formatCount, seconds: formatSeconds, number: formatNumber, time: formatTime,
};

/* One of FORMATS, whatever an answer calls its unit. */
function unitOf(name) {
  return Object.hasOwn(FORMATS, name) ? name : 'number';
}

/* What a metric's values are, by the last word of its name. A gauge of a time is a moment; others are durations. */
function unitOfMetric(name, kind) {
  if (kind === 'gauge' && /_time(stamp)?_seconds$/.test(name))
    return 'time';
  const words = name.replace(/_(total|sum|max|min)$/, '').split('_');
  const last = words[words.length - 1];
  return last === 'bytes' || last === 'seconds' ? last : 'number';
}
