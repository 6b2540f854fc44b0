//! A campaign's links are minted: for each creator one link from one template, with a code of their own if wanted.
//!
//! Minting a creator again answers the link that is there. Each slice is one transaction; what is cut off half way is
//! completed by minting again.

use url::form_urlencoded::byte_serialize;

use super::cart_draft::CartDraft;
use super::context::Context;
use super::error::{Error, Invalid};
use super::hand_out_codes;
use super::plan_campaign;
use super::publish_link::{self, LinkChange};
use crate::books::mint::Minted;
use crate::books::{self, Tx};
use crate::domain::campaign::{CREATORS_MAX, Campaign};
use crate::domain::cart::check_code;
use crate::domain::creator::Creator;
use crate::domain::discount_code::DiscountCode;
use crate::domain::id::WorkspaceNo;
use crate::domain::link::Link;
use crate::domain::mint::{self, PatternError, TRIES_MAX, Words};
use crate::domain::slug::SLUG_MAX;

/// Creators of one transaction. 50: with a code each some 15 ms, so that webhooks hardly wait for a campaign.
const SLICE: usize = 50;
/// Longest code, in characters, as carts take them.
const CODE_MAX: usize = 64;

/// What is minted for each creator.
#[derive(Debug, Clone, Default)]
pub struct MintOrder {
    pub campaign_id: String,
    /// Public ids; empty = the campaign's own.
    pub creator_ids: Vec<String>,
    /// Such as `{username}-{campaign}`.
    pub slug_pattern: String,
    /// Such as `{USERNAME}10`; `None` = no codes.
    pub code_pattern: Option<String>,
    /// The link. Its destination, UTM parameters and content may hold placeholders too.
    pub template: LinkChange,
}

/// What became of one creator.
#[derive(Debug)]
pub struct MintRow {
    pub creator_id: String,
    /// As the creator is called; empty when nobody is.
    pub creator: String,
    pub made: Result<Made, Error>,
}

/// A minted link.
#[derive(Debug)]
pub struct Made {
    pub link: Link,
    pub code: Option<String>,
    /// Whether it was there already.
    pub is_known: bool,
    /// Whether the slug or code that the pattern makes was taken, so that a number stands behind it.
    pub is_numbered: bool,
}

/// Mints; the rows stand in the order of the creators asked for.
///
/// # Errors
/// What is wrong with the order as a whole. What is wrong with one creator is in that row.
pub async fn mint(
    context: &Context,
    workspace: WorkspaceNo,
    order: MintOrder,
) -> Result<(Campaign, Vec<MintRow>), Error> {
    check_patterns(&order)?;
    let (id, wanted) = (order.campaign_id.clone(), order.creator_ids.clone());
    let found = context.inner.books.read(move |view| {
        let campaign = plan_campaign::find(view, workspace, &id)?;
        let ids = match wanted.is_empty() {
            true => books::campaign::creator_ids(view, campaign.no)?,
            false => wanted,
        };
        Ok::<_, Error>((campaign, ids))
    });
    let (campaign, ids) = found.await?;
    if ids.is_empty() {
        return Err(Error::invalid(
            "partnerIds",
            "is required: the campaign has no partners yet",
        ));
    }
    if ids.len() > CREATORS_MAX {
        return Err(Error::invalid("partnerIds", "must have at most 1000 entries a call"));
    }
    let mut rows = Vec::with_capacity(ids.len());
    for slice in ids.chunks(SLICE) {
        let (inner, campaign, order, slice) = (context.clone(), campaign.clone(), order.clone(), slice.to_vec());
        let _order = context.inner.locks.all().await;
        let minted = context.inner.books.commit(move |tx| {
            let mint = Mint {
                context: &inner,
                tx,
                campaign: &campaign,
                order: &order,
            };
            slice
                .into_iter()
                .map(|id| mint.row(id))
                .collect::<Result<Vec<_>, Error>>()
        });
        let minted = minted.await?;
        for made in minted.iter().filter_map(|row| row.made.as_ref().ok()) {
            if !made.is_known {
                context.inner.table.put(&made.link, None);
            }
        }
        rows.extend(minted);
    }
    hand_out_codes::prepare(context, None).await;
    Ok((campaign, rows))
}

