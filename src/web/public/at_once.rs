//! Follows that are answered without waiting: net's fast path asks before it builds a request.
//!
//! Reads the same facts as the way through hyper and writes the same answer. What counts nothing before it knows that it
//! can answer stays here; everything else is left to `handle`.

use std::time::Instant;

use http_body_util::Full;

use super::{PLUS, PublicHandler, canonical, inbound, is_ahead, reply};
use crate::net::{AnswerLines, AtOnce, Head, Peer};
use crate::redirect::{self, Reply, Worker};
use crate::web::pages::FollowerPage;

impl PublicHandler {
    /// Answers a plain GET or HEAD, unless it has to wait for something: for the disk, for the books, for a page.
    pub(super) fn follow_at_once(&self, peer: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
        answer_at_once(&self.worker, peer, head, answer)
    }
}

/// [`PublicHandler`]'s answer to what has not to wait.
pub fn answer_at_once(worker: &Worker, peer: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
    let path = head.path();
    // A table that is not loaded may lack the link: it is then read from the books.
    let may_wait = worker.is_durable() || !worker.is_loaded();
    if may_wait || !super::is_follow(path) || path.ends_with(PLUS) || inbound::may_be(path) {
        return AtOnce::NotMine;
    }
    let Some(facts) = facts(&peer, head) else {
        return AtOnce::NotMine;
    };
    let counters = worker.counters();
    let started = counters.is_next_timed().then(Instant::now);
    let answered = match worker.follow(&facts) {
        Reply::Redirect(redirect) => {
            let is_written = reply::write_redirect(&redirect, answer);
            worker.reuse(redirect);
            match is_written {
                true => AtOnce::Written,
                false => AtOnce::Whole(Box::new(reply::page(FollowerPage::Unavailable))),
            }
        }
        other => AtOnce::Whole(Box::new(super::respond(other, &facts, None))),
    };
    match started {
        Some(started) => counters.observe_at_once(started.elapsed()),
        None => counters.observe_as_last(),
    }
    without_body(answered, facts.is_head)
}

fn without_body(mut answered: AtOnce, is_head: bool) -> AtOnce {
    if let AtOnce::Whole(response) = &mut answered
        && is_head
    {
        *response.body_mut() = Full::default();
    }
    answered
}

/// What a line tells a follow.
#[derive(Clone, Copy)]
enum Line {
    UserAgent,
    Referrer,
    AcceptLanguage,
    AcceptEncoding,
    Cookie,
    Gpc,
    Dnt,
    TestKey,
    Purpose(u8),
}

/// Which line `name` is, by its length first: most lines are none of these. `name` is a token (RFC 9110 section 5.6.2).
fn line_of(name: &str) -> Option<Line> {
    // Setting one bit makes letters small, and no other character of a token a letter or a `-`.
    let is = |other: &str| {
        let pairs = name.bytes().zip(other.bytes());
        pairs.fold(0, |differs, (byte, expected)| differs | (byte | 0x20) ^ expected) == 0
    };
    match name.len() {
        3 if is("dnt") => Some(Line::Dnt),
        5 if is("x-moz") => Some(Line::Purpose(0)),
        6 if is("cookie") => Some(Line::Cookie),
        7 if is("referer") => Some(Line::Referrer),
        7 if is("sec-gpc") => Some(Line::Gpc),
        7 if is("purpose") => Some(Line::Purpose(1)),
        9 if is("x-purpose") => Some(Line::Purpose(2)),
        10 if is("user-agent") => Some(Line::UserAgent),
        11 if is("sec-purpose") => Some(Line::Purpose(3)),
        14 if is("x-hopcart-test") => Some(Line::TestKey),
        15 if is("accept-language") => Some(Line::AcceptLanguage),
        15 if is("accept-encoding") => Some(Line::AcceptEncoding),
        _ => None,
    }
}

impl Line {
    /// A bit of its own.
    fn bit(self) -> u32 {
        match self {
            Self::UserAgent => 1,
            Self::Referrer => 1 << 1,
            Self::AcceptLanguage => 1 << 2,
            Self::AcceptEncoding => 1 << 3,
            Self::Cookie => 1 << 4,
            Self::Gpc => 1 << 5,
            Self::Dnt => 1 << 6,
            Self::TestKey => 1 << 7,
            Self::Purpose(number) => 1 << (8 + number),
        }
    }
}

/// What a follow needs of `head`; `None` when a line that it reads comes twice, or a cookie is no ASCII.
fn facts<'a>(peer: &Peer, head: &Head<'a>) -> Option<redirect::Request<'a>> {
    let mut facts = redirect::Request::get(head.host(), head.path(), canonical(peer.address));
    facts.is_head = head.is_head();
    facts.query = head.query();
    facts.is_secure = peer.is_secure;
    let mut seen = 0;
    for (name, value, text) in head.texts() {
        let Some(line) = line_of(name) else { continue };
        if seen & line.bit() != 0 {
            return None;
        }
        seen |= line.bit();
        let text = text().unwrap_or_default();
        match line {
            Line::UserAgent => facts.user_agent = text,
            Line::Referrer => facts.referrer = text,
            Line::AcceptLanguage => facts.accept_language = text,
            Line::AcceptEncoding => facts.accept_encoding = text,
            Line::Cookie if value.is_ascii() => facts.cookie = text,
            Line::Cookie => return None,
            Line::Gpc => facts.gpc = text == "1",
            Line::Dnt => facts.dnt = text == "1",
            Line::TestKey => facts.test_key = text,
            Line::Purpose(_) => facts.is_prefetch |= is_ahead(text),
        }
    }
    Some(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_the_slow_way_reads_is_known_and_has_its_own_bit() {
        let names = [
            "user-agent",
            "referer",
            "accept-language",
            "accept-encoding",
            "cookie",
            "sec-gpc",
            "dnt",
            "x-hopcart-test",
        ];
        let mut seen = 0;
        for name in names.into_iter().chain(super::super::PURPOSE_HEADERS) {
            let line = line_of(&name.to_ascii_uppercase()).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(seen & line.bit(), 0, "{name}");
            seen |= line.bit();
        }
        for name in [
            "",
            "host",
            "x-forwarded-for",
            "sec-gpx",
            "accept-languagf",
            "sec_gpc",
            "@nt",
            "dn4",
        ] {
            assert!(line_of(name).is_none(), "{name}");
        }
    }
}
