/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/teller.h"

#include "core/crowd.h"
#include "core/evidence.h"
#include "core/patterns.h"
#include "core/server.h"
#include "core/stats.h"
#include "core/verdict.h"

bool teller_open(struct teller *teller, const struct engine_options *options,
		 engine_report_fn report, void *ctx)
{
	*teller = (struct teller){
		.report = report,
		.ctx = ctx,
		.all = options->all,
		.wall_offset_ns = options->wall_offset_ns,
		.terms = terms_new(),
		.stats = stats_new(),
		.patterns = patterns_new(options->all),
	};
	return teller->terms && teller->stats && teller->patterns;
}

void teller_close(struct teller *teller)
{
	terms_free(teller->terms);
	stats_free(teller->stats);
	patterns_free(teller->patterns);
}

static void emit(struct teller *teller, struct report *report, enum report_type type,
		 uint64_t time_ns)
{
	report->type = type;
	report->time_ns = time_ns;
	report->wall_ns = time_ns + teller->wall_offset_ns;
	teller->report(teller->ctx, report);
}

/* --- one handshake --- */

static bool is_server(const struct handshake *handshake)
{
	return handshake->key.role == ROLE_SERVER;
}

/* What a later record counts had not happened then. */
static void as_of_start(struct report_handshake *report)
{
	if (report->syn_sent > 1)
		report->syn_sent = 1;
	if (report->syn_retransmits > 0)
		report->syn_retransmits = 0;
	if (report->syn_unsent > 0)
		report->syn_unsent = 0;
	if (report->synack_retransmits > 0)
		report->synack_retransmits = 0;
	report->has_listener = false;
}

void teller_start(struct teller *teller, struct handshake *handshake)
{
	const struct sw_handshake *facts = &handshake->facts;
	bool later = facts->header.kind != SW_OPEN;
	struct report report = {};

	if (handshake->started || !teller->all)
		return;
	handshake->started = true;
	handshake->told_ns = facts->start_ns;
	handshake_describe(facts, facts->start_ns, later, &report.handshake);
	if (later)
		as_of_start(&report.handshake);
	report.handshake.verdict = VERDICT_COUNT;
	report.handshake.elapsed_ns = 0;
	emit(teller, &report, REPORT_START, facts->start_ns);
}

/* Records of two CPUs may come a little out of order; what is reported of one
 * handshake never goes back in time. */
static uint64_t not_before_told(struct handshake *handshake, uint64_t time_ns)
{
	if (time_ns > handshake->told_ns)
		handshake->told_ns = time_ns;
	return handshake->told_ns;
}

/* After what has been said of the handshake itself. */
static void tell_pattern(struct teller *teller, struct handshake *handshake,
			 const struct report_handshake *told, bool healthy, uint64_t time_ns)
{
	struct report_pattern news;

	patterns_handshake(teller->patterns, &handshake->mark, told, healthy, time_ns);
	if (patterns_news(teller->patterns, &news)) {
		struct report report = {.pattern = news};

		emit(teller, &report, REPORT_PATTERN, time_ns);
	}
}

static void judge_stalled(const struct teller *teller, const struct handshake *handshake,
			  uint64_t time_ns, struct report_handshake *report)
{
	const struct sw_handshake *facts = &handshake->facts;

	handshake_describe(facts, time_ns, false, report);
	evidence_tell_drop(facts, teller->terms, report);
	if (is_server(handshake))
		server_stalled(facts, report);
	else
		verdict_stalled(facts, report);
}

void teller_stall(struct teller *teller, struct handshake *handshake, uint64_t time_ns)
{
	struct report report = {};

	time_ns = not_before_told(handshake, time_ns);
	judge_stalled(teller, handshake, time_ns, &report.handshake);
	handshake->stalled = true;
	handshake->told_retransmits = handshake->facts.timer.retransmits;
	handshake->past.cause = report.handshake.cause;
	emit(teller, &report, REPORT_STALL, time_ns);
	tell_pattern(teller, handshake, &report.handshake, false, time_ns);
}

