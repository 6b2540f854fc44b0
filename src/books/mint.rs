//! Which link and code a campaign minted for a creator: minting again finds them. A deleted link is forgotten.

use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::{CampaignNo, CreatorNo, LinkNo};

/// What was minted for one creator, and for one piece of content if one was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    pub campaign: CampaignNo,
    pub creator: CreatorNo,
    /// Empty = none was named.
    pub content: String,
    pub link: LinkNo,
    pub code: Option<String>,
}

/// Notes what was minted, where nothing was before.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, minted: &Minted) -> Result<(), Error> {
    tx.run(
        "INSERT INTO mints (campaign, creator, content, link, code) VALUES (?, ?, ?, ?, ?)",
        (
            minted.campaign,
            minted.creator,
            &minted.content,
            minted.link,
            &minted.code,
        ),
    )?;
    Ok(())
}

/// What was minted; `None` = nothing yet.
///
/// # Errors
/// [`Error::Failed`].
pub fn find(view: &View<'_>, campaign: CampaignNo, creator: CreatorNo, content: &str) -> Result<Option<Minted>, Error> {
    view.first(
        "SELECT link, code FROM mints WHERE campaign = ? AND creator = ? AND content = ?",
        (campaign, creator, content),
        |row| {
            Ok(Minted {
                campaign,
                creator,
                content: content.to_owned(),
                link: row.get(0)?,
                code: row.get(1)?,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{campaign, creator, fixture, link};

    #[test]
    fn one_link_a_creator_and_content_until_it_is_deleted() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let minted = Minted {
                campaign: campaign::insert(tx, fixture::campaign("Spring", ours))?.no,
                creator: creator::insert(tx, fixture::creator("Mia", ours))?.no,
                content: "v1".to_owned(),
                link: link::insert(tx, &fixture::link("mia", ours))?.no,
                code: Some("MIA10".to_owned()),
            };
            insert(tx, &minted)?;
            let found = |content| find(tx, minted.campaign, minted.creator, content);
            assert_eq!((found("v1")?, found("")?), (Some(minted.clone()), None));
            assert!(insert(tx, &minted).is_err(), "one link, one content");
            assert!(link::delete(tx, minted.link)?);
            assert_eq!(found("v1")?, None);
            Ok(())
        });
    }
}
