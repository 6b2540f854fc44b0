//! A small scanner of Rust: enough of the language to tell code from comments and strings, to know which part of a
//! file is tests, and to read paths such as `crate::books::Books`, imports with braces included.

use std::collections::BTreeSet;

/// One `.rs` file, read.
pub struct Source {
    /// From the root of the repository, with `/`: `src/books/link.rs`.
    pub path: String,
    pub text: String,
    pub tokens: Vec<Token>,
    /// Every path of two segments or more, and every import.
    pub paths: Vec<Path>,
}

/// A word, a number, a sign. Strings and characters are kept without their contents; comments are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
    pub is_test: bool,
}

/// `a::b::c`, wherever it is named. `use a::{b, c::d}` is two: `a::b` and `a::c::d`.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// With `crate` or a package in front where the first segment says so. `super` and `self` are resolved:
    /// `super::link` in `src/books/order.rs` is `crate::books::link`.
    pub segments: Vec<String>,
    pub line: usize,
    pub is_test: bool,
}

impl Source {
    /// Reads `text`. `is_test` when the whole file is tests: it lies under `tests`, or was declared under `#[cfg(test)]`.
    pub fn new(path: &str, text: &str, is_test: bool) -> Self {
        let mut tokens = tokens(text);
        mark_tests(&mut tokens, is_test);
        let paths = paths(path, &tokens);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            paths,
        }
    }

    /// The room that the file lies in: `books` for `src/books/link.rs`, `app` for `src/app.rs`, `main`, `lib`;
    /// `tests` and `benches` for what lies there.
    pub fn room(&self) -> &str {
        let mut parts = self.path.split('/');
        match parts.next() {
            Some("src") => parts.next().unwrap_or_default().trim_end_matches(".rs"),
            top => top.unwrap_or_default(),
        }
    }

    /// Whether the tokens from `at` on are these.
    pub fn has(&self, at: usize, texts: &[&str]) -> bool {
        texts
            .iter()
            .enumerate()
            .all(|(n, text)| self.tokens.get(at + n).is_some_and(|token| token.text == *text))
    }

    /// Files of modules that are declared under `#[cfg(test)] mod name;`: all of each is tests.
    pub fn test_modules(&self) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..self.tokens.len() {
            if self.tokens[at].is_test && self.has(at, &["mod"]) && self.has(at + 2, &[";"]) {
                let (folder, stem) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
                let folder = match stem {
                    "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
                    _ => format!("{folder}/{}", stem.trim_end_matches(".rs")),
                };
                let name = &self.tokens[at + 1].text;
                found.push(format!("{folder}/{name}.rs"));
                found.push(format!("{folder}/{name}/mod.rs"));
            }
        }
        found
    }

    /// What the file itself names so that a bare `bytes::x` means it, not a package: its modules and its imports.
    pub fn own_names(&self) -> BTreeSet<&str> {
        let modules = (0..self.tokens.len())
            .filter(|&at| self.has(at, &["mod"]))
            .filter_map(|at| self.tokens.get(at + 1))
            .map(|token| token.text.as_str());
        let imports = self.paths.iter().filter(|path| path.segments[0] == "crate");
        let imports = imports.filter_map(|path| path.segments.last()).map(String::as_str);
        modules.chain(imports).collect()
    }
}

/// Splits `text` into tokens.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found: Vec<Token> = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let is_after_dot = found.last().is_some_and(|token| token.text == ".");
        let (end, text) = match chars[at] {
            c if c.is_whitespace() => (at + 1, None),
            '/' if chars.get(at + 1) == Some(&'/') => (end_of_line(&chars, at), None),
            '/' if chars.get(at + 1) == Some(&'*') => (end_of_comment(&chars, at), None),
            '"' => (end_of_string(&chars, at), Some("\"\"".to_owned())),
            '\'' => end_of_quote(&chars, at),
            c if c.is_ascii_digit() => word(&chars, at, end_of_number(&chars, at, is_after_dot)),
            c if c == '_' || c.is_alphabetic() => prefixed_or_word(&chars, at),
            ':' if chars.get(at + 1) == Some(&':') => (at + 2, Some("::".to_owned())),
            c => (at + 1, Some(c.to_string())),
        };
        if let Some(text) = text {
            found.push(Token {
                text,
                line,
                is_test: false,
            });
        }
        line += chars[at..end].iter().filter(|&&c| c == '\n').count();
        at = end;
    }
    found
}

fn word(chars: &[char], at: usize, end: usize) -> (usize, Option<String>) {
    (end, Some(chars[at..end].iter().collect()))
}

fn end_of_line(chars: &[char], at: usize) -> usize {
    let length = chars[at..].iter().position(|&c| c == '\n');
    length.map_or(chars.len(), |length| at + length)
}

/// Block comments nest.
fn end_of_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

