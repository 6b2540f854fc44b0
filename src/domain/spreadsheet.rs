//! Rows for a spreadsheet: CSV (RFC 4180) in which nothing that a stranger typed is taken for a formula.

/// Appends `cells` as one line, ended by CR LF.
///
/// A cell that a spreadsheet would calculate (it begins with `=`, `+`, `-`, `@` or a tab) gets an apostrophe in front,
/// which spreadsheets show as plain text. Control characters become spaces, so that a row is always one line.
pub fn push_row(out: &mut String, cells: &[&str]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        push_cell(out, cell);
    }
    out.push_str("\r\n");
}

fn push_cell(out: &mut String, cell: &str) {
    let is_quoted =
        cell.contains([',', '"', ';', '\'']) || cell.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_quoted {
        out.push('"');
    }
    if cell.starts_with(['=', '+', '-', '@', '\t']) {
        out.push('\'');
    }
    for c in cell.chars() {
        match c {
            '"' => out.push_str("\"\""),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    if is_quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(cells: &[&str]) -> String {
        let mut out = String::new();
        push_row(&mut out, cells);
        out
    }

    #[test]
    fn cells_are_quoted_and_defused() {
        for (cells, expected) in [
            (&["a", "b"][..], "a,b\r\n"),
            (&["", ""], ",\r\n"),
            (&["a,b", "c\"d", "e f"], "\"a,b\",\"c\"\"d\",\"e f\"\r\n"),
            (&["=1+2", "+49", "-1", "@x"], "'=1+2,'+49,'-1,'@x\r\n"),
            (&["\t=1", "\r=1", "a\r\nb"], "\"' =1\",\" =1\",\"a  b\"\r\n"),
            (&["=HYPERLINK(\"x\",\"y\")"], "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"\r\n"),
            (&["a=b", "Größe"], "a=b,Größe\r\n"),
        ] {
            assert_eq!(row(cells), expected, "{cells:?}");
        }
    }

    /// Reads one line as RFC 4180 says.
    fn read(line: &str) -> Vec<String> {
        let mut cells = vec![String::new()];
        let mut is_inside = false;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, is_inside) {
                ('"', true) if chars.peek() == Some(&'"') => {
                    chars.next();
                    cells.last_mut().expect("a cell").push('"');
                }
                ('"', _) => is_inside = !is_inside,
                (',', false) => cells.push(String::new()),
                (c, _) => cells.last_mut().expect("a cell").push(c),
            }
        }
        cells
    }

    proptest! {
        #[test]
        fn whatever_is_in_a_cell_a_row_is_one_line_and_no_formula(cells in proptest::collection::vec("(?s).{0,20}", 1..5)) {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let line = row(&cells);
            let line = line.strip_suffix("\r\n").expect("an end");
            prop_assert!(!line.contains(['\r', '\n']));
            let back = read(line);
            prop_assert_eq!(back.len(), cells.len());
            for (cell, back) in cells.iter().zip(back) {
                prop_assert!(!back.starts_with(['=', '+', '-', '@', '\t']));
                let plain: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                prop_assert_eq!(back.strip_prefix('\'').filter(|_| !plain.starts_with('\'')).unwrap_or(&back), plain);
            }
        }
    }
}
