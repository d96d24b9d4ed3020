//! The WIT contract as Rust: `bindgen!` and nothing else, in a crate of its own so that it compiles once.
//!
//! `wasi:*` bindings come from `wasmtime-wasi` and `wasmtime-wasi-http`; here is only what `wit/` adds to them.
#![allow(missing_docs, reason = "the docs are in wit/, which bindgen copies where it can")]
#![allow(clippy::all, reason = "generated code")]

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package fasterapi:host;
            world guest {
                import fasterapi:postgres/client@0.1.0;
                export fasterapi:app/lifecycle@0.1.0;
                export fasterapi:app/http@0.1.0;
            }
        ",
        world: "fasterapi:host/guest",
        imports: {
            "fasterapi:postgres/client@0.1.0.query-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.batch-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.begin-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.stream-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.copy-in-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.copy-out-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.copy-from": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.query-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.batch-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.stream-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.copy-in-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.copy-out-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.savepoint-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.release-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.rollback-to-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.commit-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]transaction.rollback-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]rows.next-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]copy-writer.write-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]copy-writer.finish-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]copy-reader.next-async": async | store | trappable,
            "fasterapi:postgres/client@0.1.0.[method]listener.wait-async": async | store | trappable,
            default: async | trappable,
        },
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

/// What a guest may export beside them.
mod optional {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package fasterapi:host;
            world websocket-guest {
                export fasterapi:websocket/endpoint@0.1.0;
            }
        ",
        world: "fasterapi:host/websocket-guest",
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

pub use generated::exports::fasterapi::app::http::Response;
pub use generated::fasterapi::postgres;
pub use generated::{Guest, GuestIndices, GuestPre};
pub use optional::exports::fasterapi::websocket::endpoint::Answer as WebsocketAnswer;
pub use optional::{WebsocketGuest, WebsocketGuestIndices};
