//! What people see: lines on standard output, notes on standard error, plain tables.
//!
//! Never colours; never panics when the reader is gone.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

use super::failure::Failure;

/// Writes a result line to standard output at once.
///
/// # Errors
/// When it cannot be written.
pub fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Writes a message to standard error; a message that nobody can read is lost.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether a person watches standard error.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Help, version or a mistake in the command line, each where it belongs.
pub fn show_usage(said: &clap::Error) -> ExitCode {
    let _ = said.print();
    ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2))
}

/// A table of plain text: columns under their names, no frame, as wide as the terminal.
pub fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !columns.is_empty() {
        table.set_header(columns.iter().map(|name| name.to_uppercase()));
    }
    table
}

/// Sets the columns that hold numbers to the right.
pub fn align_right(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Runs `work` to its end on this thread.
///
/// # Errors
/// Those of `work`, and when the system has no room for a runtime.
pub fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// A JSON value as people read it in a table: texts bare, null as nothing, never anything that steers a terminal.
pub fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An instant of an answer (`2026-11-21T09:53:00.123Z`) to the minute.
pub fn minute(value: &Value) -> String {
    cell(value)
        .replacen('T', " ", 1)
        .chars()
        .take("2026-11-21 09:53".len())
        .collect()
}

/// The bytes of an answer exactly as they came.
///
/// # Errors
/// When they cannot be written.
pub fn say_raw(body: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(body)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_plain() {
        assert_eq!(cell(&json!("a\u{1b}[31mb")), "a [31mb");
        assert_eq!(cell(&json!(null)), "");
        assert_eq!(cell(&json!(12)), "12");
        assert_eq!(minute(&json!("2026-11-21T09:53:00.123Z")), "2026-11-21 09:53");
    }

    #[test]
    fn tables_have_no_frame() {
        let mut table = table(&["link", "clicks"]);
        table.add_row(["a", "7"]);
        let text = table.to_string();
        assert!(text.contains("LINK") && !text.contains(['|', '+']), "{text}");
    }
}
