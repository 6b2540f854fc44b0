//! The demo from curtain to curtain: set up, send, compare, say what to try.

use std::time::Duration;

use super::Arguments;
use super::brand::Cast;
use super::plan;
use super::setup;
use super::tally::{Tally, compare};
use super::traffic;
use crate::app::Running;
use crate::cli::api::Api;
use crate::cli::failure::Failure;
use crate::cli::terminal::{note, say};
use crate::config::Masked;
use crate::domain::money::{Currency, currency};

/// People should see the bar move.
const LEAST: Duration = Duration::from_secs(4);
/// How long the server may take to show what it accepted; it promises one second.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at the numbers.
const LOOK: Duration = Duration::from_millis(200);

/// Plays everything on `running`.
///
/// # Errors
/// The first request that went wrong; with `--exit` also a number that differs.
pub async fn play(running: &Running, arguments: &Arguments) -> Result<(), Failure> {
    let key = running
        .first_key
        .as_deref()
        .ok_or_else(|| Failure::Failed("the server made no first key on an empty directory".to_owned()))?;
    let admin = format!("http://{}", running.admin);
    let public = format!("http://{}", running.public);
    let api = Api::new(&admin, Some(Masked::new(key)))?;
    let cast = Cast::read()?;
    note(&format!(
        "{}: {} products, {} creators, each with a cart link and a code",
        cast.brand.name,
        cast.products.len(),
        cast.creators.len()
    ));
    let stage = setup::set_up(&api, &cast).await?;
    let link_of = |place: usize| format!("{public}{}", stage.paths.get(place).map_or("/", String::as_str));
    let (first_link, page_link) = (link_of(0), link_of(1));
    let plan = plan::draw(&cast, arguments.seed, arguments.clicks);
    note(&format!("{} follows and the orders that come of them", plan.follows));
    let least = if arguments.fast { Duration::ZERO } else { LEAST };
    let crowd = traffic::send(public, cast, stage, plan, least).await?;
    let sent = Tally::of_plan(crowd.plan(), crowd.cast());
    let seen = settled(&api, &sent).await?;
    let unit = currency(&crowd.cast().brand.currency).unwrap_or(Currency::EUR);
    let (table, differing) = compare(&sent, &seen, unit);
    say(&table)?;
    match differing {
        0 => note("Every number that the server shows is what was sent."),
        _ => note(&format!("{differing} numbers differ from what was sent.")),
    }
    if arguments.exit {
        return match differing {
            0 => Ok(()),
            _ => Err(Failure::Failed("the server's numbers are not what was sent".to_owned())),
        };
    }
    invite(&admin, key, &first_link, &page_link)
}

/// What the server shows, as soon as it is what was sent, at the latest when patience ends.
async fn settled(api: &Api, sent: &Tally) -> Result<Tally, Failure> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let seen = Tally::of_server(api).await?;
        if seen == *sent || tokio::time::Instant::now() >= end {
            return Ok(seen);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What to open and what to try.
fn invite(admin: &str, key: &str, first_link: &str, page_link: &str) -> Result<(), Failure> {
    let bearer = format!("-H 'Authorization: Bearer {key}'");
    say(&format!(
        "\nThe report:      {admin}/\nSign in with:    {key}\n\n\
         Follow a link:   curl -i {first_link}\n\
         Landing page:    {page_link}\n\
         Mint a link:     curl -s {admin}/links {bearer} -H 'Content-Type: application/json' \
         -d '{{\"url\":\"https://example.com/spring\",\"key\":\"spring\"}}'\n\
         See the report:  curl -s '{admin}/reports/performance?groupBy=niche&interval=all' {bearer}\n"
    ))?;
    note("The demo stays up until Ctrl-C; then its data is removed.");
    Ok(())
}
