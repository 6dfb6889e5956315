/* SPDX-License-Identifier: GPL-2.0-only */
/* Both sides of one handshake, for people. */
#ifndef SYNWATCH_SINK_TIMELINE_H
#define SYNWATCH_SINK_TIMELINE_H

#include "core/report.h"
#include "sink/layout.h"

/*
 *               client, port 11328       |  web2
 *                                        |  from 198.18.0.1:11328
 *                                        |  to 198.18.1.2:80
 *          0us  SYN                      |
 *         75us                           |  SYN, SYN-ACK sent
 *        1.03s  SYN again (1)            |
 *        1.03s                           |  SYN-ACK again (1)
 *
 * Times are since the first, on the client's clock. handshake->peer is set.
 */
void timeline_print(struct layout *layout, const struct report_handshake *handshake);

#endif /* SYNWATCH_SINK_TIMELINE_H */
