//! The WHERE of a filtered list, put together from clauses and their values.
//!
//! Clauses are written in this room; only values come from callers, and always as parameters.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::error::Error;
use super::view::View;

/// Clauses that all must hold; the first says whose rows they are.
pub(super) struct Filter {
    owner_clause: &'static str,
    owner: Value,
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    /// Rows for which `clause`, with one `?`, holds for `owner`: every list belongs to somebody.
    pub fn of(clause: &'static str, owner: impl Into<i64>) -> Self {
        let owner = owner.into();
        Self {
            owner_clause: clause,
            owner: Value::Integer(owner),
            sql: clause.to_owned(),
            values: vec![Value::Integer(owner)],
        }
    }

    /// Narrows to `clause`, which has as many `?` as there are `values`.
    pub fn and(&mut self, clause: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(clause);
        self.values.extend(values);
    }

    /// Narrows to `clause`, with one `?`, when there is a value.
    pub fn and_some(&mut self, clause: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.and(clause, [value.into()]);
        }
    }

    /// Narrows to rows whose `column` has one of `values`; none, when there is none.
    pub fn and_one_of(&mut self, column: &str, values: impl IntoIterator<Item = Value>) {
        let values: Vec<Value> = values.into_iter().collect();
        let marks = vec!["?"; values.len()].join(", ");
        self.and(&format!("{column} IN ({marks})"), values);
    }

    /// The number of rows of `table` that the condition lets through.
    pub fn count(&self, view: &View<'_>, table: &str) -> Result<u64, Error> {
        let sql = format!("SELECT count(*) FROM {table} WHERE {}", self.sql);
        view.count(&sql, params_from_iter(&self.values))
    }

    /// Narrows to rows in which one of these columns contains the text beside it; ASCII letters match in any case.
    pub fn and_any_contains(&mut self, searches: &[(&str, &str)]) {
        let clauses: Vec<String> = searches
            .iter()
            .map(|(column, _)| format!("{column} LIKE ? ESCAPE '\\'"))
            .collect();
        let clause = format!("({})", clauses.join(" OR "));
        self.and(
            &clause,
            searches.iter().map(|(_, text)| Value::Text(like_pattern(text))),
        );
    }

    /// The whole condition.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What its question marks stand for.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Adds the value of a question mark that follows the condition.
    pub fn bind_after(&mut self, value: i64) {
        self.values.push(Value::Integer(value));
    }

    /// The first clause and its value.
    pub fn owner(&self) -> (&'static str, &Value) {
        (self.owner_clause, &self.owner)
    }
}

/// A LIKE pattern for texts that contain `text` literally, with `\` as the escape.
fn like_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_literal() {
        assert_eq!(like_pattern("50%_\\x"), "%50\\%\\_\\\\x%");
    }

    #[test]
    fn clauses_and_values_stay_in_step() {
        let mut filter = Filter::of("workspace = ?", 7);
        filter.and("is_archived = 0", []);
        filter.and_some("tenant_id = ?", Some("t".to_owned()));
        filter.and_some("external_id = ?", None::<String>);
        filter.and_any_contains(&[("slug", "a"), ("title", "a")]);
        assert_eq!(
            filter.sql(),
            "workspace = ? AND is_archived = 0 AND tenant_id = ? AND (slug LIKE ? ESCAPE '\\' OR title LIKE ? ESCAPE '\\')"
        );
        assert_eq!(filter.values().len(), 4);
        assert_eq!(filter.owner(), ("workspace = ?", &Value::Integer(7)));
    }
}