/// From the opening quote to after the closing one.
fn end_of_string(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// A character (`'x'`, `'\n'`, `'\u{1F6D2}'`) or a lifetime (`'a`).
fn end_of_quote(chars: &[char], at: usize) -> (usize, Option<String>) {
    let is_escape = chars.get(at + 1) == Some(&'\\');
    if is_escape || chars.get(at + 2) == Some(&'\'') {
        let from = if is_escape { at + 3 } else { at + 2 };
        let rest = chars.get(from..).unwrap_or_default();
        let length = rest.iter().position(|&c| c == '\'').unwrap_or(rest.len());
        return ((from + length + 1).min(chars.len()), Some("''".to_owned()));
    }
    word(chars, at, end_of_word(chars, at + 1))
}

fn end_of_word(chars: &[char], at: usize) -> usize {
    let length = chars[at..].iter().position(|&c| c != '_' && !c.is_alphanumeric());
    length.map_or(chars.len(), |length| at + length)
}

/// `1_000u64`, `0xff`, `1.5`, `2.`, `1e-9`; but `0` of `0..9`, `1` of `1.max(2)`, and each `0` of `x.0.0`.
fn end_of_number(chars: &[char], at: usize, is_field: bool) -> usize {
    let mut end = end_of_word(chars, at);
    if !is_field && chars.get(end) == Some(&'.') {
        let next = chars.get(end + 1).copied().unwrap_or(' ');
        if next.is_ascii_digit() {
            end = end_of_word(chars, end + 1);
        } else if next != '.' && next != '_' && !next.is_alphabetic() {
            return end + 1;
        }
    }
    let is_exponent = chars[end - 1].eq_ignore_ascii_case(&'e') && !chars[at..end].contains(&'x');
    if is_exponent && matches!(chars.get(end), Some('+' | '-')) {
        end = end_of_word(chars, end + 1);
    }
    end
}

/// A word, or a string behind a prefix: `b"…"`, `r#"…"#`, `br"…"`, `c"…"`, `b'…'`; `r#type` is the word `type`.
fn prefixed_or_word(chars: &[char], at: usize) -> (usize, Option<String>) {
    let end = end_of_word(chars, at);
    let prefix: String = chars[at..end].iter().collect();
    let hashes = chars[end..].iter().take_while(|&&c| c == '#').count();
    let after = chars.get(end + hashes);
    let is_raw = matches!(prefix.as_str(), "r" | "br" | "cr");
    if is_raw && after == Some(&'"') {
        return (end_of_raw_string(chars, end, hashes), Some("\"\"".to_owned()));
    }
    match (prefix.as_str(), chars.get(end)) {
        ("b" | "c", Some('"')) => (end_of_string(chars, end), Some("\"\"".to_owned())),
        ("b", Some('\'')) => end_of_quote(chars, end),
        ("r", Some('#')) => word(chars, end + 1, end_of_word(chars, end + 1)),
        _ => (end, Some(prefix)),
    }
}

fn end_of_raw_string(chars: &[char], hashes_at: usize, hashes: usize) -> usize {
    let mut at = hashes_at + hashes + 1;
    while at < chars.len() {
        let closing = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
        if chars[at] == '"' && closing >= hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    chars.len()
}

/// Marks the item, field or statement that follows each `#[cfg(test)]`, and each `#[test]`.
fn mark_tests(tokens: &mut [Token], is_all: bool) {
    let texts: Vec<String> = tokens.iter().map(|token| token.text.clone()).collect();
    let starts_with = |at: usize, wanted: &[&str]| {
        texts[at..]
            .iter()
            .map(String::as_str)
            .take(wanted.len())
            .eq(wanted.iter().copied())
    };
    let is_all = is_all || starts_with(0, &["#", "!", "[", "cfg", "(", "test", ")", "]"]);
    for at in 0..tokens.len() {
        if is_all {
            tokens[at].is_test = true;
        } else if starts_with(at, &["#", "[", "cfg", "(", "test", ")", "]"])
            || starts_with(at, &["#", "[", "test", "]"])
        {
            let end = end_of_item(&texts, at);
            tokens[at..end].iter_mut().for_each(|token| token.is_test = true);
        }
    }
}

/// After the attributes: to the `;` or `,`, or to the brace that closes the item.
fn end_of_item(texts: &[String], mut at: usize) -> usize {
    while texts.get(at).is_some_and(|text| text == "#") {
        at = closing(texts, at + 1) + 1;
    }
    while at < texts.len() {
        match texts[at].as_str() {
            ";" | "," => return at + 1,
            "{" => return (closing(texts, at) + 1).min(texts.len()),
            "(" | "[" => at = closing(texts, at),
            // What the attribute stood on was the last of its block.
            ")" | "]" | "}" => return at,
            _ => {}
        }
        at += 1;
    }
    texts.len()
}

/// The index of the bracket that closes the one at `open`.
pub fn closing(texts: &[impl AsRef<str>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, text) in texts.iter().enumerate().skip(open) {
        match text.as_ref() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    texts.len()
}

impl AsRef<str> for Token {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// Every path that the file names, resolved against the module that it stands in.
fn paths(file: &str, tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut module = module_of(file);
    let mut open_modules: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        while open_modules.last().is_some_and(|&end| at >= end) {
            open_modules.pop();
            module.pop();
        }
        let before = at.checked_sub(1).map_or("", |before| tokens[before].text.as_str());
        // `+ use<'a>` says what a type captures and imports nothing.
        if tokens[at].text == "use" && tokens.get(at + 1).is_none_or(|token| token.text != "<") {
            at = use_tree(tokens, at + 1, &[], &module, &mut found);
        } else if tokens[at].text == "mod" && tokens.get(at + 2).is_some_and(|token| token.text == "{") {
            module.push(tokens[at + 1].text.clone());
            open_modules.push(closing(tokens, at + 2));
            at += 3;
        } else if is_word(&tokens[at].text) && before != "." {
            at = plain_path(tokens, at, &module, &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// `a::b::c` in code; a single word is no path.
fn plain_path(tokens: &[Token], start: usize, module: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = vec![tokens[start].text.clone()];
    let mut at = start + 1;
    while at + 1 < tokens.len() && tokens[at].text == "::" && is_word(&tokens[at + 1].text) {
        segments.push(tokens[at + 1].text.clone());
        at += 2;
    }
    // `<T as Trait>::NAME::…` goes on where a type ended; its words are no path of their own.
    let is_rest = start > 1 && tokens[start - 1].text == "::" && tokens[start - 2].text == ">";
    if segments.len() > 1 && !is_rest {
        found.push(Path {
            segments: resolved(segments, module),
            line: tokens[start].line,
            is_test: tokens[start].is_test,
        });
    }
    at
}

/// One branch of an import after another; answers where the branch ends.
fn use_tree(tokens: &[Token], mut at: usize, before: &[String], module: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = before.to_vec();
    let mut line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => {}
            "{" => {
                at += 1;
                while at < tokens.len() && tokens[at].text != "}" {
                    at = use_tree(tokens, at, &segments, module, found);
                    at += usize::from(at < tokens.len() && tokens[at].text == ",");
                }
                return at + 1;
            }
            // `a::b as c` binds c; what it is stays a::b.
            "as" => at += 1,
            "self" if !segments.is_empty() => {}
            "," | "}" | ";" => break,
            text => {
                line = token.line;
                segments.push(text.to_owned());
            }
        }
        at += 1;
    }
    let is_test = tokens.get(at.saturating_sub(1)).is_some_and(|token| token.is_test);
    if !segments.is_empty() {
        found.push(Path {
            segments: resolved(segments, module),
            line,
            is_test,
        });
    }
    at
}

/// The module that a file is: `[books, link]` for `src/books/link.rs`.
fn module_of(file: &str) -> Vec<String> {
    let inner = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs");
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// `self` and `super` in front of a path, replaced by the module that they mean.
fn resolved(segments: Vec<String>, module: &[String]) -> Vec<String> {
    let supers = segments
        .iter()
        .enumerate()
        .take_while(|(n, text)| text.as_str() == "super" || (*n == 0 && text.as_str() == "self"))
        .count();
    if supers == 0 {
        return segments;
    }
    let up = segments[..supers].iter().filter(|text| *text == "super").count();
    let stays = &module[..module.len().saturating_sub(up)];
    let mut path = vec!["crate".to_owned()];
    path.extend_from_slice(stays);
    path.extend_from_slice(&segments[supers..]);
    path
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphabetic())
}

mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    fn paths_of(file: &str, source: &str) -> Vec<String> {
        let source = Source::new(file, source, false);
        source.paths.iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn comments_are_dropped_and_strings_emptied() {
        let rows: &[(&str, &[&str])] = &[
            ("a // b", &["a"]),
            ("a /* b /* c */ d */ e", &["a", "e"]),
            (r#""// no" x"#, &["\"\"", "x"]),
            (r#""\"//" x"#, &["\"\"", "x"]),
            (r##"r"\" x"##, &["\"\"", "x"]),
            (r###"r#"a "b" c"# x"###, &["\"\"", "x"]),
            (r##"br#"//"# x b"//" c"//""##, &["\"\"", "x", "\"\"", "\"\""]),
            ("r#type x", &["type", "x"]),
            ("'\"' x", &["''", "x"]),
            (
                r"'\'' x '\\' y '\u{1F6D2}' z b'\''",
                &["''", "x", "''", "y", "''", "z", "''"],
            ),
            ("&'a str", &["&", "'a", "str"]),
            ("'static 'x' 'y", &["'static", "''", "'y"]),
        ];
        for (source, expected) in rows {
            assert_eq!(texts(source), *expected, "{source}");
        }
    }

    #[test]
    fn numbers_are_told_from_ranges_methods_and_fields() {
        let rows: &[(&str, &[&str])] = &[
            ("1.5 1.0e-9 1e6 2.", &["1.5", "1.0e-9", "1e6", "2."]),
            ("0..9", &["0", ".", ".", "9"]),
            ("1.max(2)", &["1", ".", "max", "(", "2", ")"]),
            ("x.0.1", &["x", ".", "0", ".", "1"]),
            ("0xe-1", &["0xe", "-", "1"]),
            ("1_000u64", &["1_000u64"]),
        ];
        for (source, expected) in rows {
            assert_eq!(texts(source), *expected, "{source}");
        }
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let found = tokens("/* a\n b */\n\"x\ny\" r#\"\n\"# z");
        let z = found.last().expect("a token");
        assert_eq!((z.text.as_str(), z.line), ("z", 5));
    }

    #[test]
    fn test_parts_are_what_cfg_test_stands_on() {
        let rows = [
            ("fn a() { x } #[cfg(test)] mod tests { fn b() { y } } fn c() { z }", "y"),
            (
                "#[cfg(test)] #[allow(x(1), reason = \"a\")] fn b() -> [u8; 3] { y } fn c() { z }",
                "y",
            ),
            ("struct A { #[cfg(test)] y: u8, z: u8 }", "y"),
            ("fn a() { #[cfg(test)] y(1); z }", "y"),
            ("fn a() { #[test] fn b() { y } z }", "y"),
        ];
        for (source, test) in rows {
            let read = Source::new("src/books/a.rs", source, false);
            let is_test = |text: &str| {
                read.tokens
                    .iter()
                    .find(|token| token.text == text)
                    .is_some_and(|token| token.is_test)
            };
            assert!(is_test(test), "{source}");
            assert!(!is_test("z"), "{source}");
        }
        let whole = Source::new("src/net/testing.rs", "//! A fake.\n#![cfg(test)]\nfn a() {}", false);
        assert!(whole.tokens.iter().all(|token| token.is_test));
    }

    #[test]
    fn a_module_declared_for_tests_names_its_file() {
        let read = |path| Source::new(path, "mod a; #[cfg(test)] mod b; #[cfg(test)] mod c { }", false).test_modules();
        assert_eq!(read("src/net/mod.rs"), ["src/net/b.rs", "src/net/b/mod.rs"]);
        assert_eq!(read("src/app.rs"), ["src/app/b.rs", "src/app/b/mod.rs"]);
    }

    #[test]
    fn paths_are_found_in_imports_and_in_code() {
        let rows: &[(&str, &[&str])] = &[
            ("use crate::books;", &["crate::books"]),
            (
                "use crate::{books::{self, Books}, domain as nouns, web::*};",
                &["crate::books", "crate::books::Books", "crate::domain", "crate::web::*"],
            ),
            ("use {sled, axum::Router,};", &["sled", "axum::Router"]),
            (
                "pub(in crate::books) use ::hyper::body;",
                &["crate::books", "hyper::body"],
            ),
            (
                "let a: Vec<crate::web::Api> = b::c::<d::E>();",
                &["crate::web::Api", "b::c", "d::E"],
            ),
            ("a.b::<u8>(); a.await; one", &[]),
            ("<A as b::C>::d::e()", &["b::C"]),
            ("#[tokio::test] fn a() {}", &["tokio::test"]),
            ("let a = x.use_it(); // use crate::web;", &[]),
            ("fn a() -> impl B + use<'_> { c(); d::e() }", &["d::e"]),
        ];
        for (source, expected) in rows {
            assert_eq!(paths_of("src/books/a.rs", source), *expected, "{source}");
        }
    }

    #[test]
    fn super_is_resolved_from_the_module_it_stands_in() {
        let rows = [
            ("src/books/link.rs", "use super::order;", "crate::books::order"),
            ("src/books/link.rs", "use super::super::web;", "crate::web"),
            ("src/books/link.rs", "use self::order;", "crate::books::link::order"),
            ("src/books/mod.rs", "use super::web::api;", "crate::web::api"),
            ("src/app.rs", "use super::web;", "crate::web"),
            ("src/web/api/mod.rs", "super::super::net::bind();", "crate::net::bind"),
        ];
        for (file, source, expected) in rows {
            assert_eq!(paths_of(file, source), [expected], "{file}: {source}");
        }
        let inner = "mod tests { use super::a; mod b { use super::super::super::c; } } use super::d;";
        let expected = ["crate::books::link::a", "crate::books::c", "crate::books::d"];
        assert_eq!(paths_of("src/books/link.rs", inner), expected);
    }
}
