/*
 * findings.h: the judgement of a run, the strongest evidence first.
 *
 *     1. exact        checks of quiet points, conservation, ends and restarts, peaks over limits
 *     2. the server's own verdict
 *     3. slopes       of what no pool bounds
 *     4. first day against last
 *     5. whether the record proves anything: evidence.h
 *
 * A run fails when something is found, however far it came. It passes when nothing is and it ran to
 * its end. With fewer than two quiet points it is too short; before its end, or where the driver
 * was away for a tenth of the time, it is unfinished, which is neither.
 */
#ifndef SOAK_FINDINGS_H
#define SOAK_FINDINGS_H

#include "figures.h"
#include "reading.h"

/*
 * The whole of report.json, "soak-report/1": verdict ("pass", "fail", "too_short",
 * "unfinished"), exit_code,
 * findings, remarks, and the tables they were drawn from. docker: what its engine says;
 * JSON null: it cannot be read; NULL: nobody asked it.
 */
json_t *findings_judge(const struct reading *reading, const struct figures *figures,
                       const json_t *docker);

/* How the run ended: "finished", "stopped", "server_gone", "server_restarted", or "running":
 * nothing says it did. */
const char *run_state(const struct reading *reading);

#endif