static void judge_end(const struct teller *teller, const struct handshake *handshake,
		      uint64_t time_ns, enum teller_end how, struct report_handshake *report)
{
	const struct sw_handshake *facts = &handshake->facts;

	handshake_describe(facts, time_ns, true, report);
	evidence_tell_drop(facts, teller->terms, report);
	if (how == TELLER_EXPIRED)
		server_expired(facts, &handshake->past, report);
	else if (how == TELLER_LOST && is_server(handshake))
		server_lost(&handshake->past, report);
	else if (how == TELLER_LOST)
		verdict_lost(facts, report);
	else if (is_server(handshake))
		server_ended(facts, &handshake->past, report);
	else
		verdict_ended(facts, report);
}

/* The loser of a race between addresses is as good as answered; and a request
 * that never hung is in no trouble, however it ended. */
static bool is_healthy(const struct handshake *handshake, const struct report_handshake *report)
{
	if (handshake->stalled)
		return false;
	if (is_server(handshake))
		return report->cause == CAUSE_NONE;
	return report->verdict == VERDICT_ESTABLISHED || handshake->facts.flags & SW_F_RACE_LOST;
}

static void count_healthy(struct teller *teller, const struct handshake *handshake,
			  const struct report_handshake *report)
{
	if (handshake->facts.flags & SW_F_COUNTED)
		return;
	if (!is_server(handshake) || report->verdict == VERDICT_ESTABLISHED)
		stats_healthy(teller->stats, report->role);
}

uint64_t teller_end(struct teller *teller, struct handshake *handshake, uint64_t time_ns,
		    enum teller_end how)
{
	struct report report = {};
	bool healthy;

	time_ns = not_before_told(handshake, time_ns);
	judge_end(teller, handshake, time_ns, how, &report.handshake);
	healthy = is_healthy(handshake, &report.handshake);
	if (healthy)
		count_healthy(teller, handshake, &report.handshake);
	if (!healthy || teller->all) {
		stats_handshake(teller->stats, &report.handshake);
		emit(teller, &report, REPORT_END, time_ns);
	}
	tell_pattern(teller, handshake, &report.handshake, healthy, time_ns);
	handshake->ended = true;
	return time_ns;
}

void teller_unfinished(struct teller *teller, struct handshake *handshake, uint64_t time_ns)
{
	struct report_handshake last;

	if (!handshake->stalled || handshake->ended)
		return;
	judge_stalled(teller, handshake, time_ns, &last);
	stats_handshake(teller->stats, &last);
	patterns_handshake(teller->patterns, &handshake->mark, &last, false, time_ns);
}

/* --- all of them --- */

void teller_crowd(struct teller *teller, const struct sw_crowd *record)
{
	struct report report = {};

	if (!crowd_size(record))
		return;
	report.crowd = crowd_report(record, teller->terms);
	stats_crowd(teller->stats, &report.crowd);
	emit(teller, &report, REPORT_CROWD, record->header.time_ns);
}

void teller_loss(struct teller *teller, const struct report_loss *loss, uint64_t time_ns)
{
	struct report report = {.loss = *loss};

	if (!loss->ring && !loss->map_full && !loss->suppressed && !loss->late && !loss->missed)
		return;
	stats_loss(teller->stats, loss);
	if (loss->ring || loss->map_full || loss->missed)
		patterns_lost(teller->patterns);
	emit(teller, &report, REPORT_LOSS, time_ns);
}

void teller_counts(struct teller *teller, const struct sw_counts *counts)
{
	stats_counts(teller->stats, counts);
}

void teller_summary(struct teller *teller, uint64_t start_ns, uint64_t time_ns)
{
	struct report report = {};
	struct report_summary *summary = &report.summary;

	stats_summarize(teller->stats, summary);
	summary->pattern_count =
		patterns_summarize(teller->patterns, summary->patterns, REPORT_PATTERN_MAX);
	summary->patterns_untold = patterns_untold(teller->patterns);
	summary->duration_ns = time_ns - start_ns;
	emit(teller, &report, REPORT_SUMMARY, time_ns);
}
