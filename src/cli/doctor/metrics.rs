//! Reads the server's metrics for what should worry its operator. Pure.
//!
//! Looks for words in the names rather than for exact names, so that a renamed metric is at worst not looked at.

use super::finding::Finding;

/// A disk whose syncs take longer than this on average delays durable clicks and orders, in seconds.
const SYNC_MEAN_MAX_SECONDS: f64 = 0.05;
/// Clicks that wait longer than this for the disk are not visible within a second, in seconds.
const LAG_MAX_SECONDS: f64 = 1.0;

/// What `text` (Prometheus text format) gives reason to worry about; one fine line when nothing does.
pub fn concerns(text: &str) -> Vec<Finding> {
    let samples: Vec<(&str, f64)> = text.lines().filter_map(sample).collect();
    let total = |fits: &dyn Fn(&str) -> bool| -> f64 {
        samples
            .iter()
            .filter(|(name, _)| fits(name))
            .map(|(_, value)| value)
            .sum()
    };
    let mut findings = Vec::new();
    let dropped = total(&|name| name.contains("click") && name.contains("dropped"));
    if dropped > 0.0 {
        findings.push(Finding::warn(
            "clicks",
            format!("details of {dropped:.0} clicks were dropped since the start (their count is kept)"),
            "give clicks.queue_bytes more room, or the data directory a faster disk",
        ));
    }
    let gaps = total(&|name| name.ends_with("click_log_gaps"));
    if gaps > 0.0 {
        let missing = total(&|name| name.ends_with("click_log_missing_clicks"));
        findings.push(Finding::warn(
            "clicks",
            format!("the click log has {gaps:.0} gaps; {missing:.0} clicks are known to be missing"),
            "`hopcart clicks verify` lists them; `hopcart clicks rebuild --from-backup DIR` may bring them back",
        ));
    }
    let state = |word: &str| {
        text.lines()
            .any(|line| line.contains(&format!("click_log_state{{state=\"{word}\"}} 1")))
    };
    if state("recovering") {
        findings.push(Finding::warn(
            "clicks",
            "the click store is being recovered; links work, reports answer 503",
            "wait; the server's log says how it goes",
        ));
    }
    if state("damaged") {
        findings.push(Finding::fail(
            "clicks",
            "stored clicks are damaged beyond the journal's reach",
            "stop the server and run `hopcart clicks rebuild --from-backup DIR`",
        ));
    }
    let empty = total(&|name| name.ends_with("code_pools_empty"));
    if empty > 0.0 {
        findings.push(Finding::warn(
            "codes",
            format!("{empty:.0} pools of single-use codes are empty: their links send their creators' codes"),
            "`hopcart codes list` shows which; `hopcart codes upload` fills them",
        ));
    }
    let given_up: f64 = text
        .lines()
        .filter(|line| line.starts_with("hopcart_webhooks{") && line.contains("state=\"given_up\""))
        .filter_map(|line| sample(line).map(|(_, value)| value))
        .sum();
    if given_up > 0.0 {
        findings.push(Finding::warn(
            "webhooks",
            format!("{given_up:.0} webhooks are disabled: their receivers took nothing for days, or want no more"),
            "`hopcart webhooks list` says which; `hopcart webhooks enable` and `replay --failed` go on",
        ));
    }
    let untold = total(&|name| name.ends_with("webhook_clicks_untold_total"));
    if untold > 0.0 {
        findings.push(Finding::warn(
            "webhooks",
            format!("{untold:.0} clicks were not told since the start: too much waits for their webhooks"),
            "raise clicksPerEvent, narrow the webhook by linkIds, or make its receiver quicker",
        ));
    }
    let without_room = total(&|name| name.ends_with("webhook_without_room"));
    if without_room > 0.0 {
        findings.push(Finding::warn(
            "webhooks",
            format!("{without_room:.0} events found no room in their webhooks' queues and are not told"),
            "`untold` of GET /webhooks says whose: read what changed over the API, and make that receiver quicker",
        ));
    }
    let syncs = total(&|name| name.contains("sync") && name.ends_with("_count"));
    let seconds = total(&|name| name.contains("sync") && name.ends_with("_sum"));
    if syncs > 0.0 && seconds / syncs > SYNC_MEAN_MAX_SECONDS {
        findings.push(Finding::warn(
            "disk",
            format!("a sync takes {:.0} ms on average", seconds / syncs * 1000.0),
            "give the data directory a disk with a faster fsync",
        ));
    }
    let lag = total(&|name| name.contains("lag") && name.ends_with("seconds"));
    if lag > LAG_MAX_SECONDS {
        findings.push(Finding::warn(
            "clicks",
            format!("clicks wait {lag:.1} s for the disk"),
            "look at the load of the disk",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("metrics", "no click dropped, disk quick enough"));
    }
    findings
}

/// Name and value of a line; `None` for comments and what is no sample.
fn sample(line: &str) -> Option<(&str, f64)> {
    let end = line.find(['{', ' ']).filter(|_| !line.starts_with('#'))?;
    let values = match line[end..].strip_prefix('{') {
        Some(labelled) => labelled.rsplit_once('}')?.1,
        None => &line[end..],
    };
    let value = values.split_whitespace().next()?.parse().ok()?;
    Some((&line[..end], value))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn worries_are_found_among_samples() {
        let fine = "# HELP hopcart_clicks_dropped_total x\nhopcart_clicks_dropped_total{reason=\"queue\"} 0\n\
            hopcart_fsync_seconds_sum 0.5\nhopcart_fsync_seconds_count 100\n# EOF";
        assert_eq!(
            concerns(fine),
            [Finding::ok("metrics", "no click dropped, disk quick enough")]
        );
        let bad = "hopcart_clicks_dropped_total{reason=\"a } b\"} 2\nhopcart_clicks_dropped_total{reason=\"disk\"} 3 17\n\
            hopcart_fsync_seconds_sum 10\nhopcart_fsync_seconds_count 100\nhopcart_writer_lag_seconds 2.5";
        let told = "hopcart_webhooks{state=\"live\"} 3\nhopcart_webhooks{state=\"given_up\"} 2\nhopcart_webhook_clicks_untold_total 7\n\
            hopcart_webhook_without_room 4";
        let seen: Vec<String> = concerns(told).into_iter().map(|finding| finding.seen).collect();
        assert!(
            seen.len() == 3
                && seen[0].starts_with("2 webhooks are disabled")
                && seen[1].starts_with("7 clicks")
                && seen[2].starts_with("4 events"),
            "{seen:?}"
        );
        let found = concerns(bad);
        assert!(found.iter().all(|finding| finding.verdict == Verdict::Warn));
        let seen: Vec<&str> = found.iter().map(|finding| finding.seen.as_str()).collect();
        assert_eq!(
            seen,
            [
                "details of 5 clicks were dropped since the start (their count is kept)",
                "a sync takes 100 ms on average",
                "clicks wait 2.5 s for the disk",
            ]
        );
    }
}
