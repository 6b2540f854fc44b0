//! Creators: the list of them, and one with the links that show them their own report.

use maud::{Markup, html};
use serde::Deserialize;

use super::address::{Asked, of_thing};
use super::format;
use super::layout::{self, Place};
use super::table::Head::{Figures, Words};
use super::table::{cell, name_cell, number_cell, pager, table, text_cell};
use crate::domain::report_link::DAYS_DEFAULT;

/// Creators of one page of the list.
pub const CREATORS_A_PAGE: usize = 50;

/// How long a link to a report can be made to last, in days; the API takes any up to a year.
const DAYS: [u32; 4] = [30, DAYS_DEFAULT, 180, 366];

/// A creator.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatorView {
    pub id: String,
    pub name: String,
    pub niche: Option<String>,
    pub platform: Option<String>,
    pub followers: Option<u64>,
    /// Links to their report that can be read now.
    pub open_links: u64,
}

/// The list of creators.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatorsPage {
    pub workspace: String,
    pub asked: Asked,
    pub creators: Vec<CreatorView>,
    pub number: u32,
    pub has_more: bool,
}

/// The whole list.
pub fn creators_page(view: &CreatorsPage) -> String {
    let rows: Vec<Markup> = view.creators.iter().map(row).collect();
    let turned = |number: u32| {
        view.asked
            .with(&[("page", &number.to_string())])
            .at("/console/creators")
    };
    let before = (view.number > 1).then(|| turned(view.number - 1));
    let after = view.has_more.then(|| turned(view.number + 1));
    let content = html! {
        h1 { "Creators" }
        form.search method="get" action="/console/creators" role="search" {
            label for="search" { "Name or email" }
            input #search name="search" type="search" value=(view.asked.get("search").unwrap_or_default())
                maxlength="100" spellcheck="false" autocomplete="off";
            button type="submit" { "Find" }
        }
        div.card {
            @if !rows.is_empty() {
                (table("Creators", &[Words("Creator"), Words("Niche"), Words("Platform"), Figures("Followers"), Figures("Report links")], &rows))
            } @else if view.asked.get("search").is_some() {
                p { "Nobody is called like that." }
            } @else {
                h2 { "No creators yet" }
                p { "Add one over the API, with what you pay them:" }
                pre { code { "POST /partners  {\"name\": \"Mia\", \"niche\": \"ceramics\", \"followers\": 23000, \"cost\": 30000}" } }
            }
            (pager(before.as_deref(), after.as_deref()))
        }
    };
    layout::console("Creators", &view.workspace, Some(Place::Creators), &content)
}

fn row(creator: &CreatorView) -> Markup {
    html! {
        (name_cell(&html! { a href=(of_thing("creators", &creator.id)) { (creator.name) } }))
        (text_cell("Niche", creator.niche.as_deref().unwrap_or(format::NOTHING)))
        (text_cell("Platform", creator.platform.as_deref().unwrap_or(format::NOTHING)))
        (number_cell("Followers", &format::maybe_count(creator.followers)))
        (number_cell("Report links", &format::count(creator.open_links)))
    }
}

/// A link to a report as the API tells it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReportLinkView {
    pub id: String,
    /// `None` = it shows nothing any more.
    pub url: Option<String>,
    pub created_at: String,
    pub expires_at: String,
    pub revoked_at: Option<String>,
}

/// One creator.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatorPage {
    pub workspace: String,
    pub creator: CreatorView,
    /// Newest first.
    pub links: Vec<ReportLinkView>,
    pub form_token: String,
    /// Why the last form was not taken.
    pub refused: Option<String>,
}

/// The whole page of one creator.
pub fn creator_page(view: &CreatorPage) -> String {
    let creator = &view.creator;
    let numbers = Asked::default().with(&[("partnerId", &creator.id), ("groupBy", "link")]);
    let orders = Asked::default().with(&[("partnerId", &creator.id)]);
    let content = html! {
        div.heading {
            div {
                h1 { (creator.name) }
                p.help {
                    (creator.niche.as_deref().unwrap_or("no niche"))
                    @if let Some(platform) = &creator.platform { " · " (platform) }
                    @if let Some(followers) = creator.followers { " · " (format::count(followers)) " followers" }
                    " · " code { (creator.id) }
                }
            }
            nav.ways aria-label="More" {
                a.file href=(numbers.at("/")) { "Numbers" }
                a.file href=(orders.at("/console/orders")) { "Orders" }
            }
        }
        @if let Some(refused) = &view.refused { p.refused role="alert" { (refused) } }
        (report_links(view))
    };
    layout::console(&creator.name, &view.workspace, Some(Place::Creators), &content)
}

