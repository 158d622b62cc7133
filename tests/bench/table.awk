# table.awk: the runs of run.sh as tables.
#
#     awk -v servers="bare mayfly" -v floor=22.5 -f table.awk RSS RESULTS
#
# RSS holds "SERVER WHEN KIB" (a later line counts); RESULTS "WORKLOAD SERVER VALUE", a line a run.

FILENAME == ARGV[1] { rss[$1, $2] = $3; next }
NF == 3 { runs[$1, $2] = runs[$1, $2] " " $3 }

function median(workload, server,    n, i, j, v, kept) {
    if (!((workload, server) in runs)) return "-"
    n = split(runs[workload, server], v, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) {
            kept = v[j]; v[j] = v[j - 1]; v[j - 1] = kept
        }
    return v[int((n + 1) / 2)] + 0
}

function shown(value, unit, digits) {
    return value == "-" || unit == "-" || unit == 0 ? "-" : sprintf("%." digits "f", value / unit)
}

function mib(server, when) {
    return (server, when) in rss ? sprintf("%.1f", rss[server, when] / 1024) : "-"
}

function cpu_print(    i, s, w1, w2) {
    row = "%-12s %9s %7s %7s %8s %6s %7s %9s %9s %9s\n"
    printf row, "CPU", "W2", "times", "p99", "W1", "times", "p99", "scrape", "gzip", "scrape"
    printf row, "", "ns/sample", "floor", "ms", "us/req", "bare", "ms", "ms", "ms", "bytes"
    printf row, "floor", shown(floor, 1, 1), "1.0", "", "", "", "", "", "", ""
    for (i = 1; i <= count; i++) {
        s = server[i]; w1 = median("W1", s); w2 = median("W2", s)
        printf row, s, shown(w2, 1, 1), shown(w2, floor, 1), shown(median("W2.p99", s), 1, 2),
            shown(w1, 1, 2), shown(w1, median("W1", "bare"), 2), shown(median("W1.p99", s), 1, 2),
            shown(median("scrape", s), 1000, 2), shown(median("scrape.gzip", s), 1000, 2),
            shown(median("scrape.bytes", s), 1, 0)
    }
}

function memory_print(    i, s) {
    row = "%-12s %9s %9s %9s %9s %9s\n"
    printf "\n" row, "memory, MiB", "RSS idle", "after W1", "after W2", "scraped", "peak"
    for (i = 1; i <= count; i++) {
        s = server[i]
        printf row, s, mib(s, "idle"), mib(s, "W1"), mib(s, "W2"), mib(s, "scrape"), mib(s, "hwm")
    }
}

function runs_print(    w, i) {
    print "\nevery run (W1 us a request, W2 ns a sample, scrapes us)"
    workloads = split("W1 W2 W2.unsorted W2.ndjson W2.gzip scrape scrape.gzip", workload, " ")
    for (w = 1; w <= workloads; w++)
        for (i = 1; i <= count; i++)
            if ((workload[w], server[i]) in runs)
                printf "  %-12s %-12s%s\n", workload[w], server[i], runs[workload[w], server[i]]
}

END {
    count = split(servers, server, " ")
    cpu_print()
    memory_print()
    runs_print()
    if (("W2", "mayfly") in runs)
        printf "\nmayfly W2: labels not in order %s ns/sample, NDJSON %s, gzip %s\n",
            shown(median("W2.unsorted", "mayfly"), 1, 1),
            shown(median("W2.ndjson", "mayfly"), 1, 1), shown(median("W2.gzip", "mayfly"), 1, 1)
}
