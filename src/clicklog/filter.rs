//! Which clicks a question leaves out by what they carry: conditions that must all hold.

use std::sync::Arc;

use super::columns::Columns;
use super::dictionary::Column;
use super::dimension::{self, BY_AREA, BY_COUNTRY, Dimension};
use super::scan::Row;
use crate::domain::click::Click;

/// One condition: the click's name in a dimension is among some, or is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub by: Dimension,
    /// Names as reports show them; where people do not write them themselves, letter case does not matter.
    pub names: Vec<String>,
    /// Whether the names are those that are left out.
    pub is_excluded: bool,
}

impl Condition {
    /// Whether a click that counts under `name` is asked about.
    pub(super) fn has(&self, name: &str) -> bool {
        let is_same = |asked: &String| match self.by.is_exact() {
            true => asked == name,
            false => asked.eq_ignore_ascii_case(name),
        };
        self.names.iter().any(is_same) != self.is_excluded
    }

    /// Clears `is_asked` for the rows of `columns` for which this does not hold. Looks at each distinct value once.
    fn narrow(&self, columns: &Columns, is_asked: &mut [bool]) {
        type D = Dimension;
        match self.by {
            D::Country => self.narrow_by(&columns.country, is_asked, |code| dimension::country(code)),
            D::Continent => self.narrow_by(&columns.country, is_asked, |code| dimension::continent(code)),
            D::Region | D::City => {
                self.narrow_by(&columns.locality, is_asked, |text| dimension::text_name(self.by, text))
            }
            // Told by two columns together.
            D::Area | D::Locality => {
                for (row, is_asked) in is_asked.iter_mut().enumerate() {
                    *is_asked &= self.has(self.by.name(&Row::Among(columns, row)));
                }
            }
            D::Device | D::Browser | D::Os | D::App => {
                self.narrow_by(&columns.user_agent, is_asked, |agent| self.by.name_of_agent(*agent));
            }
            D::Referrer | D::ReferrerUrl => {
                self.narrow_by(&columns.referrer, is_asked, |text| dimension::text_name(self.by, text))
            }
            D::Language => self.narrow_by(&columns.language, is_asked, |text| dimension::text_name(self.by, text)),
            D::Trigger => self.narrow_by(&columns.mark, is_asked, |mark| dimension::trigger(mark.flags)),
            D::Variant => self.narrow_by(&columns.mark, is_asked, |mark| dimension::variant(mark.variant)),
            D::UtmSource | D::UtmMedium | D::UtmCampaign | D::UtmTerm | D::UtmContent => {
                self.narrow_by(&columns.utm, is_asked, |texts| {
                    dimension::text_name(self.by, &texts[self.by.utm_place()])
                });
            }
        }
    }

    fn narrow_by<T>(&self, column: &Column<T>, is_asked: &mut [bool], name: impl Fn(&T) -> &str) {
        let values: Vec<bool> = column.values.iter().map(|value| self.has(name(value))).collect();
        if values.iter().all(|is_asked| *is_asked) {
            return;
        }
        for (row, is_asked) in is_asked.iter_mut().enumerate() {
            *is_asked &= values[column.pick(row)];
        }
    }
}

/// Conditions that must all hold; none by default. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Arc<[Condition]>);

impl Default for Filter {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl Filter {
    /// All of `conditions`.
    pub fn of(conditions: Vec<Condition>) -> Self {
        Self(conditions.into())
    }

    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `click` is asked about.
    pub fn lets_through(&self, click: &Click) -> bool {
        self.has(&Row::Lone(click))
    }

    pub(super) fn conditions(&self) -> &[Condition] {
        &self.0
    }

    /// Whether `row` is asked about.
    pub(super) fn has(&self, row: &Row<'_>) -> bool {
        self.0.iter().all(|condition| condition.has(condition.by.name(row)))
    }

    /// Clears `is_asked` for the rows of `columns` that are not asked about.
    pub(super) fn narrow(&self, columns: &Columns, is_asked: &mut [bool]) {
        self.0.iter().for_each(|condition| condition.narrow(columns, is_asked));
    }

