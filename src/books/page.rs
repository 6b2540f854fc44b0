//! Pages of a list: by number, or after or before a row that the caller has seen.
//!
//! Every order ends with the row number, so that rows of one millisecond never swap or repeat between pages.

use rusqlite::{Row, params_from_iter, types::Value};

use super::error::Error;
use super::filter::Filter;
use super::view::View;

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Page `number`, from 1; pages hold `size` rows.
    Number { number: u32, size: u32 },
    /// At most `size` rows that follow the row with public id `id`.
    After { id: String, size: u32 },
    /// At most `size` rows that come right before the row with public id `id`, in the list's order.
    Before { id: String, size: u32 },
}

/// A page by number of a list in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberedPage {
    /// From 1.
    pub number: u32,
    pub size: u32,
}

impl NumberedPage {
    /// The rows of this page that `filter` lets through, in `order`.
    pub(super) fn read<T>(
        self,
        view: &View<'_>,
        select: &str,
        mut filter: Filter,
        order: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let sql = format!("{select} WHERE {} ORDER BY {order} LIMIT ? OFFSET ?", filter.sql());
        filter.bind_after(i64::from(self.size));
        filter.bind_after(i64::from(self.number.saturating_sub(1)) * i64::from(self.size));
        view.all(&sql, params_from_iter(filter.values()), read)
    }
}

/// A list that can be paged.
pub(super) struct Listing {
    /// The table; it has a column `no`.
    pub table: &'static str,
    /// SELECT list.
    pub columns: &'static str,
    /// Column of the public id.
    pub id: &'static str,
    /// Column that orders the list; never null.
    pub sort: &'static str,
    pub is_ascending: bool,
}

impl Listing {
    /// The rows of `page` among those that `filter` lets through.
    pub fn page<T>(
        &self,
        view: &View<'_>,
        mut filter: Filter,
        page: &Page,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let (size, offset, is_backwards) = match page {
            Page::Number { number, size } => (*size, i64::from(number.saturating_sub(1)) * i64::from(*size), false),
            Page::After { size, .. } => (*size, 0, false),
            Page::Before { size, .. } => (*size, 0, true),
        };
        // Rows before a row are read away from it and turned round afterwards.
        let is_ascending = self.is_ascending != is_backwards;
        if let Page::After { id, .. } | Page::Before { id, .. } = page {
            let (sort, no) = self.place_of(view, &filter, id)?;
            let beyond = if is_ascending { ">" } else { "<" };
            let clause = format!("({}, no) {beyond} (?, ?)", self.sort);
            filter.and(&clause, [Value::Integer(sort), Value::Integer(no)]);
        }
        let sql = self.sql(&filter, is_ascending);
        filter.bind_after(i64::from(size));
        filter.bind_after(offset);
        let mut rows = view.all(&sql, params_from_iter(filter.values()), read)?;
        if is_backwards {
            rows.reverse();
        }
        Ok(rows)
    }

    /// The statement behind a page; after the filter's values it takes a limit and an offset.
    pub fn sql(&self, filter: &Filter, is_ascending: bool) -> String {
        let direction = if is_ascending { "ASC" } else { "DESC" };
        format!(
            "SELECT {} FROM {} WHERE {} ORDER BY {sort} {direction}, no {direction} LIMIT ? OFFSET ?",
            self.columns,
            self.table,
            filter.sql(),
            sort = self.sort,
        )
    }

    /// Where the row called `id` stands in the order, whether or not the filter's further clauses let it through: a
    /// link that was archived since is still a place to go on from.
    fn place_of(&self, view: &View<'_>, filter: &Filter, id: &str) -> Result<(i64, i64), Error> {
        let (owner_clause, owner) = filter.owner();
        let sql = format!(
            "SELECT {}, no FROM {} WHERE {} = ? AND {owner_clause} ORDER BY no LIMIT 1",
            self.sort, self.table, self.id
        );
        let place = view.first(&sql, (id, owner), |row| Ok((row.get(0)?, row.get(1)?)))?;
        place.ok_or(Error::NotFound { what: "page" })
    }
}
