//! What work on the books holds: a [`View`] to read one consistent state, a [`Tx`] to change it.
//!
//! A `Tx` is a `View` too, so every reading function works inside a transaction and sees what it wrote. Neither can
//! begin, commit or roll back: that is the writer's.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::Arc;

use rusqlite::{Connection, Params, Row};

use super::author::Author;
use super::error::Error;

/// One consistent state of the books.
pub struct View<'c> {
    connection: &'c Connection,
}

impl<'c> View<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// The first row of `sql`, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        match rows.next()? {
            Some(row) => Ok(Some(read(row)?)),
            None => Ok(None),
        }
    }

    /// Every row of `sql`, in its order.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Hands every row of `sql` to `take`, one at a time.
    pub(super) fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut take: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
        Ok(())
    }

    /// The number that `sql` counts.
    pub(super) fn count(&self, sql: &str, params: impl Params) -> Result<u64, Error> {
        let count: Option<i64> = self.first(sql, params, |row| row.get(0))?;
        u64::try_from(count.unwrap_or(0)).map_err(|_| Error::TooLarge { what: "count" })
    }
}

/// A transaction: reads, and changes that are kept when the work returns `Ok` and its group is committed.
pub struct Tx<'c> {
    view: View<'c>,
    author: Option<Arc<Author>>,
    notes: Cell<u32>,
}

impl<'c> Deref for Tx<'c> {
    type Target = View<'c>;

    fn deref(&self) -> &View<'c> {
        &self.view
    }
}

impl<'c> Tx<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            view: View::new(connection),
            author: None,
            notes: Cell::new(0),
        }
    }

    /// The same transaction, on behalf of `author`.
    pub(super) fn by(&self, author: Arc<Author>) -> Self {
        Self {
            author: Some(author),
            ..Self::new(self.view.connection)
        }
    }

    /// On whose behalf it is.
    pub(super) fn author(&self) -> Option<&Author> {
        self.author.as_deref()
    }

    /// Number of its entries in the audit log.
    pub(super) fn notes(&self) -> u32 {
        self.notes.get()
    }

    /// Counts one more.
    pub(super) fn count_note(&self) {
        self.notes.set(self.notes.get().saturating_add(1));
    }

    /// Runs `sql`; the number of rows that it changed.
    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        Ok(self.view.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// As [`Tx::run`], where a value that must be unique may be taken: `taken` pairs the columns of a unique index,
    /// such as `links.workspace, links.external_id`, with what the conflict is called.
    pub(super) fn run_unique(
        &self,
        sql: &str,
        params: impl Params,
        taken: &[(&str, &'static str)],
    ) -> Result<usize, Error> {
        let mut statement = self.view.connection.prepare_cached(sql)?;
        statement.execute(params).map_err(|error| conflict(error, taken))
    }

    /// Row number of the last inserted row.
    pub(super) fn last_no(&self) -> Result<u32, Error> {
        let no = self.view.connection.last_insert_rowid();
        u32::try_from(no).map_err(|_| Error::TooLarge { what: "row number" })
    }
}

/// The conflict that a broken unique index means; SQLite names the index by its columns.
fn conflict(error: rusqlite::Error, taken: &[(&str, &'static str)]) -> Error {
    if let rusqlite::Error::SqliteFailure(failure, Some(message)) = &error
        && failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
        && let Some((_, what)) = taken.iter().find(|(columns, _)| message.ends_with(columns))
    {
        return Error::Conflict { what };
    }
    error.into()
}