/// What is wrong with a pattern is wrong with every row.
fn check_patterns(order: &MintOrder) -> Result<(), Error> {
    let sample = Words::default();
    let check = |field: &str, filled: Result<String, PatternError>| match filled {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::invalid(field, error.message())),
    };
    check("slugPattern", mint::fill(&order.slug_pattern, &sample, str::to_owned))?;
    if let Some(pattern) = &order.code_pattern {
        check("codePattern", mint::fill(pattern, &sample, str::to_owned))?;
    }
    if let Some(url) = &order.template.destination {
        check("template.url", mint::fill_text(url, &sample, str::to_owned))?;
    }
    if order.template.slug.is_some() || order.template.creator_id.is_some() || order.template.campaign_id.is_some() {
        return Err(Error::invalid(
            "template",
            "takes no key, partnerId or campaignId: minting sets them",
        ));
    }
    if order.template.external_id.is_some() {
        return Err(Error::invalid("template.externalId", "is one link's own"));
    }
    Ok(())
}

/// One transaction of minting.
struct Mint<'a, 'c> {
    context: &'a Context,
    tx: &'a Tx<'c>,
    campaign: &'a Campaign,
    order: &'a MintOrder,
}

impl Mint<'_, '_> {
    fn workspace(&self) -> WorkspaceNo {
        self.campaign.workspace
    }

    /// What became of one creator. What is not the caller's doing ends the whole slice: nothing half-made stays.
    fn row(&self, creator_id: String) -> Result<MintRow, Error> {
        let creator = books::creator::by_id(self.tx, self.workspace(), &creator_id)?;
        let (name, made) = match creator {
            Some(creator) => (creator.terms.name.clone(), self.make(&creator)),
            None => (
                String::new(),
                Err(Error::invalid("partnerId", "is not a partner of this workspace")),
            ),
        };
        if let Err(error @ (Error::Internal(_) | Error::Unavailable)) = made {
            return Err(error);
        }
        Ok(MintRow {
            creator_id,
            creator: name,
            made,
        })
    }

    fn make(&self, creator: &Creator) -> Result<Made, Error> {
        let content = self.order.template.content_id.clone().flatten().unwrap_or_default();
        let mut words = words(creator, self.campaign, &content);
        let content = mint::fill_text(&content, &words, str::to_owned).map_err(in_field("template.contentId"))?;
        if let Some(known) = books::mint::find(self.tx, self.campaign.no, creator.no, &content)? {
            let link = books::link::by_no(self.tx, known.link)?.ok_or(Error::NotFound { what: "link" })?;
            return Ok(Made {
                link,
                code: known.code,
                is_known: true,
                is_numbered: false,
            });
        }
        // A code is stored only with its link: first it is found, then the link is made, then both are noted.
        let code = match &self.order.code_pattern {
            Some(pattern) => Some(self.free_code(pattern, &words, creator)?),
            None => None,
        };
        words.code = code.as_ref().map(|code| code.text.clone()).unwrap_or_default();
        let (link, is_slug_numbered) = self.link(creator, &words, &content)?;
        if let Some(code) = code.as_ref().filter(|code| !code.is_known) {
            let new = DiscountCode {
                id: self.context.new_id("dcode_"),
                workspace: self.workspace(),
                code: code.text.clone(),
                creator: creator.no,
                link: Some(link.no),
                created_at: self.context.inner.clock.now(),
                leak: None,
                is_trusted: false,
            };
            books::discount_code::insert(self.tx, &new)?;
        }
        let minted = Minted {
            campaign: self.campaign.no,
            creator: creator.no,
            content,
            link: link.no,
            code: code.as_ref().map(|code| code.text.clone()),
        };
        books::mint::insert(self.tx, &minted)?;
        books::campaign::add_creators(self.tx, self.campaign.no, &[creator.no])?;
        Ok(Made {
            link,
            code: minted.code,
            is_known: false,
            is_numbered: is_slug_numbered || code.is_some_and(|code| code.is_numbered),
        })
    }

