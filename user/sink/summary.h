/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of a watch, for people. */
#ifndef SYNWATCH_SINK_SUMMARY_H
#define SYNWATCH_SINK_SUMMARY_H

#include "core/report.h"
#include "sink/layout.h"

/*
 *   Summary of 131s
 *     client: 1 timed_out, 1 refused, 2 still hanging
 *     server: 3 ignored, 9612 in crowds
 *     healthy: 1204 (half within 512us, 99% within 4.1ms)
 *     SYN retransmissions: 24
 *     accepted by servers here: 512
 *     SYN-ACK retransmissions: 7
 *     segments thrown away by listeners: 37
 *     records lost: 0
 *   Most trouble
 *     10.0.0.2:443 (server): 3 ignored, 9612 in crowds
 *     10.0.0.1:80 (remote): 1 timed_out, 2 still hanging
 *   Patterns
 *     3 handshakes to 10.0.0.1:80 from netns 4026531840 got no answer, none got
 *       through late
 */
void summary_print(struct layout *layout, const struct report_summary *summary);

#endif /* SYNWATCH_SINK_SUMMARY_H */
