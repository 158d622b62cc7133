/* trend_report.c: see trend_report.h. */
#include "reply/trend_report.h"

#include "reply/members.h"

static void slope_write(struct writer *writer, const struct watch_finding *finding)
{
    member_number(writer, "slope_per_hour", finding->slope);
    member_number(writer, "low_per_hour", finding->low);
    member_number(writer, "high_per_hour", finding->high);
    member_u64(writer, "blocks", finding->blocks);
}

static void finding_write(struct writer *writer, uint32_t figure,
                          const struct watch_finding *finding)
{
    struct watch_row row = watch_row(figure);
    member_row(writer);
    member_text(writer, "name", row.name);
    member_text(writer, "kind", row.kind);
    member_text(writer, "unit", watch_unit_name(row.unit));
    member_text(writer, "verdict", watch_verdict_name(finding->verdict));
    member_time(writer, "since", finding->since_ms);
    member_number(writer, "value", finding->value);
    if (figure < POOL_COUNT || finding->capacity != 0)
        member_u64(writer, "capacity", finding->capacity);
    if (figure < POOL_COUNT)
        member_bool(writer, "full_by_design", finding->by_design);
    member_time(writer, "full_at", finding->full_at_ms);
    slope_write(writer, finding);
    member_bool(writer, "rising", finding->rising);
    writer_char(writer, '}');
}

void trend_report_write(struct writer *writer, const struct watch_report *report, int64_t now_ms)
{
    writer_char(writer, '{');
    member_section(writer, "schema");
    writer_string(writer, "\"trend/1\"");
    member_seconds(writer, "now", now_ms);
    member_section(writer, "verdict");
    writer_json_string(writer, bytes_of(watch_verdict_name(report->verdict)));
    member(writer, "worst");
    if (report->worst == WATCH_COUNT)
        writer_string(writer, "null");
    else
        writer_json_string(writer, bytes_of(watch_row(report->worst).name));
    member_section(writer, "block_seconds");
    writer_seconds(writer, report->block_ms);
    member_u64(writer, "blocks", report->blocks);
    member_u64(writer, "blocks_min", TREND_BLOCKS_MIN);
    member_section(writer, "figures");
    writer_char(writer, '[');
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++)
        finding_write(writer, figure, &report->findings[figure]);
    writer_string(writer, "]\n}\n");
}
