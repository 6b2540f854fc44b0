//! An experiment as a caller names it, and its way to an [`Experiment`] whose every variant has passed the checks of a
//! link's own destination.
//!
//! A change of what is compared, or of the shares, begins anew: with new clicks, a new draw of who gets what, and now.
//! Names and times can be changed while it runs. Clients that send a whole link back change nothing by it.

use super::cart_draft::CartDraft;
use super::context::Context;
use super::error::{Error, Invalid};
use super::publish_link::redraft;
use crate::books::View;
use crate::domain::cart::Cart;
use crate::domain::experiment::{
    Experiment, NAME_MAX, PERCENTAGES, VARIANTS_MAX, VARIANTS_MIN, Variant, is_same_split,
};
use crate::domain::id::WorkspaceNo;
use crate::domain::link::LinkTerms;
use crate::domain::time::Timestamp;

/// The field that errors name.
const FIELD: &str = "testVariants";

/// One variant as a caller names it: a URL, a cart, or codes for the link's own cart.
#[derive(Debug, Clone, Default)]
pub struct VariantDraft {
    pub name: Option<String>,
    /// `None` = not a whole number.
    pub percentage: Option<i64>,
    pub url: Option<String>,
    pub cart: Option<CartDraft>,
    pub codes: Option<Vec<String>>,
}

/// What a caller says of a link's experiment. `None` = not said; `Some(None)` = taken away.
#[derive(Debug, Clone, Default)]
pub struct ExperimentChange {
    pub variants: Option<Option<Vec<VariantDraft>>>,
    pub started_at: Option<Option<Timestamp>>,
    pub completed_at: Option<Option<Timestamp>>,
}

impl ExperimentChange {
    /// Writes what the caller said into `terms`, whose own destination and cart are settled.
    pub(super) fn apply(
        self,
        context: &Context,
        view: &View<'_>,
        workspace: WorkspaceNo,
        terms: &mut LinkTerms,
    ) -> Result<(), Error> {
        let ground = Ground {
            context,
            view,
            workspace,
            terms,
        };
        let known = terms.experiment.as_ref();
        let variants = match (self.variants, known) {
            (Some(Some(drafts)), _) => ground.resolve(drafts)?,
            (None, Some(known)) => ground.follow_cart(&known.variants)?,
            (Some(None), _) => {
                terms.experiment = None;
                return Ok(());
            }
            (None, None) => {
                let dates = [
                    ("testStartedAt", self.started_at),
                    ("testCompletedAt", self.completed_at),
                ];
                return match dates.iter().find(|(_, said)| matches!(said, Some(Some(_)))) {
                    Some((field, _)) => Err(Error::invalid(*field, "goes with testVariants: say these as well")),
                    None => Ok(()),
                };
            }
        };
        let now = context.clock().now();
        let told = |said: Option<Option<Timestamp>>| said.flatten();
        let experiment = match known.filter(|known| is_same_split(&known.variants, &variants)) {
            Some(same) => Experiment {
                variants,
                started_at: told(self.started_at).unwrap_or(same.started_at),
                completed_at: self.completed_at.unwrap_or(same.completed_at),
                changed_at: same.changed_at,
            },
            None => {
                // A start that was told before is the old experiment's, unless it is still to come.
                let old_start = known.map(|known| known.started_at).filter(|start| *start <= now);
                let start = told(self.started_at).filter(|start| Some(*start) != old_start);
                let planned = known.map_or(now, |known| known.started_at.max(now));
                Experiment {
                    variants,
                    started_at: start.unwrap_or(planned),
                    completed_at: told(self.completed_at),
                    changed_at: now,
                }
            }
        };
        if experiment.completed_at.is_some_and(|end| end <= experiment.started_at) {
            let message = format!("must be after testStartedAt, which is {}", experiment.started_at);
            return Err(Error::invalid("testCompletedAt", message));
        }
        terms.experiment = Some(experiment);
        Ok(())
    }
}

/// What a variant's checks need.
struct Ground<'a, 'v> {
    context: &'a Context,
    view: &'a View<'v>,
    workspace: WorkspaceNo,
    terms: &'a LinkTerms,
}

impl Ground<'_, '_> {
    fn resolve(&self, drafts: Vec<VariantDraft>) -> Result<Vec<Variant>, Error> {
        if !(VARIANTS_MIN..=VARIANTS_MAX).contains(&drafts.len()) {
            let message = format!("must have {VARIANTS_MIN} to {VARIANTS_MAX} variants, or be null");
            return Err(Error::invalid(FIELD, message));
        }
        let variants = drafts
            .into_iter()
            .enumerate()
            .map(|(place, draft)| self.variant(&format!("{FIELD}[{place}]"), draft))
            .collect::<Result<Vec<_>, _>>()?;
        let sum: u32 = variants.iter().map(|variant| u32::from(variant.percentage)).sum();
        if sum != 100 {
            let message = format!("must have percentages that add up to 100; these add up to {sum}");
            return Err(Error::invalid(FIELD, message));
        }
        Ok(variants)
    }