    /// The facet that answers all conditions, and `by` if there is one; `None` when the clicks themselves must be read.
    pub(super) fn facet(&self, by: Option<Dimension>) -> Option<usize> {
        let mut facets = self
            .0
            .iter()
            .map(|condition| condition.by)
            .chain(by)
            .map(Dimension::facet);
        let first = facets.next()??;
        facets.try_fold(first, |told, facet| told_by_one(told, facet?))
    }
}

/// The facet that tells what two tell.
fn told_by_one(one: usize, other: usize) -> Option<usize> {
    let is_of_places = |facet: usize| [BY_COUNTRY, BY_AREA].contains(&facet);
    if one == other {
        Some(one)
    } else if is_of_places(one) && is_of_places(other) {
        Some(BY_AREA)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::encoder::Encoder;
    use crate::clicklog::samples::any_click;
    use proptest::prelude::*;

    const ALL: [Dimension; 20] = [
        Dimension::Country,
        Dimension::Continent,
        Dimension::Region,
        Dimension::Area,
        Dimension::City,
        Dimension::Locality,
        Dimension::Device,
        Dimension::Browser,
        Dimension::Os,
        Dimension::App,
        Dimension::Referrer,
        Dimension::ReferrerUrl,
        Dimension::Language,
        Dimension::Trigger,
        Dimension::UtmSource,
        Dimension::UtmMedium,
        Dimension::UtmCampaign,
        Dimension::UtmTerm,
        Dimension::UtmContent,
        Dimension::Variant,
    ];

    fn only(by: Dimension, name: &str, is_excluded: bool) -> Condition {
        Condition {
            by,
            names: vec![name.to_owned()],
            is_excluded,
        }
    }

    proptest! {
        #[test]
        fn stored_and_pending_clicks_pass_the_same_filters(clicks in proptest::collection::vec(any_click(), 1..20), which: prop::sample::Index, is_excluded: bool) {
            let columns = Columns::decode(&Encoder::new().encode(&Columns::of(&clicks))).expect("own bytes");
            let example = &clicks[which.index(clicks.len())];
            for by in ALL {
                let filter = Filter::of(vec![only(by, by.name(&Row::Lone(example)), is_excluded)]);
                let mut is_asked = vec![true; clicks.len()];
                filter.narrow(&columns, &mut is_asked);
                for (row, click) in clicks.iter().enumerate() {
                    prop_assert_eq!(is_asked[row], filter.has(&Row::Lone(click)));
                    prop_assert_eq!(by.name(&Row::Among(&columns, row)), by.name(&Row::Lone(click)));
                }
                prop_assert_eq!(filter.has(&Row::Lone(example)), !is_excluded);
            }
        }
    }

    #[test]
    fn a_facet_answers_what_is_about_it_alone() {
        type D = Dimension;
        for (by, grouped, is_answered) in [
            (vec![D::Country], None, true),
            (vec![D::Country, D::Continent], Some(D::Country), true),
            (vec![D::Country, D::Device], None, false),
            (vec![D::Country], Some(D::Area), true),
            (vec![D::Region, D::Continent], Some(D::Country), true),
            (vec![D::Region], Some(D::City), false),
            (vec![], Some(D::Locality), false),
            (vec![D::Country], Some(D::Os), false),
            (vec![D::ReferrerUrl], None, false),
            (vec![], Some(D::UtmTerm), true),
            (vec![], None, false),
        ] {
            let filter = Filter::of(by.iter().map(|by| only(*by, "x", false)).collect());
            assert_eq!(filter.facet(grouped).is_some(), is_answered, "{by:?} {grouped:?}");
        }
    }

    #[test]
    fn letter_case_counts_only_where_people_write() {
        assert!(only(Dimension::Device, "mobile", false).has("Mobile"));
        assert!(!only(Dimension::UtmSource, "TikTok", false).has("tiktok"));
    }
}
