//! The API's routes and their description, made of the same calls: nothing is served that is not described, and nothing
//! described that is not served.

mod body_schema;
mod document;
mod operation;
mod shape;

use std::convert::Infallible;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};

pub(super) use document::document;
pub(super) use operation::{BodyForm, Operation, op};
pub(super) use shape::{Field, Kind, Shape, has, may};

use super::Api;

/// One operation, where it is served and under which heading.
#[derive(Debug, Clone)]
pub(super) struct Described {
    pub tag: &'static str,
    /// In small letters, as the document has it.
    pub method: &'static str,
    pub path: &'static str,
    pub operation: Operation,
}

/// Routes with their description.
pub(super) struct Routes {
    router: Router<Api>,
    described: Vec<Described>,
    tag: &'static str,
    /// Largest body of a call that takes catalogues, in bytes.
    catalog_max: usize,
}

impl Routes {
    pub fn new(catalog_max: usize) -> Self {
        Self {
            router: Router::new(),
            described: Vec::new(),
            tag: "",
            catalog_max,
        }
    }

    /// What follows stands under this heading.
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// What `area` adds.
    pub fn with(self, area: fn(Self) -> Self) -> Self {
        area(self)
    }

    pub fn get<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H, operation: Operation) -> Self {
        self.on("get", path, on(MethodFilter::GET, handler), operation)
    }

    pub fn post<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H, operation: Operation) -> Self {
        self.on("post", path, on(MethodFilter::POST, handler), operation)
    }

    pub fn put<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H, operation: Operation) -> Self {
        self.on("put", path, on(MethodFilter::PUT, handler), operation)
    }

    pub fn patch<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H, operation: Operation) -> Self {
        self.on("patch", path, on(MethodFilter::PATCH, handler), operation)
    }

    pub fn delete<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H, operation: Operation) -> Self {
        self.on("delete", path, on(MethodFilter::DELETE, handler), operation)
    }

    fn on(
        mut self,
        method: &'static str,
        path: &'static str,
        served: MethodRouter<Api, Infallible>,
        operation: Operation,
    ) -> Self {
        let served = match operation.is_large() {
            true => served.layer(DefaultBodyLimit::max(self.catalog_max)),
            false => served,
        };
        self.router = self.router.route(path, served);
        self.described.push(Described {
            tag: self.tag,
            method,
            path,
            operation,
        });
        self
    }

    /// The router, and what it serves.
    pub fn split(self) -> (Router<Api>, Vec<Described>) {
        (self.router, self.described)
    }
}
