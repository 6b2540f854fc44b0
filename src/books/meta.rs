//! Small values of the server itself, such as its node id. Nothing of a brand, nothing secret.

use super::error::Error;
use super::view::{Tx, View};

/// The value called `name`.
///
/// # Errors
/// [`Error::Failed`].
pub fn get(view: &View<'_>, name: &str) -> Result<Option<String>, Error> {
    view.first("SELECT value FROM meta WHERE name = ?", [name], |row| row.get(0))
}

/// Sets the value called `name`.
///
/// # Errors
/// [`Error::Failed`].
pub fn put(tx: &Tx<'_>, name: &str, value: &str) -> Result<(), Error> {
    tx.run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))?;
    Ok(())
}

/// Takes the value called `name` away.
///
/// # Errors
/// [`Error::Failed`].
pub fn remove(tx: &Tx<'_>, name: &str) -> Result<(), Error> {
    tx.run("DELETE FROM meta WHERE name = ?", [name])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn the_last_value_stays() {
        fixture::in_tx(|tx| {
            assert_eq!(get(tx, "node")?, None);
            put(tx, "node", "17")?;
            put(tx, "node", "18")?;
            assert_eq!(get(tx, "node")?.as_deref(), Some("18"));
            remove(tx, "node")?;
            assert_eq!(get(tx, "node")?, None);
            Ok(())
        });
    }
}
