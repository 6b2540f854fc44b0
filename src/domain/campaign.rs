//! Campaigns: a name under which creators, links, videos and spend stand together. A link is in at most one.

use super::id::{CampaignNo, WorkspaceNo};
use super::time::Timestamp;

/// Longest name, in characters.
pub const NAME_MAX: usize = 190;
/// Longest note, in characters.
pub const NOTE_MAX: usize = 4096;
/// Most creators of one campaign, and of one call that mints links: what one answer and one ZIP hold.
pub const CREATORS_MAX: usize = 1_000;
/// Longest id of a piece of content, in characters; free text, such as a video's number.
pub const CONTENT_ID_MAX: usize = 190;

/// A campaign as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    pub no: CampaignNo,
    /// Public id, `cmp_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub terms: CampaignTerms,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a brand says about a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CampaignTerms {
    pub name: String,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    /// What may be spent, and its ISO 4217 code; minor units.
    pub budget: Option<(i64, String)>,
    pub note: Option<String>,
    /// Hidden in lists; its links, spend and numbers stay.
    pub is_archived: bool,
}

impl CampaignTerms {
    /// The first field that cannot be taken, and what to do.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let is_name = !self.name.trim().is_empty() && self.name.chars().count() <= NAME_MAX;
        if !is_name {
            return Some(("name", "must have 1 to 190 characters"));
        }
        if self.note.as_ref().is_some_and(|note| note.chars().count() > NOTE_MAX) {
            return Some(("note", "must have at most 4096 characters"));
        }
        if self.ends_at.is_some() && self.ends_at <= self.starts_at {
            return Some(("end", "must be after start"));
        }
        match &self.budget {
            Some((amount, _)) if *amount < 0 => Some(("budget", "must not be negative")),
            Some((_, code)) if super::money::currency(code).is_none() => {
                Some(("currency", "must be an ISO 4217 code such as EUR"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_name_their_field() {
        let good = CampaignTerms {
            name: "Spring".to_owned(),
            starts_at: Some(Timestamp(5)),
            ends_at: Some(Timestamp(6)),
            budget: Some((0, "EUR".to_owned())),
            ..CampaignTerms::default()
        };
        assert_eq!(good.problem(), None);
        type Change = fn(&mut CampaignTerms);
        let changes: [(Change, &str); 6] = [
            (|terms| terms.name = " ".to_owned(), "name"),
            (|terms| terms.name = "x".repeat(191), "name"),
            (|terms| terms.note = Some("x".repeat(4097)), "note"),
            (|terms| terms.ends_at = Some(Timestamp(5)), "end"),
            (|terms| terms.budget = Some((-1, "EUR".to_owned())), "budget"),
            (|terms| terms.budget = Some((1, "EURO".to_owned())), "currency"),
        ];
        for (change, field) in changes {
            let mut terms = good.clone();
            change(&mut terms);
            assert_eq!(terms.problem().map(|(field, _)| field), Some(field));
        }
    }
}