    fn variant(&self, field: &str, draft: VariantDraft) -> Result<Variant, Error> {
        let percentage = draft.percentage.and_then(|number| u8::try_from(number).ok());
        let percentage = percentage
            .filter(|number| PERCENTAGES.contains(number))
            .ok_or_else(|| {
                let (least, most) = (PERCENTAGES.start(), PERCENTAGES.end());
                let message = format!("must be a whole number from {least} to {most}");
                Error::invalid(format!("{field}.percentage"), message)
            })?;
        let name = draft.name.filter(|name| !name.is_empty());
        if name.as_ref().is_some_and(|name| name.chars().count() > NAME_MAX) {
            let message = format!("must have at most {NAME_MAX} characters");
            return Err(Error::invalid(format!("{field}.name"), message));
        }
        let known = self.terms.experiment.iter().flat_map(|known| &known.variants);
        let same = known
            .clone()
            .find(|known| Some(&known.destination) == draft.url.as_ref());
        let led = match (draft.cart, draft.codes, draft.url) {
            (Some(_), Some(_), _) => {
                let message = "goes with the link's own cart: put these codes into this variant's cart";
                return Err(Error::invalid(format!("{field}.discountCodes"), message));
            }
            (Some(cart), None, _) => self.cart(cart, Default::default(), false, |inner| format!("{field}.{inner}"))?,
            (None, Some(codes), url) => {
                if url.is_some() && same.is_none_or(|same| !same.is_own_cart) {
                    let message = "goes with the link's own cart: leave url away, or the codes";
                    return Err(Error::invalid(format!("{field}.discountCodes"), message));
                }
                self.own_cart(field, codes)?
            }
            (None, None, Some(_)) if same.is_some() => match same {
                Some(Variant {
                    is_own_cart: true,
                    cart: Some(cart),
                    ..
                }) => self.own_cart(field, cart.discount_codes.clone())?,
                Some(same) => same.clone(),
                None => return Err(Error::Internal("a variant that was there is gone".to_owned())),
            },
            (None, None, Some(url)) => self.url(field, &url)?,
            (None, None, None) => {
                return Err(Error::invalid(
                    format!("{field}.url"),
                    "is required, or cart, or discountCodes for the link's own cart",
                ));
            }
        };
        Ok(Variant {
            name,
            percentage,
            ..led
        })
    }

    /// A plain destination, or the cart that it is in the grammar of one of the workspace's stores.
    fn url(&self, field: &str, url: &str) -> Result<Variant, Error> {
        let field = format!("{field}.url");
        let url = self.context.check_destination(&field, url)?;
        if let Some((draft, utm)) = CartDraft::recognise(self.view, self.workspace, &url)? {
            return self.cart(draft, utm, false, |_| field.clone());
        }
        Ok(Variant {
            name: None,
            percentage: 0,
            destination: url.into(),
            cart: None,
            utm: Default::default(),
            is_own_cart: false,
        })
    }

    /// The link's own cart with other codes.
    fn own_cart(&self, field: &str, codes: Vec<String>) -> Result<Variant, Error> {
        if self.terms.cart.is_none() {
            let message = "goes with a link that has a cart of its own: give this variant a url or a cart";
            return Err(Error::invalid(format!("{field}.discountCodes"), message));
        }
        let draft = CartDraft {
            discount_codes: codes,
            // These codes are what is tried out: a pool's would stand in their place.
            code_pool_id: None,
            ..redraft(self.view, self.terms)?
        };
        let within = |inner: &str| format!("{field}.{}", inner.strip_prefix("cart.").unwrap_or("discountCodes"));
        self.cart(draft, Default::default(), true, within)
    }

    /// A cart; `within` names the fields of its errors, which begin with `cart`.
    fn cart(
        &self,
        draft: CartDraft,
        utm: [Option<String>; 5],
        is_own_cart: bool,
        within: impl Fn(&str) -> String,
    ) -> Result<Variant, Error> {
        let mut sent = utm.clone();
        for (own, links) in sent.iter_mut().zip(&self.terms.utm) {
            if own.is_none() {
                own.clone_from(links);
            }
        }
        let resolved = draft.resolve(self.context, self.view, self.workspace, &sent);
        let (cart, destination): (Cart, String) = resolved.map_err(|error| match error {
            Error::Invalid(Invalid { field, message }) => Error::invalid(within(&field), message),
            other => other,
        })?;
        Ok(Variant {
            name: None,
            percentage: 0,
            destination,
            cart: Some(cart),
            utm,
            is_own_cart,
        })
    }

    /// Variants that were not said again: those that are the link's own cart are its new one, if it was changed, with
    /// their codes.
    fn follow_cart(&self, known: &[Variant]) -> Result<Vec<Variant>, Error> {
        let is_as_before = |cart: &Cart| {
            let own = self.terms.cart.clone().map(|own| Cart {
                discount_codes: cart.discount_codes.clone(),
                code_pool: None,
                ..own
            });
            own.as_ref() == Some(cart)
        };
        let follow = |(place, variant): (usize, &Variant)| match &variant.cart {
            Some(cart) if variant.is_own_cart && !is_as_before(cart) => {
                let led = self.own_cart(&format!("{FIELD}[{place}]"), cart.discount_codes.clone())?;
                Ok(Variant {
                    name: variant.name.clone(),
                    percentage: variant.percentage,
                    ..led
                })
            }
            _ => Ok(variant.clone()),
        };
        known.iter().enumerate().map(follow).collect()
    }
}
