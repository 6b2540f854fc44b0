//! How values become columns: instants as milliseconds, numbers of rows as integers, small trees as JSON text, choices
//! as their serde word.
//!
//! The words and the JSON are the format on disk: renaming one needs a migration.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Result, Row};
use serde::Serialize;
use serde::de::{DeserializeOwned, IntoDeserializer};

use super::error::Error;
use crate::domain::id::{
    CampaignNo, CodePoolNo, CreatorNo, DomainNo, FolderNo, LinkNo, ProgramNo, StoreNo, TagNo, UtmTemplateNo,
    WorkspaceNo,
};
use crate::domain::time::Timestamp;

macro_rules! integer_column {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                Ok(self.0.into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value).map(Self)
            }
        }
    )+};
}

integer_column!(
    Timestamp,
    WorkspaceNo,
    DomainNo,
    LinkNo,
    StoreNo,
    CreatorNo,
    ProgramNo,
    CampaignNo,
    CodePoolNo,
    TagNo,
    FolderNo,
    UtmTemplateNo
);

/// A value kept as JSON text.
pub(super) struct Json<T>(pub T);

impl<T: Serialize> ToSql for Json<&T> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        match serde_json::to_string(self.0) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// A choice without data, kept as its serde word.
pub(super) struct Word<T>(pub T);

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(word)) => Ok(word.into()),
            Ok(_) => Err(rusqlite::Error::ToSqlConversionFailure("not a word".into())),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = value.as_str()?.into_deserializer();
        T::deserialize(word)
            .map(Self)
            .map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// Reads a row's columns one after the other, in the order of its SELECT list.
pub(super) struct Columns<'a, 'stmt> {
    row: &'a Row<'stmt>,
    next: usize,
}

impl<'a, 'stmt> Columns<'a, 'stmt> {
    /// Starts at the first column of `row`.
    pub fn of(row: &'a Row<'stmt>) -> Self {
        Self { row, next: 0 }
    }

    /// The next column.
    pub fn next<T: FromSql>(&mut self) -> Result<T> {
        let place = self.next;
        self.next += 1;
        self.row.get(place)
    }

    /// The next column, a word that `parse` knows.
    pub fn next_parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
        match self.next::<Option<String>>()? {
            Some(word) => parse(&word).map(Some).ok_or(rusqlite::Error::InvalidQuery),
            None => Ok(None),
        }
    }

    /// The next column, which holds a count that is never negative.
    pub fn next_count(&mut self) -> Result<Option<u64>> {
        let place = self.next;
        let count: Option<i64> = self.next()?;
        count
            .map(u64::try_from)
            .transpose()
            .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(place, count.unwrap_or_default()))
    }
}

/// A count as a column.
pub(super) fn count(count: Option<u64>, what: &'static str) -> std::result::Result<Option<i64>, Error> {
    count
        .map(i64::try_from)
        .transpose()
        .map_err(|_| Error::TooLarge { what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::consent::ConsentMode;
    use crate::domain::store::{OversellPolicy, Provider};

    #[test]
    fn words_on_disk_are_fixed() {
        fn word<T: Serialize>(value: T) -> String {
            match Word(value).to_sql() {
                Ok(ToSqlOutput::Owned(rusqlite::types::Value::Text(word))) => word,
                other => panic!("{other:?}"),
            }
        }
        let words = [
            word(ConsentMode::Gpc),
            word(ConsentMode::Eea),
            word(ConsentMode::Strict),
            word(ConsentMode::Off),
            word(Provider::Shopify),
            word(Provider::Ucp),
            word(Provider::WooCommerce),
            word(Provider::BigCommerce),
            word(Provider::Stripe),
            word(Provider::Amazon),
            word(Provider::Ecwid),
            word(Provider::Template),
            word(Provider::Api),
            word(OversellPolicy::Deny),
            word(OversellPolicy::Continue),
        ];
        assert_eq!(
            words,
            [
                "gpc",
                "eea",
                "strict",
                "off",
                "shopify",
                "ucp",
                "woocommerce",
                "bigcommerce",
                "stripe",
                "amazon",
                "ecwid",
                "template",
                "api",
                "deny",
                "continue"
            ]
        );
    }

    #[test]
    fn unknown_words_are_an_error() {
        let read = |word: &str| Word::<ConsentMode>::column_result(ValueRef::Text(word.as_bytes())).map(|word| word.0);
        assert_eq!(read("strict"), Ok(ConsentMode::Strict));
        assert!(read("lax").is_err());
        assert!(Word::<ConsentMode>::column_result(ValueRef::Integer(1)).is_err());
    }

    #[test]
    fn counts_that_do_not_fit_are_refused() {
        assert_eq!(count(Some(5), "clicks"), Ok(Some(5)));
        assert_eq!(count(Some(u64::MAX), "clicks"), Err(Error::TooLarge { what: "clicks" }));
    }
}
