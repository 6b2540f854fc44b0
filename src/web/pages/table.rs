//! Tables of things that become cards on a phone: each cell carries the name of its column for that.

use maud::{Markup, html};

/// The head of a column.
#[derive(Debug, Clone, Copy)]
pub enum Head<'a> {
    Words(&'a str),
    /// Figures stand on the right, and so does what they are called.
    Figures(&'a str),
}

/// A table whose first column names each row. `rows` are cells of [`cell`] and [`name_cell`].
pub fn table(label: &str, columns: &[Head<'_>], rows: &[Markup]) -> Markup {
    html! {
        div.wide role="region" aria-label=(label) tabindex="0" {
            table.list {
                thead {
                    tr {
                        @for column in columns {
                            @match column {
                                Head::Words(words) => th scope="col" { (words) },
                                Head::Figures(words) => th.figures scope="col" { (words) },
                            }
                        }
                    }
                }
                tbody { @for row in rows { tr { (row) } } }
            }
        }
    }
}

/// A row's name.
pub fn name_cell(content: &Markup) -> Markup {
    html! { th scope="row" { (content) } }
}

/// A cell under `column`.
pub fn cell(column: &str, content: &Markup) -> Markup {
    html! { td data-label=(column) { (content) } }
}

/// A cell of plain text.
pub fn text_cell(column: &str, text: &str) -> Markup {
    cell(column, &html! { (text) })
}

/// A cell of figures, which stand on the right of a wide screen.
pub fn number_cell(column: &str, text: &str) -> Markup {
    html! { td.figures data-label=(column) { (text) } }
}

/// The ways to the pages before and after; nothing where there is one page.
pub fn pager(before: Option<&str>, after: Option<&str>) -> Markup {
    html! {
        @if before.is_some() || after.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(before) = before { a.button href=(before) rel="prev" { "Newer" } }
                @if let Some(after) = after { a.button href=(after) rel="next" { "Older" } }
            }
        }
    }
}
