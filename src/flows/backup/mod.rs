//! Backups: both stores and their keys, consistent with each other, checksummed, the unchanged not copied again.
//!
//! A backup is a directory: `manifest.json` and `objects/`, one file a piece, named by its BLAKE3. The manifest is put
//! in place last and at once: a backup that was cut short leaves the one before it, or none. Object files that no
//! manifest names are removed by the next backup.
//!
//! **Consistency.** The books are cut first; then the recorder empties the workers' lanes; then the click log is cut. So the
//! click of every order in the backup is in it. Secrets and API keys are in the books. TLS certificates and the configuration are not: they are files of
//! the operator's.

mod make;
mod manifest;
mod restore;
mod state;

pub use make::Backups;
pub use manifest::{Manifest, NewestBackup};
pub use restore::{RestoreError, Restored, restore};
pub use state::{Progress, State};
