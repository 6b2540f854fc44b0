//! At start: the link table is filled from the books; click limits follow once the click log is open.

use std::sync::Arc;

use super::context::Context;
use super::error::Error;
use crate::books;
use crate::clicklog;
use crate::domain::id::LinkNo;
use crate::domain::store::{Shelf, Store};

/// Links read at a time: bounds the memory of loading.
const SLICE: u32 = 5_000;

/// Fills the table; returns the number of links. Afterwards the table says that it is loaded.
pub fn load(context: &Context) -> Result<u64, Error> {
    let books = &context.inner.books;
    let table = &context.inner.table;
    context.put_domains(&books.read_blocking(|view| books::link_domain::all(view).map_err(Error::from))?);
    let stores = books.read_blocking(|view| {
        let stores = books::store::all(view)?;
        let with_shelf = |store: Store| {
            let shelf = Shelf::new(&books::product::list(view, store.no)?);
            Ok::<_, Error>((store, shelf))
        };
        stores.into_iter().map(with_shelf).collect::<Result<Vec<_>, _>>()
    })?;
    for creator in books.read_blocking(|view| books::creator::of_all_workspaces(view).map_err(Error::from))? {
        table.put_creator(&creator);
    }
    for (store, shelf) in stores {
        table.put_store(&store, Arc::new(shelf));
    }
    let mut after = LinkNo(0);
    let mut loaded = 0;
    loop {
        let slice = books.read_blocking(move |view| books::link::in_slices(view, after, SLICE).map_err(Error::from))?;
        let Some(last) = slice.last() else { break };
        after = last.no;
        for link in &slice {
            table.put(link, None);
        }
        loaded += slice.len() as u64;
    }
    table.set_loaded();
    Ok(loaded)
}

/// Restores the uses so far of links with a click limit; until then they answer that they cannot be followed yet.
pub fn restore_uses(context: &Context, clicks: &clicklog::Reader) -> Result<(), Error> {
    let table = &context.inner.table;
    // Also of links without a limit now: one that gets its limit back has not got its uses back.
    clicks.each_total(|link, totals| {
        if totals.uses > 0 {
            table.restore_uses(link, totals.uses);
        }
    })?;
    table.set_uses_known();
    Ok(())
}