fn report_links(view: &CreatorPage) -> Markup {
    let rows: Vec<Markup> = view.links.iter().map(|link| link_row(link, view)).collect();
    html! {
        section.card aria-labelledby="report-links" {
            h2 #report-links { "Their own report" }
            p {
                "A link shows " (view.creator.name) " their own clicks, orders and sales, read-only and without a sign-in: nothing of "
                "other creators, of your customers, or of what you pay and earn. Whoever has the link can read it until it ends."
            }
            form.actions method="post" action={ (of_thing("creators", &view.creator.id)) "/report-links" } {
                input type="hidden" name="token" value=(view.form_token);
                label for="days" { "Lasts for" }
                select #days name="days" {
                    @for days in DAYS { option value=(days) selected[days == DAYS_DEFAULT] { (days) " days" } }
                }
                button type="submit" { "Make a link" }
            }
            @if rows.is_empty() {
                p.help { "No link was made yet." }
            } @else {
                (table("Links to the report", &[Words("Made"), Words("Ends"), Words("Address"), Words("Take back")], &rows))
            }
        }
    }
}

fn link_row(link: &ReportLinkView, view: &CreatorPage) -> Markup {
    let path = format!(
        "{}/report-links/{}/revoke",
        of_thing("creators", &view.creator.id),
        link.id
    );
    html! {
        (name_cell(&html! { (format::told_moment(&link.created_at)) }))
        (text_cell("Ends", &format::told_moment(&link.expires_at)))
        (cell("Address", &html! {
            @match (&link.url, &link.revoked_at) {
                (Some(url), _) => input.address readonly value=(url) aria-label="Address of the report";,
                (None, Some(at)) => { span.badge { "revoked" } " " (format::told_moment(at)) },
                (None, None) => span.badge { "ended" },
            }
        }))
        (cell("Take back", &html! {
            @if link.url.is_some() {
                form method="post" action=(path) {
                    input type="hidden" name="token" value=(view.form_token);
                    button.quiet type="submit" { "Revoke" }
                }
            }
        }))
    }
}

#[cfg(test)]
pub mod samples {
    use super::*;

    pub fn page(name: &str) -> CreatorPage {
        let link = |id: &str, url: Option<&str>| ReportLinkView {
            id: id.into(),
            url: url.map(str::to_owned),
            created_at: "2026-11-20T10:00:00.000Z".into(),
            expires_at: "2027-02-20T10:00:00.000Z".into(),
            revoked_at: url.is_none().then(|| "2026-11-21T10:00:00.000Z".into()),
        };
        CreatorPage {
            workspace: "Glow".into(),
            creator: CreatorView {
                id: "pn_1".into(),
                name: name.into(),
                niche: Some(name.into()),
                followers: Some(23_000),
                ..CreatorView::default()
            },
            links: vec![
                link("rl_2", Some("https://go.example/_/creator/abc")),
                link("rl_1", None),
            ],
            form_token: "t0ken".into(),
            refused: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    #[test]
    fn links_can_be_made_copied_and_taken_back() {
        let text = creator_page(&samples::page("Mia"));
        let tags = tags::assert_sound(&text);
        let actions: Vec<_> = tags
            .iter()
            .filter(|tag| tag.name == "form")
            .filter_map(|tag| tag.value("action"))
            .collect();
        assert_eq!(
            actions,
            [
                "/sign-out",
                "/console/creators/pn_1/report-links",
                "/console/creators/pn_1/report-links/rl_2/revoke"
            ]
        );
        assert_eq!(text.matches("name=\"token\" value=\"t0ken\"").count(), 2);
        assert!(text.contains("value=\"https://go.example/_/creator/abc\""));
        assert!(text.contains("revoked</span> 21 Nov 2026, 10:00 UTC"));
    }

    #[test]
    fn the_list_leads_to_each_and_says_what_to_do_when_empty() {
        let mut view = CreatorsPage {
            workspace: "Glow".into(),
            asked: Asked::default(),
            creators: vec![samples::page("Mia").creator],
            number: 1,
            has_more: true,
        };
        let text = creators_page(&view);
        tags::assert_sound(&text);
        assert!(text.contains("<a href=\"/console/creators/pn_1\">Mia</a>"));
        assert!(text.contains("/console/creators?page=2"));
        view.creators.clear();
        assert!(creators_page(&view).contains("POST /partners"));
        view.asked = Asked::of("search=x");
        assert!(creators_page(&view).contains("Nobody is called like that."));
    }
}
