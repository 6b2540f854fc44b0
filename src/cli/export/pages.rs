//! A list of the API, page by page: each begins after a row of the one before, so that what is made meanwhile neither
//! repeats nor hides a row.

use hyper::Method;
use serde_json::Value;

use crate::cli::api::{Api, CallError, query};
use crate::cli::failure::Failure;

/// A list under way.
pub struct Pages<'a> {
    api: &'a Api,
    path: &'static str,
    wanted: Vec<(&'static str, Option<String>)>,
    /// Rows of a full page.
    size: usize,
    /// Where a row's id stands.
    id: &'static str,
    /// Ids of the last page: the next begins after the last of them that is still there.
    seen: Vec<String>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    /// The list at `path`; `size` pairs the parameter of a page's size with it.
    pub fn of(
        api: &'a Api,
        path: &'static str,
        mut wanted: Vec<(&'static str, Option<String>)>,
        size: (&'static str, usize),
        id: &'static str,
    ) -> Self {
        wanted.push((size.0, Some(size.1.to_string())));
        Self {
            api,
            path,
            wanted,
            size: size.1,
            id,
            seen: Vec::new(),
            is_over: false,
        }
    }

    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// What the API refused; that every row of the last page is gone.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        let is_first = self.seen.is_empty();
        loop {
            let after = self.seen.last().map(String::as_str);
            if after.is_none() && !is_first {
                return Err(Failure::Failed(
                    "all rows of the last page were deleted meanwhile: run it again".to_owned(),
                ));
            }
            let mut pairs: Vec<(&str, Option<&str>)> = self
                .wanted
                .iter()
                .map(|(name, value)| (*name, value.as_deref()))
                .collect();
            pairs.push(("startingAfter", after));
            let path = format!("{}{}", self.path, query(&pairs));
            match self.api.try_call(Method::GET, &path, None).await {
                // The row was deleted meanwhile: the one before it will do.
                Err(CallError::Refused { status: 404, .. }) if after.is_some() => {
                    self.seen.pop();
                }
                Err(error) => return Err(self.api.explain(&Method::GET, &path, error)),
                Ok(mut reply) => {
                    let Some(rows) = reply.value.as_array_mut().map(std::mem::take) else {
                        return Err(Failure::Failed(format!("{} did not answer with a list", self.path)));
                    };
                    self.is_over = rows.len() < self.size;
                    self.seen = rows
                        .iter()
                        .filter_map(|row| row.pointer(self.id)?.as_str().map(str::to_owned))
                        .collect();
                    return Ok((!rows.is_empty()).then_some(rows));
                }
            }
        }
    }
}