    /// A code of the pattern that nobody else has; one that is the creator's already is taken as it is.
    fn free_code(&self, pattern: &str, words: &Words, creator: &Creator) -> Result<FreeCode, Error> {
        let base = mint::fill(pattern, words, str::to_owned).map_err(in_field("codePattern"))?;
        for before in 0..TRIES_MAX {
            let text = mint::numbered(&base, before, CODE_MAX);
            check_code(&text)
                .map_err(|message| Error::invalid("codePattern", format!("makes {text:?}, which {message}")))?;
            let known = books::discount_code::by_code(self.tx, self.workspace(), &text)?;
            let is_single_use = books::pool_code::is_known(self.tx, self.workspace(), &text)?;
            if known.as_ref().is_none_or(|known| known.creator == creator.no) && !is_single_use {
                return Ok(FreeCode {
                    is_known: known.is_some(),
                    text: known.map_or(text, |known| known.code),
                    is_numbered: before > 0,
                });
            }
        }
        Err(Error::invalid(
            "codePattern",
            format!("leaves no free code behind {base}"),
        ))
    }

    /// The link, under the first slug of the pattern that is free.
    fn link(&self, creator: &Creator, words: &Words, content: &str) -> Result<(Link, bool), Error> {
        let base = mint::fill(&self.order.slug_pattern, words, str::to_owned).map_err(in_field("slugPattern"))?;
        let mut change = self.change(creator, words, content)?;
        for before in 0..TRIES_MAX {
            change.slug = Some(mint::numbered(&base, before, SLUG_MAX));
            match publish_link::insert(self.context, self.tx, self.workspace(), change.clone()) {
                Err(Error::Conflict { field: "key", .. }) => {}
                Err(Error::Invalid(Invalid { field, message })) if field == "key" => {
                    return Err(Error::invalid(
                        "slugPattern",
                        format!("makes {base:?}, which {message}"),
                    ));
                }
                Err(Error::Invalid(Invalid { field, message })) => {
                    return Err(Error::invalid(format!("template.{field}"), message));
                }
                made => return Ok((made?, before > 0)),
            }
        }
        Err(Error::invalid(
            "slugPattern",
            format!("leaves no free key behind {base}"),
        ))
    }

    /// The template with this creator's words.
    fn change(&self, creator: &Creator, words: &Words, content: &str) -> Result<LinkChange, Error> {
        let mut change = self.order.template.clone();
        let encode = |word: &str| byte_serialize(word.as_bytes()).collect::<String>();
        if let Some(url) = &mut change.destination {
            *url = mint::fill_text(url, words, encode).map_err(in_field("template.url"))?;
        }
        for text in change.utm.iter_mut().flatten().flatten() {
            *text = mint::fill_text(text, words, str::to_owned).map_err(in_field("template.utm"))?;
        }
        if let (Some(Some(CartDraft { discount_codes, .. })), false) = (&mut change.cart, words.code.is_empty()) {
            discount_codes.insert(0, words.code.clone());
        }
        change.content_id = Some(Some(content.to_owned()).filter(|content| !content.is_empty()));
        change.creator_id = Some(Some(creator.id.clone()));
        change.campaign_id = Some(Some(self.campaign.id.clone()));
        Ok(change)
    }
}

struct FreeCode {
    text: String,
    /// Whether it is the creator's already.
    is_known: bool,
    is_numbered: bool,
}

fn in_field(field: &'static str) -> impl Fn(PatternError) -> Error {
    move |error| Error::invalid(field, error.message())
}

/// What placeholders stand for. Who has no name that can stand in an address is called by the end of their id.
fn words(creator: &Creator, campaign: &Campaign, content: &str) -> Words {
    let terms = &creator.terms;
    let names = [terms.username.as_deref().unwrap_or_default(), &terms.name];
    let username = names.into_iter().map(mint::word).find(|word| !word.is_empty());
    let tail = creator.id.len().saturating_sub(6);
    Words {
        username: username.unwrap_or_else(|| creator.id.get(tail..).unwrap_or_default().to_ascii_lowercase()),
        campaign: mint::word(&campaign.terms.name),
        platform: mint::word(terms.platform.as_deref().unwrap_or_default()),
        niche: mint::word(terms.niche.as_deref().unwrap_or_default()),
        content: mint::word(content),
        code: String::new(),
    }
}
