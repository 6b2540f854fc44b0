//! `/metrics` in OpenMetrics text: what the rooms counted, read when asked. Every bound that can be reached is here.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::{Operations, WebhookFigures};
use crate::clicklog::FSYNC_BOUNDS_US;
use crate::integrations::receiver::FailureKind;
use crate::redirect::{LATENCY_BOUNDS_US, Outcomes};

/// All metrics as text; `ages` are the seconds since stores' last orders, `pools` what is left of pools of codes,
/// `webhooks` what waits for them.
pub(super) fn render(
    operations: Operations,
    ages: Vec<(String, u64)>,
    pools: Vec<(String, u64)>,
    webhooks: WebhookFigures,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("hopcart");
    registry.register_collector(Box::new(Snapshot(operations, ages, pools, webhooks)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

struct Snapshot(Operations, Vec<(String, u64)>, Vec<(String, u64)>, WebhookFigures);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Lines(encoder);
        self.requests(&mut out)?;
        self.clicks(&mut out)?;
        self.stores(&mut out)?;
        self.waitlist(&mut out)?;
        self.conversions(&mut out)?;
        self.codes(&mut out)?;
        self.webhooks(&mut out)?;
        self.calls(&mut out)?;
        self.connections(&mut out)
    }
}

impl Snapshot {
    fn requests(&self, out: &mut Lines<'_>) -> fmt::Result {
        let mut sum = Outcomes::default();
        let mut latency = [0; LATENCY_BOUNDS_US.len() + 1];
        let mut latency_sum = 0;
        for worker in self.0.workers.iter() {
            let own = worker.outcomes();
            sum.redirected += own.redirected;
            sum.carts += own.carts;
            sum.pages += own.pages;
            sum.taps += own.taps;
            sum.unlogged += own.unlogged;
            sum.not_found += own.not_found;
            sum.gone += own.gone;
            sum.throttled += own.throttled;
            sum.unavailable += own.unavailable;
            let (counts, us) = worker.latency();
            latency
                .iter_mut()
                .zip(counts)
                .for_each(|(total, count)| *total += count);
            latency_sum += us;
        }
        let outcomes = [
            ("redirected", sum.redirected),
            ("cart", sum.carts),
            ("page", sum.pages),
            ("tap", sum.taps),
            ("unlogged_cart", sum.unlogged),
            ("not_found", sum.not_found),
            ("gone", sum.gone),
            ("throttled", sum.throttled),
            ("unavailable", sum.unavailable),
        ];
        out.counters("requests", "Requests for links by outcome", "outcome", &outcomes)?;
        out.histogram(
            "request_duration_seconds",
            "Time from a request's head to its reply. Of those that wait for nothing one in 16 is timed and stands for all",
            &LATENCY_BOUNDS_US,
            &latency,
            latency_sum,
        )?;
        out.gauge("links", "Links in the table", self.0.table.links() as f64)?;
        out.gauge(
            "table_loaded",
            "0 while links are still being read after the start",
            f64::from(u8::from(self.0.table.is_loaded())),
        )
    }

    fn clicks(&self, out: &mut Lines<'_>) -> fmt::Result {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (recorder, log) = (&self.0.recorder, self.0.clicks.stats());
        out.gauge(
            "clicks_queued",
            "Clicks waiting in the workers' lanes",
            read(&recorder.waiting) as f64,
        )?;
        out.gauge(
            "clicks_held",
            "Clicks read from a lane that the disk refuses",
            read(&recorder.held) as f64,
        )?;
        out.counter("clicks_written", "Clicks written in detail", read(&recorder.written))?;
        let lost = [
            ("queue_full", read(&recorder.lost_in_lane)),
            ("disk", read(&recorder.lost_to_disk)),
        ];
        out.counters(
            "clicks_dropped",
            "Clicks counted without their detail, by reason",
            "reason",
            &lost,
        )?;
        let forgotten = [
            ("visitor", read(&recorder.visitors_forgotten)),
            ("follow", read(&recorder.follows_forgotten)),
        ];
        out.counters(
            "recognition_forgotten",
            "Visitors of the day, and follows within the dedupe window, that memory had no room for: each may count again",
            "what",
            &forgotten,
        )?;
        out.counter(
            "click_append_failures",
            "Appends to the click log that failed and were tried again",
            read(&recorder.failures),
        )?;
        out.counter(
            "clicks_recovered",
            "Clicks that a killed process left in its lanes, written at this start",
            read(&recorder.recovered),
        )?;
        out.gauge(
            "click_log_ok",
            "0 while the click log cannot be written or its disk does not answer",
            f64::from(u8::from(!log.is_failed)),
        )?;
        out.gauge(
            "click_log_failed",
            "1 while the click log cannot be written",
            f64::from(u8::from(log.is_failed)),
        )?;
        out.gauge(
            "click_log_lag_frames",
            "Journal frames not yet in the click store",
            log.frames_waiting as f64,
        )?;
        out.gauge(
            "click_log_pending_clicks",
            "Clicks not yet in the click store",
            log.clicks_pending as f64,
        )?;
        out.gauge(
            "click_log_checkpoint_age_seconds",
            "Time since the last checkpoint",
            log.checkpoint_age.as_secs_f64(),
        )?;
        out.counter("click_log_checkpoints", "Checkpoints written", log.checkpoints)?;
        let failures = [
            ("disk_full", log.journal_failures.full),
            ("read_only", log.journal_failures.read_only),
            ("io", log.journal_failures.io),
            ("stall", log.stalls),
            ("checkpoint", log.checkpoint_failures),
            ("reopen", log.reopen_failures),
            ("bad_frame", log.bad_frames),
            ("quarantine", log.quarantines),
        ];
        out.counters(
            "click_log_failures",
            "Failures of the click log by cause",
            "cause",
            &failures,
        )?;
        out.gauge(
            "click_log_gaps",
            "Gaps in the click log that are known",
            log.gaps as f64,
        )?;
        out.gauge(
            "click_log_missing_clicks",
            "Clicks known to be missing in them",
            log.missing_clicks as f64,
        )?;
        out.counter(
            "click_log_rebuilds",
            "Click stores rebuilt from journal or backup",
            log.rebuilds,
        )?;
        let states = [
            ("recovering", u64::from(log.is_recovering)),
            ("damaged", u64::from(log.is_damaged)),
        ];
        out.gauges(
            "click_log_state",
            "1 while the click store is recovering, or damaged beyond the journal's reach",
            "state",
            &states,
        )?;
        let fsync_us = u64::try_from(log.fsync_total.as_micros()).unwrap_or(u64::MAX);
        out.histogram(
            "click_log_fsync_seconds",
            "Time of the journal's fdatasync",
            &FSYNC_BOUNDS_US,
            &log.fsync_buckets,
            fsync_us,
        )
    }

    fn stores(&self, out: &mut Lines<'_>) -> fmt::Result {
        let (log, books) = (self.0.clicks.stats(), self.0.books.stats());
        let sizes = [
            ("journal", log.journal_bytes),
            ("clicks", log.store_bytes),
            ("books", books.file_bytes),
        ];
        out.gauges("store_bytes", "Size on disk by store", "store", &sizes)?;
        out.counter("books_commits", "Transactions committed to the books", books.commits)?;
        out.gauge(
            "books_queued",
            "Changes of the books waiting for the writer",
            books.queued as f64,
        )?;
        out.gauge(
            "books_last_commit_seconds",
            "Time of the last commit",
            books.last_commit.as_secs_f64(),
        )?;
        out.gauge(
            "books_failed",
            "1 while the books cannot be written",
            f64::from(u8::from(books.is_failed)),
        )?;
        let ages: Vec<(&str, u64)> = self.1.iter().map(|(id, seconds)| (id.as_str(), *seconds)).collect();
        out.gauges(
            "store_last_order_seconds",
            "Time since a store's webhooks last told of an order",
            "store",
            &ages,
        )
    }

    fn waitlist(&self, out: &mut Lines<'_>) -> fmt::Result {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &self.0.waitlist;
        let outcomes = [
            ("added", read(&tally.added)),
            ("known", read(&tally.known)),
            ("full", read(&tally.full)),
            ("refused", read(&tally.refused)),
            ("throttled", read(&tally.throttled)),
            ("unavailable", read(&tally.unavailable)),
        ];
        out.counters(
            "waitlist_submissions",
            "Submissions to waiting lists by outcome",
            "outcome",
            &outcomes,
        )
    }

    fn conversions(&self, out: &mut Lines<'_>) -> fmt::Result {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &self.0.conversions;
        let outcomes = [
            ("click", read(&tally.clicks)),
            ("lead", read(&tally.leads)),
            ("sale", read(&tally.sales)),
            ("repeated", read(&tally.repeated)),
            ("passed", read(&tally.passed)),
            ("refused", read(&tally.refused)),
            ("foreign", read(&tally.foreign)),
            ("throttled", read(&tally.throttled)),
            ("unavailable", read(&tally.unavailable)),
        ];
        out.counters(
            "conversions",
            "Clicks, leads and sales that servers and pages told, by outcome",
            "outcome",
            &outcomes,
        )
    }

    fn codes(&self, out: &mut Lines<'_>) -> fmt::Result {
        let tally = self.0.table.code_tally();
        let outcomes = [
            ("given", tally.given),
            ("again", tally.again),
            ("empty", tally.empty),
            ("books_behind", tally.full),
            ("not_remembered", tally.not_remembered),
        ];
        out.counters(
            "single_use_codes",
            "Single-use codes that followers were due, by what became of it",
            "outcome",
            &outcomes,
        )?;
        out.gauge(
            "single_use_codes_unrecorded",
            "Single-use codes handed out and not yet in the books",
            tally.waiting as f64,
        )?;
        out.gauge(
            "single_use_codes_remembered",
            "Followers who get the same code when they come again",
            tally.remembered as f64,
        )?;
        out.gauge(
            "code_pools_empty",
            "Pools of single-use codes that links use and that have none left",
            self.0.codes.empty_pools() as f64,
        )?;
        let pools: Vec<(&str, u64)> = self.2.iter().map(|(id, left)| (id.as_str(), *left)).collect();
        out.gauges(
            "code_pool_remaining",
            "Codes of a pool that nobody has got",
            "pool",
            &pools,
        )
    }

    fn webhooks(&self, out: &mut Lines<'_>) -> fmt::Result {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (tally, figures) = (&self.0.telling.tally, &self.3);
        out.counter("webhook_events", "Events queued for webhooks", read(&tally.events))?;
        out.counter("webhook_clicks", "Clicks told in them", read(&tally.clicks))?;
        out.counter(
            "webhook_delivered",
            "Deliveries that receivers took",
            read(&tally.delivered),
        )?;
        let failed: Vec<(&str, u64)> = FailureKind::ALL
            .iter()
            .map(|kind| (kind.word(), read(&tally.failed[*kind as usize])))
            .collect();
        out.counters("webhook_failures", "Attempts that failed, by reason", "reason", &failed)?;
        out.counter(
            "webhook_given_up",
            "Deliveries given up after three days",
            read(&tally.given_up),
        )?;
        let untold = [
            ("queue_full", read(&tally.full)),
            ("gone", read(&tally.gone)),
            ("old", read(&tally.old)),
            ("unreadable", read(&tally.unreadable)),
        ];
        out.counters(
            "webhook_untold",
            "Events, deliveries and old clicks that were not told, by reason",
            "reason",
            &untold,
        )?;
        out.counter(
            "webhook_clicks_untold",
            "Clicks in deliveries for which there was no room",
            read(&tally.clicks_full),
        )?;
        out.counter(
            "webhooks_disabled_events",
            "Webhooks disabled because their receivers failed for days or want no more",
            read(&tally.disabled),
        )?;
        let states = [("live", figures.live), ("given_up", figures.given_up)];
        out.gauges("webhooks", "Webhooks by state", "state", &states)?;
        out.gauge("webhook_outbox", "Events not queued yet", figures.outbox as f64)?;
        out.gauge(
            "webhook_without_room",
            "Events that webhooks were not told of because too much waited, since these webhooks were made",
            figures.untold as f64,
        )?;
        out.gauge(
            "webhook_in_flight",
            "Deliveries under way",
            read(&tally.in_flight) as f64,
        )?;
        out.gauge(
            "webhook_click_lag_frames",
            "Frames of the click log not looked at yet for webhooks",
            read(&tally.click_lag) as f64,
        )?;
        let backlogs: Vec<(&str, u64)> = figures
            .backlogs
            .iter()
            .map(|(id, count)| (id.as_str(), *count))
            .collect();
        out.gauges(
            "webhook_waiting",
            "Deliveries that wait, by webhook",
            "webhook",
            &backlogs,
        )
    }

    fn calls(&self, out: &mut Lines<'_>) -> fmt::Result {
        let tally = &self.0.gate.tally;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let limited = [
            ("key", read(&tally.over_pace)),
            ("idempotency_keys", read(&tally.over_names)),
        ];
        out.counters(
            "api_calls_limited",
            "Calls answered 429, by what was too much",
            "reason",
            &limited,
        )?;
        out.counter(
            "api_calls_replayed",
            "Calls with an Idempotency-Key that were answered as before",
            read(&tally.replayed),
        )
    }

    fn connections(&self, out: &mut Lines<'_>) -> fmt::Result {
        let totals = self.0.connections.totals();
        out.gauge(
            "connections_open",
            "Open connections of the public listeners",
            totals.open as f64,
        )?;
        out.counter("connections_accepted", "Connections accepted", totals.accepted)?;
        let ended = [
            ("too_many", totals.refused),
            ("too_many_of_address", totals.refused_addresses),
            ("accept_error", totals.accept_errors),
            ("handshake", totals.handshake_failures),
            ("timeout", totals.timeouts),
            ("bad_request", totals.bad_requests),
            ("panic", totals.panics),
        ];
        out.counters(
            "connections_failed",
            "Connections that ended badly, by reason",
            "reason",
            &ended,
        )
    }
}

/// Writes one metric after the other.
struct Lines<'a>(DescriptorEncoder<'a>);

impl Lines<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (word, value) in values {
            metric
                .encode_family(&[(label, *word)])?
                .encode_counter::<NoLabelSet, _, u64>(value, None)?;
        }
        Ok(())
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (word, value) in values {
            metric
                .encode_family(&[(label, *word)])?
                .encode_gauge(&(*value as f64))?;
        }
        Ok(())
    }

    /// `counts` by bucket, the last one for everything above the bounds; bounds and sum in microseconds.
    fn histogram(&mut self, name: &str, help: &str, bounds_us: &[u64], counts: &[u64], sum_us: u64) -> fmt::Result {
        let bounds = bounds_us.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum_us as f64 / 1e6, counts.iter().sum(), &buckets, None)
    }
}
