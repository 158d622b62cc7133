/*
 * cardinality.js: which metrics and labels have the series.
 */
function cardinalitySentence(found) {
  const share = formatPercent(shareOf(found.series, found.series_max));
  const parts = [`${formatCount(found.series)} of ${formatCount(found.series_max)} series (${share})`];
  for (const [name, words] of [
    ['overflowed_samples', 'samples overflowed'], ['lost_bounds', 'bounds lost'], ['recycled_series', 'recycled'],
    ['expired_series', 'expired'], ['deleted_series', 'deleted']]) {
    if (found[name] > 0)
      parts.push(`${formatCount(found[name])} ${words}`);
  }
  return parts.join('; ');
}

function metricRow(metric) {
  const draw = linkButton(metric.metric, 'draw it');
  draw.dataset.metric = metric.metric;
  return make('tr', {}, rowHead(draw), cell(metric.kind, 'mid kind'), numberCell(figure(metric.series, 'count')),
    numberCell(figure(metric.overflowed_samples, 'count'), 'mid'));
}

function labelRow(label) {
  return make('tr', {}, rowHead(breakable(label.label)), numberCell(figure(label.series, 'count')));
}

function drawCardinality(found) {
  setText(byId('cardinality-text'), cardinalitySentence(found));
  refreshRows(byId('metrics-table'), found.metrics.map(metricRow), 'nothing was pushed yet');
  refreshRows(byId('labels-table'), found.labels.map(labelRow));
  setMetricNames(found.metrics.map((metric) => metric.metric));
}
