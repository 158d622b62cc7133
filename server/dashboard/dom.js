/*
 * dom.js: small words for the document. Text goes in as text only: names of metrics, labels and peers are what anybody
 * sent.
 */
function byId(id) {
  return document.getElementById(id);
}

/* make('td', {className: 'n', text: 'x'}, child, …) */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const {text, ...others} = properties;
  Object.assign(element, others);
  if (text !== undefined)
    element.textContent = text;
  element.append(...children);
  return element;
}

/* Only when it is another: a live region speaks at each change. */
function setText(element, text) {
  if (element.textContent !== text)
    element.textContent = text;
}

/*
 * A figure: <data value="65024" title="65,024 bytes" data-key="live_bytes">63.5 KiB</data>. The key is the figure's
 * place in /memory, where it has one.
 */
function figure(value, unit, key) {
  if (!isKnown(value))
    return make('span', {className: 'quiet', text: UNKNOWN});
  const element = make('data', {value, text: FORMATS[unit](value), title: exactly(value, unit)});
  if (key !== undefined)
    element.dataset.key = key;
  return element;
}

/* A moment: by the reader's clock, and in the title by UTC. */
function moment(unixSeconds) {
  return make('time', {text: formatTime(unixSeconds), title: formatUtc(unixSeconds)});
}

/* Of a difference: growth has a sign. */
function signedFigure(value, unit) {
  const element = figure(value, unit);
  element.textContent = formatSigned(FORMATS[unit], value);
  return element;
}

function exactly(value, unit) {
  const text = value.toLocaleString('en', {maximumFractionDigits: 9});
  return unit === 'bytes' || unit === 'seconds' ? `${text} ${unit}` : text;
}

/* A name that does something when it is pressed. */
function linkButton(name, title) {
  const button = make('button', {type: 'button', className: 'link', title});
  button.dataset.row = name;
  button.append(breakable(name));
  return button;
}

function cell(content, className = '') {
  return make('td', {className}, content);
}

function numberCell(content, className = '') {
  return cell(content, `n ${className}`);
}

/* A name that may be broken behind its underscores, on a narrow screen; as text it is the same. */
function breakable(name) {
  const words = name.match(/[^_]*_|[^_]+$/g) ?? [name];
  return pieces(...words.flatMap((word, index) => (index === 0 ? [word] : [make('wbr'), word])));
}

function rowHead(content) {
  return make('th', {scope: 'row'}, content);
}

/* Rows of a table's body; a row that says there are none when it is empty. */
function setRows(table, rows, none = 'none') {
  const columns = table.tHead.rows[0].cells.length;
  const empty = make('tr', {}, make('td', {colSpan: columns, className: 'quiet', text: none}));
  table.tBodies[0].replaceChildren(...(rows.length > 0 ? rows : [empty]));
}

/* As setRows, of what comes again and again: a button keeps the focus, and selected text stays as it is. */
function refreshRows(table, rows, none) {
  const {anchorNode, focusNode, isCollapsed} = getSelection();
  if (!isCollapsed && (table.contains(anchorNode) || table.contains(focusNode)))
    return;
  const row = table.contains(document.activeElement) ? document.activeElement.dataset.row : undefined;
  setRows(table, rows, none);
  if (row !== undefined)
    [...table.querySelectorAll('[data-row]')].find((button) => button.dataset.row === row)?.focus();
}

/* <dt>, <dd> for each [name, content]. */
function setPairs(list, pairs) {
  list.replaceChildren(...pairs.map(([name, content]) =>
    make('div', {}, make('dt', {text: name}), make('dd', {}, content))));
}

/* Several pieces of one cell. */
function pieces(...parts) {
  const fragment = document.createDocumentFragment();
  fragment.append(...parts);
  return fragment;
}

/* A share of a width; what is unknown has none. */
function percentOf(share) {
  return `${(isKnown(share) ? Math.min(1, Math.max(0, share)) * 100 : 0).toFixed(4)}%`;
}

/* A part of a bar: from and to are shares of its width. */
function span(className, from, to) {
  const element = make('span', {className});
  element.style.left = percentOf(from);
  element.style.width = percentOf(to - from);
  return element;
}
