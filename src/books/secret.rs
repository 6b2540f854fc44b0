//! The server's own signing keys by purpose. None is ever removed here: old ones verify what they signed.

use super::columns::Columns;
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::keyring::Secret;
use crate::domain::time::Timestamp;

/// Adds `secret` for `purpose`.
///
/// # Errors
/// [`Error::Conflict`] when the purpose has that version already.
pub fn insert(tx: &Tx<'_>, purpose: &str, secret: &Secret, created_at: Timestamp) -> Result<(), Error> {
    let added = tx.run(
        "INSERT OR IGNORE INTO secrets (purpose, version, key, created_at) VALUES (?, ?, ?, ?)",
        (purpose, secret.version, secret.key, created_at),
    )?;
    if added == 0 {
        return Err(Error::Conflict { what: "secret version" });
    }
    Ok(())
}

/// Every secret for `purpose` and when it was made, oldest version first; at most 256.
///
/// # Errors
/// [`Error::Failed`].
pub fn all(view: &View<'_>, purpose: &str) -> Result<Vec<(Secret, Timestamp)>, Error> {
    let sql = "SELECT version, key, created_at FROM secrets WHERE purpose = ? ORDER BY version";
    view.all(sql, [purpose], |row| {
        let mut columns = Columns::of(row);
        let secret = Secret {
            version: columns.next()?,
            key: columns.next()?,
        };
        Ok((secret, columns.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn secrets_are_kept_by_purpose_and_version() {
        fixture::in_tx(|tx| {
            let secret = |version| Secret {
                version,
                key: [version; 32],
            };
            insert(tx, "cookie", &secret(2), Timestamp(20))?;
            insert(tx, "cookie", &secret(1), Timestamp(10))?;
            insert(tx, "click", &secret(1), Timestamp(30))?;
            assert_eq!(
                all(tx, "cookie")?,
                [(secret(1), Timestamp(10)), (secret(2), Timestamp(20))]
            );
            assert_eq!(
                insert(tx, "cookie", &secret(2), Timestamp(21)),
                Err(Error::Conflict { what: "secret version" })
            );
            Ok(())
        });
    }
}
